// Package inbox is the page of the questions of agents, and the cards that other pages show of them.
package inbox

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// Bounds of what is shown. What is left out is counted.
const (
	MaxCards    = 50
	MaxLately   = 20
	maxTogether = 100 // questions of one card
	maxDiffs    = 20  // of one request
	maxPaths    = 40
)

// View is the page of the questions of agents.
type View struct {
	frame.Frame
	Asks    []wire.Ask // those that wait, the oldest first
	Ended   []wire.Ask // those that have ended, the newest first
	Refused Refused
}

// Refused are answers that a form posted and that were not given: why, and what was typed.
type Refused struct {
	Asks []wire.Ask // as they are now
	Why  string
	Text string
}

func (v View) page() frame.Page {
	return v.Frame.Page("Inbox", "inbox.js", "/inbox", true)
}

// Live is what changes on the page: the parts that its script replaces by their ids. Of the cards, it has so many at most.
func Live(v View, cards int) templ.Component { return live(v, cards) }

// Of are what one agent asks that is answered there, as its page shows it above its output.
func Of(asks []wire.Ask, now time.Time) templ.Component {
	asks = slices.DeleteFunc(slices.Clone(asks), func(a wire.Ask) bool { return a.Kind != wire.AskPermission && !a.ByID })
	return ofOne(asks, "Requests for permission", now)
}

// OfTask are what the agents that work on a task ask about it, as the task's page shows it above its result.
func OfTask(asks []wire.Ask, now time.Time) templ.Component {
	asks = slices.Clone(asks)
	for i := range asks {
		asks[i].Task = "" // the page is the task's
	}
	return ofOne(asks, "Questions", now)
}

// group is what one card shows: the questions of agents of one type that have the same content, so that one answer fits all.
type group struct {
	Key  string
	Asks []wire.Ask // the oldest first; at least one
}

// groups puts questions together that are the same, in the order of the oldest of each.
func groups(asks []wire.Ask) (all []group) {
	at := map[string]int{} // by type and content: the card that is not full
	for _, a := range asks {
		same := a.Type + " " + a.Prompt // the prompt identifies kind, text, tool and options
		i, ok := at[same]
		if !ok || len(all[i].Asks) == maxTogether {
			key := same
			if ok {
				key += " " + string(a.ID)
			}
			i = len(all)
			at[same] = i
			all = append(all, group{Key: key})
		}
		all[i].Asks = append(all[i].Asks, a)
	}
	return all
}

func (g group) first() *wire.Ask { return &g.Asks[0] }

func (g group) single() bool { return len(g.Asks) == 1 }

// id is the id of a card's element. Where a card has several questions, each has its own element.
func (g group) id() string {
	if g.single() {
		return string(g.first().ID)
	}
	return "all-" + string(g.first().ID)
}

func (g group) ids() string {
	ids := make([]string, len(g.Asks))
	for i, a := range g.Asks {
		ids[i] = string(a.ID)
	}
	return strings.Join(ids, " ")
}

// names are the agents of a card, the first of them.
func (g group) names() string {
	const most = 6
	var names []string
	for i := range g.Asks[:min(len(g.Asks), most)] {
		names = append(names, nameOf(&g.Asks[i]))
	}
	if more := len(g.Asks) - most; more > 0 {
		names = append(names, strconv.Itoa(more)+" more")
	}
	return words.List(names)
}

func nameOf(a *wire.Ask) string {
	if name := words.Clean(a.Name); name != "" {
		return name
	}
	return words.ShortID(a.Agent)
}

// label is what an option is called, by its agent.
func label(o wire.AskOption) string {
	if name := words.Clean(o.Name); name != "" {
		return name
	}
	if id := words.Clean(o.ID); id != "" {
		return id
	}
	return words.WordOr("")
}

// effect groups the kinds of options by what they look like.
func effect(k wire.OptionKind) string {
	switch {
	case k.Allows():
		return "allow"
	case k == wire.RejectOnce || k == wire.RejectAlways:
		return "reject"
	}
	return ""
}

func optionGlyph(k wire.OptionKind) string {
	if k.Allows() {
		return "s-completed"
	}
	return "i-close"
}

// all is written behind an answer that several questions get.
func (g group) all() string {
	if g.single() {
		return ""
	}
	return "all " + strconv.Itoa(len(g.Asks))
}

// change is a change of a file, as a comparison of its lines.
type change struct {
	Path           string
	New            bool
	Lines          []words.DiffLine
	Added, Removed int
}

func changeOf(d wire.AskDiff) change {
	c := change{Path: words.Clean(d.Path), New: d.Old == nil}
	before := ""
	if d.Old != nil {
		before = words.Plain(*d.Old)
	}
	all := words.Diff(before, words.Plain(d.New))
	for _, l := range all {
		switch l.Op {
		case "+":
			c.Added++
		case "-":
			c.Removed++
		}
	}
	c.Lines = words.Shorten(all)
	return c
}

// paths are those of a request that its diffs do not name.
func paths(t *wire.AskTool) (shown []string, more int) {
	for _, p := range t.Paths {
		if !slices.ContainsFunc(t.Diffs, func(d wire.AskDiff) bool { return d.Path == p }) {
			shown = append(shown, words.Clean(p))
		}
	}
	n := min(len(shown), maxPaths)
	return shown[:n], len(shown) - n
}

func summary(n int) string {
	if n == 0 {
		return "Nobody waits"
	}
	return words.Count(n, "waits for you", "wait for you")
}

func endGlyph(a *wire.Ask) string {
	switch {
	case a.State == wire.AskCanceled || a.State == wire.AskExpired:
		return "s-exited"
	case a.Answer != nil && a.Answer.Option != "" && !a.Answer.Kind.Allows():
		return "i-close"
	}
	return "s-completed"
}

// endDetail is what a question was answered with, or why it was not.
func endDetail(a *wire.Ask) string {
	if a.State == wire.AskCanceled {
		return words.Sentence(words.Clean(a.Reason))
	}
	if a.Answer == nil {
		return ""
	}
	return words.AskAnswer(a)
}

func endedAt(a *wire.Ask) time.Time {
	if a.Ended == nil {
		return a.Since
	}
	return *a.Ended
}

// typed is the text of a card's box: what was typed into it, if that was refused.
func (r Refused) typed(g group) string {
	if r.has(g) {
		return r.Text
	}
	return ""
}

func (r Refused) why(g group) string {
	if r.has(g) {
		return r.Why
	}
	return ""
}

func (r Refused) has(g group) bool {
	return slices.ContainsFunc(r.Asks, func(a wire.Ask) bool {
		return slices.ContainsFunc(g.Asks, func(b wire.Ask) bool { return a.ID == b.ID })
	})
}

// over are the refused answers to questions that wait no more.
func (r Refused) over() []wire.Ask {
	return slices.DeleteFunc(slices.Clone(r.Asks), func(a wire.Ask) bool { return a.State == wire.AskPending })
}
