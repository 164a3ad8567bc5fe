package control

import (
	"context"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// scheduler is the actor of what is done for tasks.
const scheduler = "scheduler"

// crew is the agents, for tasks.
type crew struct{ p *Plane }

func (c crew) Agent(id wire.AgentID) (wire.Agent, error) { return c.p.Get(id) }
func (c crew) Alive(typ string) (of, all int)            { return c.p.alive(typ) }
func (c crew) Closed(typ string) (why string)            { return c.p.closedFor(typ) }
func (c crew) Works(id wire.AgentID, on []wire.TaskID) {
	c.update(id, func(rec *wire.Agent) { rec.Tasks = on })
}
func (c crew) Did(id wire.AgentID) { c.update(id, func(rec *wire.Agent) { rec.Done++ }) }

func (c crew) update(id wire.AgentID, f func(rec *wire.Agent)) {
	if a, err := c.p.agent(id); err == nil {
		a.update(true, f)
	}
}

func (c crew) Admit(s wire.SpawnParams, task wire.TaskID) (wire.Agent, func() error, error) {
	b, err := c.p.admit(noun.Caller{Actor: scheduler}, s, origin{onDemand: true, task: task})
	if err != nil {
		return wire.Agent{}, nil, err
	}
	return b.agents[0].record(), func() error {
		_, err := c.p.startAll(context.Background(), b)
		return err
	}, nil
}

func (c crew) Stop(id wire.AgentID) {
	if a, err := c.p.agent(id); err == nil && a.record().Desired != wire.DesiredStop {
		c.p.running.Go(func() { a.halt(scheduler, nil) })
	}
}

func (c crew) Asks(id wire.AgentID, question func() string) {
	if a, err := c.p.agent(id); err == nil {
		a.asksMu.Lock()
		defer a.asksMu.Unlock()
		a.asksFor(question())
	}
}

func (c crew) Tell(id wire.AgentID, actor string, data wire.EventData) {
	if a, err := c.p.agent(id); err == nil {
		a.event(wire.EventTask, actor, data)
	}
}

func (c crew) Deliver(ctx context.Context, id wire.AgentID, t *wire.Task) error {
	return c.send(ctx, id, lineRun(t))
}

func (c crew) Cancel(ctx context.Context, id wire.AgentID, task wire.TaskID) error {
	return c.send(ctx, id, lineCancel(task))
}

func (c crew) send(ctx context.Context, id wire.AgentID, line []byte) error {
	a, err := c.p.agent(id)
	if err != nil {
		return err
	}
	return a.send(ctx, line)
}

func (c crew) Feed(id wire.AgentID, input []byte) {
	a, err := c.p.agent(id)
	if err != nil {
		return
	}
	a.mu.Lock()
	run, none := a.running, a.rec.NoInput
	a.mu.Unlock()
	if run != nil && !none { // else it ended already
		run.Input(c.p.ctx, input, true)
	}
}
