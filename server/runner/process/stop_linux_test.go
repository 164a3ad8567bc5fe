package process

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/webtransport/wire"
)

// TestStop stops agents that resist.
func TestStop(t *testing.T) {
	tests := map[string]struct {
		script string
		grace  time.Duration
		forced bool
		signal string // of the exit; empty: it ends by itself, with 7
		log    []string
	}{
		"obeys": {`echo up; exec sleep 600`, longGrace, false, "SIGTERM", []string{"running", "SIGTERM"}},
		"ignores SIGTERM": {`trap "" TERM; echo up; while :; do sleep 1; done`, 50 * time.Millisecond, true, "SIGKILL",
			[]string{"running", "SIGTERM", "SIGKILL"}},
		"grace 0":       {`echo up; exec sleep 600`, 0, true, "SIGKILL", []string{"running", "SIGKILL"}},
		"grace below 0": {`echo up; exec sleep 600`, -time.Second, true, "SIGKILL", []string{"running", "SIGKILL"}},
		"grandchild ignores SIGTERM": {`(trap "" TERM; echo up; while :; do sleep 1; done) & exec sleep 600`, 50 * time.Millisecond,
			true, "SIGTERM", []string{"running", "SIGTERM", "SIGKILL"}},
		"daemon with setsid": {`setsid sh -c 'echo up; exec sleep 600' & exec sleep 600`, longGrace, false, "SIGTERM",
			[]string{"running", "SIGTERM"}},
		"daemon ignores SIGTERM": {`setsid sh -c 'trap "" TERM; echo up; while :; do sleep 1; done' & exec sleep 600`,
			50 * time.Millisecond, true, "SIGTERM", []string{"running", "SIGTERM", "SIGKILL"}},
		"suspended": {`(kill -STOP $$; echo up) & wait; exec sleep 600`, longGrace, false, "SIGTERM", []string{"running", "SIGTERM"}},
		"cleans up with a helper": {`trap "sleep 0.05; echo clean; exit 7" TERM; echo up; while :; do sleep 0.01; done`, longGrace, false, "",
			[]string{"running", "SIGTERM"}},
		"fifty daemons": {`for i in $(seq 50); do setsid sleep 600 & done; echo up; exec sleep 600`, 0, true, "SIGKILL",
			[]string{"running", "SIGKILL"}},
	}
	r := processes(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := newRecord(t)
			l := sh(test.script)
			run := start(t, r, l, sink)
			sink.untilOut("up")
			forced, left := run.Stop(t.Context(), test.grace)
			if forced != test.forced || len(left) > 0 {
				t.Errorf("forced %v, left %+v", forced, left)
			}
			if found := ofAgent(t, l.Agent, run.Process().Group); len(found) > 0 {
				t.Errorf("Stop returned, but there is %+v", found)
			}
			kit.Receive(t, "Done", run.Done())
			if e := run.Exit(); e.Signal != test.signal || test.signal == "" && e.Code != 7 {
				t.Errorf("exit %+v", e)
			}
			if h := sink.history(); !slices.Equal(h, test.log) {
				t.Errorf("log %q, want %q", h, test.log)
			}
			if again, left := run.Stop(t.Context(), 0); again != test.forced || len(left) > 0 {
				t.Errorf("a second Stop says %v, %v", again, left)
			}
		})
	}
}

// A stop with a shorter grace overtakes one that waits for a long grace.
func TestStopOvertakes(t *testing.T) {
	r := processes(t)
	sink := newRecord(t)
	run := start(t, r, sh(`trap "" TERM; echo up; while :; do sleep 1; done`), sink)
	sink.untilOut("up")
	first := make(chan bool)
	go func() {
		forced, _ := run.Stop(context.Background(), longGrace)
		first <- forced
	}()
	sink.untilLog("SIGTERM")
	began := time.Now()
	if forced, left := run.Stop(t.Context(), 0); !forced || len(left) > 0 {
		t.Errorf("forced %v, left %+v", forced, left)
	}
	if !<-first {
		t.Error("the first Stop does not know that SIGKILL was needed")
	}
	if took := time.Since(began); took > longGrace/2 {
		t.Errorf("took %v", took)
	}
}

func TestStopContext(t *testing.T) {
	r := processes(t)
	sink := newRecord(t)
	run := start(t, r, sh(`trap "" TERM; echo up; while :; do sleep 1; done`), sink)
	sink.untilOut("up")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	forced, left := run.Stop(ctx, 100*time.Millisecond)
	if forced || !slices.ContainsFunc(left, func(l wire.Leftover) bool { return l.Process == *run.Process() }) {
		t.Errorf("forced %v, left %+v: want the leader, which still lives", forced, left)
	}
	kit.Receive(t, "the stop, which goes on", run.Done())
	if run.Exit().Signal != "SIGKILL" {
		t.Errorf("exit %+v", run.Exit())
	}
}

// Many stops run while the agent exits by itself.
func TestStopWhileExiting(t *testing.T) {
	r := processes(t)
	for i := range 30 {
		sink := newRecord(t)
		run := start(t, r, sh(`echo up; read x; exit 0`), sink)
		var wg sync.WaitGroup
		wg.Go(func() { run.Input(context.Background(), []byte("go\n"), true) })
		for j := range 4 {
			wg.Go(func() {
				grace := longGrace
				if (i+j)%3 == 0 {
					grace = 0
				}
				if _, left := run.Stop(context.Background(), grace); len(left) > 0 {
					t.Errorf("left %+v", left)
				}
			})
		}
		wg.Wait()
		kit.Receive(t, "Done", run.Done())
	}
}

// Without free file descriptors nothing starts, and a stop reports that it could not be verified, instead of success. It
// still kills.
func TestNoFileDescriptors(t *testing.T) {
	r := processes(t)
	run := start(t, r, launch("sleep", "600"), newRecord(t))
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	restore := func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
	}
	defer restore()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	_, err := r.Start(t.Context(), launch("true"), newRecord(t).sink)
	_, left := run.Stop(t.Context(), 0)
	restore()
	if code(t, err) != wire.CodeSpawnFailed || !strings.Contains(err.Error(), "limit of open files") {
		t.Error(err)
	}
	kit.Receive(t, "Done", run.Done())
	isLeader := func(l []wire.Leftover) bool { return len(l) == 1 && l[0].Process == *run.Process() }
	if !isLeader(left) || !isLeader(run.Exit().Leftovers) {
		t.Errorf("left %+v, exit %+v", left, run.Exit())
	}
	if e := run.Exit(); e.Signal != "SIGKILL" {
		t.Errorf("exit %+v", e)
	}
}
