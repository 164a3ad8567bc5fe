// Package control is the control plane of one node. It connects the fleet with what agents work on.
// It does no network I/O, and has no locks of its own.
//
//	fleet ── Hook: a process starts, runs, ends ──> artifacts, tasks
//	tasks ── Crew: start, deliver, stop ──────────> fleet
//	tasks ── Answered: keep its files first ──────> artifacts
//	artifacts ── Life: does it exist, who works ──> fleet, tasks
//	fleet ── Asks: asks, is written to ───────────> asks
//	asks ── Reply: answer ────────────────────────> fleet
//	fleet ── Hook: a model has used tokens ───────> usage
//	usage ── Fleet: pause, stop ──────────────────> fleet
//	fleet ── Folders: make, tidy up ──────────────> folders
//	schedules ── Tasks: submit, find again ───────> tasks
package control

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"skein.dev/skein/server/artifacts"
	"skein.dev/skein/server/asks"
	"skein.dev/skein/server/fleet"
	"skein.dev/skein/server/folders"
	"skein.dev/skein/server/memory"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/server/schedules"
	"skein.dev/skein/server/tasks"
	"skein.dev/skein/server/usage"
	"skein.dev/skein/webtransport/wire"
)

// Store is what all of them need of a store.
type Store interface {
	fleet.Store
	tasks.Store
	artifacts.Store
	asks.Store
	schedules.Store
	usage.Store
	memory.Store
}

const (
	defaultStoreTimeout = 10 * time.Second

	tick = time.Second // interval of heartbeats and usage
)

// Options configure a Plane. Store, Kinds and Types are required. Fields without a comment are as in fleet.Options.
type Options struct {
	Store      Store
	Kinds      map[wire.Kind]runner.Kind
	Types      []wire.AgentType
	Node       wire.NodeID
	Instance   string
	WorkDir    string
	DataDir    string        // of uploads and outboxes; "": the parent of WorkDir
	KeepExited int           // 0: fleet.DefaultKeepExited
	KeepFor    time.Duration // how long exited agents are remembered; 0: any time
	KeepTasks  int           // 0: tasks.DefaultKeep
	MaxAgents  int           // most agents alive at a time on this node; 0: no limit
	Memory     memory.Options
	Budget     *wire.Budget // of all agents; nil: none
	// StoreTimeout is how long a request waits for a store that does not answer; 0: 10 s.
	StoreTimeout time.Duration
	SearchBytes  int
	SearchTime   time.Duration
	Logger       *slog.Logger
	Orphans      func(ctx context.Context, known map[wire.AgentID]*wire.Process) map[wire.AgentID][]wire.Leftover
	Leftovers    func(ctx context.Context, id wire.AgentID, left []wire.Leftover, grace time.Duration) []wire.Leftover
	Spawned      func(kind wire.Kind, took time.Duration, ok bool)
	Asked        func(a wire.Ask)                                                                            // called with each question that waits for a person; must not block
	Scheduled    func(wire.ScheduleOutcome)                                                                  // called with what became of each run of a schedule; must not block
	Offer        func(a wire.Agent, t wire.AgentType) ([]runner.Tool, func(context.Context) *runner.MCP)     // what requests they can make; nil: none
	Call         func(ctx context.Context, a wire.Agent, method string, params json.RawMessage) (any, error) // carries out requests of agents; nil: they can make none
}

// Plane is the control plane of one node: its agents, and
type Plane struct {
	*fleet.Fleet
	// Tasks are the tasks of the agents.
	Tasks *tasks.Tasks
	// Artifacts are the files that were kept.
	Artifacts *artifacts.Artifacts
	// Asks are what agents ask people.
	Asks *asks.Asks
	// Schedules submit tasks at set times.
	Schedules *schedules.Schedules
	// Usage is what agents have spent.
	Usage *usage.Usage
	// Folders are those that agents work in.
	Folders *folders.Folders
	// Memory is the state that agents and people share.
	Memory *memory.Memory

	kinds        map[wire.Kind]runner.Kind
	closing      context.Context // ends when Close is called
	beginClosing context.CancelFunc
	ctx          context.Context // ends when Close has stopped every agent
	stop         context.CancelFunc
	workers      sync.WaitGroup // the ticker, the scheduler of tasks, the schedules, the upkeep of artifacts
}

// Open loads what the Store has, ends what a crash left running and starts the plane. The caller must Close it.
func Open(ctx context.Context, o Options) (*Plane, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.StoreTimeout = cmp.Or(o.StoreTimeout, defaultStoreTimeout)
	o.DataDir = cmp.Or(o.DataDir, filepath.Dir(o.WorkDir))
	if o.Call == nil {
		o.Call = func(context.Context, wire.Agent, string, json.RawMessage) (any, error) {
			return nil, wire.Errorf(wire.CodeMethodNotFound, "agents have no requests here")
		}
	}
	p := &Plane{kinds: o.Kinds}
	p.closing, p.beginClosing = context.WithCancel(context.Background())
	p.ctx, p.stop = context.WithCancel(context.WithoutCancel(ctx))
	p.join(o, types(o))
	if err := p.open(ctx, o); err != nil {
		p.beginClosing()
		p.stop()
		return nil, err
	}
	p.Fleet.Begin()
	p.workers.Go(p.beat)
	p.workers.Go(p.forget)
	p.workers.Go(func() { p.Tasks.Schedule(p.ctx) })
	p.workers.Go(func() { p.Schedules.Run(p.ctx) })
	p.workers.Go(func() { p.Artifacts.Tend(p.ctx) })
	return p, nil
}

// join creates the nouns and gives each what it needs of the others.
func (p *Plane) join(o Options, types map[string]wire.AgentType) {
	p.Artifacts = artifacts.New(artifacts.Options{Store: o.Store, Life: life{p}, Dir: o.DataDir, WorkDir: o.WorkDir, Timeout: o.StoreTimeout}, o.Logger)
	crew := new(fleet.Crew) // the tasks need it before there is a fleet
	p.Tasks = tasks.New(tasks.Options{Store: o.Store, Fleet: crew, Types: types, Node: o.Node, MaxAgents: o.MaxAgents, Keep: o.KeepTasks,
		Timeout: o.StoreTimeout, Closing: p.closing, Answered: p.Artifacts.Answered}, o.Logger)
	p.Asks = asks.New(asks.Options{Store: o.Store, Types: types, Reply: p.reply, Changed: func(a wire.Ask) { p.asked(a, o.Asked) }, Timeout: o.StoreTimeout}, o.Logger)
	p.Schedules = schedules.New(schedules.Options{Store: o.Store, Tasks: p.Tasks, Ran: o.Scheduled, Closing: p.closing, Timeout: o.StoreTimeout}, o.Logger)
	p.Usage = usage.New(usage.Options{Store: o.Store, Fleet: purse{p}, Types: types, Budget: o.Budget, Name: schedules.LocalZone(), Timeout: o.StoreTimeout}, o.Logger)
	p.Folders = folders.New(folders.Options{Dir: filepath.Join(o.DataDir, "worktrees"), Logger: o.Logger})
	p.Fleet = fleet.New(fleet.Options{Store: o.Store, Kinds: o.Kinds, Types: types, Node: o.Node, Instance: o.Instance, WorkDir: o.WorkDir,
		Keep: o.KeepExited, KeepFor: o.KeepFor, Max: o.MaxAgents, Work: p.Tasks, Asks: p.Asks, Folders: p.Folders, Offer: o.Offer, Call: o.Call, Closing: p.closing, StoreTimeout: o.StoreTimeout,
		SearchBytes: o.SearchBytes, SearchTime: o.SearchTime, Logger: o.Logger, Orphans: o.Orphans, Leftovers: o.Leftovers, Spawned: o.Spawned,
		Hooks: fleet.Hooks{
			{Env: p.outbox, Exited: func(a wire.Agent, _ wire.Exit) { p.Artifacts.Collect(a.ID) }},
			{Env: p.Tasks.Env, Started: p.Tasks.Started, Activity: p.Tasks.Activity, Stopping: p.Tasks.Stopping, Exited: p.Tasks.Exited},
			{Started: p.Usage.Started, Spent: p.Usage.Spent},
			{Stopping: p.Asks.Gone, Exited: func(a wire.Agent, _ wire.Exit) { p.Asks.Gone(a.ID) }},
		}})
	*crew = p.Fleet.Crew()
}

// types returns the agent types by name, with defaults filled in.
func types(o Options) map[string]wire.AgentType {
	all := make(map[string]wire.AgentType, len(o.Types))
	for _, t := range o.Types {
		t.StopGraceMS = cmp.Or(t.StopGraceMS, fleet.DefaultStopGrace.Milliseconds())
		all[t.Name] = t
	}
	return all
}

// reply answers the question of an agent, if it still asks it, with a line.
func (p *Plane) reply(ctx context.Context, by string, agent wire.AgentID, question, text string) error {
	return p.Fleet.Input(ctx, by, wire.InputParams{ID: agent, Text: text + "\n", Question: &question})
}

// asked notes a request in the log of its agent, and tells who wants to know of each question. What an agent asks that is answered by
// writing to it is in the log already, and its answer, too.
func (p *Plane) asked(a wire.Ask, tell func(wire.Ask)) {
	if a.ByID {
		p.Fleet.Note(a)
	}
	if a.State == wire.AskPending && tell != nil {
		tell(a)
	}
}

// outbox gives an outbox to agents that run in a folder.
func (p *Plane) outbox(a wire.Agent) map[string]string {
	if kind := p.kinds[a.Kind]; kind == nil || !kind.Capabilities().Folder {
		return nil
	}
	return p.Artifacts.Outbox(a.ID, a.Cwd)
}

// open loads what the Store has. Agents come first, because tasks and artifacts are told which of them have ended.
func (p *Plane) open(ctx context.Context, o Options) (err error) {
	if err := p.Fleet.Open(ctx); err != nil {
		return err
	}
	if err := p.Tasks.Open(ctx); err != nil {
		return err
	}
	if err := p.Artifacts.Open(ctx); err != nil {
		return err
	}
	if err := p.Asks.Open(ctx); err != nil {
		return err
	}
	if err := p.Schedules.Open(ctx); err != nil {
		return err
	}
	if err := p.Usage.Open(ctx); err != nil {
		return err
	}
	m := o.Memory
	m.SearchDir = cmp.Or(m.SearchDir, filepath.Join(o.DataDir, "search"))
	m.Timeout = cmp.Or(m.Timeout, o.StoreTimeout)
	p.Memory, err = memory.Open(ctx, o.Store, m, o.Logger)
	return err
}

// Close stops every agent, newest first, waits for the last event and ends the goroutines of the plane.
func (p *Plane) Close(ctx context.Context) []wire.StopReport {
	p.beginClosing()
	res := p.Fleet.Close(ctx)
	p.Tasks.Close()
	p.Artifacts.Close()
	p.Usage.Close()
	p.stop()
	p.Fleet.End()
	p.workers.Wait()
	p.Memory.Close()
	return res
}

// forget removes what is beyond the bounds of what is kept. It has a goroutine of its own: a store needs a minute for 40,000 agents, and
// heartbeats can't wait.
func (p *Plane) forget() {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-p.ctx.Done():
			return
		case now := <-t.C:
			p.Fleet.Forget(p.ctx, now)
			p.Tasks.Forget(p.ctx)
			p.Asks.Forget(p.ctx)
		}
	}
}

// beat calls the periodic work of each noun.
func (p *Plane) beat() {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-p.ctx.Done():
			return
		case now := <-t.C:
			p.Fleet.Beat(now)
			p.Tasks.Beat(now)
			p.Asks.Beat(now)
			p.Usage.Beat(p.ctx, now)
		}
	}
}
