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
	Keep    int           // how many agents that have ended the server remembers
	KeepFor time.Duration // and how long; 0: any time
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
	Label string // "key=value"
	Node  string
	State string // a Group's Key; "": those that are alive, that need a person or that nobody has seen since they ended
	Sort  string // a key of sorts; "-" before it turns it round; "" is "age"
}

// ParseFleetFilter reads the URL of a fleet page. What it does not know it leaves out.
func ParseFleetFilter(q url.Values) FleetFilter {
	f := FleetFilter{Query: strings.TrimSpace(q.Get("q")), Type: q.Get("type"), Label: q.Get("label"), Node: q.Get("node"), State: q.Get("state"), Sort: q.Get("sort")}
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
	for k, v := range map[string]string{"q": f.Query, "type": f.Type, "label": f.Label, "node": f.Node, "state": f.State, "sort": f.Sort} {
		if v != "" {
			q.Set(k, v)
		}
	}
	if len(q) == 0 {
		return "/"
	}
	return "/?" + q.Encode()
}

// wallURL is the address of the wall with what this filter lets through.
func (f FleetFilter) wallURL() string {
	f.Sort = ""
	return "/wall" + strings.TrimPrefix(f.URL(), "/")
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

// Active reports whether a person has asked for less than all that is current.
func (f FleetFilter) Active() bool {
	return f.Query != "" || f.Type != "" || f.Label != "" || f.Node != "" || f.State != ""
}

// Match reports whether the page shows the agent.
func (f FleetFilter) Match(a *wire.Agent) bool { return f.Fits(a) && f.shows(words.Group(a)) }

// Fits reports whether the agent is what was asked for, in whichever group it is.
func (f FleetFilter) Fits(a *wire.Agent) bool {
	return (f.Type == "" || a.Type == f.Type) && (f.Node == "" || string(a.Node) == f.Node) && f.labelled(a) && f.found(a)
}

func (f FleetFilter) labelled(a *wire.Agent) bool {
	key, value, _ := strings.Cut(f.Label, "=")
	got, ok := a.Labels[key]
	return f.Label == "" || ok && got == value
}

// shows reports whether a group is on the page. Who looks for a word finds it in any.
func (f FleetFilter) shows(group string) bool {
	if f.State != "" {
		return group == f.State
	}
	return f.Query != "" || group != words.GroupEnded && group != words.GroupTasks
}

func (f FleetFilter) found(a *wire.Agent) bool {
	if f.Query == "" {
		return true
	}
	text := strings.ToLower(strings.Join([]string{a.Name, string(a.ID), a.Type, strings.Join(a.Argv, " "), a.Summary, a.LastLine}, "\n"))
	return strings.Contains(text, strings.ToLower(f.Query))
}

// Group is a part of the list and a filter chip.
type Group struct {
	Key, Word string
	Title     string // above its part of the list; "": Word
	Always    bool   // its chip is shown even when no agent is in it
	Fold      int    // so many of its agents are shown before the others are folded; 0: all
	Dismiss   string // what the button says that dismisses all of them; "": there is none
	Count     int
}

// Groups are the filters by group, the first without any; the others are the parts of the list, in their order.
var Groups = []Group{
	{Key: "", Word: "Current", Always: true},
	{Key: words.GroupNeeds, Word: words.NeedsYou, Always: true, Fold: 20},
	{Key: words.GroupFailing, Word: "Failing", Fold: MaxFolded, Dismiss: "Dismiss all that failed"},
	{Key: words.GroupWorking, Word: "Working", Always: true},
	{Key: words.GroupFinished, Word: "Finished", Title: "Finished, unseen", Fold: MaxFolded, Dismiss: "Dismiss all"},
	{Key: words.GroupTasks, Word: "For tasks"},
	{Key: words.GroupEnded, Word: "Ended"},
}

// counts fills the groups in.
func counts(agents []wire.Agent) []Group {
	n := map[string]int{}
	for i := range agents {
		g := words.Group(&agents[i])
		n[g]++
		if (FleetFilter{}).shows(g) {
			n[""]++
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

var needOrder = []string{"leftovers", "unreachable", "loop", "suspended", "stalled", "", "failed"}

// longestFirst puts the question first that has waited for the longest time.
func longestFirst(a, b *wire.Agent) int { return cmp.Or(asked(a).Compare(asked(b)), Newest(a, b)) }

func asked(a *wire.Agent) time.Time {
	if a.AskedAt == nil {
		return a.CreatedAt
	}
	return *a.AskedAt
}

// gravest puts first what most needs somebody.
func gravest(a, b *wire.Agent) int {
	return cmp.Or(slices.Index(needOrder, words.Need(a))-slices.Index(needOrder, words.Need(b)), Newest(a, b))
}

// idleLast puts agents that have nothing to do below the others, unless the list is in another order than by age.
func (f FleetFilter) idleLast(a, b *wire.Agent) int {
	if strings.TrimPrefix(f.sort(), "-") != "age" {
		return 0
	}
	return idle(a) - idle(b)
}

func idle(a *wire.Agent) int {
	if a.Activity == wire.ActivityIdle {
		return 1
	}
	return 0
}

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

// section is a part of the list: the agents of a group that the filter lets through.
type section struct {
	Group
	Agents []*wire.Agent
	Open   int // so many are shown, the others are folded
	Head   int // the place of its head in the table, from 1; that of its first agent is the next
}

func (s section) title() string { return cmp.Or(s.Title, s.Word) }

// rendered are the agents that have rows in the first render.
func (s section) rendered() []*wire.Agent { return s.Agents[:min(s.Open, MaxRows)] }

// sections gives the parts of the list, those included that are empty.
func (v FleetView) sections() []section {
	by := map[string][]*wire.Agent{}
	for i := range v.Agents {
		if a := &v.Agents[i]; v.Filter.Match(a) {
			by[words.Group(a)] = append(by[words.Group(a)], a)
		}
	}
	var out []section
	head := 2 // the columns' head is above
	for _, g := range Groups[1:] {
		s := section{Group: g, Agents: by[g.Key], Open: len(by[g.Key]), Head: head}
		if v.Filter.State == "" && g.Fold > 0 {
			s.Open = min(s.Open, g.Fold)
		}
		slices.SortStableFunc(s.Agents, v.order(g.Key))
		if s.Open > 0 {
			head += 1 + s.Open
		}
		out = append(out, s)
	}
	return out
}

// order is that of the agents in a part of the list.
func (v FleetView) order(group string) func(a, b *wire.Agent) int {
	switch group {
	case words.GroupNeeds:
		return longestFirst
	case words.GroupFailing:
		return gravest
	}
	key, reverse := strings.CutPrefix(v.Filter.sort(), "-")
	order := sorts[slices.IndexFunc(sorts, func(s sortKey) bool { return s.key == key })].compare
	return func(a, b *wire.Agent) int {
		c := order(a, b)
		if reverse {
			c = -c
		}
		return cmp.Or(v.Filter.idleLast(a, b), c, Newest(a, b))
	}
}

// Newest puts the agent that was spawned last first; those of one batch have one time.
func Newest(a, b *wire.Agent) int {
	return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.Num, a.Num), strings.Compare(string(a.ID), string(b.ID)))
}

// MaxFolded is how many agents that fail or have finished the page shows before it folds the others.
const MaxFolded = 6

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

// keeps says which agents that have ended are remembered.
func (v FleetView) keeps() string {
	s := "The last " + words.Count(v.Keep, "that ended is remembered", "that ended are remembered")
	if v.KeepFor > 0 {
		s += ", for " + words.Span(v.KeepFor)
	}
	return s
}

func (v FleetView) keepsForFlag() string {
	if v.KeepFor > 0 {
		return ", --keep-exited-for"
	}
	return ""
}
