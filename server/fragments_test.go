package server

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

const taskHeader = `{"lane":"task"}`

// changes reads a watch to the end of an update.
func (s *stream) changes(t *testing.T) (all wire.TaskUpdate) {
	t.Helper()
	all.HTML = map[wire.TaskID]string{}
	for {
		var u wire.TaskUpdate
		s.note(t, wire.NoteTasks, &u)
		all.Tasks = append(all.Tasks, u.Tasks...)
		for id, html := range u.HTML {
			all.HTML[id] = html
		}
		if !u.More {
			return all
		}
	}
}

// over reads a watch until a task has ended, and returns the HTML of that update.
func (s *stream) over(t *testing.T, id wire.TaskID) string {
	t.Helper()
	for {
		u := s.changes(t)
		for _, rec := range u.Tasks {
			if rec.ID == id && rec.State.Terminal() {
				return u.HTML[id]
			}
		}
	}
}

func TestAWatchCarriesWhatThePageShows(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t, func(o *Options) { o.BasePath = "/skein" })
		p := n.join(t, tr)
		n.submit(t, wire.TaskSpec{Type: "shell", Name: "before", Argv: []string{"true"}}, wire.TaskCompleted)
		watches := map[wire.TaskHTML]*stream{}
		for _, as := range []wire.TaskHTML{"", wire.TaskAsRow, wire.TaskAsCard} {
			watches[as] = open(t, p, taskHeader, request("1", wire.MethodTaskWatch, wire.TaskWatchParams{HTML: as}))
			if u := watches[as].changes(t); len(u.Tasks) != 1 || len(u.HTML) != 0 {
				t.Errorf("the first list for %q has %d tasks and HTML of %d, want 1 and none", as, len(u.Tasks), len(u.HTML))
			}
		}
		done := n.submit(t, wire.TaskSpec{Type: "shell", Name: "<b>after</b>", Argv: []string{"echo", "what came out"}}, wire.TaskCompleted)
		page := n.ask(t, http.MethodGet, "/tasks", with(n.login(t)), asPage).body
		for as, begin := range map[wire.TaskHTML]string{"": "", wire.TaskAsRow: `<div role="row"`, wire.TaskAsCard: `<li class="card`} {
			html := watches[as].over(t, done.ID)
			if as == "" {
				if html != "" {
					t.Errorf("nobody asked for %s", html)
				}
				continue
			}
			for _, want := range []string{begin, `data-id="` + string(done.ID) + `"`, fmt.Sprintf(`data-rev="%d"`, done.Rev), "&lt;b&gt;after", "what came out", `href="/skein/tasks/`, `data-tick="ago"`} {
				if !strings.Contains(html, want) {
					t.Errorf("as a %s it has no %s: %s", as, want, html)
				}
			}
			if as == wire.TaskAsRow && !strings.Contains(ageless(page), ageless(html)) {
				t.Errorf("the page's first render has another row than %s", html)
			}
		}
	})
}

// ageless is HTML without the ages in it, which go on from one render to the next.
func ageless(html string) string { return ages.ReplaceAllString(html, `$1<`) }

var ages = regexp.MustCompile(`(data-tick="ago">)[^<]*<`)

func TestATasksPageIsWatched(t *testing.T) {
	t.Parallel()
	n := start(t)
	p := n.join(t, wire.WebSocket)
	root, err := n.plane.Tasks.Orchestrate(t.Context(), noun.Caller{Actor: "test"}, wire.OrchestrateParams{
		Name: "many", Task: wire.TaskSpec{Type: "shell", Argv: []string{"wc", "-w"}}, Inputs: []wire.Payload{{Text: "a b c"}}})
	if err != nil {
		t.Fatal(err)
	}
	results := open(t, p, fmt.Sprintf(`{"lane":"result","task":%q,"html":true}`, root.ID))
	watch := open(t, p, taskHeader, request("1", wire.MethodTaskWatch, wire.TaskWatchParams{Filter: wire.TaskFilter{Root: root.ID}, HTML: wire.TaskAsPage}))
	watch.changes(t)
	n.until(t, root.ID, wire.TaskCompleted)
	asked := func(as wire.TaskHTML, id wire.TaskID) string {
		return result[wire.TaskRenderResult](t, open(t, p, taskHeader).ask(t, "2", wire.MethodTaskRender, wire.TaskRenderParams{IDs: []wire.TaskID{id, "tnone"}, HTML: as})).HTML[id]
	}
	var r wire.Result
	results.note(t, wire.NoteResult, &r)
	if !strings.Contains(r.HTML, `<li class="result"`) || !strings.Contains(r.HTML, "3\n</code>") {
		t.Errorf("a result is rendered as %s", r.HTML)
	}
	for _, want := range []string{`id="task-head"`, `id="tally"`, `id="banner"`, `id="result"`, `id="moments"`, "1 of 1 completed"} {
		if html := asked(wire.TaskAsPage, root.ID); !strings.Contains(html, want) {
			t.Errorf("its page has no %s: %s", want, html)
		}
	}
	after := n.submit(t, wire.TaskSpec{Name: "after it", Type: "shell", Argv: []string{"true"}, DependsOn: []string{string(root.ID)}}, wire.TaskCompleted)
	for _, id := range []wire.TaskID{root.ID, after.ID} {
		if html := asked(wire.TaskAsGraph, id); !strings.Contains(html, `id="graph"`) || !strings.Contains(html, `data-ids="`+string(root.ID)+" "+string(after.ID)+`"`) {
			t.Errorf("the graph of %s is %s", id, html)
		}
	}
	if html := asked(wire.TaskAsTwig, r.Task); !strings.Contains(html, `<li class="twig"`) {
		t.Errorf("below it is %s", html)
	}
}

func TestWhatCannotBeRendered(t *testing.T) {
	t.Parallel()
	n := start(t)
	tasks := open(t, n.join(t, wire.WebSocket), taskHeader)
	many := make([]wire.TaskID, wire.MaxRender+1)
	for id, c := range map[string]struct {
		p     wire.TaskRenderParams
		field string
	}{
		"1": {wire.TaskRenderParams{IDs: many[:1], HTML: "script"}, "html"},
		"2": {wire.TaskRenderParams{IDs: many[:1]}, "html"},
		"3": {wire.TaskRenderParams{HTML: wire.TaskAsRow}, "ids"},
		"4": {wire.TaskRenderParams{IDs: many, HTML: wire.TaskAsRow}, "ids"},
	} {
		isError(t, tasks.ask(t, id, wire.MethodTaskRender, c.p), wire.CodeInvalidParams, c.field)
	}
	isError(t, tasks.ask(t, "5", wire.MethodTaskWatch, wire.TaskWatchParams{HTML: "script"}), wire.CodeInvalidParams, "html")
	if res := result[wire.TaskRenderResult](t, tasks.ask(t, "6", wire.MethodTaskRender, wire.TaskRenderParams{IDs: []wire.TaskID{"tnone"}, HTML: wire.TaskAsRow})); len(res.HTML) != 0 {
		t.Errorf("no task is rendered as %v", res.HTML)
	}
	// A result whose HTML fits no message is left out; the page has it after a reload.
	done := n.submit(t, wire.TaskSpec{Type: "shell", Argv: []string{"sh", "-c", "head -c 200000 /dev/zero | tr '\\0' '<'"}}, wire.TaskCompleted)
	res := result[wire.TaskRenderResult](t, tasks.ask(t, "7", wire.MethodTaskRender, wire.TaskRenderParams{IDs: []wire.TaskID{done.ID}, HTML: wire.TaskAsPage}))
	if len(res.HTML) != 0 {
		t.Errorf("%d bytes of HTML", len(res.HTML[done.ID]))
	}
}

func TestAgentsAreRenderedForTheirPages(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t, func(o *Options) { o.BasePath = "/skein" })
		control := n.join(t, tr)
		a := n.spawn(t, wire.SpawnParams{Type: "scripted", Name: "<b>gone</b>", Script: "say printed\nexit 3"})
		kit.Eventually(t, "it has ended", func() bool {
			rec, _ := n.plane.Get(a.ID)
			return rec.Status == wire.StatusExited && rec.LastLine == "printed"
		})
		render := func(id string, as wire.AgentHTML) string {
			p := wire.AgentRenderParams{IDs: []wire.AgentID{a.ID, "anone"}, HTML: as}
			return result[wire.AgentRenderResult](t, control.call(t, id, wire.MethodAgentRender, p)).HTML[a.ID]
		}
		row := render("1", wire.AgentAsRow)
		for _, want := range []string{`<div role="row" class="row agent" data-id="` + string(a.ID) + `"`, "&lt;b&gt;gone", "Exit code 3", `href="/skein/agents/`, `data-tick="ago"`, "printed"} {
			if !strings.Contains(row, want) {
				t.Errorf("its row has no %s: %s", want, row)
			}
		}
		_, fields, _ := strings.Cut(row, ">") // the page sets its place in the table
		if page := n.ask(t, http.MethodGet, "/", with(n.login(t)), asPage).body; !strings.Contains(page, fields) {
			t.Errorf("the page's first render has another row than %s", row)
		}
		for i, want := range []string{`id="agent-head"`, `id="facts"`, `id="banner"`, `id="input"`, "Exit code 3", "It has ended and takes no input"} {
			if page := render(fmt.Sprint(2+i), wire.AgentAsPage); !strings.Contains(page, want) {
				t.Errorf("its page has no %s: %s", want, page)
			}
		}
	})
}

func TestAgentsThatCannotBeRendered(t *testing.T) {
	t.Parallel()
	control := start(t).join(t, wire.WebSocket)
	many := make([]wire.AgentID, wire.MaxRender+1)
	for id, c := range map[string]struct {
		p     wire.AgentRenderParams
		field string
	}{
		"1": {wire.AgentRenderParams{IDs: many[:1], HTML: "card"}, "html"},
		"2": {wire.AgentRenderParams{IDs: many[:1]}, "html"},
		"3": {wire.AgentRenderParams{HTML: wire.AgentAsRow}, "ids"},
		"4": {wire.AgentRenderParams{IDs: many, HTML: wire.AgentAsRow}, "ids"},
	} {
		isError(t, control.call(t, id, wire.MethodAgentRender, c.p), wire.CodeInvalidParams, c.field)
	}
}

func TestEventsAreRenderedForTheTimeline(t *testing.T) {
	t.Parallel()
	n := start(t)
	control := n.join(t, wire.WebSocket)
	a := n.spawn(t, wire.SpawnParams{Type: "scripted", Script: "say printed\nask May I?\nexit 3"})
	kit.Eventually(t, "it asks", func() bool { rec, _ := n.plane.Get(a.ID); return rec.Activity == wire.ActivityRequiresAction })
	page := n.ask(t, http.MethodGet, "/agents/"+string(a.ID), with(n.login(t)), asPage).body
	res := result[wire.AgentEventsResult](t, control.call(t, "1", wire.MethodAgentEvents, wire.AgentEventsParams{ID: a.ID, Which: wire.LifecycleEvents, HTML: true}))
	moments := 0
	for _, e := range res.Events {
		if html, ok := res.HTML[e.Seq]; ok {
			moments++
			if title, _, _ := strings.Cut(html, "</p>"); !strings.Contains(page, title) {
				t.Errorf("the page has not %s", html)
			}
		}
		if !reflect.DeepEqual(e.Data, wire.EventData{}) {
			t.Errorf("event %d has data beside its HTML: %+v", e.Seq, e.Data)
		}
	}
	if moments != len(res.HTML) || moments < 3 || moments != strings.Count(page, `<li class="moment"`) {
		t.Errorf("%d moments of %d events: %v", moments, len(res.Events), res.HTML)
	}
	if res = result[wire.AgentEventsResult](t, control.call(t, "2", wire.MethodAgentEvents, wire.AgentEventsParams{ID: a.ID})); len(res.HTML) > 0 || len(res.Events) < 4 {
		t.Errorf("nobody asked for %v", res.HTML)
	}
}

func TestArtifactsAreRenderedForTheirPages(t *testing.T) {
	t.Parallel()
	n := start(t, func(o *Options) { o.BasePath = "/skein" })
	control := n.join(t, wire.WebSocket)
	agent := n.spawn(t, wire.SpawnParams{Type: "scripted", Name: "maker", Script: "idle 1h"})
	a := control.createArtifact(t, "1", wire.ArtifactCreateParams{Name: "<i>part", Size: 100, Agent: agent.ID})
	render := func(id string, as wire.ArtifactHTML) string {
		p := wire.ArtifactRenderParams{IDs: []wire.ArtifactID{a.ID, "fnone"}, HTML: as}
		return result[wire.ArtifactRenderResult](t, control.call(t, id, wire.MethodArtifactRender, p)).HTML[a.ID]
	}
	for _, page := range []struct {
		path string
		as   wire.ArtifactHTML
		want []string
	}{
		{"/artifacts", wire.ArtifactAsRow, []string{"&lt;i&gt;part", "Uploading at 0%", "maker"}},
		{"/agents/" + string(agent.ID), wire.ArtifactAsItem, []string{"&lt;i&gt;part", "Uploading at 0%"}},
	} {
		html := render(fmt.Sprint(len(page.path)), page.as)
		for _, want := range page.want {
			if !strings.Contains(html, want) {
				t.Errorf("as a %s it has no %s: %s", page.as, want, html)
			}
		}
		body := strings.ReplaceAll(n.ask(t, http.MethodGet, page.path, with(n.login(t)), asPage).body, "?agent="+string(agent.ID)+`">`, `">`) // a single one knows no list
		if !strings.Contains(body, ` data-id="`+string(a.ID)+`"`) || !strings.Contains(body, html) && page.as == wire.ArtifactAsItem {
			t.Errorf("the first render of %s has another than %s", page.path, html)
		}
	}
	for id, p := range map[string]wire.ArtifactRenderParams{"100": {IDs: []wire.ArtifactID{a.ID}, HTML: "page"}, "101": {HTML: wire.ArtifactAsRow}} {
		field := "html"
		if len(p.IDs) == 0 {
			field = "ids"
		}
		isError(t, control.call(t, id, wire.MethodArtifactRender, p), wire.CodeInvalidParams, field)
	}
}

// TestAClientThatLeavesSpoilsNoFragment renders for clients that have left, as when a session closes meanwhile. Others must
// not get a failed rendering.
func TestAClientThatLeavesSpoilsNoFragment(t *testing.T) {
	t.Parallel()
	n := start(t)
	agent := n.spawn(t, wire.SpawnParams{Type: "scripted", Script: "exit 3"}).ID
	kit.Eventually(t, "the agent has ended", func() bool { a, err := n.plane.Get(agent); return err == nil && a.Status == wire.StatusExited })
	task := n.submit(t, wire.TaskSpec{Type: "shell", Argv: []string{"true"}}, wire.TaskCompleted).ID
	gone, leave := context.WithCancel(t.Context())
	leave()
	agents := wire.AgentRenderParams{IDs: []wire.AgentID{agent}, HTML: wire.AgentAsRow}
	tasks := wire.TaskRenderParams{IDs: []wire.TaskID{task}, HTML: wire.TaskAsRow}
	n.fragments.Agents(gone, agents)
	n.fragments.Tasks(gone, tasks)

	p := n.join(t, wire.WebSocket)
	if html := result[wire.AgentRenderResult](t, p.call(t, "1", wire.MethodAgentRender, agents)).HTML[agent]; !strings.Contains(html, "Exit code 3") {
		t.Errorf("the agent's row is %q", html)
	}
	if html := result[wire.TaskRenderResult](t, open(t, p, taskHeader).ask(t, "1", wire.MethodTaskRender, tasks)).HTML[task]; !strings.Contains(html, string(task)) {
		t.Errorf("the task's row is %q", html)
	}
}
