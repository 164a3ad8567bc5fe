package control_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/control"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// parrots is a kind of agents that exists only in this file. Its agents are not processes; they repeat their input, and
// take tasks without the line protocol.
type parrots struct{}

func (parrots) Capabilities() runner.Capabilities {
	return runner.Capabilities{Tasks: []wire.TaskMode{wire.TasksLines}}
}
func (parrots) Check(runner.Launch) error { return nil }
func (parrots) Detect(l runner.Launch) (string, error) {
	if l.Env["PERCH"] == "" {
		return "", wire.Errorf(wire.CodePrecondition, "there is no perch")
	}
	return l.Env["PERCH"], nil
}

func (parrots) Start(_ context.Context, _ runner.Launch, sink runner.Sink) (runner.Session, error) {
	p := &parrot{sink: sink, told: make(chan func(), 16), done: make(chan struct{})}
	go p.live()
	return p, nil
}

type parrot struct {
	sink runner.Sink
	told chan func()
	stop sync.Once
	done chan struct{}
}

// live calls the sink, one call at a time.
func (p *parrot) live() {
	defer close(p.done)
	p.sink(runner.Activity{Now: wire.ActivityIdle})
	for f := range p.told {
		f()
	}
	p.say("farewell")
}

func (p *parrot) say(s string) {
	p.sink(runner.Output{Stream: wire.EventStdout, Bytes: []byte(s + "\n")})
}

func (p *parrot) Stop(ctx context.Context, _ time.Duration) (bool, []wire.Leftover) {
	p.stop.Do(func() { close(p.told) })
	<-p.done
	return false, nil
}
func (p *parrot) Done() <-chan struct{} { return p.done }
func (p *parrot) Exit() wire.Exit       { return wire.Exit{Message: "it flew"} }

func (p *parrot) Input(_ context.Context, b []byte, _ bool) error {
	p.told <- func() { p.say("you said " + strings.TrimSpace(string(b))) }
	return nil
}

// Deliver takes a task. With the input "ask" it asks, and ends when its question is withdrawn; any other task returns its input.
func (p *parrot) Deliver(_ context.Context, t *wire.Task) error {
	p.told <- func() {
		switch in := t.Input.Text; {
		case strings.HasPrefix(in, "ask "):
			p.sink(runner.Ask{Task: t.ID, Text: strings.TrimPrefix(in, "ask ")})
		case in == "remember":
			p.sink(runner.Call{Ctx: context.Background(), Method: wire.MethodMemoryStore, Params: []byte(`{"namespace":"nest","key":"k","value":{"text":"egg"}}`),
				Reply: func(result any, err error) {
					p.told <- func() { p.sink(runner.Completed(t.ID, []byte(fmt.Sprint(result, err)))) }
				}})
		default:
			p.sink(runner.Update{Task: t.ID, Text: "half", Fraction: 0.5})
			p.sink(runner.Completed(t.ID, []byte(in)))
			if err := p.sink(runner.Completed("t222222222222", nil)); err != nil {
				p.say(err.Error())
			}
		}
	}
	return nil
}

func (p *parrot) Cancel(_ context.Context, id wire.TaskID) error {
	p.told <- func() { p.sink(runner.Failed(id, "let go", false)) }
	return nil
}

func TestANewKindIsOneFile(t *testing.T) {
	var logged lockedBuffer
	requests := make(chan string, 1)
	n := open(t, t.TempDir(), func(o *control.Options) {
		o.Kinds["parrot"] = parrots{}
		o.Types = append(o.Types,
			wire.AgentType{Name: "parrot", Kind: "parrot", Tasks: wire.TasksLines, MaxTasks: 4, Memory: []string{"nest"}, Env: map[string]string{"PERCH": "oak"}},
			wire.AgentType{Name: "lost", Kind: "parrot"})
		o.Logger = slog.New(slog.NewTextHandler(&logged, nil))
		o.Call = func(_ context.Context, a wire.Agent, method string, params json.RawMessage) (any, error) {
			requests <- fmt.Sprint(a.Type, " ", method, " ", string(params))
			return "done", nil
		}
	})
	if s := logged.String(); !strings.Contains(s, "there is no perch") || strings.Contains(s, "type=parrot") {
		t.Errorf("of what is missing the log says %s", s)
	}
	a := n.spawn(t, wire.SpawnParams{Type: "parrot"})
	n.untilAgent(t, a.ID, "idle", func(a wire.Agent) bool { return a.Activity == wire.ActivityIdle && a.Process == nil && a.Cwd == "" })
	if err := n.Input(t.Context(), "test", wire.InputParams{ID: a.ID, Text: "hello\n"}); err != nil {
		t.Fatal(err)
	}
	n.untilAgent(t, a.ID, "an answer", func(a wire.Agent) bool { return a.LastLine == "you said hello" })

	if done := n.over(t, n.submit(t, wire.TaskSpec{Type: "parrot", Input: text("seed")})[0].ID); done.State != wire.TaskCompleted || result(done) != "seed" || done.Progress[0].Fraction != 0.5 {
		t.Errorf("the task: %+v", done)
	}
	n.untilAgent(t, a.ID, "what is wrong with its answer", func(a wire.Agent) bool { return strings.Contains(a.LastLine, `there is no task "t222222222222"`) })
	if done := n.over(t, n.submit(t, wire.TaskSpec{Type: "parrot", Input: text("remember")})[0].ID); result(done) != "done<nil>" {
		t.Errorf("its request was answered with %q", result(done))
	}
	if got, want := <-requests, `parrot memory.store {"namespace":"nest","key":"k","value":{"text":"egg"}}`; got != want {
		t.Errorf("it asked for %s", got)
	}

	// Of several questions the oldest is shown, whatever their texts.
	first := n.submit(t, wire.TaskSpec{Type: "parrot", Input: text("ask which way?")})[0].ID
	n.untilAgent(t, a.ID, "the first question", func(a wire.Agent) bool { return a.Question == "which way?" })
	second := n.submit(t, wire.TaskSpec{Type: "parrot", Input: text("ask and then?")})[0].ID
	n.until(t, second, "it asks", func(r wire.Task) bool { return r.State == wire.TaskInputRequired })
	if rec, _ := n.Get(a.ID); rec.Question != "which way?" {
		t.Errorf("it shows %q", rec.Question)
	}
	if _, err := n.Tasks.Cancel(noun.Caller{Actor: "test"}, wire.TaskCancelParams{IDs: []wire.TaskID{first}}); err != nil {
		t.Fatal(err)
	}
	n.untilAgent(t, a.ID, "the second question", func(a wire.Agent) bool { return a.Question == "and then?" })

	res, err := n.Stop(t.Context(), noun.Caller{Actor: "test"}, wire.StopParams{IDs: []wire.AgentID{a.ID}})
	if err != nil || res.Reports[0].Reason != wire.ReasonStopped {
		t.Errorf("the stop: %+v, %v", res, err)
	}
	if rec := n.wait(t, a.ID); rec.LastLine != "farewell" || rec.Exit.Message != "it flew" {
		t.Errorf("it ended with %q, %+v", rec.LastLine, rec.Exit)
	}
	kit.Refused(t, n.Input(t.Context(), "test", wire.InputParams{ID: a.ID, Text: "x"}), wire.CodePrecondition, "id")
}

// lockedBuffer may be written and read at the same time.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
