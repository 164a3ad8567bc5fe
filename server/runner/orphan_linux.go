package runner

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"skein.dev/skein/webtransport/wire"
)

// Orphan is a process that an earlier run of this server started and did not live to stop.
type Orphan struct {
	Agent    wire.AgentID
	Instance string
	Process  wire.Process
}

// FindOrphans finds what earlier runs left. Call it, and Reap, before the first Start: it cannot tell the agents of
// this run from those of an earlier one. A process is an orphan if
//
//   - it carries the marks of this instance in its environment, whatever its group;
//   - or it is the recorded leader of an agent in known: pid, start time and group all agree, and it has our user;
//   - or it is in a group that one of these belongs to, if that group was its agent's: a leader's own group, or
//     one recorded in known.
//
// A number alone proves nothing: a pid and a group that were given to somebody else since do not match. This process
// and its ancestors are never orphans, even when an agent started them.
func FindOrphans(instance string, known map[wire.AgentID]*wire.Process) ([]Orphan, error) {
	procs, err := scan(true)
	if err != nil {
		return nil, err
	}
	return orphansAmong(procs, instance, known), nil
}

func orphansAmong(procs []proc, instance string, known map[wire.AgentID]*wire.Process) []Orphan {
	spared := lineage(procs, os.Getpid())
	recorded := make(map[wire.Process]wire.AgentID, len(known))
	groupOf := make(map[wire.AgentID]int, len(known))
	for id, p := range known {
		if p != nil {
			recorded[*p] = id
			groupOf[id] = p.Group
		}
	}
	owner := make([]wire.AgentID, len(procs)) // by index in procs
	groups := map[int]wire.AgentID{}          // groups that are proven to be an agent's
	for i, p := range procs {
		id, isRecorded := recorded[p.Process]
		marked := instance != "" && p.instance == instance && p.agent != ""
		switch {
		case spared[p.PID]:
			continue
		case marked:
			id = p.agent
		case isRecorded && p.instance == "" && sameUser(p.PID):
		default:
			continue
		}
		if p.lives() {
			owner[i] = id
		}
		if p.PID == p.Group || groupOf[id] == p.Group { // even a zombie keeps its group's number from being given away
			groups[p.Group] = id
		}
	}
	var found []Orphan
	for i, p := range procs {
		if owner[i] == "" && p.lives() && !spared[p.PID] {
			owner[i] = groups[p.Group]
		}
		if owner[i] != "" {
			found = append(found, Orphan{owner[i], instance, p.Process})
		}
	}
	return found
}

// lineage is a process and its ancestors.
func lineage(procs []proc, pid int) map[int]bool {
	parent := make(map[int]int, len(procs))
	for _, p := range procs {
		parent[p.PID] = p.parent
	}
	line := map[int]bool{}
	for pid > 0 && !line[pid] {
		line[pid] = true
		pid = parent[pid]
	}
	return line
}

func sameUser(pid int) bool {
	var st unix.Stat_t
	return unix.Stat(procDir(pid), &st) == nil && int(st.Uid) == os.Geteuid()
}

// Reap ends orphans: SIGTERM, grace, SIGKILL, and a look whether they are gone, with what they started meanwhile. It
// returns those that are left, at the latest when ctx ends. It signals each process by itself, holding on to it while
// its start time is compared, so that it cannot hit another.
func Reap(ctx context.Context, orphans []Orphan, grace time.Duration) (leftovers []Orphan) {
	if len(orphans) == 0 {
		return nil
	}
	r := reaping{orphans: orphans, agents: map[Orphan]bool{}, owner: map[wire.Process]Orphan{}, told: map[wire.Process]bool{}}
	for _, o := range orphans {
		r.owner[o.Process] = o
		r.agents[Orphan{Agent: o.Agent, Instance: o.Instance}] = true
	}
	by := time.Now().Add(max(0, grace))
	_, left := hunt{
		find:     r.find,
		signal:   r.signal,
		deadline: func() time.Time { return by },
		pause:    func(d time.Duration) { pause(ctx, d) },
		over:     func() bool { return ctx.Err() != nil },
	}.run()
	for _, p := range left {
		leftovers = append(leftovers, r.owner[p.Process])
	}
	return leftovers
}

type reaping struct {
	orphans []Orphan
	agents  map[Orphan]bool         // their agents and instances, without a process
	owner   map[wire.Process]Orphan // them, and what carries the mark of one of their agents
	told    map[wire.Process]bool
}

func (r *reaping) find() (left []proc) {
	procs, err := scan(true)
	if err != nil { // what cannot be verified is not gone
		for _, o := range r.orphans {
			left = append(left, proc{Process: o.Process})
		}
		return left
	}
	spared := lineage(procs, os.Getpid())
	for _, p := range procs {
		if r.agents[Orphan{Agent: p.agent, Instance: p.instance}] {
			r.owner[p.Process] = Orphan{p.agent, p.instance, p.Process}
		}
		if _, ours := r.owner[p.Process]; ours && p.lives() && !spared[p.PID] {
			left = append(left, p)
		}
	}
	return left
}

func (r *reaping) signal(sig unix.Signal, found []proc) {
	for _, p := range found {
		tellOne(sig, p, r.told)
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
