package control

import (
	"context"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// life tells the artifacts about the life of agents and tasks.
type life struct{ p *Plane }

func (l life) HasAgent(id wire.AgentID) bool {
	_, err := l.p.Get(id)
	return err == nil
}

func (l life) HasTask(id wire.TaskID) bool {
	_, err := l.p.Tasks.Get(id)
	return err == nil
}

func (l life) WorkOf(id wire.AgentID) (ended bool, tasks []wire.TaskID) {
	a, err := l.p.Get(id)
	if err != nil {
		return true, nil
	}
	if tasks = a.Tasks; a.ForTask != "" {
		tasks = []wire.TaskID{a.ForTask}
	}
	return !a.Status.Alive(), tasks
}

// purse lets budgets act on agents.
type purse struct{ p *Plane }

func (b purse) Living(typ string) []wire.Agent          { return b.p.Fleet.Living(typ) }
func (b purse) Say(id wire.AgentID, actor, text string) { b.p.Fleet.Say(id, actor, text) }
func (b purse) Pause(id wire.AgentID, actor, reason string) {
	b.p.Fleet.Pause(b.p.ctx, noun.Caller{Actor: actor}, wire.PauseParams{IDs: []wire.AgentID{id}, Reason: wire.Cut(reason, 200)})
}
func (b purse) Resume(id wire.AgentID, actor string) {
	b.p.Fleet.Resume(b.p.ctx, noun.Caller{Actor: actor}, wire.ResumeParams{IDs: []wire.AgentID{id}})
}
func (b purse) Stop(id wire.AgentID, actor string) {
	b.p.Fleet.Stop(context.WithoutCancel(b.p.ctx), noun.Caller{Actor: actor}, wire.StopParams{IDs: []wire.AgentID{id}})
}
