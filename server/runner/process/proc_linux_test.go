package process

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"skein.dev/skein/webtransport/wire"
)

func TestParseStat(t *testing.T) {
	const rest = " S 7 42 40 0 -1 4194304 1 2 3 4 100 20 3 4 20 0 2 0 987654 1000000 25 18446744073709551615 1"
	want := proc{Process: wire.Process{PID: 42, Group: 42, StartTime: 987654}, parent: 7, state: 'S', threads: 2,
		cpu: 127, rss: 25 * int64(os.Getpagesize())}
	for name, text := range map[string]string{
		"plain":       "42 (sh)" + rest,
		"spaces":      "42 (tmux: server)" + rest,
		"parentheses": "42 (a) S 1 2 (b))" + rest,
		"newline":     "42 (a\nb)" + rest + "\n",
		"empty":       "42 ()" + rest,
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := parseStat([]byte(text)); err != nil || got != want {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	for _, text := range []string{"", "42", "42 (sh", "(sh)" + rest, "x (sh)" + rest, "42 (sh) S 7 42", ")42 ("} {
		if p, err := parseStat([]byte(text)); err == nil {
			t.Errorf("%q gave %+v", text, p)
		}
	}
	if p, err := readProc(os.Getpid()); err != nil || p.PID != os.Getpid() || p.parent != os.Getppid() || p.Group != unix.Getpgrp() {
		t.Errorf("self: %+v, %v", p, err)
	}
}

func TestLives(t *testing.T) {
	for _, test := range []struct {
		p    proc
		want bool
	}{
		{proc{state: 'S', threads: 1}, true},
		{proc{state: 'T', threads: 1}, true},
		{proc{state: 'Z', threads: 1}, false},
		{proc{state: 'Z', threads: 2}, true}, // its first thread has ended, another one still runs
		{proc{state: 'X'}, false},
	} {
		if test.p.lives() != test.want {
			t.Errorf("%c with %d threads", test.p.state, test.p.threads)
		}
	}
}

func TestKillSparesAReusedPID(t *testing.T) {
	r := processes(t)
	run := start(t, r, launch("sleep", "600"), newRecord(t))
	p := proc{Process: *run.Process()}
	p.StartTime--
	if err := p.kill(unix.SIGKILL); err != unix.ESRCH {
		t.Errorf("kill: %v", err)
	}
	if hasExited(int(run.pidfd.Fd())) {
		t.Error("a process with another start time was killed")
	}
}

func BenchmarkScan(b *testing.B) {
	for b.Loop() {
		if _, err := scan(true); err != nil {
			b.Fatal(err)
		}
	}
}
