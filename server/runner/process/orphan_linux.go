package process

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"skein.dev/skein/webtransport/wire"
)

// Orphan is a process that an earlier run of this server started and did not stop.
type Orphan struct {
	Agent    wire.AgentID
	Instance string
	Process  wire.Process
}

// FindOrphans finds what earlier runs left. It and Reap must be called before the first Start, because they can't tell the
// agents of this run from those of an earlier one. A process is an orphan if
//
//   - it is in a cgroup of an agent of this instance;
//   - or it has a mark of this instance, in its environment or as a limit, whatever its group is;
//   - or it is the recorded leader of an agent in known: pid, start time and group agree, it has our user, and no mark
//     of another instance;
//   - or it is in the group of one of these, if that group was its agent's: a leader's own group, or
//     one recorded in known;
//   - or it descends from one of these.
//
// A pid or group alone proves nothing, because it may have been reused since. This process
// and its ancestors are never orphans, even if an agent started them.
func (r *Kind) FindOrphans(known map[wire.AgentID]*wire.Process) ([]Orphan, error) {
	inside := map[int]wire.AgentID{}
	for agent, groups := range r.cgroups.left() {
		for _, g := range groups {
			pids, err := g.pids()
			if err != nil {
				return nil, fmt.Errorf("read the cgroup %s: %w", g.dir, err)
			}
			for _, pid := range pids {
				inside[pid] = agent
			}
			if len(pids) == 0 {
				g.remove()
			}
		}
	}
	all, err := scan(true)
	if err != nil {
		return nil, err
	}
	return orphansAmong(all, r.instance, known, inside), nil
}

func orphansAmong(all *table, instance string, known map[wire.AgentID]*wire.Process, inside map[int]wire.AgentID) []Orphan {
	procs := all.procs
	spared := lineage(procs, os.Getpid())
	recorded := make(map[wire.Process]wire.AgentID, len(known))
	groupOf := make(map[wire.AgentID]int, len(known))
	marks := make(map[limitMark]wire.AgentID, len(known))
	for id, p := range known {
		marks[markOf(instance, id)] = id
		if p != nil {
			recorded[*p] = id
			groupOf[id] = p.Group
		}
	}
	owner := map[int]wire.AgentID{}  // by pid
	groups := map[int]wire.AgentID{} // groups that are known to be an agent's
	for i := range procs {
		p := &procs[i]
		id, isRecorded := recorded[p.Process]
		switch agent, isInside := inside[p.PID]; {
		case spared[p.PID]:
			continue
		case isInside:
			id = agent
		case instance != "" && p.instance == instance && p.agent != "":
			id = p.agent
		case instance != "" && p.mark.of(instance):
			id = marks[p.mark] // "" if the agent is no longer known
		case isRecorded && p.instance == "" && p.mark == 0 && sameUser(p.PID):
		default:
			continue
		}
		owner[p.PID] = id
		if p.PID == p.Group || groupOf[id] == p.Group { // even a zombie keeps the number of its group from being reused
			groups[p.Group] = id
		}
	}
	var found []Orphan
	for _, p := range all.kin(func(p *proc) bool {
		_, ok := owner[p.PID]
		if id, inGroup := groups[p.Group]; !ok && inGroup {
			owner[p.PID], ok = id, true
		}
		return ok
	}, func(p *proc) bool { return spared[p.PID] }) {
		if _, ok := owner[p.PID]; !ok { // parents precede their children
			owner[p.PID] = owner[p.parent]
		}
		if p.lives() {
			found = append(found, Orphan{owner[p.PID], instance, p.Process})
		}
	}
	return found
}

// lineage returns a process and its ancestors.
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

// Reap ends orphans: SIGTERM, grace, SIGKILL, and a scan that verifies that they are gone together with what they have
// started in the meantime. It returns those that are left, at the latest when ctx ends. It signals each process on its
// own through a pidfd after comparing its start time, so that it can't hit another one. SIGKILL also goes to the cgroups
// of their agents, unless this process or an ancestor is in one.
func (r *Kind) Reap(ctx context.Context, orphans []Orphan, grace time.Duration) (left []Orphan) {
	if len(orphans) == 0 {
		return nil
	}
	reap := newReaping(orphans, r.cgroups.left())
	by := time.Now().Add(max(0, grace))
	_, found := hunt{
		find:     reap.find,
		signal:   reap.signal,
		deadline: func() time.Time { return by },
		pause:    func(d time.Duration) { pause(ctx, d) },
		over:     func() bool { return ctx.Err() != nil },
	}.run()
	for _, p := range found {
		left = append(left, reap.owner[p.Process])
	}
	for g := range reap.cgroups {
		g.remove() // fails if a process is alive in it
	}
	return left
}

// ReapLeftovers ends what an earlier stop of an agent could not end, and returns what is still there. The agent must not
// be running.
func (r *Kind) ReapLeftovers(ctx context.Context, agent wire.AgentID, before []wire.Leftover, grace time.Duration) []wire.Leftover {
	orphans := make([]Orphan, len(before))
	for i, l := range before {
		orphans[i] = Orphan{agent, r.instance, l.Process}
	}
	var left []wire.Leftover
	for _, o := range r.Reap(ctx, orphans, grace) {
		left = append(left, leftover(o.Process))
	}
	for _, l := range before {
		bury(l.Process)
	}
	return left
}

// bury reaps a leader that ended only after its agent was given up.
func bury(id wire.Process) {
	if p, err := readProc(id.PID); err == nil && p.Process == id && p.parent == os.Getpid() && !p.lives() {
		unix.Wait4(id.PID, nil, unix.WNOHANG, nil)
	}
}

// Leftover returns what a person needs to know to end an orphan.
func (o Orphan) Leftover() wire.Leftover { return leftover(o.Process) }

type reaping struct {
	orphans []Orphan
	agents  map[Orphan]bool         // the agents and instances of the orphans, without a process
	marks   map[limitMark]Orphan    // the same by their marks
	owner   map[wire.Process]Orphan // the orphans, and processes with a mark of one of their agents or in its cgroup
	cgroups map[*cgroup]bool        // of their agents
	told    map[wire.Process]bool
	spared  map[int]bool // this process and its ancestors at the last scan
}

func newReaping(orphans []Orphan, cgroups map[wire.AgentID][]*cgroup) *reaping {
	r := &reaping{orphans: orphans, agents: map[Orphan]bool{}, marks: map[limitMark]Orphan{}, owner: map[wire.Process]Orphan{},
		cgroups: map[*cgroup]bool{}, told: map[wire.Process]bool{}}
	for _, o := range orphans {
		whose := Orphan{Agent: o.Agent, Instance: o.Instance}
		r.owner[o.Process] = o
		if r.agents[whose] {
			continue
		}
		r.agents[whose] = true
		if o.Agent != "" {
			r.marks[markOf(o.Instance, o.Agent)] = whose
		}
		for _, g := range cgroups[o.Agent] {
			r.cgroups[g] = true
		}
	}
	return r
}

func (r *reaping) find() (left []proc) {
	var inside map[int]wire.AgentID
	all, err := scan(true)
	if err == nil { // after the scan, so that a pid that was reused since does not match a process in the table
		inside, err = r.inside()
	}
	if err != nil {
		return r.unverified()
	}
	r.spared = lineage(all.procs, os.Getpid())
	found := all.kin(func(p *proc) bool { return r.ours(p, inside) }, func(p *proc) bool { return r.spared[p.PID] })
	byPID := map[int]Orphan{}
	for _, p := range found {
		o, ok := r.owner[p.Process]
		if !ok { // parents precede their children
			o = Orphan{byPID[p.parent].Agent, byPID[p.parent].Instance, p.Process}
			r.owner[p.Process] = o
		}
		byPID[p.PID] = o
	}
	if left = living(found); len(left) == 0 && r.holds() { // something was started after the scan
		return r.unverified()
	}
	return left
}

// unverified returns what is not known to be gone.
func (r *reaping) unverified() (left []proc) {
	for _, o := range r.orphans {
		left = append(left, proc{Process: o.Process})
	}
	return left
}

// holds reports whether a process is alive in a cgroup that is to be emptied.
func (r *reaping) holds() bool {
	for g := range r.cgroups {
		if r.mayKill(g) && g.holds() {
			return true
		}
	}
	return false
}

// ours reports whether a process is an orphan or belongs to the agent of one, and records whose it is.
func (r *reaping) ours(p *proc, inside map[int]wire.AgentID) bool {
	if _, ok := r.owner[p.Process]; ok {
		return true
	}
	whose := Orphan{Agent: p.agent, Instance: p.instance}
	switch agent, isInside := inside[p.PID]; {
	case r.agents[whose]:
	case isInside:
		whose = Orphan{Agent: agent, Instance: r.orphans[0].Instance}
	case r.marks[p.mark] != Orphan{}:
		whose = r.marks[p.mark]
	default:
		return false
	}
	r.owner[p.Process] = Orphan{whose.Agent, whose.Instance, p.Process}
	return true
}

// inside returns the processes in the cgroups of the orphans' agents.
func (r *reaping) inside() (map[int]wire.AgentID, error) {
	inside := map[int]wire.AgentID{}
	for g := range r.cgroups {
		pids, err := g.pids()
		if err != nil {
			return nil, err
		}
		agent, _, _ := strings.Cut(filepath.Base(g.dir), ".")
		for _, pid := range pids {
			inside[pid] = wire.AgentID(agent)
		}
	}
	return inside, nil
}

func (r *reaping) signal(sig unix.Signal, found []proc) {
	if sig == unix.SIGKILL {
		for g := range r.cgroups {
			if r.mayKill(g) {
				g.kill() // the signals below do the same, one by one
			}
		}
	}
	for _, p := range found {
		tellOne(sig, p, r.told)
	}
}

// mayKill reports whether a cgroup has no spared process.
func (r *reaping) mayKill(g *cgroup) bool {
	pids, err := g.pids()
	return err == nil && r.spared != nil && !slices.ContainsFunc(pids, func(pid int) bool { return r.spared[pid] })
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
