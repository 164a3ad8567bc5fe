package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/webtransport/wire"
)

// terminal returns both ends of a terminal; writing to the first is typing.
func terminal(t *testing.T) (keys, tty *os.File) {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("this machine gives no terminals:", err)
	}
	t.Cleanup(func() { keys.Close() })
	if err := unix.IoctlSetPointerInt(int(keys.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(keys.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return keys, tty
}

// readUntil reads until something was said.
func readUntil(t *testing.T, says *bufio.Reader, what string) {
	t.Helper()
	var seen strings.Builder
	for !strings.HasSuffix(seen.String(), what) {
		b, err := says.ReadByte()
		if err != nil {
			t.Fatalf("it says %q: %v", seen.String(), err)
		}
		seen.WriteByte(b)
	}
}

// TestAttachAsksBeforeALineAnswers types to an agent that asks.
func TestAttachAsksBeforeALineAnswers(t *testing.T) {
	t.Parallel()
	s := startServing(t, t.TempDir())
	s.skein(t, "spawn", "scripted", "--name", "asker", "--script", "ask Which way?\nsay got ${reply}")
	kit.Eventually(t, "it asks", func() bool { return strings.Contains(s.skein(t, "ps", "--needs"), "Which way?") })
	until := func(says *bufio.Reader, what string) { t.Helper(); readUntil(t, says, what) }
	begin := func(stdin io.Reader) (cmd *exec.Cmd, stdout, says *bufio.Reader) {
		t.Helper()
		cmd = exec.Command("skein", "--data-dir", s.dir, "attach", "asker")
		cmd.Stdin = stdin
		stderr, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd, bufio.NewReader(out), bufio.NewReader(stderr)
	}
	keys, tty := terminal(t)
	mute, muteOut, muteSays := begin(nil) // its input ends at once
	until(muteSays, "skein: its standard input stays open while it asks: Which way?\n")
	cmd, stdout, says := begin(tty)
	until(says, "asker asks: Which way?\nskein: type the answer\n")
	for _, word := range []string{"left\n", "n\n"} {
		io.WriteString(keys, word)
		if word == "left\n" {
			until(says, `send "left" as the answer? [y/N] `)
		}
	}
	until(says, "not sent\n")
	if out := s.skein(t, "ps", "--needs"); !strings.Contains(out, "Which way?") {
		t.Errorf("what was not sent answered: %s", out)
	}
	io.WriteString(keys, "right\n")
	until(says, `send "right" as the answer? [y/N] `)
	io.WriteString(keys, "y\n")
	if line, err := stdout.ReadString('\n'); line != "got right\n" {
		t.Errorf("the agent prints %q: %v", line, err)
	}
	for _, r := range []io.Reader{stdout, says, muteOut, muteSays} {
		io.Copy(io.Discard, r)
	}
	for _, c := range []*exec.Cmd{cmd, mute} {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
}

// TestAttachReadsNothingBeforeTheQuestionIsShown checks that a line from a pipe, which is available at once, does not
// answer a question that nobody has seen.
func TestAttachReadsNothingBeforeTheQuestionIsShown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var stderr bytes.Buffer
		cmd := new(cobra.Command)
		cmd.SetErr(&stderr)
		wasRead := errors.New("it was read")
		q := &questions{cmd: cmd, shown: make(chan struct{})}
		w := &writer{cmd: cmd, questions: q, in: bufio.NewReader(iotest.ErrReader(wasRead))}
		ended := make(chan error, 1)
		go func() { ended <- w.run(t.Context()) }()
		q.attached(wire.Attached{Agent: wire.Agent{Name: "asker", Activity: wire.ActivityRequiresAction, Question: "Which way?"}, Last: 2})
		q.event(wire.Event{Seq: 1, Type: wire.EventStdout})
		synctest.Wait()
		if len(ended) > 0 {
			t.Fatalf("while output that came before is printed: %v", <-ended)
		}
		q.event(wire.Event{Seq: 2, Type: wire.EventStdout})
		if err := <-ended; !errors.Is(err, wasRead) || !strings.Contains(stderr.String(), "asker asks: Which way?") {
			t.Errorf("afterwards: %v; it says %q", err, &stderr)
		}
	})
}

// TestAttachShowsATerminal types to a program in a terminal, leaves it, and comes back.
func TestAttachShowsATerminal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startServing(t, dir)
	s.skein(t, "spawn", "shell", "--tty", "--name", "typist", "--", "sh", "-c", `while read -r line; do case $line in exit) exit 3;; size) stty size;; *) echo "got $line";; esac; done`)
	attach := func(args ...string) (keys *os.File, until func(string), ended func() error) {
		t.Helper()
		keys, tty := terminal(t)
		if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: 90, Row: 30}); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("skein", append([]string{"--data-dir", dir, "attach", "typist"}, args...)...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill() })
		says := bufio.NewReader(keys)
		until = func(what string) {
			t.Helper()
			readUntil(t, says, what)
		}
		return keys, until, cmd.Wait
	}
	keys, until, ended := attach()
	until("\x1b[?25h") // it is painted
	io.WriteString(keys, "hello\r")
	until("hello\r\ngot hello\r\n")
	io.WriteString(keys, "size\r")
	until("30 90\r\n")
	io.WriteString(keys, "\x1d") // Ctrl-]
	until("keeps running\r\n")
	if err := ended(); err != nil {
		t.Errorf("after Ctrl-]: %v", err)
	}
	keys, until, ended = attach()
	until("30 90") // painted again
	io.WriteString(keys, "\x03")
	until("SIGINT\r\n") // Ctrl-C is the program's
	if err := ended(); err != nil {
		t.Errorf("after its end: %v", err)
	}
	var out bytes.Buffer
	cmd := exec.Command("skein", "--data-dir", dir, "attach", "typist")
	cmd.Stderr = &out
	if err := cmd.Run(); err == nil || !strings.Contains(out.String(), "needs one of yours") {
		t.Errorf("without a terminal: %v, %s", err, out.String())
	}
}
