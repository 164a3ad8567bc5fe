// Package fleet is the agents of one node: which may start, which are running, what they print, and how they end.
// The package does no network I/O. It uses a [Store], which keeps records and events, a [runner.Kind] for each kind of agent,
// and [Work], which knows the tasks of the agents. Others follow the life of an agent as a [Hook].
//
// How data flows:
//
//	Spawn ── admit ──> record in the Store ──> Kind.Start ──> agent
//	agent ── output, activity ──> Store.Append ──> its place in the log ──> followers
//	Stop  ── desired: stop ──> Session.Stop ──> verified gone ──> record, report
//
// The record in the Store is authoritative for an agent; events are its history. A follower sees an event only after the
// Store has assigned its seq.
//
// # Locks
//
// In the order in which they are taken: a goroutine that holds one takes none above it.
//
//	Fleet.joining                          while it is looked whether a program is an agent already
//	agent.waitsMu                          around changes of the requests for permission that wait
//	agent.asksMu                           while Work is asked what the agent asks
//	Work's own                             it calls the fleet with it held
//	agent.folderMu                         around what decides what becomes of a worktree
//	agent.clearing, saveMu, logMu          around what waits for the store, or for processes
//	Fleet.mu                               which agents there are, and admission
//	agent.mu                               a record
//	feed.mu, saver.mu, census.mu           what changed; which records are to be saved; who is alive
package fleet

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// Fleet is the agents of one node.
type Fleet struct {
	core

	searches chan struct{} // bounds the searches of logs at the same time

	kept kept // owned by Forget

	joining sync.Mutex // so that a program which joins repeatedly is one agent

	mu        sync.RWMutex
	agents    roster
	byRequest map[string]*agent
	nextNum   uint32
	closed    bool // the server is stopping
	admission wire.Admission
	changes   []wire.Admission // of admission, the newest first: those whose requests may be repeated
	keepers   []chan struct{}  // those who wait for a change to be stored; storeAdmission runs while there are some
}

// New returns a fleet without agents. Open reads them from the Store.
func New(o Options) *Fleet {
	o.Keep = cmp.Or(o.Keep, DefaultKeepExited)
	o.Quiet = cmp.Or(o.Quiet, DefaultQuiet)
	o.SearchBytes = cmp.Or(o.SearchBytes, wire.MaxSearchScan)
	o.SearchTime = cmp.Or(o.SearchTime, defaultSearchTime)
	f := &Fleet{core: core{o: o, log: o.Logger, feed: feed{keep: max(o.Keep, keepRemoved)}, saves: newSaver(o.Logger)}, agents: newRoster(),
		byRequest: map[string]*agent{}, searches: make(chan struct{}, maxSearches)}
	f.ctx, f.stop = context.WithCancel(context.Background())
	f.core.worksIn = f.worksIn
	return f
}

// Node names this node.
func (f *Fleet) Node() wire.NodeID { return f.o.Node }

// Keeps is how many agents that have ended are remembered.
func (f *Fleet) Keeps() int { return f.o.Keep }

// KeepsFor is how long they are; 0: any time.
func (f *Fleet) KeepsFor() time.Duration { return f.o.KeepFor }

// Epoch identifies the log that cursors belong to.
func (f *Fleet) Epoch() string { return f.o.Store.Epoch() }

// Type is an agent type as it is configured.
func (f *Fleet) Type(name string) (wire.AgentType, bool) {
	t, ok := f.o.Types[name]
	return t, ok
}

// Types lists the agent types by name, with how many of each are alive.
func (f *Fleet) Types() []wire.AgentType {
	alive := map[string]int{}
	for _, a := range f.living() {
		alive[a.typ]++
	}
	types := slices.SortedFunc(maps.Values(f.o.Types), func(a, b wire.AgentType) int { return strings.Compare(a.Name, b.Name) })
	for i := range types {
		types[i].Running = alive[types[i].Name]
		types[i].Closed = f.closedFor(types[i].Name) != ""
	}
	return types
}

// Get returns an agent. The error has CodeNotFound if there is none.
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
	a := f.agents.byID[id]
	if a == nil {
		return nil, wire.Errorf(wire.CodeNotFound, "there is no agent %q", id).WithField("id")
	}
	return a, nil
}

// living are the agents that are alive.
func (f *Fleet) living() (all []*agent) {
	ids := f.census.ids()
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, id := range ids {
		if a := f.agents.byID[id]; a != nil {
			all = append(all, a)
		}
	}
	return all
}

// all are the agents, by number.
func (f *Fleet) all() []*agent {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return slices.Clone(f.agents.byNum)
}

// Beat is the heartbeat of every running agent.
func (f *Fleet) Beat(now time.Time) {
	for _, a := range f.living() {
		a.beat(now)
	}
}

// worksIn reports whether an agent that is alive works in a folder, or within it.
func (f *Fleet) worksIn(dir string) bool {
	for _, a := range f.living() {
		if rec := a.record(); rec.Cwd != "" && within(rec.Cwd, dir) && rec.Status.Alive() {
			return true
		}
	}
	return false
}
