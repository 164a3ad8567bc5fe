package ui

import (
	"encoding/json"
	"slices"
	"testing"

	"skein.dev/skein/ui/agent"
	"skein.dev/skein/ui/fleet"
	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// badged are agents at 14:30, each with the texts of its badges.
const badged = `[
  {"name": "takes no tasks", "agent": {"status": "running"}, "most": 0, "badges": []},
  {"name": "has nothing to do", "agent": {"status": "running"}, "most": 4, "badges": ["load 0 of 4 tasks "]},
  {"name": "one at a time", "agent": {"status": "running"}, "most": 1, "badges": ["load 0 of 1 task "]},
  {"name": "works", "agent": {"status": "running", "tasks": ["t1", "t2"], "done": 12}, "most": 4, "badges": ["load 2 of 4 tasks, 12 done /tasks/t1"]},
  {"name": "its type is gone", "agent": {"status": "running", "tasks": ["t/1"]}, "most": 0, "badges": ["load 1 of 1 task /tasks/t%2F1"]},
  {"name": "has ended", "agent": {"status": "exited", "reason": "completed", "done": 3}, "most": 4, "badges": ["load 3 done "]},
  {"name": "restarted", "agent": {"status": "running", "restarts": 1}, "most": 0, "badges": ["note 1 restart "]},
  {"name": "will start again", "agent": {"status": "pending", "restarts": 2, "restart_at": "2026-03-04T14:30:11.200Z"}, "most": 0, "badges": ["warn Starts again in 12s ", "note 2 restarts "]},
  {"name": "starts again", "agent": {"status": "pending", "restart_at": "2026-03-04T14:29:59Z"}, "most": 0, "badges": ["warn Starts again now "]},
  {"name": "crash loop", "agent": {"status": "pending", "restarts": 5, "crash_loop": true, "restart_at": "2026-03-04T14:35:00Z"}, "most": 2, "badges": ["bad Crash loop ", "warn Starts again in 5m 0s ", "load 0 of 2 tasks ", "note 5 restarts "]},
  {"name": "the loop was stopped", "agent": {"status": "exited", "reason": "stopped", "restarts": 5, "crash_loop": true}, "most": 2, "badges": ["note 5 restarts "]},
  {"name": "suspended", "agent": {"status": "running", "suspended": true}, "most": 0, "badges": ["warn Suspended "]},
  {"name": "stalled", "agent": {"status": "running", "stalled": true, "stalled_since": "2026-03-04T14:29:15Z", "tasks": ["t1"]}, "most": 1, "badges": ["warn Stalled for 45s ", "load 1 of 1 task /tasks/t1"]},
  {"name": "stalled, nobody knows since when", "agent": {"status": "running", "stalled": true}, "most": 0, "badges": ["warn Stalled "]},
  {"name": "unknown", "agent": {"status": "unknown", "last_heartbeat": "2026-03-04T14:28:30Z"}, "most": 0, "badges": ["warn No heartbeat for 1m 30s "]}
]`

func TestBadges(t *testing.T) {
	var table []struct {
		Name   string
		Agent  wire.Agent
		Most   int
		Badges []string
	}
	if err := json.Unmarshal([]byte(badged), &table); err != nil {
		t.Fatal(err)
	}
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
	for _, m := range agent.Timeline(agent.StoryTurns()) {
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
	doc := render(t, fleet.Fleet(fleetView(fleet.StoryBadged()...)))
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
	for group, want := range map[string][]string{"failing": {"silent", "looping", "held", "stuck", "flaky"}, "working": {"summarizer", "waiter"}} {
		var got []string
		for _, row := range doc.one(t, both(class("group"), with("data-group", group))).all(class("agent")) {
			got = append(got, row.one(t, class("name")).text())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", group, got, want)
		}
	}
	for _, row := range doc.all(class("agent")) {
		name := row.one(t, class("name")).text()
		if can := len(row.all(with("data-do", "start"))) > 0; can != (name == "flaky" || name == "looping") {
			t.Errorf("%s can be started now: %v", name, can)
		}
	}
}
