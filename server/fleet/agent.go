package fleet

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"
	"time"

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
	core    *core
	id      wire.AgentID
	num     uint32
	typ     string
	forTask wire.TaskID // the task whose process it is; "": none
	takes   bool        // tasks, while it runs
	goesOn  string      // the conversation that its spawn named; "": none
	writes  string      // the folder in which no other may work; "": none

	spec     *wire.SpawnParams // what it was spawned with; nil: by an earlier server
	forks    bool              // it goes on in a copy of goesOn
	orNew    bool              // a new conversation will do, if it can't go on with goesOn
	launched runner.Launch     // written before the first start

	halted   chan struct{} // closed when somebody wants it stopped
	haltOnce sync.Once
	ended    chan struct{} // closed when the record says exited and the log holds every event

	clearing sync.Mutex // held while leftovers are checked for

	folderMu sync.Mutex // held while it is decided what becomes of the worktree, so that an older answer never follows a newer one

	saveMu sync.Mutex // held around writes to the store, so that an older record never follows a newer one

	waitsMu sync.Mutex // held around changes of waits and what follows from them for its tasks

	pausing sync.Mutex // held around pauses and their ends

	asksMu sync.Mutex // held around showWhatItAsks, so that the last one shows what is

	logMu  sync.Mutex // held around appends
	sealed bool       // the exit is in the log

	place  place        // guarded by feed.mu
	signed atomic.Int64 // when it last gave a sign of life; Unix nanoseconds

	mu         sync.Mutex
	rec        wire.Agent    // its slices, maps and pointers are replaced, never written to
	started    chan struct{} // closed when the attempt to start is over; each restart has its own
	renewal    *renewal      // it is being restarted; nil: it is not
	startNow   func()        // ends the wait before the next start; nil: it has never waited
	running    runner.Session
	console    *console        // nil: it has no terminal
	left       []wire.Leftover // of the processes before a restart, as they ended
	edits      int             // of the record itself: what the log or a heartbeat brings is not worth a write
	savedEdits int             // guarded by saveMu
	erased     bool            // it was removed: its record is stored no more; guarded by saveMu
	failures   []time.Time     // within the interval of the restart policy
	lost       string          // why it is lost, such as that it gave no sign of life for too long, and is killed; "": it is not
	away       bool            // its program, which dialled in, can't be reached
	needsYou   bool            // it waits for a person, as the census has it
	asks       bool            // a task of its waits for a person, by the line protocol, or it waits for a permission
	waits      []waiting       // its requests for permission, the oldest first
	forTasks   string          // what it asks for its tasks
	meant      wire.Activity   // what its runtime saw of it meanwhile
	lines      lastLines       // of its output
	told       string          // the summary that was set; "": none
	derived    string          // the summary that its runtime made of what it saw
	notify     map[any]func()  // by who is told // called when the log grew or ended

	// the end of the log: every event with a seq greater than tailAfter is in tail
	tail      []wire.Event
	tailAfter uint64
	tailSize  int
}

// renewal is a restart that somebody has asked for.
type renewal struct {
	over chan struct{} // closed when the agent runs again, or has ended
}

func newAgent(c *core, rec wire.Agent) *agent {
	a := &agent{core: c, place: place{id: rec.ID}, id: rec.ID, num: rec.Num, typ: rec.Type, rec: rec, halted: make(chan struct{}), started: make(chan struct{}), ended: make(chan struct{})}
	if !rec.Status.Alive() {
		close(a.started)
		close(a.ended)
	}
	c.feed.moved(&a.place, true)
	return a
}

func (a *agent) record() wire.Agent {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rec
}

// update changes the record. full says that fields changed that are not in status datagrams.
func (a *agent) update(full bool, f func(rec *wire.Agent)) wire.Agent {
	a.mu.Lock()
	defer a.mu.Unlock()
	f(&a.rec)
	a.edits++
	a.touch(full)
	return a.rec
}

// touch counts a change, and notes when the agent began to ask what it asks. Those who wait for the agent learn whether it waits for a
// person, as soon as that changes, and of no other activity. The caller holds mu.
func (a *agent) touch(full bool) {
	switch {
	case a.rec.Activity != wire.ActivityRequiresAction:
		a.rec.AskedAt = nil
	case a.rec.AskedAt == nil:
		now := time.Now().UTC()
		a.rec.AskedAt = &now
	}
	if asks := a.rec.Activity == wire.ActivityRequiresAction; asks != a.needsYou {
		a.needsYou = asks
		a.core.census.asks(a.id, a.typ, asks)
		a.core.o.Work.Look()
	}
	a.rec.Rev++
	a.core.feed.moved(&a.place, full)
}

// summarize sets the summary and returns what is shown then. A derived one, which the agent did not set itself, is shown while there is no
// other.
func (a *agent) summarize(text string, derived bool) string {
	text = briefly(text)
	a.mu.Lock()
	defer a.mu.Unlock()
	if derived {
		a.derived = text
	} else {
		a.told = text
	}
	now := cmp.Or(a.told, a.derived)
	if now != a.rec.Summary && a.rec.Status.Alive() {
		a.rec.Summary = now
		a.edits++
		a.touch(true)
	}
	return a.rec.Summary
}

// terminal returns the agent's terminal; nil: it has none, or ended in an earlier server.
func (a *agent) terminal() *console {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.console
}

func (a *agent) name() wire.AgentID { return a.id }

// save stores the present record. The record is on the disk when save returns without error.
func (a *agent) save(ctx context.Context) error {
	a.saveMu.Lock()
	defer a.saveMu.Unlock()
	a.mu.Lock()
	rec, edits := a.rec, a.edits
	a.mu.Unlock()
	if edits == a.savedEdits || a.erased {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.core.o.StoreTimeout)
	defer cancel()
	if err := a.core.o.Store.PutAgent(ctx, &rec); err != nil {
		return err
	}
	a.savedEdits = edits
	return nil
}

// event appends to the agent's log. It waits if the store can't keep up.
func (a *agent) event(t wire.EventType, actor string, data wire.EventData) bool {
	return a.eventThen(t, actor, data, nil)
}

// eventThen appends an event, and calls then once it is in the log and followers see it. The event of the exit is the last one:
// after it, eventThen appends nothing and returns false.
func (a *agent) eventThen(t wire.EventType, actor string, data wire.EventData, then func()) bool {
	a.logMu.Lock()
	defer a.logMu.Unlock()
	if a.sealed {
		return false
	}
	a.sealed = t == wire.EventExited
	e := &wire.Event{Time: time.Now().UTC(), Type: t, Subject: a.id, Actor: actor, Data: data}
	a.core.o.Store.Append(e, func(seq uint64) {
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
	a.tailSize += sizeOf(&e.Data)
	for len(a.tail) > tailEvents || a.tailSize > tailBytes && len(a.tail) > 1 {
		old := &a.tail[0]
		a.tailAfter = old.Seq
		a.tailSize -= sizeOf(&old.Data)
		*old = wire.Event{}
		a.tail = a.tail[1:]
	}
	a.rec.LastSeq = e.Seq
	changed := a.lastLine(&e)
	a.touch(changed || !e.Type.IsOutput())
	a.tell()
}

// tell wakes the followers. The caller holds mu.
func (a *agent) tell() {
	for _, f := range a.notify {
		f()
	}
}

// lastLine keeps the last line of the output. Of a process that has failed it is the last one of standard error, if there is any: why it
// failed, whatever it printed beside. lastLine reports whether it changed. The caller holds mu.
func (a *agent) lastLine(e *wire.Event) bool {
	var line string
	switch {
	case e.Type.IsOutput() && e.Type != wire.EventTTY:
		line = a.lines.add(e.Type, e.Data.Bytes())
	case (e.Type == wire.EventCrashed || e.Type == wire.EventExited) && e.Data.Exit != nil && failed(*e.Data.Exit) && a.rec.Desired != wire.DesiredStop:
		line = a.lines.warned
	}
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
		if a.terminal() == nil { // otherwise it counts what its program writes and reports there
			a.acts(e.Now, "")
		}
		return nil
	case runner.Signal:
		a.event(wire.EventSignal, "server", wire.EventData{Text: e.Name})
		return nil
	case runner.Reach:
		a.reached(e)
		return nil
	case runner.Draining:
		a.core.o.Work.Drain(a.id)
		a.event(wire.EventHealth, "", wire.EventData{Text: "draining: it takes no more tasks"})
		return nil
	}
	a.signed.Store(time.Now().UnixNano())
	defer func() { a.signed.Store(time.Now().UnixNano()) }() // a store that blocked does not make its agent silent
	if a.takes {
		a.core.o.Work.Sign(a.id)
	}
	return a.says(e)
}

// applyPause lets its process and the scheduler know whether it is paused.
func (a *agent) applyPause() {
	a.mu.Lock()
	run, paused, away := a.running, a.rec.Paused != nil, a.away
	a.mu.Unlock()
	if to, ok := runner.As[runner.Pauser](run); ok {
		to.Pause(paused)
	}
	a.core.o.Work.Hold(a.id, paused || away)
}

// reached notes whether its program, which dialled in, can be reached. While it can't, the agent gets no tasks.
func (a *agent) reached(e runner.Reach) {
	if !e.Away {
		a.signed.Store(time.Now().UnixNano())
	}
	rec := a.update(true, func(rec *wire.Agent) {
		a.away = e.Away
		switch {
		case e.Lost:
			a.lost = e.Why
			fallthrough
		case e.Away && rec.Status == wire.StatusRunning:
			rec.Status = wire.StatusUnknown
		case !e.Away && rec.Status == wire.StatusUnknown && a.lost == "":
			rec.Status = wire.StatusRunning
		}
	})
	a.applyPause()
	a.core.saves.later(a)
	a.core.log.Info("an agent's health changed", "agent", a.id, "health", e.Why, "status", rec.Status)
	a.event(wire.EventHealth, "server", wire.EventData{Text: e.Why})
}

// says takes what the agent says by itself, as a sign of life.
func (a *agent) says(e runner.Event) error {
	work, known, task := a.core.o.Work, true, wire.TaskID("")
	switch e := e.(type) {
	case runner.Output:
		if a.forTask != "" {
			work.Output(a.id, e.Stream, e.Bytes)
		}
		if c := a.terminal(); c != nil && e.Stream == wire.EventTTY {
			c.wrote(e.Bytes)
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
	case runner.Permission:
		a.asksPermission(e)
	case runner.Summary:
		a.summarize(e.Text, e.Derived)
	case runner.Waiting:
		a.update(true, func(rec *wire.Agent) { rec.Prompts = e.Prompts })
	case runner.Offers:
		a.update(true, func(rec *wire.Agent) { rec.Session, rec.Offers = e.Session, rec.Offers+1 })
		a.core.saves.later(a)
	case runner.Spent:
		rec := a.update(true, func(rec *wire.Agent) {
			spent := wire.Spent{}
			if rec.Spent != nil {
				spent = *rec.Spent
			}
			spent = spent.Plus(e.Spent)
			rec.Spent = &spent
		})
		a.core.saves.later(a)
		a.core.o.Hooks.spent(rec, e.Spent)
	case runner.Conversation:
		a.event(wire.EventUpdate, "", wire.EventData{Text: string(e.JSON)})
	case runner.Withdrawn:
		a.core.o.Asks.Withdraw(a.id, e.Key, e.Reason)
		a.waitsNoMore(e.Key)
	case runner.Update:
		task, known = e.Task, work.Progress(a.id, e.Task, e.Text, e.Fraction)
	case runner.TaskResult:
		task, known = e.Task, work.Answered(a.id, e)
	case runner.Call:
		a.core.running.Go(func() { e.Reply(a.core.o.Call(e.Ctx, a.record(), e.Method, e.Params)) })
	}
	if !known {
		return wire.Errorf(wire.CodeNotFound, "there is no task %.40q", task)
	}
	return nil
}
