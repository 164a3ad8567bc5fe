package control_test

import (
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/webtransport/wire"
)

// inTerminal is an agent that runs a script of the shell in a terminal.
func inTerminal(script string) wire.SpawnParams {
	return wire.SpawnParams{Type: "shell", Argv: []string{"sh", "-c", script}, TTY: &wire.Size{Cols: 60, Rows: 10}}
}

func TestAnAgentInATerminalDoesWhatItSays(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	a := n.spawn(t, inTerminal(`stty -echo
say() { printf '\033]7501;%s:app=test\033\\' "$1"; }
say state=working; read x
say state=blocked:kind=permission:msg=bWF5IEk/; read x
say state=working:id=part; say state=idle; read x
say state=blocked:id=part/two:kind=question; read x
say state=clear; printf '\033]9;look here\a'; read x
printf '\033]2;the title\a'; sleep 300`))
	is := func(act wire.Activity, question string) {
		t.Helper()
		kit.Eventually(t, string(act)+" "+question, func() bool {
			a, err := n.Get(a.ID)
			return err == nil && a.Activity == act && a.Question == question
		})
	}
	next := func() {
		t.Helper()
		if err := n.Input(t.Context(), "test", wire.InputParams{ID: a.ID, Text: "\n"}); err != nil {
			t.Fatal(err)
		}
	}
	is(wire.ActivityRunning, "")
	next()
	is(wire.ActivityRequiresAction, "may I?")
	next()
	is(wire.ActivityRunning, "")
	next()
	is(wire.ActivityRequiresAction, "waits for an answer")
	next()
	is(wire.ActivityRequiresAction, "look here")
	term, err := n.Terminal(t.Context(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	v, _, _ := term.Attach("test", "test", nil, true)
	v.Input(t.Context(), 0, []byte("\r"), false) // somebody has seen it
	is(wire.ActivityIdle, "")
	kit.Eventually(t, "the title is in the record", func() bool { a, err := n.Get(a.ID); return err == nil && a.Title == "the title" })
}

func TestATerminalOutlivesTheServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := open(t, dir)
	a := n.spawn(t, inTerminal(`stty size; printf 'one\ntwo \033[31mred\033[m\n\033[?1049h\033[2;3Hfull screen'; sleep 300`))
	kit.Eventually(t, "it has drawn", func() bool {
		term, err := n.Terminal(t.Context(), a.ID)
		return err == nil && strings.Contains(strings.Join(term.Text(), "\n"), "full screen")
	})
	n.close()
	n = open(t, dir)
	term, err := n.Terminal(t.Context(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimRight(strings.Join(term.Text(), "|"), "|"); got != "|  full screen" {
		t.Errorf("afterwards its screen is %q", got)
	}
}

func TestTheEndOfInputIsAKeyInATerminal(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	a := n.spawn(t, inTerminal(`cat; echo over`))
	if err := n.Input(t.Context(), "test", wire.InputParams{ID: a.ID, Text: "hello\n", EOF: true}); err != nil {
		t.Fatal(err)
	}
	if end := n.wait(t, a.ID); end.Reason != wire.ReasonCompleted || end.LastLine != "over" {
		t.Errorf("it ended as %s with %q", end.Reason, end.LastLine)
	}
}

func TestTheProgressOfAProgramIsInTheRecord(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	a := n.spawn(t, inTerminal(`printf '\033]9;4;1;40\007'; read x; printf '\033]9;4;3;0\007'; read x; printf '\033]9;4;2;70\007'; read x; printf '\033]9;4;0;0\007\033]0;done\007'; sleep 300`))
	is := func(want *wire.Progressing) {
		t.Helper()
		n.untilAgent(t, a.ID, "it has this progress", func(a wire.Agent) bool {
			return (a.Progress == nil) == (want == nil) && (want == nil || *a.Progress == *want)
		})
		if err := n.Input(t.Context(), "test", wire.InputParams{ID: a.ID, Text: "\n"}); err != nil {
			t.Fatal(err)
		}
	}
	is(&wire.Progressing{Percent: 40})
	is(&wire.Progressing{Percent: -1})
	is(&wire.Progressing{Percent: 70, Failed: true})
	n.untilAgent(t, a.ID, "it has said all", func(a wire.Agent) bool { return a.Title == "done" })
	is(nil)
}
