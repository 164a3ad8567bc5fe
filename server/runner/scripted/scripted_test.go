package scripted

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// transcript has a sink that records all calls, with the time since the start.
type transcript struct {
	mu    sync.Mutex
	began time.Time
	lines []string
	block chan struct{} // output waits for it, unless it is nil
}

func (s *transcript) add(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := time.Since(s.began).Round(time.Millisecond)
	s.lines = append(s.lines, fmt.Sprintf("%v ", at)+fmt.Sprintf(format, args...))
}

func (s *transcript) sink(e runner.Event) error {
	switch e := e.(type) {
	case runner.Output:
		if s.block != nil {
			<-s.block
		}
		s.add("%s %q", strings.TrimPrefix(string(e.Stream), "output."), e.Bytes)
	case runner.Activity:
		s.add("%s", e.Now)
	case runner.Ask:
		s.add("%s %s", wire.ActivityRequiresAction, e.Text)
	case runner.Update:
		s.add("%s progress %s", e.Task, e.Text)
	case runner.TaskResult:
		s.add("%s result %q %s %s", e.Task, e.Output, e.Failure, e.Message)
	}
	return nil
}

func (s *transcript) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lines)
}

// play starts a script in a bubble of synctest, where time is virtual.
func play(t *testing.T, script string) (*session, *transcript) {
	t.Helper()
	var r Kind
	sink := &transcript{began: time.Now()}
	run, err := r.Start(t.Context(), runner.Launch{Agent: "atest", Script: script}, sink.sink)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return run.(*session), sink
}

func TestScripts(t *testing.T) {
	tests := map[string]struct {
		script string
		input  string // sent after one second, followed by the end of input
		exit   wire.Exit
		want   []string // what follows the first "running"
	}{
		"say, warn, blank": {"# a comment\r\n\n  say  hello # world \nwarn oh\nsay", "", exitCode(0),
			[]string{`0s stdout "hello # world\n"`, `0s stderr "oh\n"`, `0s stdout "\n"`}},
		"wait":   {"wait 1m30s\nsay x", "", exitCode(0), []string{`1m30s stdout "x\n"`}},
		"idle":   {"idle 2s\nsay x", "", exitCode(0), []string{`0s idle`, `2s running`, `2s stdout "x\n"`}},
		"jitter": {"wait 1s..2s\nsay x", "", exitCode(0), []string{`1.424s stdout "x\n"`}},
		"repeat": {"repeat 2\nsay a${i}\nrepeat 2\nsay b${i}\nend\nsay c${i}\nend", "", exitCode(0),
			[]string{`0s stdout "a1\n"`, `0s stdout "b1\n"`, `0s stdout "b2\n"`, `0s stdout "c1\n"`,
				`0s stdout "a2\n"`, `0s stdout "b1\n"`, `0s stdout "b2\n"`, `0s stdout "c2\n"`}},
		"flood": {"flood 3 line ${i}", "", exitCode(0), []string{`0s stdout "line 1\n"`, `0s stdout "line 2\n"`, `0s stdout "line 3\n"`}},
		"ask": {"ask Go on?\nsay ${reply}${reply} $${reply}", "yes\nunread\n", exitCode(0),
			[]string{`0s requires_action Go on?`, `1s running`, `1s stdout "yesyes ${reply}\n"`}},
		"ask unanswered": {"ask Go on?\nsay x", "", wire.Exit{Code: 1, Message: "the input ended before the question was answered"},
			[]string{`0s requires_action Go on?`}},
		"ask, answer without newline": {"ask A?\nask B?\nsay ${reply}", "one\r\ntwo", exitCode(0),
			[]string{`0s requires_action A?`, `1s running`, `1s requires_action B?`, `1s running`, `1s stdout "two\n"`}},
		"read to the end":         {"repeat forever\nread\nsay got ${reply}\nend", "a\nb\n", exitCode(0), []string{`1s stdout "got a\n"`, `1s stdout "got b\n"`}},
		"echo":                    {"echo\nsay done", "a\nb", exitCode(0), []string{`1s stdout "a\n"`, `1s stdout "b\n"`, `1s stdout "done\n"`}},
		"echo nothing":            {"echo\nsay done", "", exitCode(0), []string{`1s stdout "done\n"`}},
		"echo for ever":           {"repeat forever\necho\nend", "a\n", exitCode(0), []string{`1s stdout "a\n"`}},
		"exit":                    {"exit 7\nsay x", "", exitCode(7), nil},
		"crash":                   {"repeat 1\ncrash disk ${i} is full\nend", "", wire.Exit{Code: -1, Message: "disk 1 is full"}, nil},
		"binary":                  {"binary 4", "", exitCode(0), []string{`0s stdout "\xff\xfe\xfd\xfc"`}},
		"variables before a read": {"say [${reply}]", "", exitCode(0), []string{`0s stdout "[]\n"`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				run, sink := play(t, test.script)
				if _, ok := runner.As[runner.Observed](run); ok {
					t.Error("a script has a process")
				}
				time.Sleep(time.Second)
				run.Input(t.Context(), []byte(test.input), true)
				<-run.Done()
				if e := run.Exit(); e.Code != test.exit.Code || e.Message != test.exit.Message {
					t.Errorf("exit %+v, want %+v", e, test.exit)
				}
				want := append([]string{"0s running"}, test.want...)
				if got := sink.all(); !slices.Equal(got, want) {
					t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			})
		})
	}
}

func TestDemo(t *testing.T) {
	demo := func(t *testing.T, id wire.AgentID) (took time.Duration, lines []string) {
		synctest.Test(t, func(t *testing.T) {
			var r Kind
			defer r.Close()
			sink := &transcript{began: time.Now()}
			run, err := r.Start(t.Context(), runner.Launch{Agent: id}, sink.sink)
			if err != nil {
				t.Fatal(err)
			}
			if err := run.(*session).Input(t.Context(), []byte("yes, please\n"), false); err != nil {
				t.Fatal(err)
			}
			<-run.Done()
			if e := run.Exit(); e.Code != 0 {
				t.Errorf("exit %+v", e)
			}
			took, lines = time.Since(sink.began), sink.all()
		})
		return took, lines
	}
	for i := range 20 {
		took, lines := demo(t, wire.AgentID(fmt.Sprint("a", i)))
		if took < 95*time.Second || took > 145*time.Second {
			t.Errorf("agent %d took %v", i, took)
		}
		all := strings.Join(lines, "\n")
		if strings.Count(all, "requires_action") != 1 || strings.Count(all, "stderr") != 1 || !strings.Contains(all, "You said: yes, please") {
			t.Errorf("agent %d:\n%s", i, all)
		}
	}
	_, a := demo(t, "aone")
	_, again := demo(t, "aone")
	_, b := demo(t, "atwo")
	if !slices.Equal(a, again) {
		t.Error("one agent's two runs differ")
	}
	if slices.Equal(a, b) {
		t.Error("two agents are in lockstep")
	}
}

func TestScriptedStop(t *testing.T) {
	tests := map[string]struct {
		script  string
		grace   time.Duration
		forced  bool
		took    time.Duration
		message string
	}{
		"waits":            {"wait 1h", time.Minute, false, 0, "stopped"},
		"idles":            {"idle 1h", time.Minute, false, 0, "stopped"},
		"asks":             {"ask ?", time.Minute, false, 0, "stopped"},
		"reads":            {"read", time.Minute, false, 0, "stopped"},
		"echoes":           {"echo", time.Minute, false, 0, "stopped"},
		"hangs":            {"hang", time.Minute, true, time.Minute, "killed, since it ignored the stop"},
		"hangs, grace 0":   {"hang", 0, true, 0, "killed, since it ignored the stop"},
		"waits, grace 0":   {"wait 1h", 0, false, 0, "stopped"},
		"in a repeat":      {"repeat forever\nwait 1s\nend", time.Minute, false, 0, "stopped"},
		"in the last line": {"say x\nwait 10s", time.Minute, false, 0, "stopped"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				run, _ := play(t, test.script)
				synctest.Wait()
				began := time.Now()
				forced, left := run.Stop(t.Context(), test.grace)
				if forced != test.forced || left != nil || time.Since(began) != test.took {
					t.Errorf("forced %v, left %v, took %v", forced, left, time.Since(began))
				}
				<-run.Done()
				if e := run.Exit(); e.Code != -1 || e.Message != test.message {
					t.Errorf("exit %+v", e)
				}
				if err := run.Input(t.Context(), []byte("x"), false); code(t, err) != wire.CodePrecondition {
					t.Error(err)
				}
				if again, _ := run.Stop(t.Context(), 0); again != test.forced {
					t.Error("a second Stop says otherwise")
				}
			})
		})
	}
}

func TestScriptedStopWhenDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, _ := play(t, "exit 4")
		<-run.Done()
		if forced, _ := run.Stop(t.Context(), 0); forced || run.Exit().Code != 4 {
			t.Errorf("forced %v, exit %+v", forced, run.Exit())
		}
	})
}

func TestScriptedStopContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, _ := play(t, "hang")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if forced, _ := run.Stop(ctx, time.Minute); forced || time.Since(began) != time.Second {
			t.Errorf("forced %v after %v", forced, time.Since(began))
		}
		<-run.Done() // the stop continues
		if time.Since(began) != time.Minute {
			t.Errorf("killed after %v", time.Since(began))
		}
	})
}

func TestScriptedStopOvertakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, _ := play(t, "hang")
		synctest.Wait()
		first := make(chan bool)
		go func() {
			forced, _ := run.Stop(context.Background(), time.Hour)
			first <- forced
		}()
		synctest.Wait()
		began := time.Now()
		second, _ := run.Stop(t.Context(), time.Second)
		if !second || !<-first || time.Since(began) != time.Second {
			t.Errorf("after %v", time.Since(began))
		}
	})
}

// A Sink that blocks holds up the script, but not a stop.
func TestScriptedBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r Kind
		sink := &transcript{began: time.Now(), block: make(chan struct{})}
		run, err := r.Start(t.Context(), runner.Launch{Agent: "a", Script: "flood 1000000 x"}, sink.sink)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		began := time.Now()
		run.Stop(t.Context(), time.Second)
		if took := time.Since(began); took != time.Second+killTime || !open(run.Done()) {
			t.Errorf("Stop took %v", took)
		}
		close(sink.block)
		r.Close()
		if open(run.Done()) || len(sink.all()) > 2 {
			t.Errorf("it went on: %d calls", len(sink.all()))
		}
	})
}

func TestScriptedInputBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, sink := play(t, "wait 10s\necho")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		big := strings.Repeat("x", maxQueue+100)
		err := run.Input(ctx, []byte(big), false)
		if code(t, err) != wire.CodeTimeout || !strings.Contains(err.Error(), fmt.Sprintf("%d of %d bytes", maxQueue, len(big))) {
			t.Error(err)
		}
		if err := run.Input(t.Context(), []byte("yz\nlast"), true); err != nil { // waits until the script reads
			t.Error(err)
		}
		if err := run.Input(t.Context(), []byte("more"), false); code(t, err) != wire.CodePrecondition {
			t.Error(err)
		}
		<-run.Done()
		all := strings.Join(sink.all(), "")
		if n := strings.Count(all, "x"); n != maxQueue || !strings.Contains(all, `"yz\n"`) || !strings.Contains(all, `"last\n"`) {
			t.Errorf("%d bytes of the first input", n)
		}
	})
}

// A task arrives whole, however long, and unread lines of input do not hold it up.
func TestScriptedTakesALongTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, sink := play(t, "wait 1s\ntake\nresult ${input}")
		input := strings.Repeat("x", wire.MaxTaskInput)
		if err := run.Input(t.Context(), []byte("some line\n"), true); err != nil {
			t.Fatal(err)
		}
		if err := run.Deliver(t.Context(), &wire.Task{ID: "t1", TaskSpec: wire.TaskSpec{Input: wire.Payload{Text: input}}}); err != nil {
			t.Fatal(err)
		}
		<-run.Done()
		if out := strings.Join(sink.all(), ""); strings.Count(out, "x") != len(input) {
			t.Errorf("%d bytes of %d came back", strings.Count(out, "x"), len(input))
		}
		if err := run.Deliver(t.Context(), &wire.Task{ID: "t2"}); code(t, err) != wire.CodePrecondition {
			t.Error(err)
		}
	})
}

// A script drops a task that is canceled: the current one, and one that it has not taken yet.
func TestScriptedLetsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, sink := play(t, "take\nprogress at ${input}\nwait 1h\nresult ${input}")
		for _, id := range []wire.TaskID{"t1", "t2", "t3"} {
			run.Deliver(t.Context(), &wire.Task{ID: id, TaskSpec: wire.TaskSpec{Input: wire.Payload{Text: string(id)}}})
		}
		synctest.Wait()
		run.Cancel(t.Context(), "t2")
		run.Cancel(t.Context(), "t1")
		run.Cancel(t.Context(), "t9")
		run.Cancel(t.Context(), "t1") // once more
		<-run.Done()
		var got []string
		for _, l := range sink.all() {
			if strings.Contains(l, " t") {
				got = append(got, l)
			}
		}
		want := []string{"0s t1 progress at t1", `0s t1 result "" agent_error canceled`, `0s t2 result "" agent_error canceled`,
			"0s t3 progress at t3", `1h0m0s t3 result "t3"  `}
		if !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
	})
}

// A reply that a text contains many times must not grow without bound.
func TestScriptedTextBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r Kind
		defer r.Close()
		var text strings.Builder
		sink := func(e runner.Event) error {
			switch e := e.(type) {
			case runner.Output:
				text.Write(e.Bytes)
			case runner.Ask:
				if len(e.Text) > runner.MaxQuestion {
					t.Errorf("a question of %d bytes", len(e.Text))
				}
			}
			return nil
		}
		run, err := r.Start(t.Context(), runner.Launch{Agent: "a", Script: "read\nsay " + strings.Repeat("${reply}", 1000) + "\nask ${reply}\n"}, sink)
		if err != nil {
			t.Fatal(err)
		}
		run.(runner.Inputter).Input(t.Context(), []byte(strings.Repeat("é", 10_000)+"\n"), true)
		<-run.Done()
		if text.Len() > MaxText+1 || strings.Trim(text.String(), "é") != "\n" {
			t.Errorf("%d bytes", text.Len())
		}
	})
}

func TestScriptedRefused(t *testing.T) {
	var r Kind
	if _, err := r.Start(t.Context(), runner.Launch{Agent: "a", Script: "dance"}, discard); code(t, err) != wire.CodeInvalidParams {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Start(ctx, runner.Launch{Agent: "a"}, discard); code(t, err) != wire.CodeSpawnFailed {
		t.Error(err)
	}
	r.Close()
	if _, err := r.Start(t.Context(), runner.Launch{Agent: "a"}, discard); code(t, err) != wire.CodeSpawnFailed {
		t.Error(err)
	}
}

func TestScriptedClose(t *testing.T) {
	var r Kind
	runs := make([]runner.Session, 50)
	for i := range runs {
		script := []string{"hang", "wait 1h", "repeat forever\nsay x\nend", "flood 1000000000 x"}[i%4]
		var err error
		if runs[i], err = r.Start(t.Context(), runner.Launch{Agent: "aclose", Script: script}, discard); err != nil {
			t.Fatal(err)
		}
	}
	r.Close()
	for i, run := range runs {
		if open(run.Done()) {
			t.Errorf("agent %d runs", i)
		}
	}
}

func BenchmarkScriptedStart(b *testing.B) {
	var r Kind
	defer r.Close()
	var start time.Duration // the rest of an iteration is the stop
	for b.Loop() {
		began := time.Now()
		run, err := r.Start(b.Context(), runner.Launch{Agent: "abench"}, discard)
		if err != nil {
			b.Fatal(err)
		}
		start += time.Since(began)
		run.Stop(b.Context(), 0)
	}
	b.ReportMetric(float64(start.Nanoseconds())/float64(b.N), "start-ns/op")
}

func BenchmarkScriptedFlood(b *testing.B) {
	var r Kind
	defer r.Close()
	const lines = 10_000
	for b.Loop() {
		run, err := r.Start(b.Context(), runner.Launch{Agent: "abench", Script: fmt.Sprintf("flood %d line ${i}", lines)}, discard)
		if err != nil {
			b.Fatal(err)
		}
		<-run.Done()
	}
	b.ReportMetric(float64(b.N)*lines/b.Elapsed().Seconds(), "lines/s")
}

func discard(runner.Event) error { return nil }

func code(t testing.TB, err error) wire.ErrorCode {
	t.Helper()
	e, ok := err.(*wire.Error)
	if !ok {
		t.Fatalf("error %v is a %T, not a *wire.Error", err, err)
	}
	return e.Code
}

// A script that echoes its input within a task drops the task when it is canceled, and prints nothing for that.
func TestScriptedLetsGoOfAnEcho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, sink := play(t, "take\necho")
		sink.block = make(chan struct{}) // a script that spins stays at its first line
		defer close(sink.block)
		run.Deliver(t.Context(), &wire.Task{ID: "t1"})
		synctest.Wait()
		run.Cancel(t.Context(), "t1")
		synctest.Wait()
		want := []string{"0s idle", "0s running", `0s t1 result "" agent_error canceled`}
		if got := sink.all(); !slices.Contains(got, want[2]) || slices.ContainsFunc(got, func(l string) bool { return strings.Contains(l, "stdout") }) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}
