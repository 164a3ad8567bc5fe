package tasks

import (
	"slices"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// Halt cancels tasks with all tasks below them. It returns the agents that exist for one of them alone, which the caller
// stops.
func (ts *Tasks) Halt(by noun.Caller, ids []wire.TaskID) (agents []wire.AgentID, canceled []wire.TaskID, err error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, id := range ids {
		if ts.all[id] == nil {
			return nil, nil, noTask(id)
		}
	}
	for _, id := range ids {
		for _, t := range tree(ts.all[id]) {
			if a := t.run.leave(); a != "" {
				agents = append(agents, a)
			}
			if ts.cancel(t, "stopped by "+by.Actor) {
				canceled = append(canceled, t.id)
			}
		}
	}
	return agents, canceled, nil
}

// HaltWide cancels the tasks that the agents are working on, and those that wait for another attempt, of a type or, if typ is
// empty, all. The caller stops the agents.
func (ts *Tasks) HaltWide(by noun.Caller, typ string, agents []wire.AgentID) (canceled []wire.TaskID) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, t := range ts.all {
		retries := t.rec.State == wire.TaskSubmitted && t.rec.Attempt > 0 && (typ == "" || t.rec.Type == typ)
		works := t.run != nil && (t.run.agent == "" || slices.Contains(agents, t.run.agent))
		if works {
			t.run.leave()
		}
		if (retries || works) && ts.cancel(t, "stopped by "+by.Actor) {
			canceled = append(canceled, t.id)
		}
	}
	return canceled
}

// leave leaves the agent of an attempt that is being canceled to the caller of Halt or HaltWide, which stops it with its own
// grace and actor and reports on it. It returns "" if no agent exists for this attempt alone. The caller holds mu.
func (r *run) leave() wire.AgentID {
	if r == nil || r.w != nil || r.agent == "" {
		return ""
	}
	r.over = true
	return r.agent
}
