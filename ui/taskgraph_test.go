package ui

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"skein.dev/skein/ui/task"
	"skein.dev/skein/webtransport/wire"
)

// tiedTo is a task that depends on others.
func tiedTo(name string, num uint64, state wire.TaskState, on ...string) wire.Task {
	t := submitted(name, num, 0)
	t.State, t.DependsOn = state, on
	return t
}

// The drawing has a link for each task, which says its state in words, too, and the list says what each comes after.
func TestATasksGraphIsDrawnAndWritten(t *testing.T) {
	all := []wire.Task{
		tiedTo("build", 1, wire.TaskCompleted), tiedTo("docs", 2, wire.TaskInputRequired, "tbuild", "tgone"),
		tiedTo("a name of more letters than fit", 3, wire.TaskFailed, "tbuild"),
		tiedTo("publish", 4, wire.TaskSubmitted, "tdocs", "ta name of more letters than fit", "tbuild"),
	}
	v := task.NewTaskView(task.StoryFrame(), all[3], nil, nil, nil)
	v.Graph = task.NewGraphView("tpublish", all, []wire.Task{submitted("far", 5, 0)}, 7, true)
	panel := render(t, task.Task(v)).one(t, with("id", "graph"))
	if ids, _ := panel.attr("data-ids"); panel.is("hidden") || ids != "tbuild tdocs ta name of more letters than fit tpublish" {
		t.Errorf("the graph is of %q", ids)
	}
	for _, drawing := range panel.all(class("graph")) {
		var labels []string
		for _, n := range drawing.all(class("dep")) {
			label := n.one(t, tag("title")).text()
			if now, _ := n.attr("aria-current"); now != "" {
				label = "this: " + label
			}
			labels = append(labels, label)
		}
		slices.Sort(labels)
		want := []string{"a name of more letters than fit, Failed", "build, Completed", "docs, Needs you", "this: publish, Submitted"}
		if !slices.Equal(labels, want) {
			t.Errorf("it has %q, want %q", labels, want)
		}
		if n, done := len(drawing.all(class("edge"))), len(drawing.all(with("data-done", ""))); n != 4 || done != 2 {
			t.Errorf("%d lines, %d of them from what is completed; that from build to publish goes without saying", n, done)
		}
		if got := drawing.text(); !strings.Contains(got, "a name of mo…") && !strings.Contains(got, "a name of more…") {
			t.Errorf("a long name is not cut: %s", got)
		}
	}
	list := panel.one(t, class("graph-list")).text()
	for _, want := range []string{"build", "after build, 1 task that is not shown", "after docs, a name of more letters than fit, build"} {
		if !strings.Contains(list, want) {
			t.Errorf("the list is %q, without %q", list, want)
		}
	}
	if got := strings.Join(strings.Fields(panel.one(t, with("data-f", "left")).text()), " "); got != "Left out far and at least 7 others" {
		t.Errorf("left out: %q", got)
	}
}

func TestATaskWithoutDependenciesHasNoGraph(t *testing.T) {
	panel := render(t, task.Task(task.NewTaskView(task.StoryFrame(), submitted("alone", 1, 1), nil, nil, nil))).one(t, with("id", "graph"))
	if !panel.is("hidden") || len(panel.all(class("graph"))) > 0 {
		t.Error("a graph of nothing is shown")
	}
}

// The graph of as many tasks as there may be fits a message, also where each depends on all before it.
func TestTheGraphOfManyTasksFitsAMessage(t *testing.T) {
	const most = 384 << 10 // server/web's maxHTML
	for name, depends := range map[string]func(i, j int) bool{
		"a chain": func(i, j int) bool { return i == j+1 }, "on all before": func(i, j int) bool { return i > j },
		"a half on the other": func(i, j int) bool { return i >= 30 && j < 30 },
	} {
		var all []wire.Task
		for i := range 60 {
			x := submitted(fmt.Sprintf("%d %s", i, strings.Repeat("<name>", 30)), uint64(i), 0)
			x.ID = wire.TaskID(fmt.Sprintf("t%012d", i))
			for j := range i {
				if depends(i, j) {
					x.DependsOn = append(x.DependsOn, fmt.Sprintf("t%012d", j))
				}
			}
			all = append(all, x)
		}
		var b strings.Builder
		if err := task.GraphFragment(task.NewGraphView("t000000000000", all, all, 7, true)).Render(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes", name, b.Len())
		if b.Len() > most {
			t.Errorf("%s: it has %d bytes", name, b.Len())
		}
	}
}

// Where an agent in a task's way asks something, the task leads to the answer: to the agent, or to the inbox if several ask.
func TestAWaitingTaskLeadsToTheAnswer(t *testing.T) {
	busy, one, many := submitted("busy", 1, 1), submitted("one", 2, 1), submitted("many", 3, 2)
	one.Waiting, one.Asking = "1 of 1 coder waits for your answer", []wire.AgentID{"a000000000abc"}
	many.Waiting, many.Asking = "2 of 2 coder wait for your answer", []wire.AgentID{"a000000000abc", "a000000000abd"}
	doc := render(t, task.Tasks(tasksView(busy, one, many)))
	for id, want := range map[string]string{"tbusy": "", "tone": "/agents/a000000000abc", "tmany": "/inbox"} {
		links := doc.one(t, with("data-id", id)).all(with("data-f", "answer"))
		got := ""
		if len(links) == 1 {
			got, _ = links[0].attr("href")
		}
		if got != want {
			t.Errorf("%s leads to %q, want %q", id, got, want)
		}
	}
	banner := render(t, task.Task(task.NewTaskView(task.StoryFrame(), many, nil, nil, nil))).one(t, with("id", "banner"))
	link := banner.one(t, with("data-f", "answer"))
	if to, _ := link.attr("href"); banner.is("hidden") || link.is("hidden") || to != "/inbox" || link.text() != "Answer in the inbox" {
		t.Errorf("its page leads to %q by %q", to, link.text())
	}
	if got := banner.one(t, with("data-f", "why")).text(); got != "2 of 2 coder wait for your answer" {
		t.Errorf("its page says %q", got)
	}
}
