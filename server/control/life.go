package control

import "skein.dev/skein/webtransport/wire"

// life tells artifacts of agents and tasks.
type life struct{ p *Plane }

func (l life) HasAgent(id wire.AgentID) bool {
	_, err := l.p.agent(id)
	return err == nil
}

func (l life) HasTask(id wire.TaskID) bool {
	_, err := l.p.Tasks.Get(id)
	return err == nil
}

func (l life) WorkOf(id wire.AgentID) (ended bool, tasks []wire.TaskID) {
	a, err := l.p.agent(id)
	if err != nil {
		return true, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if tasks = a.rec.Tasks; a.rec.ForTask != "" {
		tasks = []wire.TaskID{a.rec.ForTask}
	}
	return !a.rec.Status.Alive(), tasks
}
