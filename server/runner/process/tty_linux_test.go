package process

import (
	"bytes"
	"context"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// inTerminal is a launch in a terminal of 100 times 30 cells.
func inTerminal(script string) runner.Launch {
	l := sh(script)
	l.TTY = &wire.Size{Cols: 100, Rows: 30}
	return l
}

// tty is what the terminal got. The caller holds mu, or the agent has ended.
func (r *record) tty() string { return r.out[wire.EventTTY].String() }

func TestAnAgentHasATerminal(t *testing.T) {
	t.Parallel()
	rec := newRecord(t)
	run := start(t, processes(t), inTerminal(`stty size; test -t 0 && test -t 1 && test -t 2 && echo all; ps -o tty= -p $$ | grep -q pts && echo controlled; echo héllo >&2; printf '> '; read x; echo "got $x"; exit 3`), rec)
	got := ""
	rec.until("the prompt", func() bool { got = rec.tty(); return strings.HasSuffix(got, "> ") })
	if want := "30 100\r\nall\r\ncontrolled\r\nhéllo\r\n> "; got != want {
		t.Errorf("it wrote %q, want %q", got, want)
	}
	if err := run.Input(t.Context(), []byte("yes\r"), false); err != nil { // as the key Enter
		t.Fatal(err)
	}
	kit.Receive(t, "Done", run.Done())
	if got = rec.tty(); !strings.HasSuffix(got, "> yes\r\ngot yes\r\n") {
		t.Errorf("it wrote %q: the terminal echoes, and the last words arrive", got)
	}
	if e := run.Exit(); e.Code != 3 {
		t.Errorf("it ended with %+v", e)
	}
}

func TestAResizedTerminalTellsItsPrograms(t *testing.T) {
	t.Parallel()
	rec := newRecord(t)
	run := start(t, processes(t), inTerminal(`trap 'stty size' WINCH; echo ready; while :; do read x && exit; done`), rec)
	rec.until("ready", func() bool { return strings.Contains(rec.tty(), "ready") })
	if err := run.Resize(wire.Size{Cols: 132, Rows: 43}); err != nil {
		t.Fatal(err)
	}
	rec.until("the new size", func() bool { return strings.Contains(rec.tty(), "43 132") })
	piped := start(t, processes(t), sh("read x"), newRecord(t))
	if err := piped.Resize(wire.Size{Cols: 80, Rows: 24}); wire.AsError(err).Code != wire.CodePrecondition {
		t.Errorf("an agent with pipes: %v", err)
	}
}

func TestKeysOfATerminalAreSignals(t *testing.T) {
	t.Parallel()
	rec := newRecord(t)
	run := start(t, processes(t), inTerminal(`echo ready; exec sleep 300`), rec)
	rec.until("ready", func() bool { return strings.Contains(rec.tty(), "ready") })
	if err := run.Input(t.Context(), []byte{3}, false); err != nil { // Ctrl-C
		t.Fatal(err)
	}
	kit.Receive(t, "Done", run.Done())
	if e := run.Exit(); e.Signal != "SIGINT" {
		t.Errorf("it ended with %+v", e)
	}
}

func TestATerminalThatNobodyReadsStopsWithItsAgent(t *testing.T) {
	t.Parallel()
	rec := newRecord(t)
	rec.blockOut = make(chan struct{})
	run := start(t, processes(t), inTerminal(`trap '' HUP TERM; yes`), rec)
	forced, left := run.Stop(t.Context(), 0)
	close(rec.blockOut)
	kit.Receive(t, "Done", run.Done())
	if !forced || len(left) > 0 {
		t.Errorf("forced %v, left %v", forced, left)
	}
}

// TestAnInteractiveShellStops: it ignores SIGTERM, and ends when its terminal hangs up.
func TestAnInteractiveShellStops(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("NOT TESTED: ", err)
	}
	rec := newRecord(t)
	run := start(t, processes(t), inTerminal(`exec bash --norc --noprofile -i`), rec)
	rec.until("the prompt", func() bool { return strings.Contains(rec.tty(), "bash") })
	if forced, left := run.Stop(t.Context(), time.Minute); forced || len(left) > 0 {
		t.Errorf("forced %v, left %v", forced, left)
	}
}

// TestAShellThatMissesTheHangUpStops: a shell can miss a signal that comes just before it reads.
func TestAShellThatMissesTheHangUpStops(t *testing.T) {
	t.Parallel()
	rec := newRecord(t)
	run := start(t, processes(t), inTerminal(`trap '' TERM; trap 'n=x$n; [ $n = xx ] && exit' HUP; echo ready; while :; do sleep 0.1; done`), rec)
	rec.until("it is ready", func() bool { return strings.Contains(rec.tty(), "ready") })
	if forced, left := run.Stop(t.Context(), time.Minute); forced || len(left) > 0 {
		t.Errorf("forced %v, left %v", forced, left)
	}
}

// TestAgentsIgnoreNoSignals: a server that nohup started ignores SIGHUP, and its agents do not.
func TestAgentsIgnoreNoSignals(t *testing.T) {
	signal.Ignore(unix.SIGHUP, unix.SIGQUIT) // what a Kind does about it stays: the process of the tests catches them
	rec := newRecord(t)
	run := start(t, processes(t), sh("grep SigIgn /proc/$$/status"), rec)
	kit.Receive(t, "Done", run.Done())
	_, mask, _ := strings.Cut(rec.text(wire.EventStdout), "\t")
	ignored, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
	if err != nil || ignored&(1<<(unix.SIGHUP-1)|1<<(unix.SIGQUIT-1)) != 0 {
		t.Errorf("it ignores %q, %v", mask, err)
	}
}

func TestAllThatATerminalGetsArrives(t *testing.T) {
	t.Parallel()
	rec := newRecord(t)
	run := start(t, processes(t), inTerminal(`stty raw -echo; i=0; while [ $i -lt 20000 ]; do echo "line $i ✳"; i=$((i+1)); done`), rec)
	kit.Receive(t, "Done", run.Done())
	lines := strings.Split(strings.TrimSuffix(rec.tty(), "\n"), "\n")
	if len(lines) != 20000 || lines[19999] != "line 19999 ✳" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
	for _, p := range rec.pieces {
		if strings.ToValidUTF8(p.b, "") != p.b {
			t.Fatalf("a piece ends inside a character: %q", p.b[max(0, len(p.b)-8):])
		}
	}
}

// TestInputForATerminalThatNobodyReadsEnds: its end of the terminal must not block, whatever the agent does.
func TestInputForATerminalThatNobodyReadsEnds(t *testing.T) {
	t.Parallel()
	rec := newRecord(t)
	run := start(t, processes(t), inTerminal(`stty raw -echo; echo ready; exec sleep 300`), rec)
	rec.until("ready", func() bool { return strings.Contains(rec.tty(), "ready") })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run.Input(ctx, bytes.Repeat([]byte("x"), 1<<20), false) }()
	select {
	case err := <-ended:
		t.Fatalf("an input that nobody reads ended: %v", err)
	case <-time.After(50 * time.Millisecond): // it waits
	}
	cancel()
	if err := kit.Receive(t, "the end of the input", ended); err == nil {
		t.Error("an input that nobody reads succeeded")
	}
	run.Stop(t.Context(), 0)
	kit.Receive(t, "Done", run.Done())
}
