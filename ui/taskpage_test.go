package ui

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"skein.dev/skein/ui/agent"
	"skein.dev/skein/ui/fleet"
	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/task"
	"skein.dev/skein/webtransport/wire"
)

func tasksView(tasks ...wire.Task) task.TasksView {
	f := task.StoryFrame()
	f.Assets = assets
	return task.TasksView{Frame: f, Tasks: tasks, Types: task.StoryTakers()}
}

func submitted(name string, num uint64, place int) wire.Task {
	return wire.Task{ID: wire.TaskID("t" + name), Num: num, State: wire.TaskSubmitted, TaskSpec: wire.TaskSpec{Name: name, Type: "coder"},
		Position: place, Waiting: "3 of 3 coder busy", CreatedAt: frame.StoryNow.Add(-time.Minute)}
}

func ending(name string, num uint64, state wire.TaskState, before time.Duration) wire.Task {
	return wire.Task{ID: wire.TaskID("t" + name), Num: num, State: state, TaskSpec: wire.TaskSpec{Name: name, Type: "shell"}, EndedAt: frame.StoryAgo(before), CreatedAt: frame.StoryNow.Add(-time.Hour)}
}

// shownTasks are the names in a part of the queue, or in a column of the board.
func shownTasks(doc node, part string) []string {
	var out []string
	for _, p := range doc.all(with("data-part", part)) {
		if p.is("hidden") {
			continue
		}
		out = append(out, names(p.all(class("task")))...)
	}
	return out
}

func TestTasksStandAsTheyWillGo(t *testing.T) {
	critical := submitted("critical", 9, 1)
	critical.Priority = wire.PriorityCritical
	depends := submitted("depends", 1, 0)
	working := submitted("working", 2, 0)
	working.State = wire.TaskWorking
	asks := submitted("asks", 3, 0)
	asks.State = wire.TaskInputRequired
	v := tasksView(ending("older", 4, wire.TaskCompleted, time.Hour), ending("newer", 5, wire.TaskFailed, time.Minute), submitted("second", 7, 3), submitted("first", 6, 2), depends, working, asks, critical)
	doc := render(t, task.Tasks(v))
	for part, want := range map[string][]string{
		"input": {"asks"}, "working": {"working"}, "waiting": {"critical", "first", "second", "depends"}, "over": {"newer", "older"},
	} {
		if got := shownTasks(doc.one(t, with("id", "queue")), part); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", part, got, want)
		}
	}
	first := doc.one(t, with("data-id", "tfirst"))
	if got := first.one(t, with("data-f", "text")).text(); got != "Waiting: 3 of 3 coder busy" {
		t.Errorf("it waits for %q", got)
	}
	if place := first.one(t, with("data-f", "place")); place.is("hidden") || place.text() != "#2" {
		t.Errorf("its place reads %q", place.text())
	}
	if !doc.one(t, with("data-id", "tdepends")).one(t, with("data-f", "place")).is("hidden") {
		t.Error("a task that is in no line has a place in it")
	}
	if got := doc.one(t, with("id", "summary")).text(); got != "8 tasks, 1 working, 4 submitted, 1 needs you" {
		t.Errorf("summary %q", got)
	}
	if !doc.one(t, with("id", "board")).is("hidden") {
		t.Error("the board is shown beside the queue")
	}
}

// TestATaskIsNamedOnce: a task is called by its command or its type, with its id beside it, and only one that has nothing else by its
// id, which is then not shown twice.
func TestATaskIsNamedOnce(t *testing.T) {
	command, only := submitted("", 1, 1), submitted("", 2, 2)
	command.ID, command.Argv = "tcommand00001", []string{"git", "log"}
	only.ID, only.Type, only.Agent = "tonly00000001", "", "aaaaaaabbbbbb"
	for _, row := range render(t, task.Tasks(tasksView(command, only))).all(class("task")) {
		title, id := row.one(t, with("data-f", "name")).text(), row.one(t, with("data-f", "id"))
		switch {
		case idOf(row) == "tcommand00001" && (title != "git log" || id.is("hidden")):
			t.Errorf("a command is called %q, its id hidden: %v", title, id.is("hidden"))
		case idOf(row) == "tonly00000001" && (title != "tonly00" || !id.is("hidden")):
			t.Errorf("a task with nothing is called %q, its id hidden: %v", title, id.is("hidden"))
		}
	}
}

func TestTasksBoard(t *testing.T) {
	v := tasksView(task.StoryTasks()...)
	v.Filter.Board = true
	doc := render(t, task.Tasks(v))
	board := doc.one(t, with("id", "board"))
	if board.is("hidden") || !doc.one(t, with("id", "queue")).is("hidden") {
		t.Error("the board is hidden, or the queue is not")
	}
	for column, want := range map[string]int{"submitted": 6, "working": 4, "input_required": 1, "completed": 2, "failed": 2, "canceled": 2} {
		if got := shownTasks(board, column); len(got) != want {
			t.Errorf("%s has %v, want %d", column, got, want)
		}
	}
	dead := board.one(t, has("data-dead"))
	if tag := dead.one(t, with("data-f", "dead")); tag.is("hidden") || tag.text() != "dead letter" {
		t.Error("a dead letter is not marked")
	}
	current := doc.one(t, with("id", "views")).all(has("aria-current"))
	if len(current) != 1 || current[0].text() != "Board" {
		t.Error("the toggle does not say which view it is")
	}
}

func TestTasksFilter(t *testing.T) {
	index := 0
	part := ending("part", 5, wire.TaskCompleted, time.Second)
	part.Parent, part.Index = "tgone", &index
	dead := ending("dead", 4, wire.TaskFailed, 2*time.Second)
	dead.DeadLetter, dead.Message, dead.Type = true, "a Needle here", "coder"
	all := []wire.Task{submitted("waits", 1, 1), ending("done", 2, wire.TaskCompleted, 3*time.Second), ending("broken", 3, wire.TaskFailed, 4*time.Second), dead, part}
	for _, c := range []struct {
		query string
		want  []string
	}{
		{"", []string{"waits", "dead", "done", "broken"}},
		{"children=all", []string{"waits", "part", "dead", "done", "broken"}},
		{"state=failed", []string{"dead", "broken"}},
		{"state=dead", []string{"dead"}},
		{"state=completed", []string{"part", "done"}},
		{"state=nonsense", []string{"waits", "dead", "done", "broken"}},
		{"type=coder", []string{"waits", "dead"}},
		{"q=NEEDLE", []string{"dead"}},
		{"q=part", []string{"part"}},
		{"q=nowhere", nil},
		{"view=board&state=failed", []string{"dead", "broken"}},
	} {
		t.Run(c.query, func(t *testing.T) {
			q, _ := url.ParseQuery(c.query)
			v := tasksView(all...)
			v.Filter = task.ParseTaskFilter(q)
			doc := render(t, task.Tasks(v))
			if got := names(doc.all(class("task"))); !slices.Equal(got, c.want) {
				t.Errorf("tasks %v, want %v", got, c.want)
			}
			if hidden := doc.one(t, with("id", "no-match")).is("hidden"); hidden != (c.want != nil) {
				t.Errorf(`"No task matches" is hidden: %v`, hidden)
			}
			if !doc.one(t, with("id", "no-tasks")).is("hidden") {
				t.Error(`"No tasks yet" is shown`)
			}
			want := map[string]string{"": "5", "submitted": "1", "working": "0", "completed": "2", "failed": "2", "dead": "1"}
			for _, chip := range doc.all(both(class("chip"), has("data-group"))) {
				key, _ := chip.attr("data-group")
				if n, ok := want[key]; ok && (chip.one(t, class("chip-count")).text() != n || chip.is("hidden")) {
					t.Errorf("%q counts %s, want %s, whatever the filter", key, chip.one(t, class("chip-count")).text(), n)
				}
			}
		})
	}
}

func TestTaskFilterURL(t *testing.T) {
	for _, want := range []string{"/tasks", "/tasks?children=all&q=a+b&state=dead&type=shell&view=board"} {
		u, _ := url.Parse(want)
		if got := task.ParseTaskFilter(u.Query()).URL(); got != want {
			t.Errorf("URL %s, want %s", got, want)
		}
	}
}

func TestTasksEmpty(t *testing.T) {
	doc := render(t, task.Tasks(tasksView()))
	if doc.one(t, with("id", "no-tasks")).is("hidden") {
		t.Error(`"No tasks yet" is hidden`)
	}
	if n := len(doc.all(class("starter"))); n != 3 {
		t.Errorf("%d starters, want 3", n)
	}
	var demo wire.OrchestrateParams
	v, _ := doc.one(t, has("data-orchestrate")).attr("data-orchestrate")
	if err := json.Unmarshal([]byte(v), &demo); err != nil || len(demo.Inputs) != 5 || demo.Task.Type != "worker" {
		t.Errorf("the demo is %s: %v", v, err)
	}
	for _, id := range []string{"queue", "board", "no-match", "chips", "filters"} {
		if !doc.one(t, with("id", id)).is("hidden") {
			t.Errorf("#%s is shown", id)
		}
	}
	none := tasksView()
	none.Types = fleet.StoryTypes()
	doc = render(t, task.Tasks(none))
	if n := len(doc.all(class("starter"))); n != 0 {
		t.Errorf("%d starters for types that take no tasks", n)
	}
	if text := doc.one(t, with("id", "no-tasks")).text(); !strings.Contains(text, "tasks: lines") {
		t.Errorf("it does not say what to do: %s", text)
	}
}

func TestTasksRenderABoundedPart(t *testing.T) {
	var all []wire.Task
	for i := range task.MaxTasks + 50 {
		all = append(all, submitted("w"+strconv.Itoa(i), uint64(i), i+1), ending("e"+strconv.Itoa(i), uint64(1000+i), wire.TaskCompleted, time.Duration(i)*time.Second))
	}
	doc := render(t, task.Tasks(tasksView(all...)))
	if n := len(doc.all(class("task"))); n != 2*task.MaxTasks {
		t.Errorf("%d rows, want %d", n, 2*task.MaxTasks)
	}
	if got := doc.one(t, with("id", "part-waiting")).one(t, with("data-f", "total")).text(); got != strconv.Itoa(task.MaxTasks+50) {
		t.Errorf("the part counts %s", got)
	}
}

func TestSubmitDialogKnowsTheTypes(t *testing.T) {
	v := tasksView()
	v.Types = append(task.StoryTakers(), wire.AgentType{Name: "scripted", Kind: wire.KindScripted})
	doc := render(t, task.Tasks(v))
	form := doc.one(t, with("id", "submit-form"))
	var types []string
	for _, r := range form.all(both(with("type", "radio"), has("data-tasks"))) {
		name, _ := r.attr("value")
		types = append(types, name)
	}
	if !slices.Equal(types, []string{"coder", "shell", "worker"}) {
		t.Errorf("types %v", types)
	}
	if closed := form.one(t, with("data-type-closed", "shell")); closed.is("hidden") {
		t.Error("it is not said that admission is closed for shell")
	}
	if hint := form.one(t, with("id", "submit-capabilities-hint")).text(); !strings.Contains(hint, "code, demo, review") {
		t.Errorf("the capabilities read %q", hint)
	}
}

func taskView(tk wire.Task, below ...wire.Task) task.TaskView {
	f := task.StoryFrame()
	f.Assets = assets
	return task.NewTaskView(f, tk, nil, below, task.StoryTakers())
}

func TestTaskPage(t *testing.T) {
	tk := task.StoryRetried()
	tk.Parent, tk.DependsOn, tk.Labels, tk.Argv = "tparent", []string{"tother"}, map[string]string{"team": "core"}, []string{"wc", "-w"}
	tk.Timeouts, tk.Input = wire.Timeouts{RunMS: 90_000, HeartbeatMS: 500}, wire.Payload{Text: `{"a":[1,{}]}`}
	v := taskView(tk)
	v.Above = []wire.Task{{ID: "troot", TaskSpec: wire.TaskSpec{Name: "root"}}, {ID: "tparent", TaskSpec: wire.TaskSpec{Name: "parent"}}}
	doc := render(t, task.Task(v))
	if got := doc.one(t, with("aria-label", "Breadcrumb")).text(); got != "Tasksrootparentretried" {
		t.Errorf("crumbs %q", got)
	}
	if got := doc.one(t, with("aria-label", "Main")).one(t, has("aria-current")).text(); got != "Tasks" {
		t.Errorf("the navigation stands at %q", got)
	}
	for name, want := range map[string]string{"try": "Attempt3 of 3", "limits": "Limitswork 1m 30s, silence 500 ms", "argv": "Commandwc-w", "depends": "Depends ontother", "labels": "Labelsteamcore"} {
		if got := doc.one(t, class("fact-"+name)).text(); got != want {
			t.Errorf("%s reads %q, want %q", name, got, want)
		}
	}
	banner := doc.one(t, with("id", "banner"))
	if got := banner.text(); banner.is("hidden") || !strings.HasPrefix(got, "Try me later Agent: it asked for another attempt. Its attempts are used up") {
		t.Errorf("the banner reads %q", got)
	}
	if got := doc.one(t, with("id", "input")).one(t, tag("pre")).FirstChild.Data; got != "{\n  \"a\": [\n    1,\n    {}\n  ]\n}" {
		t.Errorf("the input reads %q", got)
	}
}

func TestTaskPageActs(t *testing.T) {
	for state, want := range map[wire.TaskState]string{
		wire.TaskSubmitted: "cancel", wire.TaskWorking: "cancel stop", wire.TaskInputRequired: "cancel stop", wire.TaskCompleted: "",
		wire.TaskFailed: "retry", wire.TaskCanceled: "retry", wire.TaskRejected: "retry",
	} {
		doc := render(t, task.Task(taskView(wire.Task{ID: "tx", State: state, CreatedAt: frame.StoryNow})))
		var can []string
		for _, f := range doc.all(has("data-act")) {
			if f.is("hidden") {
				continue
			}
			name, _ := f.attr("data-act")
			can = append(can, name)
			if action, _ := f.attr("action"); action != "/tasks/tx/"+name {
				t.Errorf("%s goes to %s", name, action)
			}
		}
		slices.Sort(can)
		if got := strings.Join(can, " "); got != want {
			t.Errorf("a %s task can be: %q, want %q", state, got, want)
		}
	}
	child := 0
	doc := render(t, task.Task(taskView(wire.Task{ID: "tx", State: wire.TaskFailed, Index: &child})))
	if !doc.one(t, with("data-act", "retry")).is("hidden") {
		t.Error("the child of an orchestration can be retried by itself")
	}
}

func TestTaskPageOfAnOrchestration(t *testing.T) {
	v := task.StoryView(task.StoryTasks()[5].ID)
	doc := render(t, task.Task(v))
	var got []string
	for _, r := range doc.all(class("result")) {
		got = append(got, r.text())
	}
	want := []string{"1 Input 2 Failed There is no such goose", `2 Input 1 Completed {"goose": "greylag"}`, `3 Input 3 Completed {"goose": "greylag"}`}
	if !slices.Equal(got, want) {
		t.Errorf("results %q, want %q", got, want)
	}
	if after, _ := doc.one(t, with("id", "results")).attr("data-after"); after != "3" {
		t.Errorf("the lane goes on behind %s", after)
	}
	if n := len(doc.one(t, with("id", "below")).all(class("twig"))); n != 5 {
		t.Errorf("%d child tasks", n)
	}
	if !doc.one(t, with("id", "result")).is("hidden") || !doc.one(t, with("id", "input")).is("hidden") {
		t.Error("there is an aggregate, or an input, that is not there yet")
	}
}

func TestTaskTree(t *testing.T) {
	at := func(id, parent string, num int) wire.Task {
		return wire.Task{ID: wire.TaskID(id), Num: uint64(num), TaskSpec: wire.TaskSpec{Name: id, Parent: wire.TaskID(parent)}}
	}
	doc := render(t, task.Task(taskView(at("root", "", 0), at("b", "root", 3), at("a", "root", 1), at("a1", "a", 2))))
	a := doc.one(t, with("data-id", "a"))
	if got := names(a.all(class("twig-line"))); !slices.Equal(got, []string{"a", "a1"}) {
		t.Errorf("below a: %v", got)
	}
	if got := names(doc.all(class("twig-line"))); !slices.Equal(got, []string{"a", "a1", "b"}) {
		t.Errorf("the tree reads %v", got)
	}
	var many []wire.Task
	for i := range task.MaxBelow + 10 {
		many = append(many, at("t"+strconv.Itoa(i), "root", i))
	}
	doc = render(t, task.Task(taskView(at("root", "", 0), many...)))
	if n := len(doc.all(class("twig"))); n != task.MaxBelow {
		t.Errorf("%d in the page, want %d", n, task.MaxBelow)
	}
	if doc.one(t, with("id", "below-more")).is("hidden") {
		t.Error("it is not said that there are more")
	}
}

func TestTaskPayloads(t *testing.T) {
	for name, c := range map[string]struct {
		result         *wire.Payload
		text           string
		binary, hidden bool
	}{
		"text":    {&wire.Payload{Text: "one\n\x1b[31mtwo"}, "one\ntwo", false, false},
		"binary":  {&wire.Payload{Base64: []byte{0xff, 0xfe}}, "", true, false},
		"empty":   {&wire.Payload{}, "", false, false},
		"none":    {nil, "", false, true},
		"unicode": {&wire.Payload{Text: "鴨\u202e"}, "鴨", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			panel := render(t, task.Task(taskView(wire.Task{ID: "tx", State: wire.TaskCompleted, Result: c.result}))).one(t, with("id", "result"))
			pre := panel.one(t, tag("pre"))
			text := ""
			if pre.FirstChild != nil {
				text = pre.FirstChild.Data
			}
			if text != c.text || pre.is("hidden") != (c.text == "") {
				t.Errorf("it reads %q", text)
			}
			if panel.is("hidden") != c.hidden || panel.one(t, with("data-f", "binary")).is("hidden") == c.binary {
				t.Error("the panel, or its download, is hidden or is not")
			}
			if href, _ := panel.one(t, with("data-f", "download")).attr("href"); href != "/tasks/tx/result" {
				t.Errorf("the download is at %s", href)
			}
		})
	}
}

func TestAdmissionBannerIsOnEveryPage(t *testing.T) {
	closed := wire.Admission{Closed: true, Since: frame.StoryAgo(time.Minute), Actor: "skein stop", Reason: "stop of all"}
	agents, of, all, one := fleetView(), agent.AgentView{Now: frame.StoryNow, Assets: assets}, tasksView(), taskView(wire.Task{ID: "tx"})
	for _, on := range []bool{false, true} {
		if on {
			agents.Admission, of.Admission, all.Admission, one.Admission = closed, closed, closed, closed
		}
		for name, c := range map[string]templ.Component{"fleet": fleet.Fleet(agents), "agent": agent.AgentPage(of), "tasks": task.Tasks(all), "task": task.Task(one)} {
			banner := render(t, c).one(t, with("id", "admission"))
			if banner.is("hidden") == on {
				t.Errorf("%s: admission is closed: %v, and the banner is not like it", name, on)
			}
			if on && !strings.Contains(banner.text(), "1m ago by skein stop: stop of all") {
				t.Errorf("%s: the banner reads %q", name, banner.text())
			}
		}
	}
}

func TestNavigation(t *testing.T) {
	nav := render(t, task.Tasks(tasksView())).one(t, with("aria-label", "Main"))
	if got := nav.text(); got != "FleetWallHistoryInbox TasksSchedulesMemoryArtifactsUsageNetwork" {
		t.Errorf("navigation %q", got)
	}
	if current, _ := nav.one(t, has("aria-current")).attr("aria-current"); current != "page" {
		t.Errorf("the page's own entry is marked %q", current)
	}
}

func TestHostileTasks(t *testing.T) {
	tk := task.StoryRetried()
	index := 0
	tk.ID, tk.Name, tk.Type, tk.Message, tk.Waiting, tk.Actor, tk.Queue = hostile, hostile, hostile, hostile, hostile, hostile, hostile
	tk.Input, tk.Result, tk.Labels, tk.Argv = wire.Payload{Text: hostile}, &wire.Payload{Text: `["` + "<script>alert(1)</script>" + `"]`}, map[string]string{hostile: hostile}, []string{hostile}
	tk.Progress[0].Text, tk.Late[0].Text, tk.Runs[0].AgentName, tk.Runs[0].Message = hostile, hostile, hostile, hostile
	waiting := submitted(hostile, 3, 1)
	waiting.Waiting, waiting.Parent, waiting.Index = hostile, hostile, &index
	kid := ending(hostile, 4, wire.TaskCompleted, time.Second)
	kid.Parent, kid.Index, kid.Ordinal, kid.Result = hostile, &index, 1, &wire.Payload{Text: hostile}
	fan := tk
	fan.Orchestration = &wire.Orchestration{Children: 1}
	v := tasksView(tk, waiting)
	v.Filter = task.TaskFilter{Query: hostile, Parts: true}
	v.Types = []wire.AgentType{{Name: hostile, Description: hostile, Tasks: wire.TasksProcess, Argv: []string{hostile}, Capabilities: []string{hostile}}}
	v.Admission = wire.Admission{Closed: true, Actor: hostile, Reason: hostile, Types: []string{hostile}}
	board := v
	board.Filter.Board = true
	for name, c := range map[string]templ.Component{"queue": task.Tasks(v), "board": task.Tasks(board), "task": task.Task(taskView(tk)), "orchestration": task.Task(taskView(fan, kid))} {
		t.Run(name, func(t *testing.T) { harmless(t, render(t, c)) })
	}
}

// harmless fails if text has become an element, or a URL a script.
func harmless(t *testing.T, doc node) {
	t.Helper()
	if n := len(doc.all(tag("img"))); n > 0 {
		t.Errorf("%d elements came out of text", n)
	}
	for _, s := range doc.all(tag("script")) {
		if strings.Contains(s.text(), "alert") {
			t.Errorf("a script came out of text: %s", s.text())
		}
	}
	for _, n := range doc.all(has("href")) {
		if v, _ := n.attr("href"); strings.HasPrefix(strings.ToLower(v), "javascript:") {
			t.Errorf("href %s", v)
		}
	}
	for d := range doc.Descendants() {
		n := node{d}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
				t.Errorf("<%s> has the attribute %s", n.Data, a.Key)
			}
		}
	}
}

func TestStoriesShowEveryTaskState(t *testing.T) {
	doc := render(t, Stories(assets))
	for _, theme := range []string{"light", "dark"} {
		states := map[string]bool{}
		for _, p := range doc.all(both(class("story-theme"), with("data-theme", theme))) {
			for _, s := range p.all(class("task")) {
				v, _ := s.attr("data-state")
				states[v] = true
			}
		}
		for _, s := range wire.TaskStates {
			if !states[string(s)] {
				t.Errorf("no story shows a task that is %q in %s", s, theme)
			}
		}
	}
}

// idOf is the id of the task that a row shows.
func idOf(row node) string {
	id, _ := row.attr("data-id")
	return id
}
