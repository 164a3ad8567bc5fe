package tasks

import (
	"slices"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// Halt cancels tasks with all below them, and names the agents that exist for one of them: the caller stops those.
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

// HaltWide cancels what agents have in work, and what waits for another attempt: of a type, or, without one, all. The
// caller stops the agents.
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

// leave leaves the agent of a run that is to be canceled to whoever asked: he stops it, within his grace and in his name,
// and reports on it. "": the run has no agent of its own. The caller holds mu.
func (r *run) leave() wire.AgentID {
	if r == nil || r.w != nil || r.agent == "" {
		return ""
	}
	r.over = true
	return r.agent
}
