package ui

import (
	"slices"
	"strings"
	"time"

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
}

// page is the frame of a page. here is the href of the navigation's entry that it belongs to; own says that it is that
// entry's own page, not one below it.
func (f Frame) page(title, script, here string, own bool) page {
	current := "true"
	if own {
		current = "page"
	}
	return page{title: title, script: script, node: f.Node, version: f.Version, epoch: f.Epoch, theme: f.Theme, assets: f.Assets,
		here: here, current: current, admission: f.Admission, now: f.Now}
}

// destination is an entry of the navigation.
type destination struct{ Word, Href string }

var destinations = []destination{{"Fleet", "/"}, {"Tasks", "/tasks"}, {"Memory", "/memory"}, {"Artifacts", "/artifacts"}, {"Network", "/network"}}

// AdmissionText says that nothing starts, of which types; "" while admission is open for all.
func AdmissionText(a wire.Admission) string {
	switch {
	case a.Closed:
		return "Admission is closed: no agent is spawned and no task is started."
	case len(a.Types) > 0:
		return "Admission is closed for " + list(a.Types) + ": none is spawned and no task is started on them."
	}
	return ""
}

// AdmissionWho says who closed it, when and why.
func AdmissionWho(a wire.Admission, now time.Time) string {
	var words []string
	if a.Since != nil {
		words = append(words, Ago(now.Sub(*a.Since)))
	}
	if who := by(a.Actor); who != "" {
		words = append(words, who)
	}
	text := strings.Join(words, " ")
	if why := Clean(a.Reason); why != "" {
		if text != "" {
			text += ": "
		}
		text += why
	}
	return text
}

// list joins names: a, b and c.
func list(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(slices.Clone(names[:last]), ", ") + " and " + names[last]
}

// Sentence makes a message one.
func Sentence(s string) string {
	if s = upper(s); s == "" || strings.ContainsAny(s[len(s)-1:], ".?!)") {
		return s
	}
	return s + "."
}
