// Package fleet is the agents of one node: what may start, what runs, what it prints, and how it ends.
// It speaks no network. It consumes a [Store], which keeps records and events, a [runner.Kind] for each kind of agent, and
// [Work], which knows what the agents have to do. Others follow an agent's life as a [Hook].
//
// What flows where:
//
//	Spawn ── admit ──> record in the Store ──> Kind.Start ──> agent
//	agent ── output, activity ──> Store.Append ──> its place in the log ──> followers
//	Stop  ── desired: stop ──> Session.Stop ──> verified gone ──> record, report
//
// The record in the Store is the truth about an agent; events are its history. A follower sees an event only after the
// Store has given it its seq.
//
// # Locks
//
// In the order in which they are taken; who holds one takes none that stands above it.
//
//	agent.asksMu                           while Work is asked what the agent asks
//	Work's own                             it calls the fleet with it held
//	agent.clearing, saveMu, logMu          around what waits for the store, or for processes
//	Fleet.mu                               which agents there are, and admission
//	agent.mu                               a record
//	feed.mu, saver.mu                      what changed; which records are to be saved
package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// Store keeps records and events.
type Store interface {
	// PutAdmission keeps what Admission gives after a restart: how admission is, and how it was before, the newest first.
	PutAdmission(ctx context.Context, changes []wire.Admission) error
	Admission(ctx context.Context) (changes []wire.Admission, err error)
	PutAgent(ctx context.Context, a *wire.Agent) error
	DeleteAgent(ctx context.Context, id wire.AgentID) error
	Agents(ctx context.Context) ([]wire.Agent, error)
	// Append adds an event; done is told its seq, in the order of the calls, once it is there. It waits when too much
	// is under way.
	Append(e *wire.Event, done func(seq uint64))
	Events(ctx context.Context, id wire.AgentID, after uint64, limit, bytes int) ([]wire.Event, error)
	EventsOf(ctx context.Context, id wire.AgentID, which wire.Which, after uint64, limit int) ([]wire.Event, error)
	FirstLast(ctx context.Context, id wire.AgentID) (first, last uint64, err error)
	// Before counts an agent's events up to a seq: its output, or the others.
	Before(ctx context.Context, id wire.AgentID, output bool, seq uint64) (wire.Amount, error)
	// Back gives the cursor from which on an agent has at most n of the chosen events, up to the seq before; 0: up to
	// its newest.
	Back(ctx context.Context, id wire.AgentID, which wire.Which, before uint64, n int) (uint64, error)
	// Drops has f told what an agent's log loses, before it is lost, and at once what it lost so far.
	Drops(f func(wire.AgentID, wire.Dropped))
	Epoch() string
	// Room says whether there is room for something new; its error is CodeUnavailable. Drain lets output into what is
	// kept free for the rest: the fleet closes.
	Room() error
	Drain()
}

// Work is what agents have to do, as far as they speak of it.
type Work interface {
	// Output takes what the process of a task printed.
	Output(id wire.AgentID, t wire.EventType, b []byte)
	// Sign notes a sign of life.
	Sign(id wire.AgentID)
	// Progress, Ask and Answered take what an agent says of a task: a text with how much is done, of 0 to 1; a question to a
	// person; how it ended. false: there is no such task.
	Progress(id wire.AgentID, task wire.TaskID, text string, fraction float64) bool
	Ask(id wire.AgentID, task wire.TaskID, text string) bool
	Answered(id wire.AgentID, r runner.TaskResult) bool
	// Asked notes what an agent asks now; replied makes the tasks go on that ask it.
	Asked(id wire.AgentID) (replied func())
	// Halt cancels tasks, and names the agents that exist for one of them alone.
	Halt(by noun.Caller, ids []wire.TaskID) (agents []wire.AgentID, canceled []wire.TaskID, err error)
	// HaltWide cancels what agents have in work, and what waits for another attempt: of a type, or, without one, all.
	HaltWide(by noun.Caller, typ string, agents []wire.AgentID) (canceled []wire.TaskID)
	// Kick says that something may start that could not before.
	Kick()
}

const (
	// DefaultStopGrace is the time between SIGTERM and SIGKILL for types that name none.
	DefaultStopGrace = 5 * time.Second
	// DefaultKeepExited is how many exited agents are remembered.
	DefaultKeepExited = 1000

	saveDelay  = 20 * time.Millisecond
	startLimit = 16 // agents being started at the same time by one batch
)

// Options configure a Fleet. Store, Kinds, Types, Work, Closing, StoreTimeout and Logger are needed.
type Options struct {
	Store    Store
	Kinds    map[wire.Kind]runner.Kind
	Types    map[string]wire.AgentType // by name; never changed
	Node     wire.NodeID
	Instance string // marks this data folder's processes, so that they are found again after a crash
	WorkDir  string // where agents without a cwd get a folder of their own
	Keep     int    // exited agents are remembered up to this number; 0: DefaultKeepExited
	Max      int    // agents alive at once on this node; 0: no limit
	Hooks    Hooks  // told in this order
	Work     Work
	// Call carries out a request that an agent makes on the line protocol. ctx ends with its process.
	Call func(ctx context.Context, a wire.Agent, method string, params json.RawMessage) (any, error)
	// Closing ends when the server begins to stop.
	Closing context.Context
	// StoreTimeout is how long a request waits for a store that does not answer.
	StoreTimeout time.Duration
	SearchBytes  int           // of output that one request to search a log looks at; 0: wire.MaxSearchScan
	SearchTime   time.Duration // that it takes; 0: 5 s
	Logger       *slog.Logger
	// Orphans ends what a crashed Skein left running, and says what could not be ended.
	Orphans func(ctx context.Context, known map[wire.AgentID]*wire.Process) map[wire.AgentID][]wire.Leftover
	// Leftovers ends what an earlier stop of an agent that ended could not end, and gives what is still there.
	Leftovers func(ctx context.Context, id wire.AgentID, left []wire.Leftover, grace time.Duration) []wire.Leftover
	// Spawned is told how long each start took, and whether it worked; for metrics.
	Spawned func(kind wire.Kind, took time.Duration, ok bool)
}

// Fleet is the agents of one node.
type Fleet struct {
	// static after New
	o     Options
	log   *slog.Logger
	types map[string]wire.AgentType

	searches chan struct{} // a place for each search of a log that goes on

	feed  feed
	saves saver

	ctx     context.Context // ends when Close has stopped every agent
	stop    context.CancelFunc
	saving  sync.WaitGroup // the saver
	running sync.WaitGroup // one for each agent that runs, and for what is done for it

	mu        sync.RWMutex
	agents    map[wire.AgentID]*agent
	live      map[*agent]struct{} // those that are alive
	byRequest map[string]*agent
	nextNum   uint32
	closed    bool // the server stops
	admission wire.Admission
	changes   []wire.Admission // of admission, the newest first: those whose requests may come again
	keepers   []chan struct{}  // who waits for a change to be stored; while there are some, storeAdmission runs
}

// New makes a fleet without agents. What it works on may be made with it; Open it then.
func New(o Options) *Fleet {
	o.Keep = cmp.Or(o.Keep, DefaultKeepExited)
	o.SearchBytes = cmp.Or(o.SearchBytes, wire.MaxSearchScan)
	o.SearchTime = cmp.Or(o.SearchTime, defaultSearchTime)
	f := &Fleet{o: o, log: o.Logger, types: o.Types, agents: map[wire.AgentID]*agent{}, live: map[*agent]struct{}{}, feed: feed{keep: o.Keep}, byRequest: map[string]*agent{}, searches: make(chan struct{}, maxSearches)}
	f.ctx, f.stop = context.WithCancel(context.Background())
	f.saves.init(o.Logger)
	return f
}

// Open reads what the Store knows, and ends what a crash left running. Close it when done.
func (f *Fleet) Open(ctx context.Context) error {
	if err := f.recover(ctx); err != nil {
		return err
	}
	var err error
	if f.changes, err = f.o.Store.Admission(ctx); err != nil {
		return err
	}
	if len(f.changes) > 0 {
		f.admission = f.changes[0]
	}
	return nil
}

// Begin begins with what goes on until Close.
func (f *Fleet) Begin() {
	f.o.Store.Drops(f.dropped)
	f.saving.Go(func() { f.saves.run(f.ctx) })
	f.clearLeftovers()
	f.detect()
}

// detect warns of types whose agents can't start on this machine.
func (f *Fleet) detect() {
	for name, t := range f.types {
		kind := f.o.Kinds[t.Kind]
		if kind == nil || f.can(t).Command && len(t.Argv) == 0 { // its command comes with the spawn
			continue
		}
		if _, err := kind.Detect(runner.Launch{Argv: t.Argv, Env: t.Env, Cwd: t.Cwd, Script: t.Script}); err != nil {
			f.log.Warn("agents of a type can't start on this machine", "type", name, "err", wire.AsError(err).Message)
		}
	}
}

// recover loads the records of earlier runs. An agent that was alive then is an orphan: its processes are ended, if they are of this
// node, and it is exited (failed). A store has one server at a time, so that no other node's agents are alive either.
func (f *Fleet) recover(ctx context.Context) error {
	records, err := f.o.Store.Agents(ctx)
	if err != nil {
		return err
	}
	known := map[wire.AgentID]*wire.Process{}
	for _, rec := range records {
		if rec.Status.Alive() && rec.Node == f.o.Node {
			known[rec.ID] = rec.Process
		}
	}
	var left map[wire.AgentID][]wire.Leftover
	if f.o.Orphans != nil {
		left = f.o.Orphans(ctx, known)
	}
	for _, rec := range records {
		a := newAgent(f, rec)
		if rec.Status.Alive() {
			why := "orphaned: Skein ended without stopping it"
			if rec.Node != f.o.Node { // its processes are another machine's: none of this one's is looked for by their numbers
				why = fmt.Sprintf("lost: it ran on node %s, which has left this store to node %s", rec.Node, f.o.Node)
			}
			if err := a.orphaned(ctx, why, left[rec.ID]); err != nil {
				return err
			}
		} else if len(left[rec.ID]) > 0 { // it was said to be gone
			a.keepLeftovers(left[rec.ID])
		}
		delete(left, rec.ID)
		if err := a.loadEnd(ctx); err != nil {
			return err
		}
		f.agents[rec.ID] = a
		if rec.Request != "" {
			f.byRequest[rec.Request] = a
		}
		f.nextNum = max(f.nextNum, rec.Num)
	}
	for id, procs := range left {
		f.log.Error("processes of an agent that is not known any more could not be ended", "agent", id, "processes", procs)
	}
	if len(known) > 0 {
		f.log.Warn("an earlier Skein ended without stopping its agents; they were reaped", "agents", len(known))
	}
	return nil
}

// Close stops every agent and waits for the last event. Nothing may be started any more. End it then.
func (f *Fleet) Close(ctx context.Context) []wire.StopReport {
	f.mu.Lock()
	if !f.closed {
		f.o.Store.Drain()
	}
	f.closed = true
	f.mu.Unlock()
	res := f.haltAll(ctx, "server", f.living())
	f.running.Wait()
	return res
}

// End stores what is not stored yet.
func (f *Fleet) End() {
	f.stop()
	f.saving.Wait()
}

// stopping reports whether the server stops.
func (f *Fleet) stopping() bool { return f.o.Closing.Err() != nil }

// Node names this node.
func (f *Fleet) Node() wire.NodeID { return f.o.Node }

// Epoch is what cursors belong to.
func (f *Fleet) Epoch() string { return f.o.Store.Epoch() }

// Type is an agent type as it is configured.
func (f *Fleet) Type(name string) (wire.AgentType, bool) {
	t, ok := f.types[name]
	return t, ok
}

// Types lists the agent types by name, with how many of each are alive.
func (f *Fleet) Types() []wire.AgentType {
	alive := map[string]int{}
	for _, a := range f.living() {
		alive[a.typ]++
	}
	types := slices.SortedFunc(maps.Values(f.types), func(a, b wire.AgentType) int { return strings.Compare(a.Name, b.Name) })
	for i := range types {
		types[i].Running = alive[types[i].Name]
		types[i].Closed = f.closedFor(types[i].Name) != ""
	}
	return types
}

// alive counts the agents that are alive: of a type, and all.
func (f *Fleet) alive(typ string) (of, all int) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.aliveLocked(typ)
}

// aliveLocked needs mu.
func (f *Fleet) aliveLocked(typ string) (of, all int) {
	for a := range f.live {
		if a.typ == typ {
			of++
		}
	}
	return of, len(f.live)
}

// Get finds an agent. Its error is CodeNotFound.
func (f *Fleet) Get(id wire.AgentID) (wire.Agent, error) {
	a, err := f.agent(id)
	if err != nil {
		return wire.Agent{}, err
	}
	return a.record(), nil
}

func (f *Fleet) agent(id wire.AgentID) (*agent, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	a, ok := f.agents[id]
	if !ok {
		return nil, wire.Errorf(wire.CodeNotFound, "there is no agent %q", id).WithField("id")
	}
	return a, nil
}

// living are the agents that are alive.
func (f *Fleet) living() []*agent {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return slices.Collect(maps.Keys(f.live))
}

// died takes an agent that ended from those that are alive.
func (f *Fleet) died(a *agent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.live, a)
}

func (f *Fleet) all() []*agent {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return slices.Collect(maps.Values(f.agents))
}

// List gives the agents that match, newest first, behind w.After: all, or w.Limit.
func (f *Fleet) List(w wire.Filter) wire.ListResult {
	all := f.all()
	res := wire.ListResult{Agents: make([]wire.Agent, 0, len(all))}
	for _, a := range all {
		if rec := a.record(); match(&w, &rec) {
			res.Agents = append(res.Agents, rec)
		}
	}
	slices.SortFunc(res.Agents, func(a, b wire.Agent) int { return cmp.Compare(b.Num, a.Num) })
	res.Total = len(res.Agents)
	if w.After > 0 {
		i, _ := slices.BinarySearchFunc(res.Agents, w.After-1, func(a wire.Agent, num uint32) int { return cmp.Compare(num, a.Num) })
		res.Agents = res.Agents[i:]
	}
	if w.Limit > 0 && w.Limit < len(res.Agents) {
		res.Agents, res.Next = res.Agents[:w.Limit], res.Agents[w.Limit-1].Num
	}
	return res
}

func match(f *wire.Filter, a *wire.Agent) bool {
	if len(f.IDs) > 0 && !slices.Contains(f.IDs, a.ID) ||
		len(f.Types) > 0 && !slices.Contains(f.Types, a.Type) ||
		len(f.Status) > 0 && !slices.Contains(f.Status, a.Status) {
		return false
	}
	if f.Needs && !a.NeedsAttention() {
		return false
	}
	for k, v := range f.Labels {
		if a.Labels[k] != v {
			return false
		}
	}
	if f.Query == "" {
		return true
	}
	hay := strings.Join(append([]string{string(a.ID), a.Name, a.Type, a.LastLine}, a.Argv...), "\n")
	return strings.Contains(strings.ToLower(hay), strings.ToLower(f.Query))
}

// Beat is the heartbeat of every running agent.
func (f *Fleet) Beat(now time.Time) {
	for _, a := range f.living() {
		a.beat(now)
	}
}

// Forget removes the oldest exited agents beyond those to keep. Those that left processes behind are kept as long as these are
// there.
func (f *Fleet) Forget(ctx context.Context) {
	f.mu.RLock()
	over := len(f.agents) - len(f.live) - f.o.Keep
	f.mu.RUnlock()
	if over <= 0 {
		return
	}
	exited := slices.DeleteFunc(f.all(), func(a *agent) bool { rec := a.record(); return rec.Status.Alive() || rec.LeftBehind() })
	slices.SortFunc(exited, func(a, b *agent) int { return cmp.Compare(a.num, b.num) })
	for _, a := range exited[:max(0, len(exited)-f.o.Keep)] {
		if err := f.o.Store.DeleteAgent(ctx, a.id); err != nil {
			f.log.Error("an old agent could not be forgotten", "agent", a.id, "err", err)
			return
		}
		f.mu.Lock()
		delete(f.agents, a.id)
		delete(f.byRequest, a.record().Request)
		f.mu.Unlock()
		f.feed.forgot(a)
	}
}

// saver writes records behind their changes: the latest record of an agent, once, however often it changed. Changes
// that a client is told about are saved before it is told, by agent.save.
type saver struct {
	log   *slog.Logger
	mu    sync.Mutex
	dirty map[*agent]struct{} // bounded by the number of agents
	wake  chan struct{}
}

func (s *saver) init(log *slog.Logger) {
	s.log, s.dirty, s.wake = log, map[*agent]struct{}{}, make(chan struct{}, 1)
}

func (s *saver) later(a *agent) {
	s.mu.Lock()
	s.dirty[a] = struct{}{}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *saver) run(ctx context.Context) {
	for {
		select {
		case <-s.wake:
			select {
			case <-time.After(saveDelay): // so that an agent that ends at once is written once
			case <-ctx.Done():
			}
			s.flush()
		case <-ctx.Done():
			s.flush()
			return
		}
	}
}

func (s *saver) flush() {
	s.mu.Lock()
	dirty := s.dirty
	s.dirty = map[*agent]struct{}{}
	s.mu.Unlock()
	for a := range dirty {
		if err := a.save(context.Background()); err != nil && !errors.Is(err, context.Canceled) {
			s.log.Error("a record could not be stored; the next change tries again", "agent", a.id, "err", err)
		}
	}
}
