package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/webtransport/wire"
)

var options = []wire.AskOption{
	{ID: "always", Name: "Yes, and don't ask again", Kind: wire.AllowAlways}, {ID: "y1", Name: "Yes", Kind: wire.AllowOnce},
	{ID: "y2", Name: "Yes, and plan", Kind: wire.AllowOnce}, {ID: "n", Name: "No", Kind: wire.RejectAlways},
}

func TestAnOptionIsNamedByIdNameOrKind(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"y2": "y2", "Yes": "y1", "yes": "y1", "yes, and plan": "y2", "allow": "y1", "Allow": "y1", "allow_always": "always", "reject": "n",
		"reject_always": "n", "reject_once": "", "y": "", "1": "", "": "",
	} {
		p, err := answerOf(&wire.Ask{Kind: wire.AskPermission, Options: options}, word)
		var ue usageError
		if p.Option != want || (err == nil) != (want != "") || err != nil && !errors.As(err, &ue) {
			t.Errorf("%q is %q, %v; want %q", word, p.Option, err, want)
		}
	}
	for name, all := range map[string][]wire.AskOption{
		"an id that lies":   {{ID: "reject", Name: "No", Kind: wire.AllowOnce}, {ID: "n", Name: "No!", Kind: wire.RejectOnce}},
		"a name that lies":  {{ID: "a", Name: "Reject", Kind: wire.AllowAlways}},
		"a name that twins": {{ID: "a", Name: "reject", Kind: wire.RejectOnce}, {ID: "b", Name: "Reject", Kind: wire.RejectOnce}},
	} {
		if o, err := option(&wire.Ask{Options: all}, "reject"); err == nil {
			t.Errorf("%s: it is %+v", name, o)
		}
	}
}

func TestADiffIsUnified(t *testing.T) {
	t.Parallel()
	numbers := func(skip ...int) string {
		var b strings.Builder
		for i := 1; i <= 20; i++ {
			if len(skip) == 0 || i != skip[0] && i != skip[1] {
				fmt.Fprintln(&b, i)
			}
		}
		return b.String()
	}
	for name, c := range map[string]struct {
		old, new string
		want     []string
	}{
		"a line":          {"a\nb\nc\n", "a\nB\nc\n", []string{"@@ -1,3 +1,3 @@", " a", "-b", "+B", " c"}},
		"two hunks":       {numbers(), numbers(2, 19), []string{"@@ -1,5 +1,4 @@", " 1", "-2", " 3", " 4", " 5", "@@ -16,5 +15,4 @@", " 16", " 17", " 18", "-19", " 20"}},
		"one hunk":        {numbers(), numbers(8, 14), []string{"@@ -5,13 +5,11 @@", " 5", " 6", " 7", "-8", " 9", " 10", " 11", " 12", " 13", "-14", " 15", " 16", " 17"}},
		"the end of line": {"a\n", "a", []string{"@@ -1,1 +1,1 @@", "-a", "+a", `\ No newline at end of file`}},
		"emptied":         {"a\n", "", []string{"@@ -1,1 +0,0 @@", "-a"}},
		"a carriage":      {"a\n", "a\r\n", []string{"@@ -1,1 +1,1 @@", "-a", "+a\r"}},
		"nothing":         {"a\n", "a\n", nil},
	} {
		got := unified(wire.AskDiff{Path: "f", Old: &c.old, New: c.new})
		if want := append([]string{"--- f", "+++ f"}, c.want...); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: it is\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if got := unified(wire.AskDiff{Path: "f", New: "a\n"}); got[0] != "--- /dev/null" || got[2] != "@@ -0,0 +1,1 @@" {
		t.Errorf("a new file is %q", got)
	}
	if coloured("+a\x1b[m", true) != "\x1b[32m+a\\x1b[m\x1b[m" || coloured("+a", false) != "+a" || coloured(" a", true) != " a" {
		t.Error("colours")
	}
}

// leads checks that a diff leads from one text to the other.
func leads(t *testing.T, old, new string) {
	var from, to strings.Builder
	for _, e := range diff(splitLines(old), splitLines(new)) {
		if e.op != '+' {
			from.WriteString(e.line)
		}
		if e.op != '-' {
			to.WriteString(e.line)
		}
	}
	if from.String() != old || to.String() != new {
		t.Errorf("it leads from %.200q to %.200q", from.String(), to.String())
	}
	unified(wire.AskDiff{Old: &old, New: new})
}

func TestALongDiffIsNotCompared(t *testing.T) {
	t.Parallel()
	leads(t, strings.Repeat("a\n", 30_000), strings.Repeat("b\na\n", 15_000)+"c")
}

func FuzzDiff(f *testing.F) {
	f.Add("a\nb\nc\n", "b\nx\nc")
	f.Fuzz(leads)
}

func TestTheWholeOfAPermissionIsShown(t *testing.T) {
	t.Parallel()
	old := "a\n"
	a := &wire.Ask{ID: "q1", Agent: "a1", Name: "coder", Type: "coder", Kind: wire.AskPermission, Text: "Run it?\nNow?", State: wire.AskPending, Options: options,
		Tool: &wire.AskTool{Kind: "execute", Command: "make \\\n  clean\x1b[2J", Paths: []string{"f", "g"}, Diffs: []wire.AskDiff{{Path: "f", Old: &old, New: "b\n"}}, Cut: true}}
	var b bytes.Buffer
	if err := printAsk(&b, a); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"kind      permission: execute\n", "  Run it?\n  Now?\n", "command\n  make \\\n    clean\\x1b[2J\n", "files\n  f\n  g\n", "  --- f\n  +++ f\n  @@ -1,1 +1,1 @@\n  -a\n  +b\n",
		"the rest is not known", "  1  Yes, and don't ask again  always  allow_always\n", "  4  No "} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("it lacks %q:\n%s", want, b.String())
		}
	}
	for want, a := range map[string]*wire.Ask{
		"Run: make clean":     {Text: "Run", Tool: &wire.AskTool{Command: "make\nclean"}},
		"Run make":            {Text: "Run make", Tool: &wire.AskTool{Command: "make"}},
		"Edit: f, g":          {Text: "Edit", Tool: &wire.AskTool{Paths: []string{"f", "g"}}},
		"Hm (skein attach a)": {Text: "Hm", Kind: wire.AskTerminal, Agent: "a", State: wire.AskPending},
	} {
		if got := askLine(a); got != want {
			t.Errorf("its line is %q, want %q", got, want)
		}
	}
}

// TestAWatchPrintsEachOnce plays lists as the server gives them.
func TestAWatchPrintsEachOnce(t *testing.T) {
	t.Parallel()
	waits := func(id wire.AskID) wire.Ask { return wire.Ask{ID: id, State: wire.AskPending} }
	ended := func(id wire.AskID, by string) wire.Ask {
		return wire.Ask{ID: id, State: wire.AskResolved, Answer: &wire.AskAnswer{By: by}}
	}
	w := inboxWatch{open: map[wire.AskID]bool{}}
	for i, step := range []struct {
		list []wire.Ask
		more int // that did not fit
		want string
		gone string
	}{
		{list: []wire.Ask{waits("b"), ended("a", "ann")}, want: "b"},
		{list: []wire.Ask{waits("c"), ended("b", "ann"), ended("a", "ann")}, want: "b ended, c"},
		{list: []wire.Ask{waits("c"), ended("e", "ann"), ended("d", wire.ByPolicy), ended("b", "ann")}, want: "e ended"}, // between two lists
		{list: []wire.Ask{ended("z", "ann")}, more: 40, want: "", gone: "c"},                                             // too many to know
		{list: []wire.Ask{waits("f")}, more: 40, want: "f"},
		{list: []wire.Ask{waits("f"), ended("z", "ann")}, want: ""},
	} {
		news, gone := w.take(&wire.AskListResult{Asks: step.list, Total: len(step.list) + step.more}, i == 0)
		var got []string
		for _, a := range news {
			got = append(got, strings.TrimSpace(string(a.ID)+" "+map[bool]string{true: "ended"}[a.State != wire.AskPending]))
		}
		if strings.Join(got, ", ") != step.want || join(gone) != step.gone {
			t.Errorf("list %d prints %q and looks up %q; want %q, %q", i, got, gone, step.want, step.gone)
		}
	}
}

func TestAWatchSaysWhatHappened(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 30, 4, 5, 6, 0, time.Local)
	a := wire.Ask{ID: "q1", Name: "coder", Text: "Run it?", Kind: wire.AskPermission, Options: options, State: wire.AskPending, Since: at}
	answered, canceled := a, a
	answered.State, answered.Ended, answered.Answer = wire.AskResolved, &at, &wire.AskAnswer{Option: "n", By: "ann"}
	canceled.State, canceled.Ended, canceled.Reason = wire.AskCanceled, &at, "the agent has ended"
	var out bytes.Buffer
	cmd := new(cobra.Command)
	cmd.SetOut(&out)
	for _, a := range []wire.Ask{a, answered, canceled} {
		if err := printAskChange(cmd, &global{}, &a); err != nil {
			t.Fatal(err)
		}
	}
	want := "04:05:06  q1  asks      coder  Run it?\n04:05:06  q1  answered  coder  No, by ann (Run it?)\n04:05:06  q1  canceled  coder  the agent has ended (Run it?)\n"
	if out.String() != want {
		t.Errorf("it prints\n%swant\n%s", out.String(), want)
	}
	answered.Answer = &wire.AskAnswer{Option: "n", By: wire.ByPolicy, Rule: `rule 1: deny "rm *"`}
	if got := endText(&answered); got != `answered: No, by rule 1: deny "rm *"` {
		t.Errorf("a policy's answer is %q", got)
	}
}

// TestAnInboxIsAnsweredInATerminal watches an inbox until after the end of the server, and answers at a prompt.
func TestAnInboxIsAnsweredInATerminal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startServing(t, dir)
	watching := exec.Command("skein", "--data-dir", dir, "inbox", "--watch", "--json")
	var stderr bytes.Buffer
	watching.Stderr = &stderr
	out, err := watching.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watching.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { watching.Process.Kill() })
	lines := json.NewDecoder(out)
	next := func() (a wire.Ask) {
		t.Helper()
		if err := lines.Decode(&a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	s.skein(t, "spawn", "scripted", "--name", "asker", "--script", "ask Which way?\nsay got ${reply}\nask And then?\nread")
	which := next()
	if which.Text != "Which way?" || which.State != wire.AskPending {
		t.Fatalf("it prints %+v", which)
	}

	answer := func() (keys *os.File, says *bufio.Reader, wait func() error) {
		t.Helper()
		keys, tty := terminal(t)
		cmd := exec.Command("skein", "--data-dir", dir, "inbox", "answer", string(which.ID))
		cmd.Stdin = tty
		stderr, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		says = bufio.NewReader(stderr)
		readUntil(t, says, "asks\n  Which way?\n")
		readUntil(t, says, "the answer: ")
		return keys, says, func() error {
			io.Copy(io.Discard, says)
			return cmd.Wait()
		}
	}
	keys, says, wait := answer()
	io.WriteString(keys, "\n")
	readUntil(t, says, "not answered\n")
	if err := wait(); err == nil {
		t.Error("an empty line is an answer")
	}
	keys, _, wait = answer()
	slowKeys, slow, slowWait := answer() // of somebody who is slower
	io.WriteString(keys, "left\n")
	if err := wait(); err != nil {
		t.Error(err)
	}
	got, then := next(), next()
	if got.ID != which.ID { // the agent may ask on before its answer counts as given
		got, then = then, got
	}
	if got.ID != which.ID || got.Answer == nil || got.Answer.Text != "left" {
		t.Errorf("it prints %+v", got)
	}
	io.WriteString(slowKeys, "right\n")
	readUntil(t, slow, "has answered it already: left\n")
	var ee *exec.ExitError
	if err := slowWait(); !errors.As(err, &ee) || ee.ExitCode() != exitRefused {
		t.Errorf("the slower one ends with %v", err)
	}
	if then.Text != "And then?" {
		t.Errorf("it prints %+v", then)
	}
	kit.Eventually(t, "it got the answer", func() bool { return strings.Contains(s.skein(t, "logs", "asker"), "got left") })
	s.Process.Signal(os.Interrupt)
	if err := s.Wait(); err != nil {
		t.Error(err)
	}
	if got := next(); got.ID != then.ID || got.State != wire.AskCanceled {
		t.Errorf("it prints %+v", got)
	}
	watching.Process.Signal(os.Interrupt)
	if err := watching.Wait(); err != nil {
		t.Errorf("after Ctrl-C: %v\n%s", err, &stderr)
	}
}

func TestAPersonChoosesByNumber(t *testing.T) {
	t.Parallel()
	var says bytes.Buffer
	cmd := new(cobra.Command)
	cmd.SetContext(t.Context())
	cmd.SetErr(&says)
	cmd.SetIn(strings.NewReader("5\nmaybe\n3\n"))
	a := wire.Ask{ID: "q1", Kind: wire.AskPermission, Text: "Run it?", Options: options, State: wire.AskPending}
	p, err := askPerson(cmd, []wire.Ask{a, {Name: "two"}})
	if err != nil || p.Option != "y2" || strings.Count(says.String(), "answers nothing here") != 2 || !strings.Contains(says.String(), "1 identical ones, of two") {
		t.Errorf("it is %+v, %v; it says %s", p, err, says.String())
	}
	cmd.SetIn(strings.NewReader(""))
	if _, err := askPerson(cmd, []wire.Ask{a}); err == nil {
		t.Error("the end of the input is an answer")
	}
}
