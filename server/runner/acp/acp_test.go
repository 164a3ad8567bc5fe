package acp

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/server/runner/process"
	"skein.dev/skein/webtransport/wire"
)

// heard is what an agent did.
type heard struct {
	mu     sync.Mutex
	events []runner.Event
	idle   int // how often it had nothing to do
	slow   time.Duration
}

func (h *heard) sink(e runner.Event) error {
	if o, is := e.(runner.Output); is {
		o.Bytes = slices.Clone(o.Bytes)
		e = o
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
	if a, is := e.(runner.Activity); is && a.Now == wire.ActivityIdle {
		h.idle++
	}
	return nil
}

func (h *heard) all() []runner.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.events)
}

// of returns the events of a type.
func of[T runner.Event](h *heard) (all []T) {
	for _, e := range h.all() {
		if v, is := e.(T); is {
			all = append(all, v)
		}
	}
	return all
}

// printed is what was printed on a stream.
func (h *heard) printed(stream wire.EventType) string {
	var b strings.Builder
	for _, o := range of[runner.Output](h) {
		if o.Stream == stream {
			b.Write(o.Bytes)
		}
	}
	return b.String()
}

// turns counts the turns that are over.
func (h *heard) turns() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.idle - 1 // the first one is before the first prompt
}

type agent struct {
	*session
	*heard
	dir string
}

func start(t *testing.T, how string, change ...func(*runner.Launch)) *agent {
	t.Helper()
	return startWith(t, how, func(runner.Event) {}, change...)
}

// startWith starts an agent and calls also with each event.
func startWith(t *testing.T, how string, also func(runner.Event), change ...func(*runner.Launch)) *agent {
	t.Helper()
	procs := process.New(process.Options{})
	t.Cleanup(procs.Close)
	l := runner.Launch{Agent: wire.AgentID("a" + strings.ToLower(rand.Text()[:12])), Instance: "test", Argv: []string{os.Args[0]}, Env: map[string]string{envAgent: how}, Cwd: t.TempDir()}
	for _, f := range change {
		f(&l)
	}
	h := &heard{}
	s, err := New(procs).Start(t.Context(), l, func(e runner.Event) error {
		also(e)
		return h.sink(e)
	})
	if err != nil {
		t.Fatal(err)
	}
	a := &agent{s.(*session), h, l.Cwd}
	t.Cleanup(func() { a.Stop(context.Background(), 0) })
	return a
}

func (a *agent) prompt(t *testing.T, lines ...string) {
	t.Helper()
	if err := a.Input(t.Context(), []byte(strings.Join(lines, "\n")+"\n"), false); err != nil {
		t.Fatal(err)
	}
}

func (a *agent) untilTurns(t *testing.T, n int) {
	t.Helper()
	kit.Eventually(t, "turns are over", func() bool { return a.turns() >= n })
}

func (a *agent) untilBusy(t *testing.T) {
	t.Helper()
	kit.Eventually(t, "it works", func() bool {
		a.session.mu.Lock()
		defer a.session.mu.Unlock()
		return a.now != nil && len(a.queue) == 0
	})
}

// permissions waits for so many.
func (a *agent) permissions(t *testing.T, n int) []runner.Permission {
	t.Helper()
	kit.Eventually(t, "permissions are asked for", func() bool { return len(of[runner.Permission](a.heard)) >= n })
	return of[runner.Permission](a.heard)
}

func yes() *wire.AskAnswer { return &wire.AskAnswer{Option: "yes", Kind: wire.AllowOnce} }

func TestAConversation(t *testing.T) {
	t.Parallel()
	a := start(t, "")
	a.prompt(t, "think hm", "say Hello,", "say  world", "print not a message")
	a.untilTurns(t, 1)
	if got, want := a.printed(wire.EventStdout), "\x1b[2mhm\x1b[22m\nHello, world"; got != want {
		t.Errorf("it shows %q, want %q", got, want)
	}
	if got := a.printed(wire.EventStderr); got != "not a message\n" {
		t.Errorf("what is no message is %q", got)
	}
	updates := of[runner.Conversation](a.heard)
	if len(updates) != 3 || !strings.Contains(string(updates[1].JSON), `"agent_message_chunk"`) || !strings.Contains(string(updates[1].JSON), "Hello,") {
		t.Errorf("the updates are %s", updates)
	}
	if err := a.Input(t.Context(), nil, true); err != nil {
		t.Fatal(err)
	}
	<-a.Done()
	if e := a.Exit(); e.Code != 0 || e.Signal != "" || !strings.HasSuffix(a.printed(wire.EventStdout), "world\n") {
		t.Errorf("it ended with %+v, after %q", e, a.printed(wire.EventStdout))
	}
}

func TestPromptsComeOneAfterTheOther(t *testing.T) {
	t.Parallel()
	a := start(t, "")
	for i := range 10 {
		a.prompt(t, "say "+strings.Repeat("x", i)+".")
	}
	a.untilTurns(t, 10)
	if got, want := a.printed(wire.EventStdout), "..x.xx.xxx."; !strings.HasPrefix(strings.ReplaceAll(got, "\n", ""), ".x.xx.xxx.") {
		t.Errorf("it shows %q, want %q", got, want)
	}
	a.prompt(t, "hang")
	a.untilBusy(t)
	for range wire.MaxPrompts {
		a.prompt(t, "say more")
	}
	err := a.Input(t.Context(), []byte("say too much"), false)
	if !errors.Is(err, &wire.Error{Code: wire.CodeExhausted}) {
		t.Errorf("one too many: %v", err)
	}
}

func TestPromptsThatWait(t *testing.T) {
	t.Parallel()
	a := start(t, "")
	a.prompt(t, "say busy", "hang")
	kit.Eventually(t, "it is at it", func() bool { return strings.Contains(a.printed(wire.EventStdout), "busy") })
	for _, text := range []string{"say one", "say two", "say three"} {
		a.prompt(t, text)
	}
	waits := func(want ...string) (last []wire.Prompt) {
		t.Helper()
		kit.Eventually(t, strings.Join(want, ", ")+" wait", func() bool {
			if all := of[runner.Waiting](a.heard); len(all) > 0 {
				last = all[len(all)-1].Prompts
			}
			return slices.EqualFunc(last, want, func(p wire.Prompt, text string) bool { return p.Text == text })
		})
		return last
	}
	last := waits("say one", "say two", "say three")
	if text, waited := a.Drop(last[1].ID); !waited || text != "say two" {
		t.Errorf("dropped is %q, %v", text, waited)
	}
	if _, waited := a.Drop(last[1].ID); waited {
		t.Error("it was dropped twice")
	}
	waits("say one", "say three")
	if a.Replace(last[1].ID, "say gone") || !a.Replace(last[2].ID, "say four\n") {
		t.Error("a prompt that was dropped was replaced, or one that waits was not")
	}
	waits("say one", "say four")
	a.Interrupt()
	a.prompt(t, "say first")
	a.untilTurns(t, 4)
	waits()
	if got := a.printed(wire.EventStdout); !strings.Contains(got, "first") || strings.Contains(got, "two") || strings.Contains(got, "three") || !strings.Contains(got, "four") {
		t.Errorf("it shows %q", got)
	}
}

func TestAPermission(t *testing.T) {
	t.Parallel()
	a := start(t, "")
	file := filepath.Join(a.dir, "it")
	a.prompt(t, "write "+file)
	p := a.permissions(t, 1)[0]
	if p.Text != "write "+file || p.Tool == nil || p.Tool.Kind != "edit" || len(p.Tool.Diffs) != 1 || p.Tool.Diffs[0].New != "written\n" || len(p.Options) != 2 || p.Options[0].Kind != wire.AllowOnce {
		t.Errorf("it is %+v %+v", p, p.Tool)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the file is there before the answer")
	}
	p.Answer(yes())
	a.untilTurns(t, 1)
	if b, err := os.ReadFile(file); err != nil || string(b) != "written\n" {
		t.Errorf("the file has %q, %v", b, err)
	}
	if got := a.printed(wire.EventStdout); !strings.Contains(got, "● write") || !strings.Contains(got, "✓ write") {
		t.Errorf("it shows %q", got)
	}

	a.prompt(t, "run make all")
	p = a.permissions(t, 2)[1]
	if p.Tool.Kind != "execute" || p.Tool.Command != "make all" {
		t.Errorf("it is %+v", p.Tool)
	}
	p.Answer(&wire.AskAnswer{Option: "no"})
	a.untilTurns(t, 2)
	if got := a.printed(wire.EventStdout); !strings.Contains(got, "✗ run make all") {
		t.Errorf("it shows %q", got)
	}
}

// TestACanceledTurnAnswersItsPermissions checks what some agents wait for before they end the turn.
func TestACanceledTurnAnswersItsPermissions(t *testing.T) {
	t.Parallel()
	a := start(t, "")
	a.prompt(t, "run make")
	p := a.permissions(t, 1)[0]
	if !a.Interrupt() {
		t.Error("there is nothing to interrupt")
	}
	a.untilTurns(t, 1)
	if got := a.printed(wire.EventStderr); got != "outcome: cancelled\n" {
		t.Errorf("the agent says %q", got)
	}
	if w := of[runner.Withdrawn](a.heard); len(w) != 1 || w[0].Key != p.Key {
		t.Errorf("withdrawn: %+v", w)
	}
	p.Answer(yes()) // too late, and without effect
	a.prompt(t, "say next")
	a.untilTurns(t, 2)
	if got := a.printed(wire.EventStdout); !strings.Contains(got, "it was canceled") || !strings.Contains(got, "next") {
		t.Errorf("it shows %q", got)
	}
	if a.Interrupt() {
		t.Error("an idle agent was interrupted")
	}
}

func TestAPermissionForSomethingElseIsAnotherOne(t *testing.T) {
	t.Parallel()
	a := start(t, "")
	file := filepath.Join(a.dir, "it")
	a.prompt(t, "change "+file)
	kit.Eventually(t, "it asks for the second", func() bool {
		all := of[runner.Permission](a.heard)
		return len(all) > 0 && all[len(all)-1].Tool.Diffs[0].New == "something else\n"
	})
	all := of[runner.Permission](a.heard)
	last := all[len(all)-1]
	if len(all) == 2 {
		if w := of[runner.Withdrawn](a.heard); len(w) != 1 || w[0].Key != all[0].Key || last.Key == all[0].Key {
			t.Errorf("withdrawn: %+v of %+v", w, all)
		}
		all[0].Answer(yes())
	}
	last.Answer(yes())
	a.untilTurns(t, 1)
}

func TestTasksArePrompts(t *testing.T) {
	t.Parallel()
	a := start(t, "")
	deliver := func(id wire.TaskID, text string) {
		t.Helper()
		if err := a.Deliver(t.Context(), &wire.Task{ID: id, TaskSpec: wire.TaskSpec{Input: wire.Payload{Text: text}}}); err != nil {
			t.Fatal(err)
		}
	}
	result := func(n int) runner.TaskResult {
		t.Helper()
		kit.Eventually(t, "results", func() bool { return len(of[runner.TaskResult](a.heard)) == n })
		return of[runner.TaskResult](a.heard)[n-1]
	}
	deliver("t1", "say I begin.\nrun make\nsay 42")
	a.permissions(t, 1)[0].Answer(yes())
	if r := result(1); r.Task != "t1" || r.Failure != "" || string(r.Output) != "42" {
		t.Errorf("the result is %+v, %q", r, r.Output)
	}
	if p := of[runner.Permission](a.heard)[0]; p.Task != "t1" {
		t.Errorf("the permission is for task %q", p.Task)
	}
	deliver("t2", "fail out of credits")
	if r := result(2); r.Task != "t2" || r.Failure != wire.FailAgentError || !strings.Contains(r.Message, "out of credits") {
		t.Errorf("the result is %+v", r)
	}
	deliver("t3", "say at it\nhang")
	deliver("t4", "say never")
	a.Cancel(t.Context(), "t4")
	if r := result(3); r.Task != "t4" || r.Failure == "" {
		t.Errorf("the result is %+v", r)
	}
	kit.Eventually(t, "it is at it", func() bool { return strings.Contains(a.printed(wire.EventStdout), "at it") })
	a.Cancel(t.Context(), "t3")
	if r := result(4); r.Task != "t3" || r.Failure == "" {
		t.Errorf("the result is %+v", r)
	}
	if strings.Contains(a.printed(wire.EventStdout), "never") {
		t.Error("a task that was canceled was begun")
	}
}

func TestALogin(t *testing.T) {
	t.Parallel()
	a := start(t, "login")
	a.prompt(t, "say in")
	p := a.permissions(t, 1)[0]
	if !p.Login || !strings.Contains(p.Text, "Authentication required") || p.Options[0].Name != "A key" {
		t.Errorf("it is %+v", p)
	}
	p.Answer(&wire.AskAnswer{Option: "again"})
	p = a.permissions(t, 2)[1]
	p.Answer(&wire.AskAnswer{Option: p.Options[0].ID})
	a.untilTurns(t, 1)
	if got := a.printed(wire.EventStdout); got != "in" {
		t.Errorf("it shows %q", got)
	}

	b := start(t, "login")
	p = b.permissions(t, 1)[0]
	p.Answer(&wire.AskAnswer{Option: "end"})
	<-b.Done()
	if e := b.Exit(); e.Code == 0 && e.Signal == "" || !strings.Contains(e.Message, "wants a login") {
		t.Errorf("it ended with %+v", e)
	}
}

func TestTheModeThatAsks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*runner.Launch)
		want   string // on its standard error
		fails  string
	}{
		"its own":   {func(*runner.Launch) {}, "", ""},
		"asks":      {func(l *runner.Launch) { l.AsksFirst = true }, "mode is default\n", ""},
		"named":     {func(l *runner.Launch) { l.Mode, l.AsksFirst = "auto", true }, "", ""},
		"not there": {func(l *runner.Launch) { l.Mode = "yolo" }, "", `it has no mode "yolo"; its modes are auto, default`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := start(t, "", c.change)
			if c.fails != "" {
				<-a.Done()
				if e := a.Exit(); e.Message != c.fails {
					t.Errorf("it ended with %+v", e)
				}
				return
			}
			a.prompt(t, "say x")
			a.untilTurns(t, 1)
			if got := a.printed(wire.EventStderr); got != c.want {
				t.Errorf("it says %q, want %q", got, c.want)
			}
		})
	}
}

func TestAgentsThatCantBeUsed(t *testing.T) {
	t.Parallel()
	for how, want := range map[string]string{"version": "speaks version 2 of ACP", "dead": ""} {
		a := start(t, how)
		<-a.Done()
		if e := a.Exit(); e.Code == 0 && e.Signal == "" || !strings.Contains(e.Message, want) {
			t.Errorf("%s: it ended with %+v", how, e)
		}
		if err := a.Input(t.Context(), []byte("x"), false); err == nil {
			t.Errorf("%s: it takes prompts", how)
		}
	}
	a := start(t, "mute")
	a.prompt(t, "say x") // waits
	a.Stop(t.Context(), 50*time.Millisecond)
	<-a.Done()
}

func TestAnAgentDiesInMidPrompt(t *testing.T) {
	t.Parallel()
	a := start(t, "")
	a.prompt(t, "say half", "die")
	<-a.Done()
	if e := a.Exit(); e.Code != 3 {
		t.Errorf("it ended with %+v", e)
	}
	if got := a.printed(wire.EventStdout); got != "half\n" {
		t.Errorf("it shows %q", got)
	}
}

// TestManyUpdates checks that no number of updates ends the connection, and that none is lost.
func TestManyUpdates(t *testing.T) {
	t.Parallel()
	n := kit.Less(100_000, 10_000)
	a := start(t, "")
	a.prompt(t, "updates "+itoa(n), "say done")
	a.untilTurns(t, 1)
	if got := len(of[runner.Conversation](a.heard)); got != n+1 || !strings.HasSuffix(a.printed(wire.EventStdout), itoa(n-1)+"\ndone") {
		t.Errorf("%d updates came, of %d", got, n+1)
	}
}

func TestAStopCancels(t *testing.T) {
	t.Parallel()
	a := start(t, "")
	a.prompt(t, "run make")
	a.permissions(t, 1)
	a.prompt(t, "say never")
	_, left := a.Stop(t.Context(), 5*time.Second)
	<-a.Done()
	if len(left) > 0 || strings.Contains(a.printed(wire.EventStdout), "never") {
		t.Errorf("left: %v; it shows %q", left, a.printed(wire.EventStdout))
	}
}

// TestACancelBeforeThePromptIsSent has a sink that waits while a turn begins.
func TestACancelBeforeThePromptIsSent(t *testing.T) {
	t.Parallel()
	begins, goOn := make(chan struct{}), make(chan struct{})
	a := startWith(t, "", func(e runner.Event) {
		if act, is := e.(runner.Activity); is && act.Now == wire.ActivityRunning {
			begins <- struct{}{}
			<-goOn
		}
	})
	a.prompt(t, "hang")
	<-begins
	if !a.Interrupt() {
		t.Error("there is nothing to interrupt")
	}
	goOn <- struct{}{}
	a.untilTurns(t, 1)
	if got := a.printed(wire.EventStdout); !strings.Contains(got, "it was canceled") {
		t.Errorf("it shows %q", got)
	}
}

// TestAPermissionOutsideATurnIsAnsweredByAStop has an agent that asks before it was told anything.
func TestAPermissionOutsideATurnIsAnsweredByAStop(t *testing.T) {
	t.Parallel()
	a := start(t, "asks")
	a.permissions(t, 1)
	a.Stop(t.Context(), kit.Patience)
	kit.Eventually(t, "it is withdrawn", func() bool { return len(of[runner.Withdrawn](a.heard)) == 1 })
}

// TestTheCommandIsTheOneThatRuns has inputs of tools that would pass for another command.
func TestTheCommandIsTheOneThatRuns(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]string{
		`{"command":"make"}`:                            "make",
		`{"command":"rm -rf x","Command":"git status"}`: "rm -rf x",
		`{"command":"git status","cmd":"rm -rf x"}`:     "git status\nrm -rf x",
		`{"command":"make","args":["deploy"]}`:          "make deploy",
		`{"command":["bash","-lc","make all"]}`:         "make all",
		`{"command":["/bin/sh","-c","make all"]}`:       "make all",
		`{"command":["python3","-c","git status"]}`:     "python3 -c git status",
		`{"cmd":["ls","-l"]}`:                           "ls -l",
		`{"command":{"a":1},"cmd":7}`:                   "",
		`[]`:                                            "",
	} {
		if got := (&tool{input: []byte(input)}).command(); got != want {
			t.Errorf("%s runs %q, want %q", input, got, want)
		}
	}
}

// idle returns a session without an agent, whose events go nowhere.
func idle() *session {
	s := &session{sink: func(runner.Event) error { return nil }, open: map[string]*permission{}, tools: map[string]*tool{}, work: make(chan struct{}, 1), setting: make(chan struct{}, 1)}
	s.conn = newConn(s)
	return s
}

// grows is by how much the memory that is in use grows.
func grows(f func()) int {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return int(after.HeapAlloc) - int(before.HeapAlloc)
}

// TestWhatAnAgentSendsIsBounded plays an agent that would fill the server's memory. It is alone, because it measures that.
func TestWhatAnAgentSendsIsBounded(t *testing.T) {
	update := func(s *session, i int, member string) {
		s.conn.hear([]byte(`{"method":"session/update","params":{"update":{"sessionUpdate":"tool_call","toolCallId":"` + itoa(i) + `",` + member + "}}}\n"))
	}
	ask := func(s *session, i int, id, member, options string) {
		s.conn.hear([]byte(`{"id":"` + id + itoa(i) + `","method":"session/request_permission","params":{"toolCall":{"toolCallId":"` + itoa(i) + `",` + member + `},"options":[` + options + "]}}\n"))
	}
	for name, each := range map[string]func(s *session, i int, large string){
		"inputs": func(s *session, i int, large string) {
			s.tool(&toolCall{ID: itoa(i), RawInput: []byte(large)})
		},
		"diffs": func(s *session, i int, large string) {
			s.tool(&toolCall{ID: itoa(i), Content: []toolContent{{Type: "diff", NewText: large}}})
		},
	} {
		s := idle()
		if got := grows(func() {
			for i := range 64 {
				each(s, i, strings.Repeat("x", 256<<10))
			}
		}); got > maxToolBytes+(2<<20) {
			t.Errorf("%s: %d KiB are held", name, got>>10)
		}
		runtime.KeepAlive(s)
	}
	large := strings.Repeat("x", 64<<10)
	for name, each := range map[string]func(s *session, i int){
		"words": func(s *session, i int) {
			ask(s, i, "", `"title":"`+large+`","kind":"`+large+`","toolCallId":"`+itoa(i)+large+`"`, "")
		},
		"ids": func(s *session, i int) { ask(s, i, large, `"title":"x"`, "") },
		"options": func(s *session, i int) {
			ask(s, i, "", `"title":"x"`, `{"optionId":"x","name":"`+large+`","kind":"`+large+`"}`)
		},
	} {
		s := idle()
		if got := grows(func() {
			for i := range 16 {
				each(s, i)
			}
		}); got > 512<<10 {
			t.Errorf("%s: %d KiB are held", name, got>>10)
		}
		runtime.KeepAlive(s)
	}

	s := idle()
	for i := range maxTools + 100 {
		update(s, i, `"title":"x"`)
	}
	if len(s.tools) != maxTools || len(s.called) != maxTools || s.tools[itoa(maxTools+99)] == nil {
		t.Errorf("%d tool calls are remembered", len(s.tools))
	}

	// What is next to nothing in JSON takes much more when it is read.
	items := "[" + strings.Repeat("{},", 1<<18) + "{}]"
	for _, member := range []string{"content", "locations"} {
		s := idle()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		update(s, 1, `"`+member+`":`+items)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 20<<20 {
			t.Errorf("%d MiB are needed for %d KiB of %s", got>>20, len(items)>>10, member)
		}
		if d := s.tools["1"].describe(); !d.Cut {
			t.Errorf("%s are not said to be cut", member)
		}
	}
}

// TestNoTwoPermissionsHaveTheSameKey checks that one which is answered or withdrawn late is not taken for one of the process that the
// agent was restarted with.
func TestNoTwoPermissionsHaveTheSameKey(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"asks", "login"} {
		before, after := start(t, how), start(t, how)
		if p, q := before.permissions(t, 1)[0], after.permissions(t, 1)[0]; p.Key == q.Key {
			t.Errorf("both have %q", p.Key)
		}
	}
}

func TestAnAgentIsToldOfTheMCPServer(t *testing.T) {
	t.Parallel()
	at := runner.MCP{URL: "http://localhost:4480/mcp", Token: "secret", Command: []string{"/bin/skein", "mcp"}}
	for how, want := range map[string]string{
		"http": `{"headers":[{"name":"Authorization","value":"Bearer secret"}],"name":"skein","type":"http","url":"http://localhost:4480/mcp"}`,
		"":     `{"args":["mcp"],"command":"/bin/skein","env":[{"name":"SKEIN_SERVER","value":"http://localhost:4480"},{"name":"SKEIN_TOKEN","value":"secret"}],"name":"skein"}`,
	} {
		a := start(t, how, func(l *runner.Launch) { l.MCP = func(context.Context) *runner.MCP { return &at } })
		kit.Eventually(t, "it is idle, and has said what it was told", func() bool {
			return len(of[runner.Activity](a.heard)) > 0 && strings.HasSuffix(a.printed(wire.EventStderr), "\n")
		})
		got, is := strings.CutPrefix(a.printed(wire.EventStderr), "MCP ")
		var v, w any
		if json.Unmarshal([]byte(got), &v) != nil || json.Unmarshal([]byte(want), &w) != nil || !is || !reflect.DeepEqual(v, w) {
			t.Errorf("an agent that takes %q is told of %s", how, got)
		}
	}
	a := start(t, "", func(l *runner.Launch) { l.MCP = func(context.Context) *runner.MCP { return nil } })
	kit.Eventually(t, "it is idle", func() bool { return len(of[runner.Activity](a.heard)) > 0 })
	if got := a.printed(wire.EventStderr); got != "" {
		t.Errorf("it is told of %s", got)
	}
}
