package frame

import (
	"net/http"
	"strconv"
	"time"

	"github.com/a-h/templ"

	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// Frame is what a page needs for what every page has around it. Views embed it.
type Frame struct {
	Node      wire.NodeID
	Version   string
	Epoch     string
	Now       time.Time
	Assets    Assets
	Theme     string // from Theme; "" follows the system
	Admission wire.Admission
	Waiting   Waiting
}

// Waiting is how many questions of agents wait for a person. Position is that of ask.list, from which the page follows on.
type Waiting struct {
	Count    int
	Position string
}

// page is the frame of a page. here is the href of the navigation's entry that it belongs to; own says that it is that
// entry's own page, not one below it.
func (f Frame) Page(title, script, here string, own bool) Page {
	current := "true"
	if own {
		current = "page"
	}
	return Page{title: title, script: script, node: f.Node, version: f.Version, epoch: f.Epoch, theme: f.Theme, assets: f.Assets,
		here: here, current: current, admission: f.Admission, waiting: f.Waiting, now: f.Now}
}

// inboxHref is the address of the entry that has the number of questions.
const inboxHref = "/inbox"

// destination is an entry of the navigation.
type destination struct{ Word, Href string }

var destinations = []destination{{"Fleet", "/"}, {"Wall", "/wall"}, {"History", "/history"}, {"Inbox", inboxHref}, {"Tasks", "/tasks"}, {"Schedules", "/schedules"}, {"Memory", "/memory"}, {"Artifacts", "/artifacts"}, {"Usage", "/usage"}, {"Network", "/network"}}

// currently is aria-current of the entry that the page belongs to.
func (p Page) currently(d destination) templ.Attributes {
	if d.Href != p.here {
		return nil
	}
	return templ.Attributes{"aria-current": p.current}
}

// text is "" while nobody waits.
func (w Waiting) text() string {
	if w.Count == 0 {
		return ""
	}
	return strconv.Itoa(w.Count)
}

// admissionText says that nothing starts, of which types; "" while admission is open for all.
func admissionText(a wire.Admission) string {
	switch {
	case a.Closed:
		return "Admission is closed: no agent is spawned and no task is started."
	case len(a.Types) > 0:
		return "Admission is closed for " + words.List(a.Types) + ": none is spawned and no task is started on them."
	}
	return ""
}

// since is when admission last changed, as the protocol has it; "" when it never did.
func since(a wire.Admission) string {
	if a.Since == nil {
		return ""
	}
	return a.Since.Format(time.RFC3339Nano)
}

// admissionBy says who closed it, and why, behind the time when there is one.
func admissionBy(a wire.Admission) string {
	who, why := words.By(a.Actor), words.Clean(a.Reason)
	switch {
	case who != "" && why != "":
		return who + ": " + why
	case why != "" && a.Since != nil:
		return "(" + why + ")"
	}
	return who + why
}

// Page is what every page of the dashboard has around it.
type Page struct {
	title, script  string
	node           wire.NodeID
	version, epoch string
	theme          string
	assets         Assets
	here           string // the href of the navigation's entry that the page belongs to
	current        string // aria-current: "page" when it is that entry's own page, else "true"
	admission      wire.Admission
	waiting        Waiting
	now            time.Time
}

// Assets gives the address of a static file: "style.css", "icon.svg", "fleet.js", "agent.js".
type Assets func(name string) string

// ThemeCookie holds the theme that a person chose: "light" or "dark". Without it the system's choice holds.
const ThemeCookie = "skein_theme"

// Theme reads the theme cookie, so that the first paint has the right colours.
func Theme(r *http.Request) string {
	if c, err := r.Cookie(ThemeCookie); err == nil && (c.Value == "light" || c.Value == "dark") {
		return c.Value
	}
	return ""
}
