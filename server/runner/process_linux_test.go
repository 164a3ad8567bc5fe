package runner

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"skein.dev/skein/webtransport/wire"
)

const longGrace = time.Minute // never waited for, unless a test fails

func processes(t testing.TB) *Processes {
	r := NewProcesses(Options{})
	t.Cleanup(r.Close)
	return r
}

func launch(argv ...string) Launch {
	return Launch{Agent: nextAgent(), Instance: "test", Argv: argv, Cwd: os.TempDir()}
}

func sh(script string) Launch { return launch("sh", "-c", script) }

// start runs an agent, and checks at the test's end that nothing of it is left.
func start(t testing.TB, r *Processes, l Launch, sink Sink) Running {
	t.Helper()
	run, err := r.Start(t.Context(), l, sink)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		run.Stop(context.Background(), 0)
		await(t, "Done", run.Done())
		if left := ofAgent(t, l.Agent, run.Process().Group); len(left) > 0 {
			t.Errorf("left in /proc: %+v", left)
		}
	})
	return run
}

// ofAgent looks for an agent's processes on its own, not through the code under test's own memory of them.
func ofAgent(t testing.TB, id wire.AgentID, group int) (found []proc) {
	t.Helper()
	procs, err := scan(true)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range procs {
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
		change func(*Launch)
		want   string
		field  string
	}{
		"no argv":              {func(l *Launch) { l.Argv = nil }, "no command", "argv"},
		"empty argv":           {func(l *Launch) { l.Argv = []string{""} }, "no command", "argv"},
		"not in PATH":          {func(l *Launch) { l.Argv = []string{"no-such-program"} }, "command not found: no-such-program", "argv"},
		"PATH of the agent":    {func(l *Launch) { l.Env = map[string]string{"PATH": dir} }, "command not found: sh", "argv"},
		"no such file":         {func(l *Launch) { l.Argv = []string{"/no/such/program"} }, "/no/such/program cannot be run: no such file", "argv"},
		"not executable":       {func(l *Launch) { l.Argv = []string{plain} }, "not executable", "argv"},
		"relative, not there":  {func(l *Launch) { l.Argv = []string{"./gone"} }, "cannot be run: no such file", "argv"},
		"a folder":             {func(l *Launch) { l.Argv = []string{dir} }, "is a directory", "argv"},
		"no format":            {func(l *Launch) { l.Argv = []string{noFormat} }, "cannot run its format", "argv"},
		"no interpreter":       {func(l *Launch) { l.Argv = []string{noInterpreter} }, "the interpreter that it names does not exist", "argv"},
		"NUL in argv":          {func(l *Launch) { l.Argv = []string{"sh", "a\x00b"} }, "argument 1 holds a NUL byte", "argv"},
		"too long":             {func(l *Launch) { l.Argv = []string{"sh", strings.Repeat("x", 8<<20)} }, "too long", "argv"},
		"bad variable":         {func(l *Launch) { l.Env = map[string]string{"A=B": "c"} }, `environment variable "A=B"`, "env"},
		"cwd missing":          {func(l *Launch) { l.Cwd = filepath.Join(dir, "gone") }, "does not exist", "cwd"},
		"cwd no folder":        {func(l *Launch) { l.Cwd = plain }, "is not a folder", "cwd"},
		"cwd relative":         {func(l *Launch) { l.Cwd = "here" }, "not an absolute path", "cwd"},
		"cwd empty":            {func(l *Launch) { l.Cwd = "" }, "not an absolute path", "cwd"},
		"cwd cannot be made":   {func(l *Launch) { l.Cwd, l.CreateCwd = filepath.Join(plain, "x"), true }, "cannot be made: not a directory", "cwd"},
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
			run, err := r.Start(ctx, l, sink)
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
	r := NewProcesses(Options{})
	r.Close()
	r.Close()
	if _, err := r.Start(t.Context(), sh(":"), newRecord(t)); code(t, err) != wire.CodeSpawnFailed {
		t.Fatal(err)
	}
}

func TestCloseKills(t *testing.T) {
	r := NewProcesses(Options{})
	sink := newRecord(t)
	l := sh(`trap "" TERM; echo up; while :; do sleep 1; done`)
	run, err := r.Start(t.Context(), l, sink)
	if err != nil {
		t.Fatal(err)
	}
	sink.untilOut("up")
	r.Close()
	if open(run.Done()) {
		t.Error("Close returned before Done")
	}
	if left := ofAgent(t, l.Agent, run.Process().Group); len(left) > 0 {
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
	await(t, "Done", run.Done())
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

// TestExit has agents that end by themselves, whatever they leave behind.
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
			await(t, "Done", run.Done())
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
			if open(run.(*process).verified) {
				t.Error("Done before it was verified")
			}
		})
	}
}

// TestStop has agents that do not want to go.
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
			await(t, "Done", run.Done())
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

// A stop that waits out a long grace is overtaken by one that does not.
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
	if forced || !slices.ContainsFunc(left, func(p wire.Process) bool { return p == *run.Process() }) {
		t.Errorf("forced %v, left %+v: want the leader, which still lives", forced, left)
	}
	await(t, "the stop, which goes on", run.Done())
	if run.Exit().Signal != "SIGKILL" {
		t.Errorf("exit %+v", run.Exit())
	}
}

// Many stop an agent while it exits by itself.
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
		await(t, "Done", run.Done())
	}
}

// A Sink that does not take anything holds up the agent, not the stop.
func TestBackPressure(t *testing.T) {
	r := processes(t)
	sink := newRecord(t)
	sink.blockOut = make(chan struct{})
	run := start(t, r, sh(`i=0; while [ $i -lt 200000 ]; do i=$((i+1)); echo "line number $i of many"; done`), sink)
	// The pipe and the reader's buffer fill up; then the agent sleeps in its write.
	for {
		p, err := readProc(run.Process().PID)
		if err != nil || p.state == 'Z' {
			t.Fatalf("it ended: %v, %v", p, err)
		}
		where, _ := os.ReadFile(procDir(p.PID) + "/wchan")
		if p.state == 'S' && bytes.Contains(where, []byte("pipe_write")) || p.state == 'S' && string(where) == "0" {
			break
		}
		runtime.Gosched()
	}
	if _, left := run.Stop(t.Context(), longGrace); len(left) > 0 {
		t.Errorf("left %+v", left)
	}
	if !open(run.Done()) {
		t.Error("Done, though the Sink has not taken the output")
	}
	sink.mu.Lock()
	close(sink.blockOut)
	sink.blockOut = nil
	sink.mu.Unlock()
	await(t, "Done", run.Done())
	// What the pipe held when the agent died was not lost: the lines follow each other without a gap.
	lines := strings.Split(sink.text(wire.EventStdout), "\n")
	if len(lines) < 1000 {
		t.Errorf("%d lines", len(lines))
	}
	for i, line := range lines[:len(lines)-1] {
		if want := fmt.Sprintf("line number %d of many", i+1); line != want {
			t.Fatalf("line %d is %q", i+1, line)
		}
	}
}

// sum is a Sink that keeps a hash, not the bytes.
type sum struct {
	*record
	hash interface{ Write([]byte) (int, error) }
	n    int
	bad  int // pieces that start or end within a character
}

func (s *sum) Output(_ wire.EventType, b []byte) {
	if len(b) > wire.MaxOutput {
		s.t.Errorf("%d bytes in one piece", len(b))
	}
	s.hash.Write(b)
	s.n += len(b)
	if !utf8.Valid(b) {
		s.bad++
	}
}

func TestLongLine(t *testing.T) {
	const size = 100 << 20
	tests := map[string]struct{ unit, script string }{
		"ASCII": {"x", fmt.Sprintf(`head -c %d /dev/zero | tr '\0' x`, size)},
		"UTF-8": {"é€😀\x20", fmt.Sprintf(`yes 'é€😀 ' | tr -d '\n' | head -c %d`, size)}, // ten bytes a line
	}
	r := processes(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := sha256.New()
			sink := &sum{record: newRecord(t), hash: got}
			run := start(t, r, sh(test.script), sink)
			await(t, "Done", run.Done())
			want := sha256.New()
			chunk := []byte(strings.Repeat(test.unit, 1<<20))
			for n := size; n > 0; n -= min(n, len(chunk)) {
				want.Write(chunk[:min(n, len(chunk))])
			}
			if sink.n != size || !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
				t.Errorf("%d bytes of %d, or not the same ones", sink.n, size)
			}
			if size%len(test.unit) == 0 && sink.bad > 0 {
				t.Errorf("%d pieces cut within a character", sink.bad)
			}
			if e := run.Exit(); e.Code != 0 {
				t.Errorf("exit %+v", e)
			}
		})
	}
}

func TestBinary(t *testing.T) {
	r := processes(t)
	sink := newRecord(t)
	run := start(t, r, launch("perl", "-e", `binmode STDOUT; print map { chr($_ % 256) } 0..299999; print STDERR "\xff\xfe"`), sink)
	await(t, "Done", run.Done())
	var want []byte
	for i := range 300000 {
		want = append(want, byte(i))
	}
	if got := sink.text(wire.EventStdout); got != string(want) {
		t.Errorf("%d bytes of %d, or not the same ones", len(got), len(want))
	}
	if got := sink.text(wire.EventStderr); got != "\xff\xfe" {
		t.Errorf("stderr %q", got)
	}
}

// Every write of the agent is answered before it makes the next one, so that the pieces are its writes.
func TestPartialLines(t *testing.T) {
	tests := map[string]struct{ writes, pieces []string }{
		"prompt":                  {[]string{"name? ", "again? "}, []string{"name? ", "again? "}},
		"line and prompt":         {[]string{"hello\nname? "}, []string{"hello\n", "name? "}},
		"character in halves":     {[]string{"caf\xc3", "\xa9!"}, []string{"caf", "é!"}},
		"a broken character":      {[]string{"a\xf0\x9f", "b"}, []string{"a", "\xf0\x9fb"}},
		"a lone start of one":     {[]string{"a\xf0"}, []string{"a", "\xf0"}},
		"continuations, no start": {[]string{"\x80\x80\x80\x80"}, []string{"\x80\x80\x80\x80"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := newRecord(t)
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			r, err := newReader(wire.EventStdout, read, &outlet{sink: sink, activity: wire.ActivityRunning})
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() { r.run(); close(done) }()
			for i, w := range test.writes {
				n := len(sink.parts())
				write.WriteString(w)
				if i < len(test.writes)-1 {
					sink.until("piece", func() bool { return len(sink.pieces) > n })
				}
			}
			sink.until("all pieces", func() bool { return len(sink.pieces) >= len(test.pieces) })
			if open(done) == false {
				t.Error("the reader ended before the pipe")
			}
			write.Close()
			await(t, "end", done)
			var got []string
			for _, p := range sink.parts() {
				got = append(got, p.b)
			}
			if !slices.Equal(got, test.pieces) {
				t.Errorf("pieces %q, want %q", got, test.pieces)
			}
		})
	}
}

// A progress bar never ends its line and never pauses; it must show all the same.
func TestPartialLineInMotion(t *testing.T) {
	r := processes(t)
	sink := newRecord(t)
	run := start(t, r, sh(`while :; do printf '\r%s' 50%; sleep 0.005; done`), sink)
	sink.until("three pieces", func() bool { return len(sink.pieces) >= 3 })
	for _, p := range sink.parts() {
		if len(p.b) > 1000 {
			t.Errorf("a piece of %d bytes", len(p.b))
		}
	}
	run.Stop(t.Context(), 0)
}

func TestLineEnds(t *testing.T) {
	r := processes(t)
	sink := newRecord(t)
	run := start(t, r, sh(`seq 100000; seq 100000 >&2`), sink)
	await(t, "Done", run.Done())
	for _, p := range sink.parts() {
		if !strings.HasSuffix(p.b, "\n") {
			t.Fatalf("a piece ends with %q", p.b[max(0, len(p.b)-10):])
		}
	}
	if sink.text(wire.EventStdout) != sink.text(wire.EventStderr) || strings.Count(sink.text(wire.EventStdout), "\n") != 100000 {
		t.Error("lines are missing")
	}
	if run.LastOutput().IsZero() {
		t.Error("no LastOutput")
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
		await(t, "Done", run.Done())
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
		await(t, "Done", run.Done())
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
	r := NewProcesses(Options{SampleInterval: 50 * time.Millisecond})
	t.Cleanup(r.Close)
	sink := newRecord(t)
	run := start(t, r, sh(`while :; do :; done & while :; do :; done & wait`), sink)
	deadline := time.After(patience)
	for u := run.Usage(); u.CPU < 0.1 || u.RSS == 0 || u.Processes != 3 || u.CPUTime == 0; u = run.Usage() {
		select {
		case <-deadline:
			t.Fatalf("usage %+v", u)
		default:
			runtime.Gosched()
		}
	}
	before := run.Usage().CPUTime
	run.Stop(t.Context(), 0)
	await(t, "Done", run.Done())
	if u := run.Usage(); u.CPU != 0 || u.RSS != 0 || u.Processes != 0 || u.CPUTime < before {
		t.Errorf("after the exit: %+v", u)
	}
}

func TestIdle(t *testing.T) {
	r := NewProcesses(Options{SampleInterval: 20 * time.Millisecond})
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
	await(t, "Done", run.Done())
}

func TestFleet(t *testing.T) {
	const n = 100
	r := processes(t)
	runs := make([]Running, n)
	launches := make([]Launch, n)
	for i := range runs {
		sink := newRecord(t)
		launches[i] = sh(`echo up; sleep 600 & exec sleep 600`)
		var err error
		if runs[i], err = r.Start(t.Context(), launches[i], sink); err != nil {
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
		for _, p := range procs {
			ours := p.Group == run.Process().Group || p.agent == launches[i].Agent
			if ours && (p.lives() || p.parent == os.Getpid()) { // none of our zombies either; init's are init's
				t.Errorf("left in /proc: %+v", p)
			}
		}
	}
}

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
		{proc{state: 'Z', threads: 2}, true}, // its first thread ended, another one goes on
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
	if hasExited(int(run.(*process).pidfd.Fd())) {
		t.Error("a process with another start time was killed")
	}
}

// With no file descriptor left, nothing starts, and a stop says that it could not be verified rather than that all is
// well. It still kills.
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
	_, err := r.Start(t.Context(), launch("true"), newRecord(t))
	_, left := run.Stop(t.Context(), 0)
	restore()
	if code(t, err) != wire.CodeSpawnFailed || !strings.Contains(err.Error(), "limit of open files") {
		t.Error(err)
	}
	await(t, "Done", run.Done())
	if want := []wire.Process{*run.Process()}; !slices.Equal(left, want) || !slices.Equal(run.Exit().Leftovers, want) {
		t.Errorf("left %+v, exit %+v", left, run.Exit())
	}
	if e := run.Exit(); e.Signal != "SIGKILL" {
		t.Errorf("exit %+v", e)
	}
}

// discard is the cheapest Sink.
type discard struct{}

func (discard) Output(wire.EventType, []byte)  {}
func (discard) Activity(wire.Activity, string) {}
func (discard) Signal(string)                  {}

func BenchmarkProcessStart(b *testing.B) {
	r := processes(b)
	l := launch("true")
	var start time.Duration // the rest of an iteration is the exit
	for b.Loop() {
		began := time.Now()
		run, err := r.Start(b.Context(), l, discard{})
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
		run, err := r.Start(b.Context(), l, discard{})
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
		run, err := r.Start(b.Context(), sh(fmt.Sprintf("yes 'a line of output of some forty characters' | head -c %d", size)), discard{})
		if err != nil {
			b.Fatal(err)
		}
		<-run.Done()
	}
}

func BenchmarkScan(b *testing.B) {
	for b.Loop() {
		if _, err := scan(true); err != nil {
			b.Fatal(err)
		}
	}
}
