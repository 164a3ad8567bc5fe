package tasks

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// This file says what tasks wait for. Where an agent in their way waits for a person's answer, it says that instead of "busy", and notes
// the agent in waitlist.asking.

// DefaultOnDemand is how many agents the scheduler starts at least for the tasks of a type without max_instances.
const DefaultOnDemand = 8

// held sets what the tasks that are for one agent wait for, which takes none now.
func (w *waitlist) held(a wire.Agent) {
	switch {
	case a.Activity == wire.ActivityRequiresAction:
		w.asking = []wire.AgentID{a.ID}
		w.why = a.Name + " waits for your answer"
	case a.Paused != nil:
		w.why = fmt.Sprintf("agent %s is paused", a.Name)
	default:
		w.why = fmt.Sprintf("agent %s is busy", a.Name)
	}
}

// asks notes agents in the way of the tasks that wait for a person's answer.
func (w *waitlist) asks(ids []wire.AgentID) {
	w.asking = append(w.asking, ids[:min(len(ids), wire.MaxAsking-len(w.asking))]...)
}

// doing says what n agents of a type are doing, of at most of: "2 of 3 coder wait for your answer, 1 busy".
func doing(typ string, n, of, asking, paused int) string {
	if asking == 0 {
		s := fmt.Sprintf("%d of %d %s busy", n, of, typ)
		if paused > 0 {
			s += fmt.Sprintf(", %d of them paused", paused)
		}
		return s
	}
	verb := "wait"
	if asking == 1 {
		verb = "waits"
	}
	parts := []string{fmt.Sprintf("%d of %d %s %s for your answer", asking, n, typ, verb)}
	if busy := n - asking - paused; busy > 0 {
		parts = append(parts, fmt.Sprintf("%d busy", busy))
	}
	if paused > 0 {
		parts = append(parts, fmt.Sprintf("%d paused", paused))
	}
	return strings.Join(parts, ", ")
}

// dialled says what the tasks of a list wait for that programs of a type could do that dial in; "": others could do them, too, and none
// of these is here. The caller holds mu.
func (ts *Tasks) dialled(at wire.AgentType, l *waitlist) string {
	n, here, away := l.need, 0, 0
	var asking []wire.AgentID
	askers := ts.fleet.Asking(at.Name)
	for _, w := range ts.workers {
		if w.typ.Name != at.Name || !w.offers(n) || w.off {
			continue
		}
		here++
		if w.held {
			away++
		} else if _, asks := slices.BinarySearch(askers, w.agent.ID); asks {
			asking = append(asking, w.agent.ID)
		}
	}
	switch {
	case here == 0 && n.typ == "" && !hasAll(ts.offered.all(), n.capabilities):
		return ""
	case here == 0 && n.capabilities != "":
		return fmt.Sprintf("no %s with %s has dialled in", at.Name, n.capabilities)
	case here == 0:
		return fmt.Sprintf("no %s has dialled in", at.Name)
	case here == away:
		return fmt.Sprintf("%d %s out of reach", away, at.Name)
	case len(asking) == 0:
		return fmt.Sprintf("%d %s busy", here-away, at.Name)
	}
	slices.Sort(asking)
	l.asks(asking)
	return doing(at.Name, here-away, here-away, len(asking), 0)
}

// room returns why no agent of a type may be started now, or "" if one may. The caller holds mu.
func (ts *Tasks) room(at wire.AgentType, w *waitlist) string {
	if wait := time.Until(w.paused); wait > 0 {
		return fmt.Sprintf("no %s could be started: %s", at.Name, w.pausedBy)
	}
	limit := at.MaxInstances
	if limit == 0 {
		limit = max(DefaultOnDemand, 2*runtime.NumCPU())
	}
	alive, all := ts.fleet.Alive(at.Name)
	switch {
	case alive >= limit:
		asking := ts.fleet.Asking(at.Name)
		w.asks(asking)
		return doing(at.Name, alive, limit, min(len(asking), alive), ts.paused(at.Name, asking))
	case ts.o.MaxAgents > 0 && all >= ts.o.MaxAgents:
		return ts.full(all, w)
	}
	return ts.fleet.Occupied(w.need.spawn(at))
}

// full says that there may be no more agents. The caller holds mu.
func (ts *Tasks) full(all int, w *waitlist) string {
	why := fmt.Sprintf("this node runs %d of %d agents", all, ts.o.MaxAgents)
	asking := ts.fleet.Asking("")
	w.asks(asking)
	switch len(asking) {
	case 0:
		return why
	case 1:
		return why + ", 1 waits for your answer"
	}
	return fmt.Sprintf("%s, %d wait for your answer", why, len(asking))
}

// paused counts the agents of a type that get no tasks for now, without those that ask. The caller holds mu.
func (ts *Tasks) paused(typ string, asking []wire.AgentID) (n int) {
	for id, w := range ts.workers {
		if _, asks := slices.BinarySearch(asking, id); w.typ.Name == typ && w.held && !asks {
			n++
		}
	}
	return n
}
