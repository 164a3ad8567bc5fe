package acp

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// goingOn starts an agent that goes on with a session of a folder, in which something was said.
func goingOn(t *testing.T, how string, change ...func(*runner.Launch)) *agent {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "session"), []byte("\"say one\"\n\"say two\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(t, how, append([]func(*runner.Launch){func(l *runner.Launch) { l.Cwd, l.Session = dir, "s1 in "+dir }}, change...)...)
}

func TestASessionGoesOn(t *testing.T) {
	t.Parallel()
	const past = "\x1b[2mWhat was said before:\x1b[22m\n› say one\nonce: say one\n› say two\nonce: say two\n\x1b[2mThe conversation goes on here.\x1b[22m\nmore"
	again := func(l *runner.Launch) { l.Again = true }
	for name, c := range map[string]struct {
		how     string
		change  []func(*runner.Launch)
		heard   string // on its standard error
		shown   string
		updates int // that are kept, with the one of the turn, and notes before and after the past
	}{
		"by resume":                     {"resume", nil, "resumed\n", "more", 1},
		"by load":                       {"load", nil, "loaded\n", past, 8},
		"by load, as resume is a lie":   {"says it resumes", nil, "loaded\n", past, 8},
		"of its own, which the log has": {"load", []func(*runner.Launch){again}, "loaded\n", "more", 1},
		"of its own, by resume":         {"resume", []func(*runner.Launch){again}, "resumed\n", "more", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := goingOn(t, c.how, c.change...)
			a.prompt(t, "say more")
			a.untilTurns(t, 1)
			a.untilSays(t, c.heard)
			if got := a.printed(wire.EventStdout); got != c.shown {
				t.Errorf("it shows\n%q, want\n%q", got, c.shown)
			}
			if got := of[runner.Conversation](a.heard); len(got) != c.updates {
				t.Errorf("%d updates are kept: %s", len(got), got)
			} else if len(got) > 1 && !strings.Contains(string(got[0].JSON), "What was said before") {
				t.Errorf("the note is not before the past: %s", got)
			}
			if got := a.Options(); got.Session != "s1 in "+a.dir || len(got.Options) != 1 {
				t.Errorf("it is in %+v", got)
			}
			spent := of[runner.Spent](a.heard)
			if len(spent) != 1 || spent[0].Cost != 0 || spent[0].Turns != 1 {
				t.Errorf("the past is counted: %+v", spent)
			}
		})
	}
}

func TestASessionThatCantGoOn(t *testing.T) {
	t.Parallel()
	unknown := func(l *runner.Launch) { l.Session = "s1 in /nowhere" }
	for name, c := range map[string]struct{ how, want string }{
		"no such session, by load":   {"load", "it has no session s1 in /nowhere that it could continue: Internal error"},
		"no such session, by resume": {"resume", "it has no session s1 in /nowhere that it could continue: Internal error"},
		"no sessions":                {"", "it can't continue session s1 in /nowhere: this agent can't continue sessions"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := start(t, c.how, unknown)
			<-a.Done()
			if e := a.Exit(); e.Code == 0 || !strings.HasPrefix(e.Message, c.want) {
				t.Errorf("it ended with %+v", e)
			}
			b := start(t, c.how, unknown, func(l *runner.Launch) { l.Again = true })
			b.prompt(t, "say anew")
			b.untilTurns(t, 1)
			logs := fmt.Sprint(of[runner.Log](b.heard))
			if got := b.Options().Session; got != "s1 in "+b.dir || !strings.Contains(logs, "it begins a new session: "+c.want) {
				t.Errorf("one that was restarted is in %s, and its log says %s", got, logs)
			}
		})
	}
}

// TestALoadOfNothingIsSaid has an agent that takes any id for a session.
func TestALoadOfNothingIsSaid(t *testing.T) {
	t.Parallel()
	a := goingOn(t, "load", func(l *runner.Launch) { os.WriteFile(filepath.Join(l.Cwd, "session"), nil, 0o600) })
	a.untilTurns(t, 0)
	if logs := fmt.Sprint(of[runner.Log](a.heard)); !strings.Contains(logs, "it may have begun a new one") {
		t.Errorf("the log says %s", logs)
	}
}

func TestSessionsAreListed(t *testing.T) {
	t.Parallel()
	a := idleStart(t, "resume")
	if !a.Options().Sessions {
		t.Error("it is not said that it can")
	}
	page, err := a.Sessions(t.Context(), "")
	if want := []wire.AgentSession{{ID: "s1 in " + a.dir, Title: "The first", Cwd: a.dir, UpdatedAt: "2026-01-02T03:04:05Z", Current: true}}; err != nil || fmt.Sprint(page.Sessions) != fmt.Sprint(want) || page.Next != "two" {
		t.Errorf("the first page is %+v, %v", page, err)
	}
	page, err = a.Sessions(t.Context(), "two")
	if err != nil || fmt.Sprint(page.Sessions) != "[{s0  /elsewhere  false}]" || page.Next != "" {
		t.Errorf("the second page is %+v, %v", page, err)
	}
	if _, err = a.Sessions(t.Context(), "three"); !errors.Is(err, &wire.Error{Code: wire.CodePrecondition}) {
		t.Errorf("a page that is not there: %v", err)
	}
	if _, err = idleStart(t, "load").Sessions(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "can't list its sessions") {
		t.Errorf("one that can't: %v", err)
	}
}

// TestASessionIsForked checks that an agent goes on in a copy of a session, with an id of its own, and fails without one.
func TestASessionIsForked(t *testing.T) {
	t.Parallel()
	fork := func(l *runner.Launch) { l.Fork = true }
	a := goingOn(t, "fork", fork)
	a.untilSays(t, "forked 2 prompts in "+a.dir+"\n")
	a.prompt(t, "say more")
	a.untilTurns(t, 1)
	if got := a.Options(); got.Session != "fork of s1 in "+a.dir || !got.Forks {
		t.Errorf("it is in %+v", got)
	}
	for how, want := range map[string]string{
		"load":              "this agent can't fork sessions",
		"forks into itself": "the copy has the id of the session itself",
	} {
		a := goingOn(t, how, fork)
		<-a.Done()
		if e := a.Exit(); !strings.Contains(e.Message, want) {
			t.Errorf("%s: %q", how, e.Message)
		}
	}
	a = goingOn(t, "fork", fork, func(l *runner.Launch) { l.Session = "s1 in /nowhere" })
	<-a.Done()
	if e := a.Exit(); !strings.Contains(e.Message, "it can't copy session s1 in /nowhere") {
		t.Errorf("of none: %q", e.Message)
	}
}
