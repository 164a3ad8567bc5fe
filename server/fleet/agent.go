package fleet

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

const (
	tailEvents = 256       // an agent's newest events kept in memory for its followers: at most this many,
	tailBytes  = 256 << 10 // and at most this much of their payload
)

// agent is one agent: its record, its process, the end of its log.
type agent struct {
	// static
	fleet   *Fleet
	id      wire.AgentID
	num     uint32
	typ     string
	forTask wire.TaskID // the task whose process it is; "": none
	takes   bool        // tasks, while it runs

	launch runner.Launch // written before the first start

	halted   chan struct{} // closed when somebody wants it stopped
	haltOnce sync.Once
	ended    chan struct{} // closed when the record says exited and the log holds every event

	clearing sync.Mutex // held while leftovers are looked for

	saveMu sync.Mutex // held around writes to the store, so that an older record never follows a newer one

	asksMu sync.Mutex // held around showQuestions, so that the last one shows what is

	logMu  sync.Mutex // held around appends
	sealed bool       // the exit is in the log

	place  place        // guarded by feed.mu
	signed atomic.Int64 // when it last gave a sign of life; Unix nanoseconds

	mu         sync.Mutex
	rec        wire.Agent    // its slices, maps and pointers are replaced, never written to
	started    chan struct{} // closed when the attempt to start is over; each restart has its own
	running    runner.Session
	left       []wire.Leftover      // of the processes before a restart, as they ended
	edits      int                  // of the record itself: what the log or a heartbeat brings is not worth a write
	savedEdits int                  // guarded by saveMu
	failures   []time.Time          // within the interval of the restart policy
	lost       bool                 // it gave no sign of life for too long, and is killed
	asks       bool                 // a task of its waits for a person, by the line protocol
	meant      wire.Activity        // what its runtime saw of it meanwhile
	lines      lastLines            // of its output
	notify     map[*Follower]func() // called when the log grew or ended

	// the end of the log: every event with a seq greater than tailAfter is in tail
	tail      []wire.Event
	tailAfter uint64
	tailSize  int
}

func newAgent(f *Fleet, rec wire.Agent) *agent {
	a := &agent{fleet: f, id: rec.ID, num: rec.Num, typ: rec.Type, rec: rec, halted: make(chan struct{}), started: make(chan struct{}), ended: make(chan struct{})}
	if !rec.Status.Alive() {
		close(a.started)
		close(a.ended)
	}
	f.feed.moved(a, true)
	return a
}

func (a *agent) record() wire.Agent {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rec
}

// update changes the record. full: more than a status datagram carries changed.
func (a *agent) update(full bool, f func(rec *wire.Agent)) wire.Agent {
	a.mu.Lock()
	defer a.mu.Unlock()
	f(&a.rec)
	a.edits++
	a.touch(full)
	return a.rec
}

// touch counts a change. The caller holds mu.
func (a *agent) touch(full bool) {
	a.rec.Rev++
	a.fleet.feed.moved(a, full)
}

// save stores the record as it is now; when it returns without error, it is on the disk.
func (a *agent) save(ctx context.Context) error {
	a.saveMu.Lock()
	defer a.saveMu.Unlock()
	a.mu.Lock()
	rec, edits := a.rec, a.edits
	a.mu.Unlock()
	if edits == a.savedEdits {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.fleet.o.StoreTimeout)
	defer cancel()
	if err := a.fleet.o.Store.PutAgent(ctx, &rec); err != nil {
		return err
	}
	a.savedEdits = edits
	return nil
}

// event appends to the agent's log. It waits when the store is behind.
func (a *agent) event(t wire.EventType, actor string, data wire.EventData) bool {
	return a.eventThen(t, actor, data, nil)
}

// eventThen calls then once the event is in the log and followers see it. After the event of the exit nothing follows:
// what comes later is left out, and false returned.
func (a *agent) eventThen(t wire.EventType, actor string, data wire.EventData, then func()) bool {
	a.logMu.Lock()
	defer a.logMu.Unlock()
	if a.sealed {
		return false
	}
	a.sealed = t == wire.EventExited
	e := &wire.Event{Time: time.Now().UTC(), Type: t, Subject: a.id, Actor: actor, Data: data}
	a.fleet.o.Store.Append(e, func(seq uint64) {
		e.Seq = seq
		a.stored(*e)
		if then != nil {
			then()
		}
	})
	return true
}

// stored shows an event to the followers.
func (a *agent) stored(e wire.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tail = append(a.tail, e)
	a.tailSize += len(e.Data.Text) + len(e.Data.Base64)
	for len(a.tail) > tailEvents || a.tailSize > tailBytes && len(a.tail) > 1 {
		old := &a.tail[0]
		a.tailAfter = old.Seq
		a.tailSize -= len(old.Data.Text) + len(old.Data.Base64)
		*old = wire.Event{}
		a.tail = a.tail[1:]
	}
	a.rec.LastSeq = e.Seq
	full := !e.Type.IsOutput()
	if e.Type.IsOutput() && a.lastLine(e.Type, e.Data.Bytes()) {
		full = true
	}
	a.touch(full)
	a.tell()
}

// tell wakes the followers. The caller holds mu.
func (a *agent) tell() {
	for _, f := range a.notify {
		f()
	}
}

// lastLine keeps the last line of the output. It reports whether it changed. The caller holds mu.
func (a *agent) lastLine(t wire.EventType, b []byte) bool {
	line := a.lines.add(t, b)
	if line == "" || line == a.rec.LastLine {
		return false
	}
	a.rec.LastLine = line
	return true
}

// heard takes what the agent does. It is the sink of its sessions.
func (a *agent) heard(e runner.Event) error {
	switch e := e.(type) {
	case runner.Activity:
		a.acts(e.Now, "")
		return nil
	case runner.Signal:
		a.event(wire.EventSignal, "server", wire.EventData{Text: e.Name})
		return nil
	}
	a.signed.Store(time.Now().UnixNano())
	defer func() { a.signed.Store(time.Now().UnixNano()) }() // a store that blocked does not make its agent silent
	if a.takes {
		a.fleet.o.Work.Sign(a.id)
	}
	return a.says(e)
}

// says takes what the agent says by itself, as a sign of life.
func (a *agent) says(e runner.Event) error {
	work, known, task := a.fleet.o.Work, true, wire.TaskID("")
	switch e := e.(type) {
	case runner.Output:
		if a.forTask != "" {
			work.Output(a.id, e.Stream, e.Bytes)
		}
		a.event(e.Stream, "", payload(e.Bytes))
	case runner.Log:
		actor := ""
		if e.Server {
			actor = "server"
		}
		a.event(wire.EventLog, actor, wire.EventData{Text: noun.Clip(e.Text)})
	case runner.Ask:
		if e.Task == "" {
			a.acts(wire.ActivityRequiresAction, e.Text)
			return nil
		}
		task, known = e.Task, work.Ask(a.id, e.Task, noun.Clip(e.Text))
	case runner.Update:
		task, known = e.Task, work.Progress(a.id, e.Task, e.Text, e.Fraction)
	case runner.TaskResult:
		task, known = e.Task, work.Answered(a.id, e)
	case runner.Call:
		a.fleet.running.Go(func() { e.Reply(a.fleet.o.Call(e.Ctx, a.record(), e.Method, e.Params)) })
	}
	if !known {
		return wire.Errorf(wire.CodeNotFound, "there is no task %.40q", task)
	}
	return nil
}

// payload is text where it can be. It keeps nothing of b.
func payload(b []byte) wire.EventData {
	if !utf8.Valid(b) {
		return wire.EventData{Base64: bytes.Clone(b)}
	}
	p := wire.Payload{Text: string(b)}.Compact()
	return wire.EventData{Text: p.Text, Base64: p.Base64}
}

// acts shows what the agent does now.
func (a *agent) acts(act wire.Activity, question string) {
	if a.meanwhile(act) {
		return
	}
	changed := false
	a.update(true, func(rec *wire.Agent) {
		changed = rec.Activity != act || rec.Question != question
		rec.Activity, rec.Question = act, question
		if !rec.Status.Alive() {
			rec.Activity, rec.Question = wire.ActivityNone, ""
		}
	})
	if changed {
		a.fleet.o.Hooks.activity(a.id, act)
		a.event(wire.EventActivity, "", wire.EventData{Activity: act, Text: question})
	}
}

// watch waits for the agent's end, or for its ends while its policy starts it again, and writes it down. It runs on a
// goroutine of its own, counted in Fleet.running.
func (a *agent) watch(run runner.Session) {
	var exit wire.Exit
	for run != nil {
		<-run.Done()
		exit = a.lastWord(run.Exit())
		rec := a.record()
		a.fleet.o.Hooks.exited(rec, exit)
		if failed(exit) && rec.Desired != wire.DesiredStop && a.forTask == "" {
			run, exit = a.again(exit)
		} else {
			run = nil
		}
	}
	exit = a.withEarlier(exit)
	reason := wire.ReasonFailed
	switch {
	case a.record().Desired == wire.DesiredStop:
		reason = wire.ReasonStopped
	case !failed(exit):
		reason = wire.ReasonCompleted
	}
	a.exited(reason, exit)
}

func failed(e wire.Exit) bool { return e.Code != 0 || e.Signal != "" }

// exited makes the end the truth: record first, then the event, after which nothing follows.
func (a *agent) exited(reason wire.Reason, exit wire.Exit) {
	exit.Message = noun.Clip(exit.Message)
	a.fleet.died(a)
	now := time.Now().UTC()
	saved := a.update(true, func(rec *wire.Agent) {
		rec.Status, rec.Reason, rec.Activity, rec.Question = wire.StatusExited, reason, wire.ActivityNone, ""
		if a.lost && reason == wire.ReasonFailed {
			rec.Status = wire.StatusLost
		}
		rec.Exit, rec.ExitedAt, rec.RestartAt, rec.Stalled, rec.StalledSince, rec.Suspended = &exit, &now, nil, false, nil, false
		rec.Usage.CPU, rec.Usage.RSS, rec.Usage.Processes = 0, 0, 0
	})
	if err := a.save(context.Background()); err != nil {
		a.fleet.log.Error("the end of an agent could not be stored; trying again with its next change", "agent", a.id, "err", err)
		a.fleet.saves.later(a)
	}
	a.fleet.log.Info("agent exited", "agent", a.id, "reason", reason, "code", exit.Code, "signal", exit.Signal, "message", exit.Message)
	a.eventThen(wire.EventExited, "", wire.EventData{Reason: reason, Exit: &exit}, func() {
		a.mu.Lock()
		a.running = nil
		a.tail, a.tailSize, a.tailAfter = nil, 0, a.rec.LastSeq // late readers find the log in the store
		close(a.ended)
		a.tell()
		late := a.rec.LastLine != saved.LastLine // the log had not answered for it when the record was stored
		if late {
			a.edits++
		}
		a.mu.Unlock()
		if late {
			a.fleet.saves.later(a)
		}
		a.fleet.running.Done()
	})
}

// orphaned ends the record of an agent that an earlier Skein left behind. It runs before the plane does.
func (a *agent) orphaned(ctx context.Context, why string, left []wire.Leftover) error {
	now := time.Now().UTC()
	exit := wire.Exit{Code: -1, Message: why, Leftovers: left}
	rec := a.update(true, func(rec *wire.Agent) {
		rec.Status, rec.Reason, rec.Activity, rec.Question = wire.StatusExited, wire.ReasonFailed, wire.ActivityNone, ""
		rec.Tasks, rec.RestartAt, rec.Stalled, rec.StalledSince, rec.Suspended = nil, nil, false, nil, false
		rec.Exit, rec.ExitedAt, rec.Usage = &exit, &now, wire.Usage{CPUTime: rec.Usage.CPUTime}
	})
	if err := a.save(ctx); err != nil {
		return err
	}
	done := make(chan struct{})
	a.eventThen(wire.EventExited, "server", wire.EventData{Reason: rec.Reason, Exit: &exit}, func() { close(done) })
	select {
	case <-done:
		close(a.started)
		close(a.ended)
		return a.findLastLine(ctx)
	case <-ctx.Done():
		return fmt.Errorf("store the end of agent %s: %w", a.id, ctx.Err())
	}
}

// findLastLine reads it from the log: the record of an agent that was not ended in order does not know it.
func (a *agent) findLastLine(ctx context.Context) error {
	f := &Follower{a: a, last: a.record().LastSeq}
	after, err := f.back(ctx, pageEvents/8)
	if err != nil {
		return err
	}
	events, err := a.fleet.o.Store.Events(ctx, a.id, after, pageEvents, pageBytes)
	if err != nil {
		return err
	}
	a.mu.Lock()
	for _, e := range events {
		if e.Type.IsOutput() {
			a.lastLine(e.Type, e.Data.Bytes())
		}
	}
	a.edits++
	a.touch(true)
	a.mu.Unlock()
	return a.save(ctx)
}

// loadEnd reads where an earlier run's log ends.
func (a *agent) loadEnd(ctx context.Context) error {
	_, last, err := a.fleet.o.Store.FirstLast(ctx, a.id)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rec.LastSeq, a.tailAfter = last, last
	a.tail, a.tailSize = nil, 0
	return nil
}
