package control_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/control"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner/acp"
	"skein.dev/skein/server/runner/process"
	"skein.dev/skein/webtransport/wire"
)

// chooser is an agent that has a model to choose, and a session that it keeps in a file of its folder and resumes.
const chooser = `
say() { printf '%s\n' "$1"; }
model=small
answer() { say '{"jsonrpc":"2.0","id":'"$id"',"result":'"$1"'}'; }
options() { answer '{"sessionId":"'${1:-s1}'","configOptions":[{"id":"model","name":"Model","category":"model","type":"select","currentValue":"'$model'","options":[{"value":"small","name":"Small"},{"value":"big","name":"Big"}]}]}'; }
while read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}
  case "$line" in
  *'"method":"initialize"'*) answer '{"protocolVersion":1,"agentCapabilities":{"sessionCapabilities":{"resume":{},"list":{},"fork":{}}}}';;
  *'"method":"session/new"'*) echo new >>history; options;;
  *'"method":"session/resume"'*) if [ -e history ]; then echo resumed >>history; options; else say '{"jsonrpc":"2.0","id":'$id',"error":{"code":-32603,"message":"service failure"}}'; fi;;
  *'"method":"session/fork"'*) echo forked >>history; options f1;;
  *'"method":"session/list"'*) answer '{"sessions":[{"sessionId":"s1","cwd":"'"$PWD"'","title":"What we said"}]}';;
  *'"method":"session/set_config_option"'*) case "$line" in *'"value":"big"'*) model=big;; *) model=small;; esac; options;;
  *crash*) exit 3;;
  *'"method":"session/prompt"'*) answer '{"stopReason":"end_turn"}';;
  esac
done`

func openChooser(t *testing.T) *node {
	return open(t, t.TempDir(), func(o *control.Options) {
		o.Kinds[wire.KindACP] = acp.New(o.Kinds[wire.KindExec].(*process.Kind))
		o.Types = append(o.Types, wire.AgentType{Name: "chooser", Kind: wire.KindACP, Argv: []string{"sh", "-c", chooser}, Tasks: wire.TasksPrompt,
			Options: map[string]string{"model": "big"}, Restart: &wire.RestartPolicy{Mode: wire.RestartFail, Attempts: 2, IntervalMS: 60_000, DelayMS: 10}})
	})
}

func idle(a wire.Agent) bool { return a.Activity == wire.ActivityIdle }

func history(t *testing.T, a wire.Agent) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(a.Cwd, "history"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), "\n", " ")
}

func TestAnAgentIsConfigured(t *testing.T) {
	t.Parallel()
	n := openChooser(t)
	a := n.spawn(t, wire.SpawnParams{Type: "chooser"})
	before := n.untilAgent(t, a.ID, "is idle", idle)
	if before.Session != "s1" || before.Offers == 0 {
		t.Errorf("its record has session %q, and %d offers", before.Session, before.Offers)
	}
	r, err := n.Options(a.ID)
	if err != nil || r.Session != "s1" || !r.Sessions || len(r.Options) != 1 || r.Options[0].Value != "big" {
		t.Fatalf("it offers %+v, %v", r, err)
	}
	r, err = n.Configure(t.Context(), "ann", wire.ConfigureParams{ID: a.ID, Option: "model", Value: "small"})
	if err != nil || r.Options[0].Value != "small" {
		t.Fatalf("it offers %+v, %v", r, err)
	}
	if after, _ := n.Get(a.ID); after.Offers <= before.Offers {
		t.Errorf("viewers don't learn of it: %d offers, %d before", after.Offers, before.Offers)
	}
	n.follow(t, wire.Header{Agent: a.ID, Follow: true}, func(e wire.Event) bool {
		return e.Type == wire.EventLog && e.Actor == "ann" && e.Data.Text == "model was set to small"
	})
	if _, err = n.Configure(t.Context(), "ann", wire.ConfigureParams{ID: a.ID, Option: "model", Value: "huge"}); !errors.Is(err, &wire.Error{Code: wire.CodeInvalidParams}) {
		t.Errorf("a value that is not there: %v", err)
	}
	sessions, err := n.Sessions(t.Context(), wire.SessionsParams{ID: a.ID})
	if err != nil || len(sessions.Sessions) != 1 || !sessions.Sessions[0].Current || sessions.Sessions[0].Title != "What we said" {
		t.Errorf("its sessions are %+v, %v", sessions, err)
	}

	shell := n.shell(t, "sleep 1000")
	for what, f := range map[string]func(wire.AgentID) error{
		"options": func(id wire.AgentID) error { _, err := n.Options(id); return err },
		"a choice": func(id wire.AgentID) error {
			_, err := n.Configure(t.Context(), "ann", wire.ConfigureParams{ID: id})
			return err
		},
		"sessions": func(id wire.AgentID) error {
			_, err := n.Sessions(t.Context(), wire.SessionsParams{ID: id})
			return err
		},
	} {
		if err := f(shell.ID); !errors.Is(err, &wire.Error{Code: wire.CodePrecondition}) {
			t.Errorf("%s of a shell: %v", what, err)
		}
		if err := f("anone"); !errors.Is(err, &wire.Error{Code: wire.CodeNotFound}) {
			t.Errorf("%s of nobody: %v", what, err)
		}
	}
	n.Stop(t.Context(), noun.Caller{Actor: "ann"}, wire.StopParams{IDs: []wire.AgentID{a.ID}})
	if _, err := n.Options(a.ID); !errors.Is(err, &wire.Error{Code: wire.CodePrecondition}) {
		t.Errorf("options of one that has ended: %v", err)
	}
}

func TestAConversationGoesOn(t *testing.T) {
	t.Parallel()
	n := openChooser(t)
	a := n.spawn(t, wire.SpawnParams{Type: "chooser"})
	a = n.untilAgent(t, a.ID, "is idle", idle)

	// In an agent that its restart policy starts again, it is the same.
	if err := n.Input(t.Context(), "ann", wire.InputParams{ID: a.ID, Text: "crash\n"}); err != nil {
		t.Fatal(err)
	}
	a = n.untilAgent(t, a.ID, "is back", func(a wire.Agent) bool { return a.Generation == 2 && idle(a) })
	if got := history(t, a); got != "new resumed " || a.Session != "s1" {
		t.Errorf("in session %s there was %s", a.Session, got)
	}

	// Nobody else may have it meanwhile, and one alone later.
	by := noun.Caller{Actor: "ann"}
	for what, c := range map[string]struct {
		params wire.SpawnParams
		code   wire.ErrorCode
	}{
		"while another has it": {wire.SpawnParams{Type: "chooser", Session: "s1"}, wire.CodeConflict},
		"two at once":          {wire.SpawnParams{Type: "chooser", Session: "s2", Count: 2}, wire.CodeInvalidParams},
		"an odd name":          {wire.SpawnParams{Type: "chooser", Session: "s\n1"}, wire.CodeInvalidParams},
		"another kind":         {wire.SpawnParams{Type: "shell", Session: "s1", Argv: []string{"true"}}, wire.CodeInvalidParams},
	} {
		if _, err := n.Spawn(t.Context(), by, c.params); !errors.Is(err, &wire.Error{Code: c.code}) {
			t.Errorf("%s: %v", what, err)
		}
	}
	n.Stop(t.Context(), by, wire.StopParams{IDs: []wire.AgentID{a.ID}})
	b := n.spawn(t, wire.SpawnParams{Type: "chooser", Session: "s1"})
	b = n.untilAgent(t, b.ID, "is idle", idle)
	if got := history(t, b); b.Cwd != a.Cwd || b.Session != "s1" || got != "new resumed resumed " {
		t.Errorf("in %s, session %s, there was %s", b.Cwd, b.Session, got)
	}

	// One that is not there ends the agent, in words, however often it is started.
	c := n.spawn(t, wire.SpawnParams{Type: "chooser", Session: "s9", Cwd: t.TempDir()})
	c = n.wait(t, c.ID)
	if c.Exit == nil || !strings.HasPrefix(c.Exit.Message, "it has no session s9 that it could continue") || c.Session != "" {
		t.Errorf("it ended with %+v, in session %q", c.Exit, c.Session)
	}
}

func TestAPromptThatWaitsIsReplaced(t *testing.T) {
	t.Parallel()
	n := openChooser(t)
	a := n.spawn(t, wire.SpawnParams{Type: "chooser"})
	n.untilAgent(t, a.ID, "is idle", idle)
	n.Pause(t.Context(), noun.Caller{Actor: "ann"}, wire.PauseParams{IDs: []wire.AgentID{a.ID}})
	for _, text := range []string{"one", "two"} {
		if err := n.Input(t.Context(), "ann", wire.InputParams{ID: a.ID, Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	waits := func(want string) func(a wire.Agent) bool {
		return func(a wire.Agent) bool {
			var all []string
			for _, p := range a.Prompts {
				all = append(all, p.ID+" "+p.Text)
			}
			return strings.Join(all, ", ") == want
		}
	}
	n.untilAgent(t, a.ID, "two wait", waits("p1 one, p2 two"))
	if err := n.Input(t.Context(), "ann", wire.InputParams{ID: a.ID, Text: "better\n", Replace: "p1"}); err != nil {
		t.Fatal(err)
	}
	n.untilAgent(t, a.ID, "one is better", waits("p1 better, p2 two"))
	for want, in := range map[wire.ErrorCode]wire.InputParams{wire.CodeNotFound: {Text: "x", Replace: "p9"}, wire.CodeInvalidParams: {Text: " ", Replace: "p1", EOF: true}} {
		in.ID = a.ID
		if err := n.Input(t.Context(), "ann", in); !errors.Is(err, &wire.Error{Code: want}) {
			t.Errorf("%+v: %v", in, err)
		}
	}
	kit.Eventually(t, "nothing else has changed", func() bool { got, _ := n.Get(a.ID); return waits("p1 better, p2 two")(got) })
}
