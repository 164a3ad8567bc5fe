package tasks

import (
	"cmp"
	"container/list"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// need is what a task requires of its agent. Tasks with the same need wait in one list, so that the scheduler checks each
// need and not each task.
type need struct {
	typ          string
	agent        wire.AgentID
	capabilities string // sorted, joined by a space
	cwd          string // of its process
	folder       wire.FolderMode
}

func needOf(s *wire.TaskSpec) need {
	return need{s.Type, s.Agent, strings.Join(s.Capabilities, " "), s.Cwd, s.Folder}
}

// placed reports whether it is for a folder, which only a process that begins for it can have.
func (n need) placed() bool { return n.cwd != "" || n.folder != "" }

// spawn is what the process of such a task is started with.
func (n need) spawn(t wire.AgentType) wire.SpawnParams {
	return wire.SpawnParams{Type: t.Name, Cwd: n.cwd, Folder: n.folder}
}

// among returns the agent types whose agents meet the need, or may, by name.
func (n need) among(types map[string]wire.AgentType) []wire.AgentType {
	var all []wire.AgentType
	for _, t := range types {
		if t.Tasks == wire.TasksNone || n.typ != "" && t.Name != n.typ || t.Kind != wire.KindRemote && !hasAll(t.Capabilities, n.capabilities) {
			continue
		}
		if n.placed() && t.Tasks != wire.TasksProcess {
			continue
		}
		if n.typ == "" && t.Tasks == wire.TasksProcess && len(t.Argv) == 0 {
			continue // a type such as shell can do nothing without a command
		}
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b wire.AgentType) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func hasAll(have []string, want string) bool {
	for _, c := range strings.Fields(want) {
		if !slices.Contains(have, c) {
			return false
		}
	}
	return true
}

// offered are the capabilities that programs had which have dialled in. A task that needs them waits for such a program.
type offered struct {
	mu   sync.Mutex
	seen map[string]bool
}

// maxOffered bounds the capabilities that are remembered.
const maxOffered = 1000

func (o *offered) add(capabilities []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range capabilities {
		if o.seen == nil {
			o.seen = map[string]bool{}
		}
		if len(o.seen) < maxOffered {
			o.seen[c] = true
		}
	}
}

func (o *offered) all() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Collect(maps.Keys(o.seen))
}

// fairTurn says that at every so many turns, the task that has waited longest goes first, whatever its priority. So tasks of
// low priority are slow while there are many of high priority, but they do not starve.
const fairTurn = 8

// waitlist holds the tasks of one need that could run now, oldest first in each priority.
type waitlist struct {
	need     need
	byPrio   [4]*list.List  // of *task
	why      string         // why they wait
	asking   []wire.AgentID // those in their way that wait for a person's answer
	turn     int
	paused   time.Time // no agent is started for the list before this time
	pausedBy string    // why
}

func (w *waitlist) len() (n int) {
	for _, l := range w.byPrio {
		n += l.Len()
	}
	return n
}

// next returns the task whose turn it is, or nil if none waits.
func (w *waitlist) next() *task {
	var first, oldest *task
	for _, l := range w.byPrio {
		if e := l.Front(); e != nil {
			t := e.Value.(*task)
			first = cmp.Or(first, t)
			if oldest == nil || t.rec.Num < oldest.rec.Num {
				oldest = t
			}
		}
	}
	if w.turn%fairTurn == fairTurn-1 {
		return oldest
	}
	return first
}

func (w *waitlist) remove(t *task) {
	l := w.byPrio[t.rec.Priority.Rank()]
	for e := l.Front(); e != nil; e = e.Next() {
		if e.Value == t {
			l.Remove(e)
			return
		}
	}
}

// insert puts a task after the older ones of its priority.
func (w *waitlist) insert(t *task) {
	l := w.byPrio[t.rec.Priority.Rank()]
	e := l.Back()
	for ; e != nil && e.Value.(*task).rec.Num > t.rec.Num; e = e.Prev() {
	}
	if e == nil {
		l.PushFront(t)
	} else {
		l.InsertAfter(t, e)
	}
}

// worker is an agent that takes tasks.
type worker struct {
	agent wire.Agent      // the record when it started
	can   []string        // its capabilities and those of its type
	ctx   context.Context // ends with its process; an agent that is restarted has another worker
	stop  context.CancelFunc
	typ   wire.AgentType
	runs  map[wire.TaskID]*run // guarded by Tasks.mu; a canceled attempt stays until the agent has acknowledged that
	since time.Time            // when the last of them ended
	off   bool                 // it is being stopped, or takes no more
	held  bool                 // it can't be reached now
}

// free reports whether an agent can be given a task. That is not so while the agent has yet to acknowledge the cancellation
// of an earlier attempt at the same task, because its answer to that would be taken for one to the new attempt.
func (w *worker) free(t *task) bool {
	return !w.off && !w.held && len(w.runs) < max(1, cmp.Or(w.agent.Concurrency, w.typ.MaxTasks)) && w.runs[t.id] == nil
}

// offers reports whether an agent has all that a need requires of it.
func (w *worker) offers(n need) bool {
	return (n.typ == "" || n.typ == w.typ.Name) && (n.agent == "" || n.agent == w.agent.ID) && hasAll(w.can, n.capabilities)
}

// before orders workers, the least loaded first.
func (w *worker) before(o *worker) bool {
	if len(w.runs) != len(o.runs) {
		return len(w.runs) < len(o.runs)
	}
	return w.agent.Num < o.agent.Num
}
