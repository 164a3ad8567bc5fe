// Package control is the control plane: it knows every agent, decides what may start, and writes down what happened.
// It speaks no network. It consumes a [Store], which keeps records and events, and a [Runtime] for each kind of agent.
//
// What flows where:
//
//	Spawn ── admit ──> record in the Store ──> Runtime.Start ──> agent
//	agent ── output, activity ──> Store.Append ──> its place in the log ──> followers
//	Stop  ── desired: stop ──> Running.Stop ──> verified gone ──> record, report
//
// The record in the Store is the truth about an agent; events are its history. A follower sees an event only after the
// Store has given it its seq.
package control

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"skein.dev/skein/server/artifacts"
	"skein.dev/skein/server/memory"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/server/tasks"
	"skein.dev/skein/webtransport/wire"
)

// Store keeps records and events.
type Store interface {
	tasks.Store
	artifacts.Store
	memory.Store
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
	// Drain lets output into what is kept free for the rest: the plane closes.
	Drain()
}

// Runtime runs agents of one kind.
type Runtime interface {
	Start(ctx context.Context, l runner.Launch, sink runner.Sink) (runner.Running, error)
}

const (
	// DefaultStopGrace is the time between SIGTERM and SIGKILL for types that name none.
	DefaultStopGrace = 5 * time.Second
	// DefaultKeepExited is how many exited agents are remembered.
	DefaultKeepExited = 1000

	defaultStoreTimeout = 10 * time.Second

	tick       = time.Second // heartbeats and usage
	saveDelay  = 20 * time.Millisecond
	startLimit = 16 // agents being started at the same time by one batch
)

// Options configure a Plane. Store, Runtimes and Types are needed.
type Options struct {
	Store      Store
	Runtimes   map[wire.Kind]Runtime
	Types      []wire.AgentType
	Node       wire.NodeID
	Instance   string // marks this data folder's processes, so that they are found again after a crash
	WorkDir    string // where agents without a cwd get a folder of their own
	DataDir    string // of uploads and outboxes; "": the folder that WorkDir is in
	KeepExited int    // 0: DefaultKeepExited
	KeepTasks  int    // 0: tasks.DefaultKeep
	MaxAgents  int    // alive at once on this node; 0: no limit
	Memory     memory.Options
	// StoreTimeout is how long a request waits for a store that does not answer; 0: 10 s.
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

// Plane is the control plane of one node.
type Plane struct {
	// static after Open
	o     Options
	log   *slog.Logger
	types map[string]wire.AgentType

	searches chan struct{} // a place for each search of a log that goes on

	// Tasks is the work that agents are given.
	Tasks *tasks.Tasks
	// Artifacts is the files that were kept.
	Artifacts *artifacts.Artifacts
	// Memory is the state that agents and people share.
	Memory *memory.Memory

	change atomic.Uint64 // counts changes over all agents
	saves  saver

	ctx     context.Context // ends when Close has stopped every agent
	stop    context.CancelFunc
	closing chan struct{} // closed when Close begins
	// closingCtx ends when Close begins, too.
	closingCtx   context.Context
	beginClosing context.CancelFunc
	workers      sync.WaitGroup // the ticker, the saver, the scheduler
	running      sync.WaitGroup // one for each agent that runs, and for what is done for it

	mu        sync.RWMutex
	agents    map[wire.AgentID]*agent
	byRequest map[string]*agent
	nextNum   uint32
	closed    bool // the server stops
	removed   []removal
	admission wire.Admission
	changes   []wire.Admission // of admission, the newest first: those whose requests may come again
	keepers   []chan struct{}  // who waits for a change to be stored; while there are some, storeAdmission runs
	admitted  uint64           // change at the last change of admission
}

// removal is an agent that was forgotten, for those who show a list.
type removal struct {
	id     wire.AgentID
	change uint64
}

// Open reads what the Store knows, ends what a crash left running, and starts the plane. Close it when done.
func Open(ctx context.Context, o Options) (*Plane, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.KeepExited == 0 {
		o.KeepExited = DefaultKeepExited
	}
	p := &Plane{o: o, log: o.Logger, types: map[string]wire.AgentType{}, agents: map[wire.AgentID]*agent{}, byRequest: map[string]*agent{},
		closing: make(chan struct{})}
	p.o.StoreTimeout = cmp.Or(o.StoreTimeout, defaultStoreTimeout)
	p.o.SearchBytes = cmp.Or(o.SearchBytes, wire.MaxSearchScan)
	p.o.SearchTime = cmp.Or(o.SearchTime, defaultSearchTime)
	p.searches = make(chan struct{}, maxSearches)
	p.closingCtx, p.beginClosing = context.WithCancel(context.Background())
	p.Artifacts = artifacts.New(artifacts.Options{Store: o.Store, Life: life{p}, Dir: p.dataFile(), WorkDir: o.WorkDir, Timeout: p.o.StoreTimeout}, p.log)
	for _, t := range o.Types {
		if t.StopGraceMS == 0 {
			t.StopGraceMS = DefaultStopGrace.Milliseconds()
		}
		p.types[t.Name] = t
	}
	p.Tasks = tasks.New(tasks.Options{Store: o.Store, Fleet: crew{p}, Types: p.types, Node: o.Node, MaxAgents: o.MaxAgents, Keep: o.KeepTasks,
		Timeout: p.o.StoreTimeout, Closing: p.closingCtx,
		Answered: func(a wire.AgentID, t wire.TaskID, then func()) { p.Artifacts.Answered(a, t, then) }}, p.log)
	p.saves.init(p)
	if err := p.recover(ctx); err != nil {
		return nil, err
	}
	var err error
	if p.changes, err = o.Store.Admission(ctx); err != nil {
		return nil, err
	}
	if len(p.changes) > 0 {
		p.admission = p.changes[0]
	}
	if err := p.Tasks.Open(ctx); err != nil {
		return nil, err
	}
	if err := p.Artifacts.Open(ctx); err != nil {
		return nil, err
	}
	if err := p.openMemory(ctx); err != nil {
		return nil, err
	}
	o.Store.Drops(p.dropped)
	p.ctx, p.stop = context.WithCancel(context.WithoutCancel(ctx))
	p.workers.Go(func() { p.beat(p.ctx) })
	p.workers.Go(func() { p.saves.run(p.ctx) })
	p.workers.Go(func() { p.Tasks.Schedule(p.ctx) })
	p.workers.Go(func() { p.Artifacts.Tend(p.ctx) })
	p.clearLeftovers()
	return p, nil
}

// dataFile is a path in the data folder.
func (p *Plane) dataFile(name ...string) string {
	return filepath.Join(append([]string{cmp.Or(p.o.DataDir, filepath.Dir(p.o.WorkDir))}, name...)...)
}

// openMemory opens memory beside the plane's other data, and with its patience.
func (p *Plane) openMemory(ctx context.Context) (err error) {
	o := p.o.Memory
	if o.SearchDir == "" {
		o.SearchDir = p.dataFile("search")
	}
	if o.Timeout == 0 {
		o.Timeout = p.o.StoreTimeout
	}
	p.Memory, err = memory.Open(ctx, p.o.Store, o, p.log)
	return err
}

// recover loads the records of earlier runs. An agent that was alive then is an orphan: its processes are ended, and
// it is exited (failed).
func (p *Plane) recover(ctx context.Context) error {
	records, err := p.o.Store.Agents(ctx)
	if err != nil {
		return err
	}
	known := map[wire.AgentID]*wire.Process{}
	for _, rec := range records {
		if rec.Status.Alive() {
			known[rec.ID] = rec.Process
		}
	}
	var left map[wire.AgentID][]wire.Leftover
	if p.o.Orphans != nil {
		left = p.o.Orphans(ctx, known)
	}
	for _, rec := range records {
		a := newAgent(p, rec)
		if rec.Status.Alive() {
			if err := a.orphaned(ctx, left[rec.ID]); err != nil {
				return err
			}
		} else if len(left[rec.ID]) > 0 { // it was said to be gone
			a.keepLeftovers(left[rec.ID])
		}
		delete(left, rec.ID)
		if err := a.loadEnd(ctx); err != nil {
			return err
		}
		p.agents[rec.ID] = a
		if rec.Request != "" {
			p.byRequest[rec.Request] = a
		}
		p.nextNum = max(p.nextNum, rec.Num)
	}
	for id, procs := range left {
		p.log.Error("processes of an agent that is not known any more could not be ended", "agent", id, "processes", procs)
	}
	if len(known) > 0 {
		p.log.Warn("an earlier Skein ended without stopping its agents; they were reaped", "agents", len(known))
	}
	return nil
}

// Close stops every agent, newest first, waits for the last event, and ends the plane's goroutines.
func (p *Plane) Close(ctx context.Context) []wire.StopReport {
	p.mu.Lock()
	if !p.closed {
		close(p.closing)
		p.beginClosing()
		p.o.Store.Drain()
	}
	p.closed = true
	p.mu.Unlock()
	res := p.haltAll(ctx, "server", p.all())
	p.running.Wait()
	p.Tasks.Close()
	p.Artifacts.Close()
	p.stop()
	p.workers.Wait()
	p.Memory.Close()
	return res
}

// stopping reports whether the server stops.
func (p *Plane) stopping() bool {
	select {
	case <-p.closing:
		return true
	default:
		return false
	}
}

// Node names this node.
func (p *Plane) Node() wire.NodeID { return p.o.Node }

// Epoch is what cursors belong to.
func (p *Plane) Epoch() string { return p.o.Store.Epoch() }

// Types lists the agent types by name, with how many of each are alive.
func (p *Plane) Types() []wire.AgentType {
	alive := map[string]int{}
	for _, a := range p.all() {
		if rec := a.record(); rec.Status.Alive() {
			alive[rec.Type]++
		}
	}
	types := slices.SortedFunc(maps.Values(p.types), func(a, b wire.AgentType) int { return strings.Compare(a.Name, b.Name) })
	for i := range types {
		types[i].Running = alive[types[i].Name]
		types[i].Closed = p.closedFor(types[i].Name) != ""
	}
	return types
}

// alive counts the agents that are alive: of a type, and all.
func (p *Plane) alive(typ string) (of, all int) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.aliveLocked(typ)
}

// aliveLocked needs mu.
func (p *Plane) aliveLocked(typ string) (of, all int) {
	for _, a := range p.agents {
		if a.alive() {
			all++
			if a.typ == typ {
				of++
			}
		}
	}
	return of, all
}

// Get finds an agent. Its error is CodeNotFound.
func (p *Plane) Get(id wire.AgentID) (wire.Agent, error) {
	a, err := p.agent(id)
	if err != nil {
		return wire.Agent{}, err
	}
	return a.record(), nil
}

func (p *Plane) agent(id wire.AgentID) (*agent, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	a, ok := p.agents[id]
	if !ok {
		return nil, wire.Errorf(wire.CodeNotFound, "there is no agent %q", id).WithField("id")
	}
	return a, nil
}

func (p *Plane) all() []*agent {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return slices.Collect(maps.Values(p.agents))
}

// List gives the agents that match, newest first, behind f.After: all, or f.Limit.
func (p *Plane) List(f wire.Filter) wire.ListResult {
	all := p.all()
	res := wire.ListResult{Agents: make([]wire.Agent, 0, len(all))}
	for _, a := range all {
		if rec := a.record(); match(&f, &rec) {
			res.Agents = append(res.Agents, rec)
		}
	}
	slices.SortFunc(res.Agents, func(a, b wire.Agent) int { return cmp.Compare(b.Num, a.Num) })
	res.Total = len(res.Agents)
	if f.After > 0 {
		i, _ := slices.BinarySearchFunc(res.Agents, f.After-1, func(a wire.Agent, num uint32) int { return cmp.Compare(num, a.Num) })
		res.Agents = res.Agents[i:]
	}
	if f.Limit > 0 && f.Limit < len(res.Agents) {
		res.Agents, res.Next = res.Agents[:f.Limit], res.Agents[f.Limit-1].Num
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

// Change is the present moment for Changes.
func (p *Plane) Change() uint64 { return p.change.Load() }

// Changed is what Changes gives.
type Changed struct {
	Packed  []wire.Agent   // only what a status datagram carries changed
	Full    []wire.Agent   // more changed
	Removed []wire.AgentID // forgotten
	Now     uint64         // the moment of this answer

	Admission *wire.Admission // nil: it did not change
}

// Changes gives the agents that changed after a moment.
func (p *Plane) Changes(since uint64) Changed {
	c := Changed{Now: p.change.Load()}
	if c.Now == since {
		return c
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, a := range p.agents {
		a.mu.Lock()
		switch {
		case a.fullChange > since:
			c.Full = append(c.Full, a.rec)
		case a.change > since:
			c.Packed = append(c.Packed, a.rec)
		}
		a.mu.Unlock()
	}
	for _, r := range p.removed {
		if r.change > since {
			c.Removed = append(c.Removed, r.id)
		}
	}
	if p.admitted > since {
		a := p.admission
		c.Admission = &a
	}
	return c
}

// beat is the heartbeat of every running agent.
func (p *Plane) beat(ctx context.Context) {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			for _, a := range p.all() {
				a.beat(now)
			}
			p.Tasks.Beat(now)
			p.forget(ctx)
			p.Tasks.Forget(ctx)
		}
	}
}

// forget removes the oldest exited agents beyond KeepExited. Those that left processes behind are kept as long as these are
// there.
func (p *Plane) forget(ctx context.Context) {
	var exited []wire.Agent
	for _, a := range p.all() {
		if rec := a.record(); !rec.Status.Alive() && !rec.LeftBehind() {
			exited = append(exited, rec)
		}
	}
	if len(exited) <= p.o.KeepExited {
		return
	}
	slices.SortFunc(exited, func(a, b wire.Agent) int { return int(int64(a.Num) - int64(b.Num)) })
	for _, rec := range exited[:len(exited)-p.o.KeepExited] {
		if err := p.o.Store.DeleteAgent(ctx, rec.ID); err != nil {
			p.log.Error("an old agent could not be forgotten", "agent", rec.ID, "err", err)
			return
		}
		p.mu.Lock()
		delete(p.agents, rec.ID)
		delete(p.byRequest, rec.Request)
		p.removed = append(p.removed, removal{rec.ID, p.change.Add(1)})
		if len(p.removed) > p.o.KeepExited {
			p.removed = slices.Clone(p.removed[1:])
		}
		p.mu.Unlock()
	}
}

// saver writes records behind their changes: the latest record of an agent, once, however often it changed. Changes
// that a client is told about are saved before it is told, by agent.save.
type saver struct {
	p     *Plane
	mu    sync.Mutex
	dirty map[*agent]struct{} // bounded by the number of agents
	wake  chan struct{}
}

func (s *saver) init(p *Plane) {
	s.p, s.dirty, s.wake = p, map[*agent]struct{}{}, make(chan struct{}, 1)
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
			s.p.log.Error("a record could not be stored; the next change tries again", "agent", a.id, "err", err)
		}
	}
}
