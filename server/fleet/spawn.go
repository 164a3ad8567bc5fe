package fleet

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

const (
	maxEnv = 256
)

// origin says why an agent is started that nobody spawned explicitly.
type origin struct {
	onDemand bool
	again    bool            // in place of one that has ended
	task     wire.TaskID     // the task whose process it is; "" for none
	join     wire.WorkerJoin // of the program that has dialled in; without a key, none has
}

// batch is an admitted spawn request.
type batch struct {
	wanted
	agents []*agent
}

// Spawn starts agents. A batch that can't be admitted as a whole is refused as a whole. Every agent of an admitted batch
// gets a record, and those that could not be started are reported in Failed; for a single agent it is an error. A request
// that was carried out before a restart is answered with its outcome.
func (f *Fleet) Spawn(ctx context.Context, by noun.Caller, params wire.SpawnParams) (*wire.SpawnResult, error) {
	if res := f.spawned(by, params.Count); res != nil {
		return res, nil
	}
	b, err := f.admit(by, params, origin{})
	if err != nil {
		return nil, err
	}
	// An admitted batch is carried out even if the client leaves.
	return f.startAll(context.WithoutCancel(ctx), b)
}

// spawned returns the result of a request that was carried out before, nil if it was not.
func (f *Fleet) spawned(by noun.Caller, count int) *wire.SpawnResult {
	if by.Request == "" {
		return nil
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	res := &wire.SpawnResult{Agents: []wire.Agent{}}
	for i := range max(count, 1) {
		if a := f.byRequest[by.Part(i)]; a != nil {
			res.Agents = append(res.Agents, a.record())
			continue
		}
		res.Failed = append(res.Failed, wire.SpawnError{Index: i, Error: wire.Errorf(wire.CodeUnavailable, "not started: Skein ended before")})
	}
	if len(res.Agents) == 0 {
		return nil
	}
	return res
}

// startAll starts the agents of a batch and reports.
func (f *Fleet) startAll(ctx context.Context, b *batch) (*wire.SpawnResult, error) {
	errs := make([]error, len(b.agents))
	var wg sync.WaitGroup
	slots := make(chan struct{}, startLimit)
	for i, a := range b.agents[1:] {
		slots <- struct{}{}
		wg.Go(func() { errs[i+1] = a.start(ctx, b.wanted); <-slots })
	}
	errs[0] = b.agents[0].start(ctx, b.wanted) // without a goroutine: the common case is a batch of one
	wg.Wait()
	return report(b.agents, errs)
}

func report(batch []*agent, errs []error) (*wire.SpawnResult, error) {
	if len(batch) == 1 && errs[0] != nil {
		return nil, errs[0]
	}
	res := &wire.SpawnResult{Agents: make([]wire.Agent, 0, len(batch))}
	for i, a := range batch {
		if errs[i] == nil {
			res.Agents = append(res.Agents, a.record())
			continue
		}
		res.Failed = append(res.Failed, wire.SpawnError{Index: i, ID: a.id, Error: wire.AsError(errs[i])})
	}
	return res, nil
}

// check checks whether the request fits its type. key is that of the program that has dialled in.
func (f *Fleet) check(s *wire.SpawnParams, key string) (wire.AgentType, error) {
	t, ok := f.o.Types[s.Type]
	if !ok {
		names := slices.Sorted(maps.Keys(f.o.Types))
		return t, wire.Errorf(wire.CodeNotFound, "there is no agent type %q; the types are %v", s.Type, names).WithField("type").WithSupported(names)
	}
	if err := f.checkSession(t, s); err != nil {
		return t, err
	}
	if err := f.place(t, s); err != nil {
		return t, err
	}
	if err := noun.CheckNames(s.Name, s.Labels); err != nil {
		return t, err
	}
	switch {
	case s.Count < 1 || s.Count > wire.MaxBatch:
		return t, noun.Bad("count", "count must be between 1 and %d", wire.MaxBatch)
	case len([]rune(s.Name)) > noun.MaxName:
		return t, noun.Bad("name", "the name is longer than %d characters", noun.MaxName)
	case len(s.Env) > maxEnv:
		return t, noun.Bad("env", "more than %d environment variables", maxEnv)
	case len(s.Labels) > noun.MaxLabels:
		return t, noun.Bad("labels", "more than %d labels", noun.MaxLabels)
	case len(s.Argv)+len(s.Args) > noun.MaxArgs:
		return t, noun.Bad("argv", "more than %d arguments", noun.MaxArgs)
	}
	for _, arg := range slices.Concat(s.Argv, s.Args) {
		if len(arg) > noun.MaxArg {
			return t, noun.Bad("argv", "an argument is longer than %d bytes", noun.MaxArg)
		}
	}
	if err := checkRecord(t, s); err != nil {
		return t, err
	}
	if err := f.checkFolder(t, s); err != nil {
		return t, err
	}
	return t, f.checkLaunch(t, s, key)
}

// checkRecord refuses a request whose record would not fit a message.
func checkRecord(t wire.AgentType, s *wire.SpawnParams) error {
	rec := wire.Agent{Argv: slices.Concat(t.Argv, s.Argv, s.Args), EnvNames: slices.Collect(maps.Keys(s.Env)), Cwd: cmp.Or(s.Cwd, t.Cwd), Labels: merge(t.Labels, s.Labels)}
	if size := rec.EncodedLen(); size > wire.MaxRecord {
		return wire.Errorf(wire.CodeTooLarge, "arguments, labels, working folder and names of variables have %d bytes as JSON, %d are allowed; put what is large into a file", size, wire.MaxRecord).WithField("argv")
	}
	return nil
}

// place moves the command and the folder of a request to where its type expects them.
func (f *Fleet) place(t wire.AgentType, s *wire.SpawnParams) error {
	if len(s.Command) > 0 {
		switch {
		case len(s.Argv)+len(s.Args) > 0:
			return noun.Bad("command", "give command, or argv and args, not both")
		case len(t.Argv) == 0 && f.can(t).Command:
			s.Argv = s.Command
		default:
			s.Args = s.Command
		}
		s.Command = nil
	}
	if s.DefaultCwd != "" && s.Cwd == "" && t.Cwd == "" && f.can(t).Folder && cmp.Or(s.Folder, policyOf(t).Mode) != wire.FolderFresh {
		s.Cwd = s.DefaultCwd
	}
	s.DefaultCwd = ""
	return nil
}

// checkLaunch checks whether the kind can run the request.
func (f *Fleet) checkLaunch(t wire.AgentType, s *wire.SpawnParams, key string) error {
	can := f.can(t)
	switch {
	case !can.Script && s.Script != "":
		return noun.Bad("script", "type %q takes no script", t.Name)
	case !can.Command && len(s.Argv)+len(s.Args) > 0:
		return noun.Bad("argv", "type %q takes no command", t.Name)
	case can.Command && len(t.Argv) == 0 && len(s.Argv) == 0:
		return noun.Bad("argv", "type %q needs a command: give argv, one string an argument", t.Name)
	case can.Command && len(t.Argv) == 0 && s.Argv[0] == "":
		return noun.Bad("argv", "the command is empty")
	case can.Command && len(t.Argv) > 0 && len(s.Argv) > 0:
		return noun.Bad("argv", "type %q has its own command; give args to add arguments", t.Name)
	case s.TTY != nil && !can.Command:
		return noun.Bad("tty", "type %q runs no command, so that it has no terminal", t.Name)
	case s.TTY != nil && *s.TTY != wire.Size{} && !s.TTY.Valid():
		return noun.Bad("tty", "a terminal has 1 to %d columns and 1 to %d rows", wire.MaxCols, wire.MaxRows)
	case s.TTY != nil && t.Tasks == wire.TasksLines:
		return noun.Bad("tty", "agents of type %q are told of their tasks on standard input, in lines: they can't have a terminal", t.Name)
	case s.TTY != nil && s.NoInput:
		return noun.Bad("tty", "a terminal is standard input, too: give tty or no_input")
	}
	if kind := f.o.Kinds[t.Kind]; kind != nil {
		return kind.Check(runner.Launch{Argv: slices.Concat(t.Argv, s.Argv, s.Args), Script: cmp.Or(s.Script, t.Script), Model: t.Model, Key: key})
	}
	return nil
}

// admit checks a request and makes the records, all or none, within the caps of the type and the node.
func (f *Fleet) admit(by noun.Caller, s wire.SpawnParams, from origin) (*batch, error) {
	if s.Count == 0 {
		s.Count = 1
	}
	t, err := f.check(&s, from.join.Key)
	if err != nil {
		return nil, err
	}
	if err := f.o.Store.Room(); err != nil {
		return nil, err
	}
	to := f.folderOf(t, &s)
	own := writes(to, cmp.Or(s.Cwd, t.Cwd))
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, noun.ErrClosing
	}
	if why := f.closedForLocked(t.Name); why != "" {
		return nil, wire.Errorf(wire.CodeUnavailable, "%s: no agent is spawned until somebody opens it (skein admission open, or the page)", why).WithField("type")
	}
	if !s.Fork {
		if err := f.sessionFree(t, s.Session); err != nil {
			return nil, err
		}
	}
	if t.MaxInstances > 0 || f.o.Max > 0 {
		alive, all := f.census.count(t.Name)
		if t.MaxInstances > 0 && alive+s.Count > t.MaxInstances {
			return nil, wire.Errorf(wire.CodeExhausted, "type %q allows %d agents at once (max_instances): %d are alive and %d more were asked for",
				t.Name, t.MaxInstances, alive, s.Count).WithField("count")
		}
		if f.o.Max > 0 && all+s.Count > f.o.Max {
			return nil, wire.Errorf(wire.CodeExhausted, "this node allows %d agents at once (max_agents): %d are alive and %d more were asked for",
				f.o.Max, all, s.Count).WithField("count")
		}
	}
	if err := f.oneWriterLocked(own, s.Count); err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	b := &batch{wanted: wanted{t, s, by.Actor, from.join.Key}, agents: make([]*agent, s.Count)}
	for i := range b.agents {
		f.nextNum++
		rec := wire.Agent{
			ID: wire.AgentID(noun.NewID("a")), Num: f.nextNum, Name: name(t, s, i, f.nextNum), Type: t.Name, Kind: t.Kind, Node: f.o.Node,
			Generation: 1, Desired: wire.DesiredRun, Status: wire.StatusPending, CreatedAt: now,
			Argv: slices.Concat(t.Argv, s.Argv, s.Args), EnvNames: slices.Sorted(maps.Keys(s.Env)), Labels: merge(t.Labels, s.Labels),
			NoInput: s.NoInput || t.Stdin == wire.StdinNone, TTY: terminalOf(t, s, from), OnDemand: from.onDemand, ForTask: from.task, Request: by.Part(i),
			Capabilities: from.join.Capabilities, Concurrency: from.join.Concurrency,
		}
		rec.Folder, rec.Cwd = to, f.cwdOf(rec.ID, to, t, &s)
		a := newAgent(&f.core, rec)
		a.writes = own
		a.forTask = from.task
		a.takes, a.goesOn, a.forks, a.orNew = t.Tasks.Shared(), s.Session, s.Fork, from.again
		a.spec = &s
		b.agents[i] = a
		f.agents.add(a)
		f.census.born(rec.ID, t.Name)
		if rec.Request != "" {
			f.byRequest[rec.Request] = a
		}
		f.running.Add(1)
	}
	return b, nil
}

// terminalOf is the size of the terminal of an agent; nil: it has none. The process of a task has none: its input and its result go
// through pipes.
func terminalOf(t wire.AgentType, s wire.SpawnParams, from origin) *wire.Size {
	switch {
	case from.task != "":
		return nil
	case s.TTY != nil && *s.TTY != wire.Size{}:
		return s.TTY
	case s.TTY != nil, t.TTY:
		size := wire.DefaultSize
		return &size
	}
	return nil
}

func name(t wire.AgentType, s wire.SpawnParams, i int, num uint32) string {
	switch {
	case s.Name == "":
		return fmt.Sprintf("%s-%d", t.Name, num)
	case s.Count > 1:
		return fmt.Sprintf("%s-%d", s.Name, i+1)
	}
	return s.Name
}
