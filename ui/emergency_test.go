package ui

import (
	"strings"
	"testing"

	"github.com/a-h/templ"

	"skein.dev/skein/ui/agent"
	"skein.dev/skein/ui/fleet"
	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/task"
	"skein.dev/skein/webtransport/wire"
)

func TestEveryPageStopsEverything(t *testing.T) {
	pages := map[string]templ.Component{
		"fleet": fleet.Fleet(fleetView()), "agent": agent.AgentPage(agent.AgentView{Now: frame.StoryNow, Assets: assets}), "tasks": task.Tasks(tasksView()), "task": task.Task(taskView(wire.Task{ID: "tx"})),
	}
	for name, c := range pages {
		doc := render(t, c)
		button := doc.one(t, class("emergency"))
		if !button.within("header") || !strings.Contains(button.text(), "Stop everything") {
			t.Errorf("%s: the header has no way to stop everything", name)
		}
		target, _ := button.attr("popovertarget")
		form := doc.one(t, with("id", target)).one(t, tag("form")) // works without script
		if action, _ := form.attr("action"); action != "/stop" {
			t.Errorf("%s: the form goes to %q", name, action)
		}
		if box := form.one(t, with("name", "confirm")); !box.is("required") {
			t.Errorf("%s: the form needs no yes", name)
		}
		title, _ := button.attr("title")
		if keys := doc.one(t, with("id", "keys")).text(); !strings.Contains(title, "Ctrl+Shift+.") || !strings.Contains(keys, "CtrlShift.") {
			t.Errorf("%s: nobody learns of the chord: %q, %q", name, title, keys)
		}
	}
}
