package main

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
)

// TestCtrlCSaysWhatGoesOn interrupts each command that follows an agent or a task, and runs the command that it then suggests.
func TestCtrlCSaysWhatGoesOn(t *testing.T) {
	t.Parallel()
	s := startServing(t, t.TempDir())
	for _, name := range []string{"followed", "attached"} {
		s.skein(t, "spawn", "shell", "--name", name, "--", "sh", "-c", "echo up; exec sleep 3600")
	}
	for what, c := range map[string]struct {
		args []string
		name string // of the agent or the task that is followed
		goes string // the command that lists it while it is alive, before and after the interrupt
		ends string // the word of the command that ends it
	}{
		"spawn --wait":   {[]string{"spawn", "shell", "--name", "waited", "--wait", "--", "sh", "-c", "echo up; exec sleep 3600"}, "waited", "ps", "stop"},
		"spawn --follow": {[]string{"spawn", "shell", "--name", "shown", "--follow", "--", "sh", "-c", "echo up; exec sleep 3600"}, "shown", "ps", "stop"},
		"logs --follow":  {[]string{"logs", "--follow", "followed"}, "followed", "ps", "stop"},
		"attach":         {[]string{"attach", "attached"}, "attached", "ps", "stop"},
		"submit --wait":  {[]string{"task", "submit", "--name", "worked", "--wait", "--", "sh", "-c", "echo up; exec sleep 3600"}, "worked", "task ls --state working", "task cancel"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command("skein", append([]string{"--data-dir", s.dir}, c.args...)...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			in, err := cmd.StdinPipe() // attach reads it, and it does not end
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(c.args, "--wait") {
				if line, err := bufio.NewReader(out).ReadString('\n'); line != "up\n" {
					t.Fatalf("it prints %q: %v", line, err)
				}
			}
			alive := func() bool { return strings.Contains(s.skein(t, strings.Fields(c.goes)...), " "+c.name+" ") }
			kit.Eventually(t, "it goes on", alive)
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			var ee *exec.ExitError
			if err := cmd.Wait(); !errors.As(err, &ee) || ee.ExitCode() != exitInterrupted {
				t.Errorf("it ends with %v: %s", err, stderr.Bytes())
			}
			if !alive() {
				t.Error("what it followed has ended with it")
			}
			end := regexp.MustCompile(`keeps running.*\nskein: .*it with: skein (` + c.ends + ` [at][a-z2-7]{12})\n`).FindSubmatch(stderr.Bytes())
			if end == nil {
				t.Fatalf("it says %q", stderr.Bytes())
			}
			s.skein(t, strings.Fields(string(end[1]))...)
			kit.Eventually(t, "it has ended", func() bool { return !alive() })
		})
	}
}
