package tasks

import (
	"cmp"
	"slices"

	"skein.dev/skein/webtransport/wire"
)

const (
	// MaxRelated bounds the tasks of Related, and MaxUnrelated those that it names besides.
	MaxRelated   = 60
	MaxUnrelated = 100
	// maxSought bounds the tasks that Related visits.
	maxSought = 1000
)

// Related is what tasks have to do with each other: one depends on another, or on one that does.
type Related struct {
	Tasks []wire.Task // at most MaxRelated, those nearest to the task in question; the oldest first, with the beginnings of their payloads
	Left  []wire.Task // the next, at most MaxUnrelated, the nearest first
	More  int         // how many more there are
	Least bool        // there may be still more
}

// tied notes what a task depends on. Who watches that learns of it. The caller holds mu.
func (ts *Tasks) tied(t *task) {
	for _, id := range t.rec.DependsOn {
		ts.needers[wire.TaskID(id)] = append(ts.needers[wire.TaskID(id)], t)
		if d := ts.all[wire.TaskID(id)]; d != nil {
			ts.touch(d)
		}
	}
}

// untied undoes tied for a task that is forgotten. The caller holds mu.
func (ts *Tasks) untied(t *task) {
	for _, id := range t.rec.DependsOn {
		all := ts.needers[wire.TaskID(id)]
		if i := slices.Index(all, t); i >= 0 {
			all = slices.Delete(all, i, i+1)
		}
		if ts.needers[wire.TaskID(id)] = all; len(all) == 0 {
			delete(ts.needers, wire.TaskID(id))
		}
	}
}

// Related returns the tasks that one depends on and those that depend on it, directly or not, and what these have to do with others; for
// a task with others below it, it returns those of these, too. There are none if the task is not known or nothing is tied to it.
func (ts *Tasks) Related(id wire.TaskID) (r Related) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.all[id]
	if t == nil {
		return r
	}
	found, more := ts.seek(ts.ends(t))
	near := found[:min(len(found), MaxRelated)]
	rest := found[len(near):]
	left := rest[:min(len(rest), MaxUnrelated)]
	for _, x := range near {
		r.Tasks = append(r.Tasks, preview(x.rec))
	}
	slices.SortFunc(r.Tasks, func(a, b wire.Task) int { return cmp.Compare(a.Num, b.Num) })
	for _, x := range left {
		r.Left = append(r.Left, preview(x.rec))
	}
	r.More, r.Least = len(rest)-len(left), more
	return r
}

// ends are the tasks at which the search for related ones begins: the task, and those below it, as far as any other is tied to them. The
// caller holds mu.
func (ts *Tasks) ends(t *task) []*task {
	return slices.DeleteFunc(tree(t), func(x *task) bool { return len(ts.needs(x))+len(ts.needers[x.id]) == 0 })
}

// needs are the tasks that one depends on, without those that were forgotten. The caller holds mu.
func (ts *Tasks) needs(t *task) (all []*task) {
	for _, id := range t.rec.DependsOn {
		if d := ts.all[wire.TaskID(id)]; d != nil {
			all = append(all, d)
		}
	}
	return all
}

// seek returns the tasks that are tied to some, these first, and the nearest before those farther away. more says that it stopped at
// maxSought. The caller holds mu.
func (ts *Tasks) seek(from []*task) (found []*task, more bool) {
	seen := map[*task]bool{}
	add := func(all []*task) {
		for _, x := range all {
			if len(found) == maxSought {
				more = more || !seen[x]
				return
			}
			if !seen[x] {
				seen[x] = true
				found = append(found, x)
			}
		}
	}
	add(from)
	for i := 0; i < len(found) && !more; i++ {
		add(ts.needs(found[i]))
		add(ts.needers[found[i].id])
	}
	return found, more
}
