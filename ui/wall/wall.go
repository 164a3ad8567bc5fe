// Package wall is the page that shows what many agents show, each in a cell of its own.
package wall

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"skein.dev/skein/ui/fleet"
	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// MaxCells is how many agents the page shows at most. static/app/wall/choice.js has the same.
const MaxCells = 200

// View is the page.
type View struct {
	frame.Frame
	Agents []wire.Agent
	Types  []wire.AgentType
	Filter Filter
}

// Filter is what the page shows: the filter of the fleet's page, or agents by their ids, and how large. It stands in the page's URL.
type Filter struct {
	fleet.FleetFilter
	Agents []wire.AgentID // in this order; none: all that the filter lets through, the oldest first
	Size   string         // a key of Sizes; "" is "medium"
}

// Size is how large the cells are.
type Size struct{ Key, Word string }

// Sizes are the sizes of cells, the smallest first.
var Sizes = []Size{{"small", "Small"}, {"medium", "Medium"}, {"large", "Large"}}

// ParseFilter reads the URL of the page. What it does not know it leaves out.
func ParseFilter(q url.Values) Filter {
	f := Filter{FleetFilter: fleet.ParseFleetFilter(q), Size: q.Get("size")}
	f.Sort = ""
	if !slices.ContainsFunc(Sizes, func(s Size) bool { return s.Key == f.Size && s.Key != "medium" }) {
		f.Size = ""
	}
	for id := range strings.SplitSeq(q.Get("agents"), ",") {
		id := wire.AgentID(strings.TrimSpace(id))
		if id != "" && len(id) <= maxID && len(f.Agents) < MaxCells && !slices.Contains(f.Agents, id) {
			f.Agents = append(f.Agents, id)
		}
	}
	return f
}

// maxID is more than the length of an agent's id.
const maxID = 40

// URL is the address of the page with this filter.
func (f Filter) URL() string {
	q := url.Values{}
	var ids []string
	for _, id := range f.Agents {
		ids = append(ids, string(id))
	}
	for k, v := range map[string]string{"q": f.Query, "type": f.Type, "label": f.Label, "node": f.Node, "state": f.State, "size": f.Size, "agents": strings.Join(ids, ",")} {
		if v != "" {
			q.Set(k, v)
		}
	}
	if len(q) == 0 {
		return "/wall"
	}
	return "/wall?" + q.Encode()
}

func (f Filter) withState(s string) Filter { f.State = s; return f }

func (f Filter) size() string {
	if f.Size == "" {
		return "medium"
	}
	return f.Size
}

func (f Filter) withSize(s string) Filter {
	if f.Size = s; s == "medium" {
		f.Size = ""
	}
	return f
}

// Match reports whether the page shows an agent: those that are alive, unless it is asked for a group or for agents by their ids.
func (f Filter) Match(a *wire.Agent) bool {
	switch {
	case len(f.Agents) > 0:
		if !slices.Contains(f.Agents, a.ID) {
			return false
		}
		if f.State == "" {
			return f.FleetFilter.Fits(a)
		}
	case f.State == "" && !a.Status.Alive():
		return false
	}
	return f.FleetFilter.Match(a)
}

// cells are the agents that have a cell, and how many match.
func (v View) cells() (shown []*wire.Agent, total int) {
	for i := range v.Agents {
		if a := &v.Agents[i]; v.Filter.Match(a) {
			shown = append(shown, a)
		}
	}
	slices.SortStableFunc(shown, v.Filter.order)
	return shown[:min(len(shown), MaxCells)], len(shown)
}

// order puts the oldest first, so that new ones come at the end, or keeps the order that was asked for.
func (f Filter) order(a, b *wire.Agent) int {
	if len(f.Agents) > 0 {
		return slices.Index(f.Agents, a.ID) - slices.Index(f.Agents, b.ID)
	}
	return -fleet.Newest(a, b)
}

// groups are the chips: the first is for those that are alive.
func (v View) groups() []fleet.Group {
	n := map[string]int{}
	for i := range v.Agents {
		a := &v.Agents[i]
		n[words.Group(a)]++
		if (Filter{}).Match(a) {
			n[""]++
		}
	}
	all := slices.Clone(fleet.Groups)
	all[0].Word = "Alive"
	for i := range all {
		all[i].Count = n[all[i].Key]
	}
	return all
}

// page is the frame of the page.
func (v View) page() frame.Page { return v.Frame.Page("Wall", "wall.js", "/wall", true) }

func (v View) fleet() fleet.FleetView {
	return fleet.FleetView{Agents: v.Agents, Types: v.Types, Filter: v.Filter.FleetFilter}
}

// summary says how many agents the page shows. static/app/wall/wall.js has the same.
func summary(shown []*wire.Agent) string {
	if len(shown) == 0 {
		return ""
	}
	s := words.Count(len(shown), "agent", "agents")
	needs := 0
	for _, a := range shown {
		if words.Need(a) == "question" {
			needs++
		}
	}
	if needs > 0 {
		s += ", " + words.NeedYou(needs)
	}
	return s
}

// cutText says that not all are shown.
func cutText(total int) string {
	return "The first " + strconv.Itoa(MaxCells) + " of " + strconv.Itoa(total) + ": filter for fewer."
}
