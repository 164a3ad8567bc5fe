package fleet

import (
	"cmp"
	"context"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// scheduler is the actor of everything that is done for tasks.
const scheduler = "scheduler"

// Crew is the fleet as the tasks see it: agents by id, with the tasks that they work on.
type Crew struct{ f *Fleet }

// Crew returns the fleet for the tasks.
func (f *Fleet) Crew() Crew { return Crew{f} }

func (c Crew) Agent(id wire.AgentID) (wire.Agent, error) { return c.f.Get(id) }
func (c Crew) Alive(typ string) (of, all int)            { return c.f.census.count(typ) }
func (c Crew) Asking(typ string) []wire.AgentID          { return c.f.census.askers(typ) }
func (c Crew) Closed(typ string) (why string)            { return c.f.closedFor(typ) }
func (c Crew) Works(id wire.AgentID, on []wire.TaskID) {
	c.update(id, func(rec *wire.Agent) { rec.Tasks = on })
}
func (c Crew) Did(id wire.AgentID) { c.update(id, func(rec *wire.Agent) { rec.Done++ }) }

// Occupied says why no agent can be started where the request or its type says: another one works there. "": one can.
func (c Crew) Occupied(s wire.SpawnParams) string {
	t := c.f.o.Types[s.Type]
	dir := writes(c.f.folderOf(t, &s), cmp.Or(s.Cwd, t.Cwd))
	if dir == "" {
		return ""
	}
	c.f.mu.RLock()
	defer c.f.mu.RUnlock()
	if err := c.f.oneWriterLocked(dir, 1); err != nil {
		return wire.AsError(err).Message
	}
	return ""
}

// CheckFolder refuses a request for a folder that agents of its type can't have.
func (c Crew) CheckFolder(s wire.SpawnParams) error { return c.f.checkFolder(c.f.o.Types[s.Type], &s) }

func (c Crew) update(id wire.AgentID, f func(rec *wire.Agent)) {
	if a, err := c.f.agent(id); err == nil {
		a.update(true, f)
	}
}

func (c Crew) Admit(s wire.SpawnParams, task wire.TaskID) (wire.Agent, func() error, error) {
	b, err := c.f.admit(noun.Caller{Actor: scheduler}, s, origin{onDemand: true, task: task})
	if err != nil {
		return wire.Agent{}, nil, err
	}
	return b.agents[0].record(), func() error {
		_, err := c.f.startAll(context.Background(), b)
		return err
	}, nil
}

func (c Crew) Stop(id wire.AgentID) {
	if a, err := c.f.agent(id); err == nil && a.record().Desired != wire.DesiredStop {
		c.f.running.Go(func() { a.halt(scheduler, nil) })
	}
}

func (c Crew) Asks(id wire.AgentID, question func() string) {
	if a, err := c.f.agent(id); err == nil {
		a.asksMu.Lock()
		defer a.asksMu.Unlock()
		text := question()
		a.mu.Lock()
		a.forTasks = text
		a.mu.Unlock()
		a.showWhatItAsks()
	}
}

func (c Crew) Tell(id wire.AgentID, actor string, data wire.EventData) {
	if a, err := c.f.agent(id); err == nil {
		a.event(wire.EventTask, actor, data)
	}
}

func (c Crew) Deliver(ctx context.Context, id wire.AgentID, t *wire.Task) error {
	d, err := c.doer(ctx, id)
	if err != nil {
		return err
	}
	return d.Deliver(ctx, t)
}

func (c Crew) Cancel(ctx context.Context, id wire.AgentID, task wire.TaskID) error {
	d, err := c.doer(ctx, id)
	if err != nil {
		return err
	}
	return d.Cancel(ctx, task)
}

// doer returns the agent's process, unless ctx has ended, which may belong to an earlier process.
func (c Crew) doer(ctx context.Context, id wire.AgentID) (runner.Doer, error) {
	a, err := c.f.agent(id)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	run := a.running
	a.mu.Unlock()
	if run == nil || ctx.Err() != nil {
		return nil, wire.Errorf(wire.CodePrecondition, "the agent does not run")
	}
	d, ok := runner.As[runner.Doer](run)
	if !ok {
		return nil, wire.Errorf(wire.CodePrecondition, "agents of its kind take no tasks while they run")
	}
	return d, nil
}

func (c Crew) Feed(id wire.AgentID, input []byte) {
	a, err := c.f.agent(id)
	if err != nil {
		return
	}
	a.mu.Lock()
	run, none := a.running, a.rec.NoInput
	a.mu.Unlock()
	if to, ok := runner.As[runner.Inputter](run); ok && !none { // otherwise it has ended already
		to.Input(c.f.ctx, input, true)
	}
}

// Living returns the agents of a type that are alive; "": of all types.
func (f *Fleet) Living(typ string) (all []wire.Agent) {
	for _, a := range f.living() {
		if typ == "" || typ == a.typ {
			all = append(all, a.record())
		}
	}
	return all
}

// Say adds a line to the log of an agent.
func (f *Fleet) Say(id wire.AgentID, actor, text string) {
	if a, err := f.agent(id); err == nil {
		a.event(wire.EventHealth, actor, wire.EventData{Text: noun.Clip(text)})
	}
}

// Note adds a request for permission to the log of its agent, when it begins and when it ends.
func (f *Fleet) Note(ask wire.Ask) {
	a, err := f.agent(ask.Agent)
	if err != nil {
		return
	}
	t, actor := wire.EventAsk, ""
	if ask.State != wire.AskPending {
		t = wire.EventAnswer
	}
	if ask.Answer != nil {
		actor = ask.Answer.By
	}
	a.event(t, actor, wire.EventData{Ask: &ask})
}
