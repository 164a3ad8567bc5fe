package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server"
	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// works runs a worker until the test ends, and waits until it is an agent.
func works(t *testing.T, c *client.Client, o client.WorkerOptions) (w *client.Worker, agent wire.AgentID, ended <-chan error) {
	t.Helper()
	joined := make(chan wire.WorkerJoined, 64)
	before := o.Joined
	o.Joined = func(j wire.WorkerJoined) {
		if before != nil {
			before(j)
		}
		select {
		case joined <- j:
		default:
		}
	}
	w = c.Worker(o)
	ctx, cancel := context.WithCancel(context.Background())
	end := make(chan error, 1)
	over := make(chan struct{})
	go func() { defer close(over); end <- w.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-over })
	select {
	case j := <-joined:
		return w, j.Agent, end
	case err := <-end:
		t.Fatalf("Run: %v", err)
	case <-time.After(patience):
		t.Fatal("the program did not become an agent")
	}
	return nil, "", nil
}

func TestAWorkerDoesTasks(t *testing.T) {
	t.Parallel()
	n := serve(t)
	overBoth(t, func(t *testing.T, tr string) {
		c := dial(t, n, over(tr))
		_, id, _ := works(t, c, client.WorkerOptions{Name: "far", Concurrency: 2, Capabilities: []string{"upper-" + tr}, Labels: map[string]string{"at": "home"},
			Handle: func(ctx context.Context, w *client.Work) ([]byte, error) {
				switch in := string(w.Input); {
				case in == "bytes":
					return []byte{0, 1, 0xff}, nil
				case in == "fail":
					return nil, errors.New("it can't be done")
				case in == "panic":
					panic("oh")
				case in == "flaky" && w.Attempt == 1:
					return nil, client.TryAgain(errors.New("not now"))
				case in == "remember":
					var e wire.MemoryEntry
					if err := w.Call(ctx, wire.MethodMemoryStore, wire.MemoryStoreParams{Namespace: "shared", Key: "far-" + tr, Value: wire.NewMemoryValue([]byte("kept"))}, &e); err != nil {
						return nil, err
					}
					err := w.Call(ctx, wire.MethodMemoryStore, wire.MemoryStoreParams{Namespace: "secret", Key: "x", Value: wire.NewMemoryValue([]byte("no"))}, nil)
					return []byte(fmt.Sprint(e.Writer, " ", err)), nil
				default:
					w.Progress("half of it", 0.5)
					w.Print("doing " + in + "\n")
					return bytes.ToUpper(w.Input), nil
				}
			}})
		rec, err := c.Get(t.Context(), id)
		if err != nil || rec.Kind != wire.KindRemote || rec.Status != wire.StatusRunning || rec.Name != "far" || rec.Labels["at"] != "home" || rec.Concurrency != 2 {
			t.Fatalf("the agent is %+v, %v", rec, err)
		}
		task := func(in string) *wire.Task {
			spec := wire.TaskSpec{Capabilities: []string{"upper-" + tr}, Input: wire.NewPayload([]byte(in)), Retry: wire.Retry{Max: 2, BackoffMS: 1}}
			return ended(t, c, submit(t, c, spec)[0].ID)
		}
		if got := task("abc"); got.State != wire.TaskCompleted || got.Result.Text != "ABC" || len(got.Progress) != 1 || got.Progress[0].Fraction != 0.5 {
			t.Errorf("a task ended as %+v", got)
		}
		if got := task("bytes"); got.State != wire.TaskCompleted || !bytes.Equal(got.Result.Base64, []byte{0, 1, 0xff}) {
			t.Errorf("a result of bytes is %+v", got.Result)
		}
		if got := task("fail"); got.State != wire.TaskFailed || got.Attempt != 1 || got.Message != "it can't be done" {
			t.Errorf("a failure ended as %+v", got)
		}
		if got := task("panic"); got.State != wire.TaskFailed || got.Message != "panic: oh" {
			t.Errorf("a panic ended as %+v", got)
		}
		if got := task("flaky"); got.State != wire.TaskCompleted || got.Attempt != 2 {
			t.Errorf("a task that was to be tried again ended as %+v", got)
		}
		if got := task("remember"); !strings.HasPrefix(got.Result.Text, string(id)+" ") || !strings.Contains(got.Result.Text, "secret") {
			t.Errorf("the memory of its type, and another, answered %q", got.Result.Text)
		}
		found := false
		for e, err := range c.Events(t.Context(), id, client.EventOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			found = found || e.Type == wire.EventStdout && string(e.Data.Bytes()) == "doing abc\n"
		}
		if !found {
			t.Error("what it printed is not in its log")
		}
	})
}

func TestAWorkerAsks(t *testing.T) {
	t.Parallel()
	n := serve(t)
	c := dial(t, n)
	_, id, _ := works(t, c, client.WorkerOptions{Concurrency: 3, Handle: func(ctx context.Context, w *client.Work) ([]byte, error) {
		var options []wire.AskOption
		if string(w.Input) == "choose" {
			options = []wire.AskOption{{ID: "y", Name: "Yes", Kind: wire.AllowOnce}, {ID: "n", Name: "No", Kind: wire.RejectOnce}}
		}
		a, err := w.Ask(ctx, "and "+string(w.Input)+"?", options...)
		if err != nil {
			return nil, err
		}
		return []byte(string(w.Input) + ": " + a.Text + a.Option + " by " + a.By), nil
	}})
	ids := map[string]wire.TaskID{}
	for _, in := range []string{"one", "two", "choose"} {
		ids[in] = submit(t, c, wire.TaskSpec{Agent: id, Input: wire.NewPayload([]byte(in))})[0].ID
	}
	ask := func(text string) *wire.Ask {
		t.Helper()
		for since := ""; t.Context().Err() == nil; {
			res, err := c.Asks(t.Context(), wire.AskListParams{Agent: id, Since: since, WaitMS: 5000})
			if err != nil {
				t.Fatal(err)
			}
			if i := slices.IndexFunc(res.Asks, func(a wire.Ask) bool { return a.Text == text }); i >= 0 {
				return &res.Asks[i]
			}
			since = res.Position
		}
		return nil
	}
	// Answered in another order than asked: each answer reaches the task that asked.
	for _, a := range []struct{ text, task, say, option, want string }{
		{"and two?", "two", "zwei", "", "two: zwei by test"},
		{"and choose?", "choose", "", "n", "choose: n by test"},
		{"and one?", "one", "eins", "", "one: eins by test"},
	} {
		q := ask(a.text)
		if q.Task != ids[a.task] || (q.Kind == wire.AskQuestion) != (a.option == "") {
			t.Errorf("%q is a %s of task %s", a.text, q.Kind, q.Task)
		}
		kit.Eventually(t, "the task waits for a person", func() bool {
			task, err := c.TaskGet(t.Context(), ids[a.task])
			return err == nil && task.State == wire.TaskInputRequired
		})
		if _, err := c.Answer(t.Context(), wire.AskAnswerParams{ID: q.ID, Prompt: q.Prompt, Text: a.say, Option: a.option}); err != nil {
			t.Fatal(err)
		}
		if got := ended(t, c, ids[a.task]); got.Result == nil || got.Result.Text != a.want {
			t.Errorf("%q ended as %+v, %s", a.text, got.Result, got.Message)
		}
	}
	// A task that is canceled withdraws its question.
	gone := submit(t, c, wire.TaskSpec{Agent: id, Input: wire.NewPayload([]byte("gone"))})[0].ID
	q := ask("and gone?")
	if _, err := c.TaskCancel(t.Context(), wire.TaskCancelParams{IDs: []wire.TaskID{gone}}); err != nil {
		t.Fatal(err)
	}
	for since := ""; ; {
		res, err := c.Asks(t.Context(), wire.AskListParams{Agent: id, All: true, Since: since, WaitMS: 5000})
		if err != nil {
			t.Fatal(err)
		}
		if i := slices.IndexFunc(res.Asks, func(a wire.Ask) bool { return a.ID == q.ID }); i >= 0 && res.Asks[i].State == wire.AskCanceled {
			break
		}
		since = res.Position
	}
}

// Whatever breaks meanwhile, each task is done once, and each call of it is carried out once.
func TestAWorkerComesBackWithItsTasks(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr string) {
		l := behindRelays(t)
		boss := dial(t, l.node)
		c := dial(t, l.node, over(tr), at(l.tcp.url()))
		var done, joins atomic.Int32
		var mu sync.Mutex
		times := map[string]int{}
		_, id, _ := works(t, c, client.WorkerOptions{Concurrency: 4, Joined: func(wire.WorkerJoined) { joins.Add(1) },
			Handle: func(ctx context.Context, w *client.Work) ([]byte, error) {
				mu.Lock()
				times[string(w.Input)]++
				mu.Unlock()
				for i := range 3 {
					w.Progress(fmt.Sprint("step ", i), float64(i)/3)
					if err := w.Call(ctx, wire.MethodMemoryStore, wire.MemoryStoreParams{Namespace: "shared", Key: "cut-" + string(w.Input), Value: wire.NewMemoryValue([]byte(fmt.Sprint(i)))}, nil); err != nil {
						return nil, err
					}
				}
				if n := done.Add(1); n == 5 || n == 25 { // the pause after each is longer
					l.cut(c, tr)
				}
				return w.Input, nil
			}})
		const many = 40
		specs := make([]wire.TaskSpec, many)
		for i := range specs {
			specs[i] = wire.TaskSpec{Agent: id, Input: wire.NewPayload([]byte(fmt.Sprint(i)))}
		}
		for i, task := range submit(t, boss, specs...) {
			got := ended(t, boss, task.ID)
			if got.State != wire.TaskCompleted || got.Attempt != 1 || got.Result.Text != fmt.Sprint(i) {
				t.Errorf("task %d ended as %s after %d attempts: %s", i, got.State, got.Attempt, got.Message)
			}
			h, err := boss.MemoryHistory(t.Context(), wire.MemoryHistoryParams{Namespace: "shared", Key: fmt.Sprint("cut-", i)})
			if err != nil || len(h.Entries) != 3 {
				t.Errorf("the value of task %d was stored %d times, %v", i, len(h.Entries), err)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		for in, n := range times {
			if n != 1 {
				t.Errorf("task %s was done %d times", in, n)
			}
		}
		if joins.Load() < 3 {
			t.Errorf("it was there %d times only: nothing was cut", joins.Load())
		}
	})
}

// remoteTypes adds types of programs that dial in.
func remoteTypes(t *testing.T, config string) func(*server.Options) {
	path := filepath.Join(t.TempDir(), "skein.yaml")
	if err := os.WriteFile(path, []byte("agent_types:\n"+config), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(o *server.Options) { o.ConfigFile = path }
}

// until watches an agent until its status is one of those.
func until(t *testing.T, c *client.Client, id wire.AgentID, statuses ...wire.Status) wire.Agent {
	t.Helper()
	var last wire.Agent
	f := watch(t, c)
	f.until(t, fmt.Sprint(statuses), func(client.Change) bool {
		a, err := c.Get(t.Context(), id)
		if err == nil {
			last = *a
		}
		return err == nil && slices.Contains(statuses, a.Status)
	})
	return last
}

func TestAWorkerThatStaysAwayIsLost(t *testing.T) {
	t.Parallel()
	n := serve(t, remoteTypes(t, "  far: {kind: remote, lease: 1s}\n"))
	boss := dial(t, n)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c, err := client.Dial(ctx, client.Options{URL: n.addrs.HTTP, Token: n.token, Name: "far", Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	began := make(chan struct{}, 1)
	lost, late := make(chan error, 1), make(chan error, 1)
	_, id, _ := works(t, c, client.WorkerOptions{Type: "far", Handle: func(ctx context.Context, w *client.Work) ([]byte, error) {
		began <- struct{}{}
		<-ctx.Done()
		lost <- context.Cause(ctx)
		late <- w.Call(context.Background(), wire.MethodMemoryNamespaces, wire.MemoryNamespacesParams{}, nil)
		return nil, ctx.Err()
	}})
	task := submit(t, boss, wire.TaskSpec{Type: "far", Retry: wire.Retry{Max: 2, BackoffMS: 1}})[0]
	<-began
	c.Close() // without a word of the agent
	if a := until(t, boss, id, wire.StatusLost); !strings.Contains(a.Exit.Message, "lease of 1s") {
		t.Errorf("it is %s: %+v", a.Status, a.Exit)
	}
	<-lost
	if err := <-late; wire.AsError(err).Code != wire.CodePrecondition {
		t.Errorf("it can make requests after that: %v", err)
	}
	// Another program takes the task.
	c2 := dial(t, n)
	works(t, c2, client.WorkerOptions{Type: "far", Handle: func(context.Context, *client.Work) ([]byte, error) { return []byte("mine"), nil }})
	got := ended(t, boss, task.ID)
	if got.State != wire.TaskCompleted || got.Attempt != 2 || got.Runs[0].Failure != wire.FailAgentLost {
		t.Errorf("the task ended as %s after %d attempts, the first failed by %s", got.State, got.Attempt, got.Runs[0].Failure)
	}
}

func TestAWorkerIsStopped(t *testing.T) {
	t.Parallel()
	n := serve(t)
	boss := dial(t, n)
	for name, obeys := range map[string]bool{"obeys": true, "ignores": false} {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			began := make(chan struct{}, 1)
			c := dial(t, n)
			_, id, over := works(t, c, client.WorkerOptions{Handle: func(ctx context.Context, w *client.Work) ([]byte, error) {
				began <- struct{}{}
				if obeys {
					<-ctx.Done()
				} else {
					<-release
				}
				return nil, ctx.Err()
			}})
			defer close(release)
			task := submit(t, boss, wire.TaskSpec{Agent: id})[0]
			<-began
			res, err := boss.Stop(t.Context(), wire.StopParams{IDs: []wire.AgentID{id}})
			if err != nil || len(res.Reports) != 1 || res.Reports[0].Status != wire.StatusExited || res.Reports[0].Reason != wire.ReasonStopped || res.Reports[0].Forced {
				t.Errorf("the stop is reported as %+v, %v", res, err)
			}
			if err := <-over; !errors.Is(err, client.ErrStopped) {
				t.Errorf("Run returned %v", err)
			}
			if got := ended(t, boss, task.ID); got.State == wire.TaskCompleted {
				t.Errorf("its task ended as %s", got.State)
			}
		})
	}
}

func TestAWorkerDrains(t *testing.T) {
	t.Parallel()
	n := serve(t)
	c := dial(t, n)
	began, release := make(chan struct{}, 1), make(chan struct{})
	w, id, over := works(t, c, client.WorkerOptions{Handle: func(context.Context, *client.Work) ([]byte, error) {
		began <- struct{}{}
		<-release
		return []byte("done"), nil
	}})
	first := submit(t, c, wire.TaskSpec{Agent: id})[0]
	<-began
	drained := make(chan error, 1)
	go func() { drained <- w.Drain(context.Background()) }()
	// The server knows: a task for any program of the type waits.
	second := submit(t, c, wire.TaskSpec{Type: "remote"})[0]
	kit.Eventually(t, "a task waits for another program", func() bool {
		task, err := c.TaskGet(t.Context(), second.ID)
		return err == nil && strings.Contains(task.Waiting, "dialled in")
	})
	close(release)
	if err := <-drained; err != nil {
		t.Error(err)
	}
	if err := <-over; err != nil {
		t.Errorf("Run returned %v", err)
	}
	if got := ended(t, c, first.ID); got.State != wire.TaskCompleted {
		t.Errorf("the task that it had ended as %s: %s", got.State, got.Message)
	}
	if a := until(t, c, id, wire.StatusExited); a.Reason != wire.ReasonCompleted {
		t.Errorf("it ended as %s: %+v", a.Reason, a.Exit)
	}
}

func TestAWorkerSurvivesARestart(t *testing.T) {
	t.Parallel()
	n := serve(t)
	c := dial(t, n)
	var joined atomic.Int32
	again := make(chan wire.AgentID, 8)
	_, id, over := works(t, c, client.WorkerOptions{Joined: func(j wire.WorkerJoined) { joined.Add(1); again <- j.Agent },
		Handle: func(_ context.Context, w *client.Work) ([]byte, error) { return w.Input, nil }})
	<-again
	n2 := n.restart(t)
	select {
	case other := <-again:
		if other == id {
			t.Error("it is the same agent after a restart of the server")
		}
	case err := <-over:
		t.Fatalf("Run returned %v", err)
	case <-time.After(patience):
		t.Fatal("it did not come back")
	}
	boss := dial(t, n2)
	if got := ended(t, boss, submit(t, boss, wire.TaskSpec{Type: "remote", Input: wire.NewPayload([]byte("x"))})[0].ID); got.State != wire.TaskCompleted {
		t.Errorf("a task after the restart ended as %s: %s", got.State, got.Message)
	}
}

// A program ends a task soon when it is stopped. It is not the task that failed then.
func TestATaskSurvivesTheStopOfItsWorker(t *testing.T) {
	t.Parallel()
	n := serve(t)
	c := dial(t, n)
	began := make(chan struct{}, 8)
	var tries atomic.Int32
	works(t, c, client.WorkerOptions{Handle: func(ctx context.Context, w *client.Work) ([]byte, error) {
		began <- struct{}{}
		if tries.Add(1) > 1 {
			return w.Input, nil
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	task := submit(t, c, wire.TaskSpec{Type: "remote", Input: wire.NewPayload([]byte("x")), Retry: wire.Retry{Max: 5, BackoffMS: 1}})[0]
	<-began
	boss := dial(t, n.restart(t))
	if got := ended(t, boss, task.ID); got.State != wire.TaskCompleted {
		t.Errorf("the task ended as %s: %s, %s", got.State, got.Failure, got.Message)
	}
}

func TestWorkersThatAreRefused(t *testing.T) {
	t.Parallel()
	n := serve(t)
	c := dial(t, n)
	for _, o := range []client.WorkerOptions{{Type: "nobody"}, {Type: "shell"}, {Concurrency: -1}, {Name: "two\nlines"}, {Capabilities: []string{""}}, {Capabilities: []string{"two words"}}} {
		o.Handle = func(context.Context, *client.Work) ([]byte, error) { return nil, nil }
		var e *wire.Error
		if err := c.Serve(t.Context(), o); !errors.As(err, &e) {
			t.Errorf("%+v was refused by %v", o, err)
		}
	}
	if _, err := c.Spawn(t.Context(), wire.SpawnParams{Type: "remote"}); err == nil || !strings.Contains(err.Error(), "dial in") {
		t.Errorf("a spawn was refused by %v", err)
	}
}

// What a program has said before it leaves arrives, though the connection breaks before the server has all of it.
func TestAWorkerThatDrainsWhileTheConnectionBreaks(t *testing.T) {
	t.Parallel()
	l := behindRelays(t)
	boss := dial(t, l.node)
	c := dial(t, l.node, over(client.WebSocket), at(l.tcp.url()))
	began, release := make(chan struct{}, 1), make(chan struct{})
	w, id, over := works(t, c, client.WorkerOptions{Handle: func(context.Context, *client.Work) ([]byte, error) {
		began <- struct{}{}
		<-release
		l.tcp.stall() // what it says now gets nowhere
		return []byte("done"), nil
	}})
	task := submit(t, boss, wire.TaskSpec{Agent: id})[0]
	<-began
	second := submit(t, boss, wire.TaskSpec{Type: "remote"})[0]
	waits := func(what string) {
		t.Helper()
		kit.Eventually(t, "a task waits because it is "+what, func() bool {
			task, err := boss.TaskGet(t.Context(), second.ID)
			return err == nil && strings.Contains(task.Waiting, what)
		})
	}
	waits("busy")
	drained := make(chan error, 1)
	go func() { drained <- w.Drain(context.Background()) }()
	waits("dialled in") // so the server knows that it drains
	close(release)
	if err := <-drained; err != nil {
		t.Error(err)
	}
	l.tcp.cut()
	if err := <-over; err != nil {
		t.Errorf("Run returned %v", err)
	}
	if got := ended(t, boss, task.ID); got.State != wire.TaskCompleted || got.Attempt != 1 {
		t.Errorf("the task ended as %s after %d attempts: %s", got.State, got.Attempt, got.Message)
	}
	if a := until(t, boss, id, wire.StatusExited, wire.StatusLost); a.Reason != wire.ReasonCompleted {
		t.Errorf("it ended as %s: %+v", a.Reason, a.Exit)
	}
}

// What no server would read is refused or shortened where it is said.
func TestWhatAWorkerSaysIsBounded(t *testing.T) {
	t.Parallel()
	n := serve(t)
	c := dial(t, n)
	var joins atomic.Int32
	_, id, _ := works(t, c, client.WorkerOptions{Joined: func(wire.WorkerJoined) { joins.Add(1) }, Handle: func(_ context.Context, w *client.Work) ([]byte, error) {
		switch string(w.Input) {
		case "error":
			w.Progress(strings.Repeat("long", wire.MaxMessage/4), math.NaN())
			w.Print(strings.Repeat("\x01", 1<<20) + "\n")
			return nil, errors.New(strings.Repeat("\x01", wire.MaxMessage))
		case "zeros":
			return make([]byte, wire.MaxTaskOutput), nil
		}
		return bytes.Repeat([]byte{'"'}, wire.MaxTaskOutput), nil
	}})
	for _, in := range []string{"error", "zeros", "quotes"} {
		got := ended(t, c, submit(t, c, wire.TaskSpec{Agent: id, Input: wire.NewPayload([]byte(in))})[0].ID)
		if (got.State == wire.TaskCompleted) != (in != "error") || got.State == wire.TaskCompleted && len(got.Result.Bytes()) != wire.MaxTaskOutput || strings.Contains(got.Message, "panic") {
			t.Errorf("%s: the task ended as %s: %.200s", in, got.State, got.Message)
		}
	}
	if n := joins.Load(); n != 1 {
		t.Errorf("it joined %d times", n)
	}
}

// A program whose connection breaks while the server stops is another agent after the restart, and stays.
func TestAWorkerThatIsCutOffByARestart(t *testing.T) {
	t.Parallel()
	far := remoteTypes(t, "  far: {kind: remote, stop_grace: 1s}\n")
	l := behindRelays(t, far)
	c := dial(t, l.node, over(client.WebSocket), at(l.tcp.url()))
	began, release := make(chan struct{}, 1), make(chan struct{})
	var first atomic.Bool
	again := make(chan wire.AgentID, 64)
	_, id, over := works(t, c, client.WorkerOptions{Type: "far", Joined: func(j wire.WorkerJoined) { again <- j.Agent }, Handle: func(ctx context.Context, w *client.Work) ([]byte, error) {
		if first.CompareAndSwap(false, true) {
			began <- struct{}{}
			<-ctx.Done()
			l.tcp.cut()
			<-release
		}
		return w.Input, nil
	}})
	defer close(release)
	submit(t, c, wire.TaskSpec{Agent: id})
	<-began
	n := l.node.restart(t, far, func(o *server.Options) { o.QUICPort = l.udp.Port() })
	boss := dial(t, n)
	var other wire.AgentID
	for other == "" {
		select {
		case j := <-again:
			if j != id {
				other = j
			}
		case err := <-over:
			t.Fatalf("Run returned %v", err)
		case <-time.After(patience):
			t.Fatal("it did not come back")
		}
	}
	if got := ended(t, boss, submit(t, boss, wire.TaskSpec{Agent: other, Input: wire.NewPayload([]byte("x"))})[0].ID); got.State != wire.TaskCompleted {
		t.Errorf("a task after the restart ended as %s: %s", got.State, got.Message)
	}
	select {
	case err := <-over:
		t.Errorf("Run returned %v", err)
	default:
	}
}

// A program that sends what is no message learns that its lane was broken off, by which it can tell that from an end.
func TestAWorkerThatSpeaksNonsense(t *testing.T) {
	t.Parallel()
	n := serve(t)
	overBoth(t, func(t *testing.T, tr string) {
		c := dial(t, n, over(tr))
		for line, code := range map[string]wire.StreamCode{"nonsense\n": wire.StreamCanceled, strings.Repeat("x", wire.MaxMessage+1): wire.StreamTooLarge} {
			str, err := c.Session().OpenStream(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(str, `{"lane":"worker"}`+"\n"+`{"jsonrpc":"2.0","id":1,"method":"worker.join","params":{"key":"of nobody but %s %d"}}`+"\n"+"%s", tr, code, line)
			_, err = io.Copy(io.Discard, str)
			var e *webtransport.StreamError
			if !errors.As(err, &e) || e.Code != uint32(code) {
				t.Errorf("%.10q ended by %v, want code %d", line, err, code)
			}
			str.CancelWrite(0)
		}
	})
}
