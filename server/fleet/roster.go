package fleet

import (
	"cmp"
	"slices"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// roster has agents by id, and in the order of their numbers, which are greater than 0 and of which no two are the same.
type roster struct {
	byID  map[wire.AgentID]*agent
	byNum []*agent
}

func newRoster() roster { return roster{byID: map[wire.AgentID]*agent{}} }

func (r *roster) add(a *agent) {
	r.byID[a.id] = a
	r.byNum = slices.Insert(r.byNum, before(r.byNum, a.num), a)
}

func (r *roster) remove(a *agent) {
	if r.byID[a.id] == nil {
		return
	}
	delete(r.byID, a.id)
	i := before(r.byNum, a.num)
	r.byNum = slices.Delete(r.byNum, i, i+1)
}

// before is how many agents have a number less than one; 0 stands for one greater than all.
func before(all []*agent, num uint32) int {
	if num == 0 {
		return len(all)
	}
	i, _ := slices.BinarySearchFunc(all, num, func(a *agent, num uint32) int { return cmp.Compare(a.num, num) })
	return i
}

// kept is what the last Forget left: how many more agents than are to be kept, because they could not be removed, and when the next one
// becomes too old.
type kept struct {
	over  int
	until time.Time
}
