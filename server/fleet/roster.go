package fleet

import (
	"cmp"
	"slices"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// roster has agents by id, and in the order of their numbers.
type roster struct {
	byID  map[wire.AgentID]*agent
	byNum []*agent
}

func newRoster() roster { return roster{byID: map[wire.AgentID]*agent{}} }

func (r *roster) add(a *agent) {
	r.byID[a.id] = a
	r.byNum = slices.Insert(r.byNum, position(r.byNum, a.num), a)
}

func (r *roster) remove(a *agent) {
	delete(r.byID, a.id)
	from := position(r.byNum, a.num)
	if i := slices.Index(r.byNum[from:], a); i >= 0 {
		r.byNum = slices.Delete(r.byNum, from+i, from+i+1)
	}
}

// position is how many agents have a number less than one.
func position(all []*agent, num uint32) int {
	i, _ := slices.BinarySearchFunc(all, num, func(a *agent, num uint32) int { return cmp.Compare(a.num, num) })
	return i
}

// before is how many agents a page may have that starts after one with a number; 0: at the newest.
func before(all []*agent, num uint32) int {
	if num == 0 {
		return len(all)
	}
	return position(all, num)
}

// kept is what the last Forget left: how many more agents than are to be kept, because they could not be removed, and when the next one
// becomes too old.
type kept struct {
	over  int
	until time.Time
}
