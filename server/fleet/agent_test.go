package fleet

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"skein.dev/skein/server/jet"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/server/runner/scripted"
	"skein.dev/skein/webtransport/wire"
)

// An event that races with the exit, such as an input, is logged before the exit or not at all.
func TestNothingFollowsTheExit(t *testing.T) {
	store, err := jet.Open(t.Context(), jet.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	f := New(Options{
		Store: store, WorkDir: t.TempDir(), Types: map[string]wire.AgentType{"scripted": {Name: "scripted", Kind: wire.KindScripted}},
		Kinds: map[wire.Kind]runner.Kind{wire.KindScripted: &scripted.Kind{}}, Work: nobodys{}, Asks: unasked{}, Closing: context.Background(),
		StoreTimeout: time.Minute, Logger: slog.New(slog.DiscardHandler),
	})
	if err := f.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.Begin()
	defer f.End()
	defer f.Close(t.Context())
	res, err := f.Spawn(t.Context(), noun.Caller{Actor: "test"}, wire.SpawnParams{Type: "scripted", Script: "say x"})
	if err != nil {
		t.Fatal(err)
	}
	a, err := f.agent(res.Agents[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	<-a.ended
	if a.event(wire.EventInput, "test", wire.EventData{Text: "too late"}) {
		t.Error("an input was logged behind the exit")
	}
	events, err := store.Events(t.Context(), a.id, 0, 100, 1<<20)
	if err != nil || len(events) == 0 || events[len(events)-1].Type != wire.EventExited {
		t.Errorf("the log ends with %+v, %v", events, err)
	}
}

// nobodys is the tasks of a fleet without tasks.
type nobodys struct{}

func (nobodys) Output(wire.AgentID, wire.EventType, []byte)                {}
func (nobodys) Sign(wire.AgentID)                                          {}
func (nobodys) Progress(wire.AgentID, wire.TaskID, string, float64) bool   { return false }
func (nobodys) Ask(wire.AgentID, wire.TaskID, string) bool                 { return false }
func (nobodys) Answered(wire.AgentID, runner.TaskResult) bool              { return false }
func (nobodys) Asked(wire.AgentID) func()                                  { return func() {} }
func (nobodys) Look()                                                      {}
func (nobodys) HaltWide(noun.Caller, string, []wire.AgentID) []wire.TaskID { return nil }
func (nobodys) Hold(wire.AgentID, bool)                                    {}
func (nobodys) Drain(wire.AgentID)                                         {}
func (nobodys) Kick()                                                      {}
func (nobodys) Halt(noun.Caller, []wire.TaskID) ([]wire.AgentID, []wire.TaskID, error) {
	return nil, nil, nil
}

// watchedWork calls kicked whenever the fleet kicks the scheduler.
type watchedWork struct {
	nobodys
	kicked func()
}

func (w watchedWork) Kick() { w.kicked() }

// A place under max_instances is free once its agent no longer counts, and the scheduler is told, in case it checked before.
func TestAnEndKicksTheScheduler(t *testing.T) {
	store, err := jet.Open(t.Context(), jet.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var f *Fleet
	var free atomic.Bool
	work := watchedWork{kicked: func() {
		if _, all := f.census.count("scripted"); all == 0 {
			free.Store(true)
		}
	}}
	f = New(Options{
		Store: store, WorkDir: t.TempDir(), Types: map[string]wire.AgentType{"scripted": {Name: "scripted", Kind: wire.KindScripted}},
		Kinds: map[wire.Kind]runner.Kind{wire.KindScripted: &scripted.Kind{}}, Work: work, Asks: unasked{}, Closing: context.Background(),
		StoreTimeout: time.Minute, Logger: slog.New(slog.DiscardHandler),
	})
	f.Begin()
	defer f.End()
	defer f.Close(t.Context())
	res, err := f.Spawn(t.Context(), noun.Caller{Actor: "test"}, wire.SpawnParams{Type: "scripted", Script: "say x"})
	if err != nil {
		t.Fatal(err)
	}
	a, err := f.agent(res.Agents[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	<-a.ended
	if !free.Load() {
		t.Error("an agent ended, and the scheduler was not told that its place is free")
	}
}

// TestTheTailIsBoundedWithPermissions has events that are large by what an agent asks.
func TestTheTailIsBoundedWithPermissions(t *testing.T) {
	t.Parallel()
	f := New(Options{Logger: slog.New(slog.DiscardHandler)})
	a := newAgent(&f.core, wire.Agent{ID: "a1", Status: wire.StatusRunning})
	for i := range 100 {
		text := strings.Repeat("x", 10<<10)
		a.stored(wire.Event{Seq: uint64(i + 1), Type: wire.EventAsk, Data: wire.EventData{Ask: &wire.Ask{Text: text, Tool: &wire.AskTool{
			Command: text, Paths: []string{text}, Diffs: []wire.AskDiff{{Path: text, Old: &text, New: text}}}}}})
	}
	if n := len(a.tail); n == 0 || n*60<<10 > tailBytes || a.tailAfter != uint64(100-n) {
		t.Errorf("%d events are in memory, after %d", n, a.tailAfter)
	}
	a.stored(wire.Event{Seq: 101, Type: wire.EventStdout, Data: wire.EventData{Text: strings.Repeat("x", tailBytes)}})
	if len(a.tail) != 1 || a.tailSize != tailBytes {
		t.Errorf("%d events are in memory, of %d bytes", len(a.tail), a.tailSize)
	}
}

// A frozen agent can give no sign of life.
func TestAFrozenAgentIsNeitherLostNorStalled(t *testing.T) {
	a := &agent{core: &core{}, rec: wire.Agent{Status: wire.StatusRunning, Paused: &wire.Pause{Frozen: true}}}
	typ := wire.AgentType{HeartbeatMS: 1, StallMS: 1}
	if note := a.judge(typ, time.Hour); note != "" || a.lost != "" || a.rec.Status != wire.StatusRunning || a.rec.Stalled {
		t.Errorf("%q: it is %s, stalled %v", note, a.rec.Status, a.rec.Stalled)
	}
	a.rec.Paused = nil
	if note := a.judge(typ, time.Hour); a.lost == "" {
		t.Errorf("afterwards: %q", note)
	}
}

// unasked keeps no questions.
type unasked struct{}

func (unasked) Shows(now func() (wire.Agent, string)) { now() }

func (unasked) Replies(wire.AgentID, string, []byte) func(bool) { return func(bool) {} }

func (unasked) Request(wire.Agent, runner.Permission) bool { return true }

func (unasked) Withdraw(wire.AgentID, string, string) {}
