package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"skein.dev/skein/e2e/kit"
)

// terminal gives both ends of a terminal; what is written to the first is typed.
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

// TestAttachAsksBeforeALineAnswers types to an agent that asks.
func TestAttachAsksBeforeALineAnswers(t *testing.T) {
	t.Parallel()
	s := startServing(t, t.TempDir())
	s.skein(t, "spawn", "scripted", "--name", "asker", "--script", "ask Which way?\nsay got ${reply}")
	kit.Eventually(t, "it asks", func() bool { return strings.Contains(s.skein(t, "ps", "--needs"), "Which way?") })
	keys, tty := terminal(t)
	cmd := exec.Command("skein", "--data-dir", s.dir, "attach", "asker")
	cmd.Stdin = tty
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	says := bufio.NewReader(stderr)
	until := func(what string) {
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
	until("asker asks: Which way?\nskein: type the answer\n")
	for _, word := range []string{"left\n", "n\n"} {
		io.WriteString(keys, word)
		if word == "left\n" {
			until(`send "left" as the answer? [y/N] `)
		}
	}
	until("not sent\n")
	if out := s.skein(t, "ps", "--needs"); !strings.Contains(out, "Which way?") {
		t.Errorf("what was not sent answered: %s", out)
	}
	io.WriteString(keys, "right\n")
	until(`send "right" as the answer? [y/N] `)
	io.WriteString(keys, "y\n")
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "got right\n" {
		t.Errorf("the agent prints %q: %v", line, err)
	}
	io.Copy(io.Discard, says)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
