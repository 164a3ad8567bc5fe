package process

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

const longGrace = time.Minute // only reached if a test fails

func processes(t testing.TB) *Kind {
	r := New(Options{})
	t.Cleanup(r.Close)
	return r
}

func launch(argv ...string) runner.Launch {
	return runner.Launch{Agent: nextAgent(), Instance: "test", Argv: argv, Cwd: os.TempDir()}
}

func sh(script string) runner.Launch { return launch("sh", "-c", script) }

// start runs an agent, and checks at the test's end that nothing of it is left.
func start(t testing.TB, r *Kind, l runner.Launch, to interface{ sink(runner.Event) error }) *process {
	t.Helper()
	started, err := r.Start(t.Context(), l, to.sink)
	if err != nil {
		t.Fatal(err)
	}
	run := started.(*process)
	t.Cleanup(func() {
		run.Stop(context.Background(), 0)
		kit.Receive(t, "Done", run.Done())
		if left := ofAgent(t, l.Agent, run.Process().Group); len(left) > 0 {
			t.Errorf("left in /proc: %+v", left)
		}
	})
	return run
}

// ofAgent finds an agent's processes independently of the code under test.
func ofAgent(t testing.TB, id wire.AgentID, group int) (found []proc) {
	t.Helper()
	all, err := scan(true)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all.procs {
		if (p.Group == group || p.agent == id) && p.lives() {
			found = append(found, p)
		}
	}
	return found
}

func TestStartRefused(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plain := write("plain", "hello", 0o644)
	noFormat := write("noformat", "\x00\x01garbage", 0o755)
	noInterpreter := write("nointerpreter", "#!/no/such/interpreter\n", 0o755)

	tests := map[string]struct {
		change func(*runner.Launch)
		want   string
		field  string
	}{
		"no argv":              {func(l *runner.Launch) { l.Argv = nil }, "no command", "argv"},
		"empty argv":           {func(l *runner.Launch) { l.Argv = []string{""} }, "no command", "argv"},
		"not in PATH":          {func(l *runner.Launch) { l.Argv = []string{"no-such-program"} }, "command not found: no-such-program", "argv"},
		"PATH of the agent":    {func(l *runner.Launch) { l.Env = map[string]string{"PATH": dir} }, "command not found: sh", "argv"},
		"no such file":         {func(l *runner.Launch) { l.Argv = []string{"/no/such/program"} }, "/no/such/program cannot be run: no such file", "argv"},
		"not executable":       {func(l *runner.Launch) { l.Argv = []string{plain} }, "not executable", "argv"},
		"relative, not there":  {func(l *runner.Launch) { l.Argv = []string{"./gone"} }, "cannot be run: no such file", "argv"},
		"a folder":             {func(l *runner.Launch) { l.Argv = []string{dir} }, "is a directory", "argv"},
		"no format":            {func(l *runner.Launch) { l.Argv = []string{noFormat} }, "cannot run its format", "argv"},
		"no interpreter":       {func(l *runner.Launch) { l.Argv = []string{noInterpreter} }, "the interpreter that it names does not exist", "argv"},
		"NUL in argv":          {func(l *runner.Launch) { l.Argv = []string{"sh", "a\x00b"} }, "argument 1 holds a NUL byte", "argv"},
		"too long":             {func(l *runner.Launch) { l.Argv = []string{"sh", strings.Repeat("x", 8<<20)} }, "too long", "argv"},
		"bad variable":         {func(l *runner.Launch) { l.Env = map[string]string{"A=B": "c"} }, `environment variable "A=B"`, "env"},
		"cwd missing":          {func(l *runner.Launch) { l.Cwd = filepath.Join(dir, "gone") }, "does not exist", "cwd"},
		"cwd no folder":        {func(l *runner.Launch) { l.Cwd = plain }, "is not a folder", "cwd"},
		"cwd relative":         {func(l *runner.Launch) { l.Cwd = "here" }, "not an absolute path", "cwd"},
		"cwd empty":            {func(l *runner.Launch) { l.Cwd = "" }, "not an absolute path", "cwd"},
		"cwd cannot be made":   {func(l *runner.Launch) { l.Cwd, l.CreateCwd = filepath.Join(plain, "x"), true }, "cannot be made: not a directory", "cwd"},
		"called off by caller": {nil, "called off", ""},
	}
	r := processes(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			l := sh("exit 0")
			if test.change != nil {
				test.change(&l)
			} else {
				cancel()
			}
			sink := newRecord(t)
			run, err := r.Start(ctx, l, sink.sink)
			if err == nil {
				run.Stop(t.Context(), 0)
				t.Fatal("it started")
			}
			if c := code(t, err); c != wire.CodeSpawnFailed {
				t.Errorf("code %v", c)
			}
			e := err.(*wire.Error)
			if !strings.Contains(e.Message, test.want) || e.Data.Field != test.field {
				t.Errorf("message %q, field %q; want %q, %q", e.Message, e.Data.Field, test.want, test.field)
			}
			if sink.calls != 0 {
				t.Errorf("the Sink of an agent that never started was called")
			}
		})
	}
}

func TestStartAfterClose(t *testing.T) {
	r := New(Options{})
	r.Close()
	r.Close()
	if _, err := r.Start(t.Context(), sh(":"), newRecord(t).sink); code(t, err) != wire.CodeSpawnFailed {
		t.Fatal(err)
	}
}

func TestCloseKills(t *testing.T) {
	r := New(Options{})
	sink := newRecord(t)
	l := sh(`trap "" TERM; echo up; while :; do sleep 1; done`)
	run, err := r.Start(t.Context(), l, sink.sink)
	if err != nil {
		t.Fatal(err)
	}
	sink.untilOut("up")
	r.Close()
	if open(run.Done()) {
		t.Error("Close returned before Done")
	}
	if left := ofAgent(t, l.Agent, run.(*process).Process().Group); len(left) > 0 {
		t.Errorf("left: %+v", left)
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("SKEIN_TOKEN", "secret")
	t.Setenv("RUNNER_TEST_KEPT", "kept")
	r := processes(t)
	sink := newRecord(t)
	l := launch("env")
	l.Env = map[string]string{"MINE": "a b", "SKEIN_AGENT_ID": "forged", "HOME": "/elsewhere"}
	l.Cwd = filepath.Join(t.TempDir(), "a", "b")
	l.CreateCwd = true
	run := start(t, r, l, sink)
	kit.Receive(t, "Done", run.Done())
	env := strings.Split(sink.text(wire.EventStdout), "\n")
	for _, want := range []string{"MINE=a b", "HOME=/elsewhere", "RUNNER_TEST_KEPT=kept", "PWD=" + l.Cwd,
		"SKEIN_AGENT_ID=" + string(l.Agent), "SKEIN_INSTANCE=test", "PATH=" + os.Getenv("PATH")} {
		if !slices.Contains(env, want) {
			t.Errorf("no %s in %q", want, env)
		}
	}
	if slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, "SKEIN_TOKEN") }) {
		t.Error("the server's SKEIN_TOKEN reached the agent")
	}
	if info, err := os.Stat(l.Cwd); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("cwd: %v, %v", info, err)
	}
}

// TestExit runs agents that end by themselves and may leave processes behind.
func TestExit(t *testing.T) {
	tests := map[string]struct {
		script string
		want   wire.Exit
		out    string
	}{
		"code 0":             {`echo hi`, wire.Exit{Message: "exit status 0"}, "hi\n"},
		"code 3":             {`exit 3`, wire.Exit{Code: 3, Message: "exit status 3"}, ""},
		"code 255":           {`exit 255`, wire.Exit{Code: 255, Message: "exit status 255"}, ""},
		"SIGKILL":            {`kill -KILL $$`, wire.Exit{Code: -1, Signal: "SIGKILL", Message: "killed by SIGKILL"}, ""},
		"SIGUSR1":            {`kill -USR1 $$`, wire.Exit{Code: -1, Signal: "SIGUSR1", Message: "killed by SIGUSR1"}, ""},
		"a real-time signal": {`exec perl -e 'kill 40, $$; sleep 9'`, wire.Exit{Code: -1, Signal: "signal 40", Message: "killed by signal 40"}, ""},
		"no newline":         {`printf prompt`, wire.Exit{Message: "exit status 0"}, "prompt"},
		"grandchild holds the pipes": {`sleep 600 & echo bye; exit 5`,
			wire.Exit{Code: 5, Message: "exit status 5"}, "bye\n"},
		"grandchild prints after the leader": {`(while kill -0 $$ 2>/dev/null && [ "$(ps -o stat= -p $$ | cut -c1)" != Z ]; do :; done; echo late) & exit 5`,
			wire.Exit{Code: 5, Message: "exit status 5"}, "late\n"},
		"grandchild without pipes": {`sleep 600 >/dev/null 2>&1 </dev/null & exit 5`,
			wire.Exit{Code: 5, Message: "exit status 5"}, ""},
		"grandchild ignores SIGTERM": {`(trap "" TERM; echo up; while :; do sleep 1; done) & read x < /dev/null; exit 5`,
			wire.Exit{Code: 5, Message: "exit status 5"}, "up\n"},
		"daemon left the group": {`setsid sh -c 'echo up; exec sleep 600' & exit 5`,
			wire.Exit{Code: 5, Message: "exit status 5"}, ""},
	}
	r := processes(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := newRecord(t)
			run := start(t, r, sh(test.script), sink)
			kit.Receive(t, "Done", run.Done())
			got := run.Exit()
			if got.Code != test.want.Code || got.Signal != test.want.Signal || got.Message != test.want.Message || len(got.Leftovers) > 0 {
				t.Errorf("exit %+v, want %+v", got, test.want)
			}
			if out := sink.text(wire.EventStdout); !strings.HasSuffix(out, test.out) {
				t.Errorf("stdout %q, want %q", out, test.out)
			}
			if h := sink.history(); len(h) == 0 || h[0] != "running" {
				t.Errorf("log %q", h)
			}
			if open(run.verified) {
				t.Error("Done before it was verified")
			}
		})
	}
}

func TestInput(t *testing.T) {
	r := processes(t)
	t.Run("echo and EOF", func(t *testing.T) {
		sink := newRecord(t)
		run := start(t, r, launch("cat"), sink)
		big := bytes.Repeat([]byte("0123456789abcde\n"), wire.MaxInput/16)
		if err := run.Input(t.Context(), big, false); err != nil {
			t.Fatal(err)
		}
		if err := run.Input(t.Context(), nil, true); err != nil {
			t.Fatal(err)
		}
		if err := run.Input(t.Context(), []byte("x"), false); code(t, err) != wire.CodePrecondition {
			t.Error(err)
		}
		kit.Receive(t, "Done", run.Done())
		if sink.text(wire.EventStdout) != string(big) {
			t.Error("not what was written")
		}
		if err := run.Input(t.Context(), []byte("x"), false); code(t, err) != wire.CodePrecondition || !strings.Contains(err.Error(), "exited") {
			t.Error(err)
		}
	})
	t.Run("whole inputs", func(t *testing.T) {
		sink := newRecord(t)
		run := start(t, r, launch("cat"), sink)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				line := strings.Repeat(strconv.Itoa(i), 100_000) + "\n"
				if err := run.Input(t.Context(), []byte(line), false); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		run.Input(t.Context(), nil, true)
		kit.Receive(t, "Done", run.Done())
		for line := range strings.Lines(sink.text(wire.EventStdout)) {
			if line != strings.Repeat(line[:1], 100_000)+"\n" {
				t.Error("two inputs were mixed")
			}
		}
	})
	t.Run("closes stdin", func(t *testing.T) {
		sink := newRecord(t)
		run := start(t, r, sh(`exec <&-; echo closed; exec sleep 600`), sink)
		sink.untilOut("closed")
		for range 2 {
			if err := run.Input(t.Context(), []byte("hello"), false); code(t, err) != wire.CodePrecondition {
				t.Error(err)
			}
		}
	})
	t.Run("never reads", func(t *testing.T) {
		run := start(t, r, launch("sleep", "600"), newRecord(t))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		err := run.Input(ctx, make([]byte, 200_000), true)
		if code(t, err) != wire.CodeTimeout || !strings.Contains(err.Error(), "65536 of 200000 bytes") {
			t.Error(err)
		}
		if err := run.Input(ctx, []byte("x"), false); code(t, err) != wire.CodeTimeout {
			t.Error(err)
		}
		blocked := make(chan error, 2)
		for range 2 {
			go func() { blocked <- run.Input(context.Background(), []byte("x"), false) }()
		}
		run.Stop(t.Context(), longGrace)
		for range 2 {
			if err := <-blocked; code(t, err) != wire.CodePrecondition {
				t.Error(err)
			}
		}
	})
}

func TestUsage(t *testing.T) {
	r := New(Options{SampleInterval: 50 * time.Millisecond})
	t.Cleanup(r.Close)
	sink := newRecord(t)
	run := start(t, r, sh(`while :; do :; done & while :; do :; done & wait`), sink)
	kit.Until(t, "three processes at work", run.Usage, func(u wire.Usage) bool { return u.CPU >= 0.1 && u.RSS > 0 && u.Processes == 3 && u.CPUTime > 0 })
	before := run.Usage().CPUTime
	run.Stop(t.Context(), 0)
	kit.Receive(t, "Done", run.Done())
	if u := run.Usage(); u.CPU != 0 || u.RSS != 0 || u.Processes != 0 || u.CPUTime < before {
		t.Errorf("after the exit: %+v", u)
	}
}

func TestIdle(t *testing.T) {
	r := New(Options{SampleInterval: 20 * time.Millisecond})
	r.idle = 150 * time.Millisecond
	t.Cleanup(r.Close)
	sink := newRecord(t)
	run := start(t, r, launch("cat"), sink)
	log := func(want ...string) {
		t.Helper()
		sink.until(fmt.Sprint(want), func() bool { return slices.Equal(sink.log, want) })
	}
	log("running", "idle")
	run.Input(t.Context(), []byte("hello\n"), false)
	log("running", "idle", "running", "idle")
	run.Input(t.Context(), nil, true)
	kit.Receive(t, "Done", run.Done())
}

func TestFleet(t *testing.T) {
	const n = 100
	r := processes(t)
	runs := make([]runner.Session, n)
	launches := make([]runner.Launch, n)
	for i := range runs {
		sink := newRecord(t)
		launches[i] = sh(`echo up; sleep 600 & exec sleep 600`)
		var err error
		if runs[i], err = r.Start(t.Context(), launches[i], sink.sink); err != nil {
			t.Fatal(err)
		}
		sink.untilOut("up")
	}
	var wg sync.WaitGroup
	began := time.Now()
	for _, run := range runs {
		wg.Go(func() {
			if forced, left := run.Stop(context.Background(), longGrace); forced || len(left) > 0 {
				t.Errorf("forced %v, left %v", forced, left)
			}
			<-run.Done()
		})
	}
	wg.Wait()
	t.Logf("%d agents of two processes stopped and verified in %v", n, time.Since(began))
	procs, err := scan(true)
	if err != nil {
		t.Fatal(err)
	}
	for i, run := range runs {
		for _, p := range procs.procs {
			ours := p.Group == run.(*process).Process().Group || p.agent == launches[i].Agent
			if ours && (p.lives() || p.parent == os.Getpid()) { // our own zombies count, too; those of init do not
				t.Errorf("left in /proc: %+v", p)
			}
		}
	}
}

// discard returns the cheapest sink.
type discard struct{}

func (discard) sink(runner.Event) error { return nil }

func BenchmarkProcessStart(b *testing.B) {
	r := processes(b)
	l := launch("true")
	var start time.Duration // the rest of an iteration is the exit
	for b.Loop() {
		began := time.Now()
		run, err := r.Start(b.Context(), l, discard{}.sink)
		if err != nil {
			b.Fatal(err)
		}
		start += time.Since(began)
		<-run.Done()
	}
	b.ReportMetric(float64(start.Nanoseconds())/float64(b.N), "start-ns/op")
}

func BenchmarkProcessStartStop(b *testing.B) {
	r := processes(b)
	l := launch("sleep", "600")
	for b.Loop() {
		run, err := r.Start(b.Context(), l, discard{}.sink)
		if err != nil {
			b.Fatal(err)
		}
		run.Stop(b.Context(), longGrace)
		<-run.Done()
	}
}

func BenchmarkProcessOutput(b *testing.B) {
	r := processes(b)
	const size = 16 << 20
	b.SetBytes(size)
	for b.Loop() {
		run, err := r.Start(b.Context(), sh(fmt.Sprintf("yes 'a line of output of some forty characters' | head -c %d", size)), discard{}.sink)
		if err != nil {
			b.Fatal(err)
		}
		<-run.Done()
	}
}
