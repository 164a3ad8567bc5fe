package ui

import (
	"slices"
	"testing"

	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// TestBadges reads the table that static/test/app-health.test.js reads too.
func TestBadges(t *testing.T) {
	var table []struct {
		Name   string
		Agent  wire.Agent
		Most   int
		Badges []string
	}
	readTable(t, "health.json", &table)
	for _, c := range table {
		got := []string{}
		for _, b := range words.Badges(&c.Agent, c.Most, frame.StoryNow) {
			got = append(got, b.Kind+" "+b.Text+" "+b.Href)
		}
		if !slices.Equal(got, c.Badges) {
			t.Errorf("%s: %q, want %q", c.Name, got, c.Badges)
		}
	}
}

func TestTimelineTellsOfWorkAndHealth(t *testing.T) {
	var got []string
	for _, m := range Timeline(storyTurns()) {
		got = append(got, m.State+" "+m.Title+"/"+m.Detail+"/"+string(m.Task))
	}
	want := []string{
		"failed Crashed/Exit code 1. It starts again in 2s/",
		"lost Lost/No sign of life for 3s; it is killed/",
		"failed Task failed/the disk is full/t9e3779b9kqp",
		"running It goes on//",
		"unknown Stalled/No output for 40s/",
		"input Log/bad line: there is no message \"hello\"/",
		"running Task started/summarize the log/t9e3779b9kqp",
	}
	if !slices.Equal(got, want) {
		t.Errorf("timeline\n%q, want\n%q", got, want)
	}
}

func TestFleetShowsLoadAndHealth(t *testing.T) {
	doc := render(t, Fleet(fleetView(storyBadged()...)))
	want := map[string][]string{
		"summarizer": {"2 of 4 tasks, 12 done"}, "waiter": {"0 of 4 tasks"}, "held": {"Suspended", "0 of 4 tasks"}, "stuck": {"Stalled for 4m 0s", "1 of 4 tasks", "1 restart"},
		"silent": {"No heartbeat for 1m 10s", "0 of 4 tasks"}, "flaky": {"Starts again in 12s", "0 of 4 tasks", "2 restarts"},
		"looping": {"Crash loop", "Starts again in 12s", "0 of 4 tasks", "5 restarts"},
	}
	for _, row := range doc.all(class("agent")) {
		name := row.one(t, class("name")).text()
		var got []string
		for _, b := range row.all(class("badge")) {
			got = append(got, b.text())
		}
		if !slices.Equal(got, want[name]) {
			t.Errorf("%s has %q, want %q", name, got, want[name])
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("not shown: %v", want)
	}
	var needs []string
	for _, row := range doc.one(t, with("id", "needs")).all(class("agent")) {
		needs = append(needs, row.one(t, class("name")).text())
	}
	if !slices.Equal(needs, []string{"silent", "looping", "held", "stuck"}) {
		t.Errorf("those that need a person: %q", needs)
	}
}
