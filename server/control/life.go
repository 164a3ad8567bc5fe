package control

import "skein.dev/skein/webtransport/wire"

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
