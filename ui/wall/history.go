package wall

import (
	"net/url"
	"strconv"
	"time"

	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// HistoryView is the page that shows what the agents did at a time.
type HistoryView struct {
	frame.Frame
	Past wire.FleetAtResult
}

// PastRows and PastCols are the size of the pictures of its cells.
const (
	PastRows = wire.DefaultPictureRows
	PastCols = wire.DefaultPictureCols
)

// HistoryURL is the address of a moment.
func HistoryURL(at time.Time) string { return "/history?" + url.Values{"at": {words.Iso(at)}}.Encode() }

// step is a way through time, for people without script.
type step struct {
	word, name string
	by         time.Duration
}

var steps = []step{{"−1 h", "An hour earlier", -time.Hour}, {"−10 min", "Ten minutes earlier", -10 * time.Minute}, {"−1 min", "A minute earlier", -time.Minute},
	{"+1 min", "A minute later", time.Minute}, {"+10 min", "Ten minutes later", 10 * time.Minute}, {"+1 h", "An hour later", time.Hour}}

// Speeds are how fast the past is played, in seconds a second.
var Speeds = []int{1, 10, 100}

// first is where the slider begins.
func (v HistoryView) first() time.Time {
	if v.Past.First == nil {
		return v.Past.Last
	}
	return *v.Past.First
}

func (v HistoryView) to(s step) string {
	at := v.Past.At.Add(s.by)
	if at.Before(v.first()) {
		at = v.first()
	}
	if !at.Before(v.Past.Last) {
		return "/history"
	}
	return HistoryURL(at)
}

func (v HistoryView) page() frame.Page {
	return v.Frame.Page("History", "history.js", "/history", true)
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// pastSummary says how many agents were alive.
func pastSummary(p *wire.FleetAtResult) string {
	if p.Total == 0 {
		return "No agent was alive"
	}
	s := words.Count(p.Total, "agent was", "agents were") + " alive"
	n := 0
	for i := range p.Agents {
		if words.Need(&p.Agents[i].Agent) == "question" {
			n++
		}
	}
	if n > 0 {
		s += ", " + words.Count(n, "waited for a person", "waited for a person")
	}
	return s
}

// pastNote says in a word what the shape of an agent's state does not.
func pastNote(a *wire.Agent) string {
	switch {
	case len(a.Tasks) > 0:
		return words.Count(len(a.Tasks), "task", "tasks")
	case a.Activity == wire.ActivityIdle:
		return "Idle"
	case a.Status == wire.StatusPending && a.Restarts > 0:
		return "Waits to start again"
	}
	return ""
}

// nothing says why a cell has no picture.
func nothing(a *wire.PastAgent) string {
	switch {
	case a.Gone:
		return "The log no longer has what it showed then."
	case a.Picture == nil:
		return "Open the agent to see what it did."
	case len(a.Picture.Rows) == 0:
		return "It had printed nothing yet."
	}
	return ""
}
