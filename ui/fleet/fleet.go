// Package fleet is the page of all agents. A component is a function of data; what it shows of an agent is wire.Agent itself. The
// first render and the live update use one component.
package fleet

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"

	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// FleetView is the page of all agents.
type FleetView struct {
	Agents  []wire.Agent
	Types   []wire.AgentType
	Start   Start // what an empty fleet offers beside demos
	Filter  FleetFilter
	Node    wire.NodeID
	Version string
	Epoch   string
	Now     time.Time
	Assets  frame.Assets
	Theme   string // from Theme; "" follows the system

	Admission wire.Admission
	Waiting   frame.Waiting
}

// FleetFilter is what the fleet page shows, and in which order. It stands in the page's URL.
type FleetFilter struct {
	Query string // a part of name, id, type, argv or last line
	Type  string
	State string // a Group's Key; "" for all
	Sort  string // a key of sorts; "-" before it turns it round; "" is "age"
}

// ParseFleetFilter reads the URL of a fleet page. What it does not know it leaves out.
func ParseFleetFilter(q url.Values) FleetFilter {
	f := FleetFilter{Query: strings.TrimSpace(q.Get("q")), Type: q.Get("type"), State: q.Get("state"), Sort: q.Get("sort")}
	if !slices.ContainsFunc(Groups, func(g Group) bool { return g.Key == f.State }) {
		f.State = ""
	}
	if !slices.ContainsFunc(sorts, func(s sortKey) bool { return s.key == strings.TrimPrefix(f.Sort, "-") }) {
		f.Sort = ""
	}
	return f
}

// URL is the address of the fleet page with this filter.
func (f FleetFilter) URL() string {
	q := url.Values{}
	for k, v := range map[string]string{"q": f.Query, "type": f.Type, "state": f.State, "sort": f.Sort} {
		if v != "" {
			q.Set(k, v)
		}
	}
	if len(q) == 0 {
		return "/"
	}
	return "/?" + q.Encode()
}

func (f FleetFilter) withState(s string) FleetFilter { f.State = s; return f }

// withSort asks for an order, or, when it holds already, for its reverse.
func (f FleetFilter) withSort(key string) FleetFilter {
	if f.sort() == key {
		key = "-" + key
	}
	f.Sort = key
	return f
}

func (f FleetFilter) sort() string { return cmp.Or(f.Sort, "age") }

// Active reports whether the filter leaves anything out.
func (f FleetFilter) Active() bool { return f.Query != "" || f.Type != "" || f.State != "" }

// Match reports whether the page shows the agent.
func (f FleetFilter) Match(a *wire.Agent) bool {
	if f.Type != "" && a.Type != f.Type {
		return false
	}
	if f.State == "needs" && words.Need(a) == "" || f.State != "" && f.State != "needs" && GroupOf(a) != f.State {
		return false
	}
	if f.Query == "" {
		return true
	}
	text := strings.ToLower(strings.Join([]string{a.Name, string(a.ID), a.Type, strings.Join(a.Argv, " "), a.LastLine}, "\n"))
	return strings.Contains(text, strings.ToLower(f.Query))
}

// Group is a filter chip: agents in states that belong together for a person.
type Group struct {
	Key, Word string
	Always    bool // shown even when no agent is in it
	Count     int
}

var Groups = []Group{
	{Key: "", Word: "All", Always: true},
	{Key: "needs", Word: words.NeedsYou, Always: true},
	{Key: "running", Word: words.StateWord("running"), Always: true},
	{Key: "starting", Word: words.StateWord("starting")},
	{Key: "stopping", Word: words.StateWord("stopping")},
	{Key: "completed", Word: words.StateWord("completed")},
	{Key: "failed", Word: words.StateWord("failed")},
	{Key: "stopped", Word: words.StateWord("stopped")},
	{Key: "unreachable", Word: "Unreachable"},
}

// GroupOf is the key of the group that an agent's state belongs to.
func GroupOf(a *wire.Agent) string {
	switch s := words.State(a); s {
	case "pending", "starting":
		return "starting"
	case "unknown", "lost":
		return "unreachable"
	case "exited":
		return "stopped"
	default:
		return s
	}
}

// counts fills the groups in. The agents that need a person are counted in their own group too.
func counts(agents []wire.Agent) []Group {
	n := map[string]int{"": len(agents)}
	for i := range agents {
		n[GroupOf(&agents[i])]++
		if words.Need(&agents[i]) != "" {
			n["needs"]++
		}
	}
	out := slices.Clone(Groups)
	for i := range out {
		out[i].Count = n[out[i].Key]
	}
	return out
}

// sortKey is an order of the list. less gives the natural direction: what a person looks for comes first.
type sortKey struct {
	key, word string
	rising    bool // the natural direction is ascending
	compare   func(a, b *wire.Agent) int
}

var sorts = []sortKey{
	{"age", "Newest", true, func(a, b *wire.Agent) int { return b.CreatedAt.Compare(a.CreatedAt) }},
	{"name", "Name", true, func(a, b *wire.Agent) int { return natural(strings.ToLower(a.Name), strings.ToLower(b.Name)) }},
	{"type", "Type", true, func(a, b *wire.Agent) int { return strings.Compare(a.Type, b.Type) }},
	{"status", "Status", true, func(a, b *wire.Agent) int { return stateRank(a) - stateRank(b) }},
	{"cpu", "CPU", false, func(a, b *wire.Agent) int { return cmp.Compare(b.Usage.CPU, a.Usage.CPU) }},
	{"memory", "Memory", false, func(a, b *wire.Agent) int { return cmp.Compare(b.Usage.RSS, a.Usage.RSS) }},
}

// StateOrder is the order of the list by status.
var StateOrder = []string{"running", "starting", "pending", "stopping", "unknown", "lost", "failed", "stopped", "completed", "exited"}

func stateRank(a *wire.Agent) int { return slices.Index(StateOrder, words.State(a)) }

var needOrder = []string{"question", "leftovers", "unreachable", "loop", "suspended", "stalled", "failed"}

// natural compares text with its numbers as numbers: demo-2 stands before demo-10.
func natural(a, b string) int {
	for a != "" && b != "" {
		da, db := digits(a), digits(b)
		if da > 0 && db > 0 {
			na, nb := strings.TrimLeft(a[:da], "0"), strings.TrimLeft(b[:db], "0")
			if c := cmp.Or(cmp.Compare(len(na), len(nb)), strings.Compare(na, nb)); c != 0 {
				return c
			}
			a, b = a[da:], b[db:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// arrange gives the agents that the filter lets through: first those that need a person, the most urgent first, then
// the rest in the filter's order.
func (v FleetView) arrange() (needs, rest []*wire.Agent) {
	for i := range v.Agents {
		a := &v.Agents[i]
		switch {
		case !v.Filter.Match(a):
		case words.Need(a) != "":
			needs = append(needs, a)
		default:
			rest = append(rest, a)
		}
	}
	slices.SortStableFunc(needs, func(a, b *wire.Agent) int {
		return cmp.Or(slices.Index(needOrder, words.Need(a))-slices.Index(needOrder, words.Need(b)), newest(a, b))
	})
	key, reverse := strings.CutPrefix(v.Filter.sort(), "-")
	order := sorts[slices.IndexFunc(sorts, func(s sortKey) bool { return s.key == key })].compare
	slices.SortStableFunc(rest, func(a, b *wire.Agent) int {
		c := order(a, b)
		if reverse {
			c = -c
		}
		return cmp.Or(c, newest(a, b))
	})
	return needs, rest
}

// newest puts the agent that was spawned last first; those of one batch have one time.
func newest(a, b *wire.Agent) int {
	return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.Num, a.Num), strings.Compare(string(a.ID), string(b.ID)))
}

// MaxFolded is how many agents that need a person the page shows before it folds the others.
const MaxFolded = 6

// open is how many of the agents that need a person are shown: a page of one state was asked for, and folds none.
func (v FleetView) open(needs int) int {
	if v.Filter.State != "" {
		return needs
	}
	return min(needs, MaxFolded)
}

// MaxRows is how many agents of a group are in the first render, more than a window shows. The script has all of them,
// from the fleet's snapshot, and gives rows to those near the window.
const MaxRows = 100

func (v FleetView) page() frame.Page {
	return frame.Frame{Node: v.Node, Version: v.Version, Epoch: v.Epoch, Now: v.Now, Assets: v.Assets, Theme: v.Theme, Admission: v.Admission, Waiting: v.Waiting}.Page("Fleet", "fleet.js", "/", true)
}

// startable are the types of which agents can be spawned: of the others, agents dial in.
func startable(types []wire.AgentType) []wire.AgentType {
	return slices.DeleteFunc(slices.Clone(types), func(t wire.AgentType) bool { return t.Kind == wire.KindRemote })
}
