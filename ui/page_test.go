package ui

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"
	"golang.org/x/net/html"

	"skein.dev/skein/ui/agent"
	"skein.dev/skein/ui/fleet"
	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/login"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// node is a parsed page.
type node struct{ *html.Node }

func render(t *testing.T, c templ.Component) node {
	t.Helper()
	var b strings.Builder
	if err := c.Render(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	doc, err := html.Parse(strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return node{doc}
}

func (n node) attr(name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func (n node) is(name string) bool { _, ok := n.attr(name); return ok }

// all returns the elements that satisfy is, in the order of the page, but not those in a <template>.
func (n node) all(is func(node) bool) []node {
	var out []node
	for d := range n.Descendants() {
		e := node{d}
		if d.Type == html.ElementNode && is(e) && !e.within("template") {
			out = append(out, e)
		}
	}
	return out
}

func (n node) within(tag string) bool {
	for p := range n.Ancestors() {
		if p.Data == tag {
			return true
		}
	}
	return false
}

func (n node) one(t *testing.T, is func(node) bool) node {
	t.Helper()
	found := n.all(is)
	if len(found) != 1 {
		t.Fatalf("%d elements, want 1", len(found))
	}
	return found[0]
}

func (n node) text() string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func with(name, value string) func(node) bool {
	return func(n node) bool { v, ok := n.attr(name); return ok && v == value }
}

func has(name string) func(node) bool { return func(n node) bool { return n.is(name) } }

func tag(name string) func(node) bool { return func(n node) bool { return n.Data == name } }

func class(name string) func(node) bool {
	return func(n node) bool { v, _ := n.attr("class"); return slices.Contains(strings.Fields(v), name) }
}

func both(a, b func(node) bool) func(node) bool {
	return func(n node) bool { return a(n) && b(n) }
}

func names(rows []node) []string {
	var out []string
	for _, r := range rows {
		for _, n := range r.all(with("data-f", "name")) {
			out = append(out, n.text())
		}
	}
	return out
}

func assets(name string) string { return "/static/" + name + "?v=1" }

func fleetView(agents ...wire.Agent) fleet.FleetView {
	return fleet.FleetView{Agents: agents, Types: fleet.StoryTypes(), Node: "n", Version: "v", Epoch: "e", Now: frame.StoryNow, Assets: assets}
}

func running(id string, created time.Duration) wire.Agent {
	return wire.Agent{ID: wire.AgentID(id), Name: id, Type: "shell", Status: wire.StatusRunning, Activity: wire.ActivityIdle, CreatedAt: frame.StoryNow.Add(-created)}
}

func failing(id string) wire.Agent {
	a := running(id, time.Hour)
	a.Status, a.Activity, a.Reason, a.ExitedAt, a.Exit = wire.StatusExited, "", wire.ReasonFailed, frame.StoryAgo(time.Minute), &wire.Exit{Code: 3}
	return a
}

func asking(id string) wire.Agent {
	a := running(id, time.Hour)
	a.Activity, a.Question = wire.ActivityRequiresAction, "Go on?"
	return a
}

func TestFleetPutsThoseThatNeedAPersonFirst(t *testing.T) {
	doc := render(t, fleet.Fleet(fleetView(running("new", time.Second), failing("broken"), running("old", time.Hour), asking("asker"))))
	rows := doc.all(class("agent"))
	if got, want := names(rows), []string{"asker", "broken", "new", "old"}; !slices.Equal(got, want) {
		t.Fatalf("order %v, want %v", got, want)
	}
	if got := rows[0].one(t, with("data-f", "why")).text(); got != "Go on?" {
		t.Errorf("the question reads %q", got)
	}
	if rows[0].one(t, with("data-f", "answer")).is("hidden") {
		t.Error("there is no field for the answer")
	}
	if got := rows[1].one(t, with("data-f", "why")).text(); got != "Exit code 3" {
		t.Errorf("the failure reads %q", got)
	}
	if n := len(rows[2].all(tag("form"))) + len(rows[2].all(tag("input"))); n > 0 {
		t.Errorf("a row that needs nothing has %d form elements: 2,000 of them stall a browser's autofill", n)
	}
	if got := doc.one(t, with("id", "summary")).text(); got != "4 agents, 3 alive, 1 needs you, 1 failing" {
		t.Errorf("summary %q", got)
	}
}

func TestFleetPutsTheLongestWaitFirst(t *testing.T) {
	wait := func(id string, d time.Duration) wire.Agent {
		a := asking(id)
		a.AskedAt = frame.StoryAgo(d)
		return a
	}
	doc := render(t, fleet.Fleet(fleetView(wait("b", time.Minute), wait("c", time.Second), wait("a", 75*time.Minute))))
	rows := doc.all(class("agent"))
	if got, want := names(rows), []string{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Fatalf("order %v, want %v", got, want)
	}
	since := rows[0].one(t, class("why-wait"))
	if got := since.text(); got != "waits 1h 15m" || value(t, since, "data-tick") != "span" {
		t.Errorf("it says %q, and goes on by %q", got, value(t, since, "data-tick"))
	}
}

func TestFleetKeepsWhatHasEndedApart(t *testing.T) {
	over := func(id string, reason wire.Reason) wire.Agent {
		a := failing(id)
		a.Reason, a.Exit = reason, &wire.Exit{}
		return a
	}
	process := running("process", time.Second)
	process.ForTask = "t1"
	v := fleetView(over("stopped", wire.ReasonStopped), process)
	v.Keep = 42
	for state, c := range map[string]struct{ row, note string }{
		"": {}, "ended": {"stopped", "The last 42 that ended are remembered"}, "tasks": {"process", "for one task each"},
	} {
		v.Filter.State = state
		doc := render(t, fleet.Fleet(v))
		if got := strings.Join(names(doc.all(class("agent"))), " "); got != c.row {
			t.Errorf("%q shows %q, want %q", state, got, c.row)
		}
		part := doc.one(t, both(class("group"), with("data-group", cmp.Or(state, "ended"))))
		if text := part.one(t, class("group-note")).text(); !strings.Contains(text, c.note) {
			t.Errorf("%q says %q", state, text)
		}
		if state == "" && doc.one(t, with("id", "no-match-title")).text() != "No agent is at work" {
			t.Error("it seems that a filter hides all")
		}
	}
	v.Agents = append(v.Agents, over("seen?", wire.ReasonCompleted))
	v.Filter.State = ""
	row := render(t, fleet.Fleet(v)).all(class("agent"))[0]
	if len(row.all(with("data-do", "dismiss"))) != 1 || row.one(t, with("data-f", "name")).text() != "seen?" {
		t.Error("what ended well can't be dismissed")
	}
}

func TestFleetFoldsManyThatNeedAPerson(t *testing.T) {
	var agents []wire.Agent
	for i := range fleet.MaxFolded + 3 {
		agents = append(agents, failing("f"+strconv.Itoa(i)))
	}
	v := fleetView(agents...)
	doc := render(t, fleet.Fleet(v))
	if n := len(doc.all(class("agent"))); n != fleet.MaxFolded {
		t.Errorf("%d rows, want %d", n, fleet.MaxFolded)
	}
	fold := func(doc node) node {
		return doc.one(t, both(class("group"), with("data-group", "failing"))).one(t, with("data-f", "fold"))
	}
	if fold := fold(doc); fold.is("hidden") || fold.text() != "Show 3 more" {
		t.Errorf("the fold reads %q", fold.text())
	}

	v.Filter.State = "failing"
	doc = render(t, fleet.Fleet(v))
	if n := len(doc.all(class("agent"))); n != len(agents) {
		t.Errorf("%d rows when those that need a person are asked for, want %d", n, len(agents))
	}
	if !fold(doc).is("hidden") {
		t.Error("there is a button to fold them")
	}
}

func TestFleetNumbersItsRows(t *testing.T) {
	for name, c := range map[string]struct {
		agents []wire.Agent
		count  string
		index  []string
	}{
		"both groups": {[]wire.Agent{running("new", time.Second), failing("broken"), running("old", time.Hour)}, "6", []string{"3", "5", "6"}},
		"none needs":  {[]wire.Agent{running("new", time.Second), running("old", time.Hour)}, "4", []string{"3", "4"}},
		"all need":    {[]wire.Agent{failing("broken"), asking("asker")}, "5", []string{"3", "5"}},
	} {
		t.Run(name, func(t *testing.T) {
			doc := render(t, fleet.Fleet(fleetView(c.agents...)))
			if got, _ := doc.one(t, with("id", "list")).attr("aria-rowcount"); got != c.count {
				t.Errorf("%s rows, want %s", got, c.count)
			}
			var index []string
			for _, r := range doc.all(class("agent")) {
				i, _ := r.attr("aria-rowindex")
				index = append(index, i)
			}
			if !slices.Equal(index, c.index) {
				t.Errorf("rows %v, want %v", index, c.index)
			}
		})
	}
}

func TestFleetCounts(t *testing.T) {
	a := append(fleet.StoryAgents(), fleet.StoryForTasks()[0])
	doc := render(t, fleet.Fleet(fleetView(a...)))
	want := map[string]string{"": "14", "needs": "1", "failing": "4", "working": "8", "finished": "1", "ended": "1", "tasks": "1"}
	for _, chip := range doc.all(class("chip")) {
		key, _ := chip.attr("data-group")
		if got := chip.one(t, class("chip-count")).text(); got != want[key] {
			t.Errorf("%q counts %s, want %s", key, got, want[key])
		}
		if chip.is("hidden") {
			t.Errorf("%q is hidden", key)
		}
		delete(want, key)
	}
	if len(want) > 0 {
		t.Errorf("chips missing: %v", want)
	}
}

func TestFleetFilterAndSort(t *testing.T) {
	a := []wire.Agent{running("demo-10", 3*time.Second), running("demo-2", 2*time.Second), running("Beta", time.Second), failing("demo-1")}
	a[0].Type, a[1].Usage.CPU, a[2].Usage.CPU, a[2].LastLine = "coder", 0.5, 0.9, "a Needle here"
	a[1].Labels, a[2].Node = map[string]string{"team": "core"}, "east"
	for _, c := range []struct {
		query string
		want  []string
	}{
		{"", []string{"demo-1", "Beta", "demo-2", "demo-10"}},
		{"sort=name", []string{"demo-1", "Beta", "demo-2", "demo-10"}},
		{"sort=-name", []string{"demo-1", "demo-10", "demo-2", "Beta"}},
		{"sort=cpu", []string{"demo-1", "Beta", "demo-2", "demo-10"}},
		{"sort=-cpu", []string{"demo-1", "demo-10", "demo-2", "Beta"}},
		{"sort=-age", []string{"demo-1", "demo-10", "demo-2", "Beta"}},
		{"sort=nonsense&state=nonsense", []string{"demo-1", "Beta", "demo-2", "demo-10"}},
		{"state=working&sort=type", []string{"demo-10", "Beta", "demo-2"}},
		{"state=failing", []string{"demo-1"}},
		{"label=team%3Dcore", []string{"demo-2"}},
		{"label=team%3Dc", nil},
		{"node=east", []string{"Beta"}},
		{"type=coder", []string{"demo-10"}},
		{"q=NEEDLE", []string{"Beta"}},
		{"q=nowhere", nil},
	} {
		t.Run(c.query, func(t *testing.T) {
			q, _ := url.ParseQuery(c.query)
			v := fleetView(a...)
			v.Filter = fleet.ParseFleetFilter(q)
			doc := render(t, fleet.Fleet(v))
			if got := names(doc.all(class("agent"))); !slices.Equal(got, c.want) {
				t.Errorf("rows %v, want %v", got, c.want)
			}
			if hidden := doc.one(t, with("id", "no-match")).is("hidden"); hidden != (c.want != nil) {
				t.Errorf(`"No agent matches" is hidden: %v`, hidden)
			}
			if !doc.one(t, with("id", "no-agents")).is("hidden") {
				t.Error(`"No agents yet" is shown`)
			}
		})
	}
}

// The page of an empty fleet offers the agents that a person can start as they are, in the folder that it shows, or says how to get some.
func TestFleetEmptyOffersAgents(t *testing.T) {
	v := fleetView()
	v.Start = fleet.Start{Looked: true, Folder: "/home/me", Known: []fleet.Known{{Name: "opencode", Get: "npm install -g opencode-ai", Cmd: true}}}
	known := func() bool {
		return strings.Contains(render(t, fleet.Fleet(v)).one(t, with("id", "no-agents")).text(), "npm install -g opencode-ai")
	}
	if !known() {
		t.Error("it does not say how to get an agent")
	}
	v.Types = append(v.Types,
		wire.AgentType{Name: "gemini", Kind: wire.KindACP, Found: true, Argv: []string{"/bin/gemini", "--acp"}},
		wire.AgentType{Name: "claude", Kind: wire.KindExec, Found: true, TTY: true, Argv: []string{"/bin/claude"}},
		wire.AgentType{Name: "claude-task", Kind: wire.KindExec, Found: true, Tasks: wire.TasksProcess, Argv: []string{"/bin/claude", "-p"}},
		wire.AgentType{Name: "reviewer", Kind: wire.KindOpenAI, Cwd: "/srv"},
		wire.AgentType{Name: "lines", Kind: wire.KindExec, Tasks: wire.TasksLines, Argv: []string{"python3", "x.py"}},
		wire.AgentType{Name: "away", Kind: wire.KindRemote},
	)
	doc := render(t, fleet.Fleet(v))
	var offered []string
	for _, b := range doc.one(t, with("id", "no-agents")).all(has("data-open")) {
		params, _ := b.attr("data-spawn")
		offered = append(offered, params+" "+strconv.FormatBool(b.is("data-in-folder")))
	}
	if want := []string{`{"type":"gemini"} true`, `{"type":"claude"} true`, `{"type":"reviewer"} false`}; !slices.Equal(offered, want) {
		t.Errorf("it offers %v, want %v", offered, want)
	}
	if folder, _ := doc.one(t, with("id", "start-folder")).attr("value"); folder != "/home/me" {
		t.Errorf("they work in %q", folder)
	}
	if known() {
		t.Error("it says how to get an agent where there are some")
	}
}

func TestFilterURL(t *testing.T) {
	for _, want := range []string{"/", "/?label=a%3Db&node=east&q=a+b&sort=-cpu&state=failing&type=shell"} {
		u, _ := url.Parse(want)
		if got := fleet.ParseFleetFilter(u.Query()).URL(); got != want {
			t.Errorf("URL %s, want %s", got, want)
		}
	}
}

func TestFleetEmpty(t *testing.T) {
	doc := render(t, fleet.Fleet(fleetView()))
	if doc.one(t, with("id", "no-agents")).is("hidden") {
		t.Error(`"No agents yet" is hidden`)
	}
	if n := len(doc.all(has("data-spawn"))); n != 3 {
		t.Errorf("%d starters, want 3", n)
	}
	for _, id := range []string{"list", "no-match", "chips", "filters"} {
		if !doc.one(t, with("id", id)).is("hidden") {
			t.Errorf("#%s is shown", id)
		}
	}
	v := fleetView()
	v.Types = v.Types[2:]
	if n := len(render(t, fleet.Fleet(v)).all(has("data-spawn"))); n != 0 {
		t.Errorf("%d starters for types that do not exist", n)
	}
}

func TestFleetRendersABoundedPart(t *testing.T) {
	var agents []wire.Agent
	for i := range fleet.MaxRows + 50 {
		agents = append(agents, running("r"+strconv.Itoa(i), time.Duration(i)*time.Second), failing("f"+strconv.Itoa(i)))
	}
	v := fleetView(agents...)
	doc := render(t, fleet.Fleet(v))
	if n := len(doc.all(class("agent"))); n != fleet.MaxFolded+fleet.MaxRows {
		t.Errorf("%d rows, want %d", n, fleet.MaxFolded+fleet.MaxRows)
	}
	if got, _ := doc.one(t, with("id", "list")).attr("aria-rowcount"); got != strconv.Itoa(3+fleet.MaxFolded+fleet.MaxRows+50) {
		t.Errorf("the table counts %s rows", got)
	}
	if got := doc.one(t, both(class("group"), with("data-group", "working"))).one(t, with("data-f", "group-count")).text(); got != strconv.Itoa(fleet.MaxRows+50) {
		t.Errorf("count %s", got)
	}
	v.Filter.State = "failing"
	if n := len(render(t, fleet.Fleet(v)).all(class("agent"))); n != fleet.MaxRows {
		t.Errorf("%d rows of those that need a person, want %d", n, fleet.MaxRows)
	}
}

func TestAPeekHasTheLastLinesAndABoxForWhoListens(t *testing.T) {
	var events []wire.Event
	for i := range agent.PeekLines + 3 {
		events = append(events, wire.Event{Seq: uint64(i + 1), Type: wire.EventStdout, Data: wire.EventData{Text: "line " + strconv.Itoa(i) + "\n"}})
	}
	doc := render(t, agent.Peek(agent.PeekView{Agent: running("a", time.Second), Events: events}))
	lines := doc.all(class("ln"))
	if len(lines) != agent.PeekLines || !strings.HasSuffix(lines[len(lines)-1].text(), "line "+strconv.Itoa(len(events)-1)) {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1].text())
	}
	permission := asking("a")
	permission.Kind = wire.KindACP
	deaf := running("a", time.Second)
	deaf.NoInput = true
	for name, c := range map[string]struct {
		agent wire.Agent
		label string // of the box; "": there is none
		says  string
	}{
		"input":      {running("a", time.Second), "Write a line to a", ""},
		"a question": {asking("a"), "Reply to a", ""},
		"permission": {permission, "", "See what it asks"},
		"no input":   {deaf, "", "It has no standard input."},
		"ended":      {failing("a"), "", "It has ended and takes no input."},
	} {
		doc := render(t, agent.Peek(agent.PeekView{Agent: c.agent}))
		boxes := doc.all(tag("input"))
		if len(boxes) > 1 || (len(boxes) == 1) != (c.label != "") || len(boxes) == 1 && value(t, boxes[0], "aria-label") != c.label {
			t.Errorf("%s: %d boxes", name, len(boxes))
		}
		if text := doc.text(); !strings.Contains(text, c.says) || !strings.Contains(text, "It has printed nothing.") {
			t.Errorf("%s: %q", name, text)
		}
	}
	screen := render(t, agent.Peek(agent.PeekView{Agent: running("a", time.Second), Screen: []string{"top", "", " x ", "", ""}}))
	if got := screen.one(t, class("peek-screen")).FirstChild.Data; got != "top\n\n x" {
		t.Errorf("the screen reads %q", got)
	}
}

// hostile is text that ends an element, an attribute or a script unless it is escaped.
const hostile = `</code></script><script>alert(1)</script>"'><img src=x onerror=alert(1)>`

func TestHostileText(t *testing.T) {
	a := failing("x")
	a.ID, a.Name, a.Type, a.LastLine, a.Cwd = hostile, hostile, hostile, "\x1b]0;"+hostile+"\x07"+hostile, hostile
	a.Argv, a.Labels = []string{hostile}, map[string]string{hostile: hostile}
	a.Exit.Message = hostile
	q := asking("y")
	q.Question = hostile
	types := []wire.AgentType{{Name: hostile, Description: hostile, Argv: []string{hostile}}}
	event := func(kind wire.EventType, d wire.EventData) wire.Event {
		return wire.Event{Seq: 1, Type: kind, Actor: hostile, Data: d}
	}
	events := []wire.Event{
		event(wire.EventSpawned, wire.EventData{}), event(wire.EventStdout, wire.EventData{Text: "\x1b[31m" + hostile}),
		event(wire.EventInput, wire.EventData{Text: hostile}), event(wire.EventSignal, wire.EventData{Text: hostile}),
		event(wire.EventActivity, wire.EventData{Activity: wire.ActivityRequiresAction, Text: hostile}),
		event(wire.EventExited, wire.EventData{Reason: wire.ReasonFailed, Exit: a.Exit}),
	}
	all := fleetView(a, q)
	all.Types, all.Node, all.Version, all.Epoch = types, hostile, hostile, hostile
	all.Filter = fleet.FleetFilter{Query: hostile}
	agentView := agent.AgentView{Agent: a, Events: events, Lifecycle: events, Type: types[0], Node: hostile, Version: hostile, Epoch: hostile, Now: frame.StoryNow, Assets: assets}
	for name, c := range map[string]templ.Component{
		"peek":   agent.Peek(agent.PeekView{Agent: q, Events: events}),
		"screen": agent.Peek(agent.PeekView{Agent: a, Screen: []string{hostile}}),
		"fleet":  fleet.Fleet(all), "agent": agent.AgentPage(agentView),
		"login":   login.Login(login.LoginView{Token: hostile, Next: hostile, Node: hostile, Nonce: "n"}),
		"refused": login.Refused(login.RefusedView{Status: 404, Title: hostile, Detail: hostile, Nonce: "n"}),
	} {
		t.Run(name, func(t *testing.T) {
			doc := render(t, c)
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
		})
	}
}

// TestContentSecurityPolicy checks that the dashboard's pages have no inline script or style, which the policy forbids.
func TestContentSecurityPolicy(t *testing.T) {
	v := agent.AgentView{Agent: fleet.StoryAgents()[0], Events: agent.StoryEvents(), Type: fleet.StoryTypes()[0], Now: frame.StoryNow, Assets: assets}
	for name, c := range map[string]templ.Component{"fleet": fleet.Fleet(fleetView(fleet.StoryAgents()...)), "agent": agent.AgentPage(v), "stories": Stories(assets)} {
		doc := render(t, c)
		for d := range doc.Descendants() {
			n := node{d}
			if n.is("style") || n.Data == "style" || n.Data == "script" && !n.is("src") {
				t.Errorf("%s has an inline style or script: <%s>", name, n.Data)
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") {
					t.Errorf("%s has the attribute %s", name, a.Key)
				}
			}
		}
	}
}

func TestAgentPage(t *testing.T) {
	a := fleet.StoryAgents()[0]
	a.Argv = []string{"sh", "-c", "echo 'a b'", ""}
	v := agent.AgentView{Agent: a, Events: agent.StoryEvents(), Cursor: 99, Earlier: true, Type: fleet.StoryTypes()[1], Now: frame.StoryNow, Assets: assets, Theme: "dark"}
	doc := render(t, agent.AgentPage(v))
	root := doc.one(t, with("id", "agent"))
	if c, _ := root.attr("data-cursor"); c != "99" {
		t.Errorf("cursor %s", c)
	}
	if theme, _ := doc.one(t, tag("html")).attr("data-theme"); theme != "dark" {
		t.Errorf("theme %q", theme)
	}
	var argv []string
	for _, n := range root.all(class("token")) {
		argv = append(argv, n.FirstChild.Data)
		if len(argv) == 3 {
			break
		}
	}
	if !slices.Equal(argv, a.Argv[:3]) {
		t.Errorf("arguments %q", argv)
	}
	if doc.one(t, with("id", "banner")).is("hidden") || doc.one(t, with("id", "earlier")).is("hidden") {
		t.Error("the banner or the way to earlier output is hidden")
	}
	if doc.one(t, with("id", "input-text")).is("disabled") {
		t.Error("a running agent takes no input")
	}
	v.Agent = failing("gone")
	doc = render(t, agent.AgentPage(v))
	input := doc.one(t, with("id", "input-text"))
	if why, _ := input.attr("placeholder"); !input.is("disabled") || why != "It has ended and takes no input" {
		t.Errorf("the input box of an ended agent says %q", why)
	}
	if !doc.one(t, with("id", "stop-open")).is("disabled") {
		t.Error("an ended agent can be stopped")
	}
}

// The page says what the log has dropped, above the output and where it is missing.
func TestAgentPageSaysWhatWasDropped(t *testing.T) {
	from, to := frame.StoryNow.Add(-time.Hour), frame.StoryNow.Add(-time.Minute)
	d := &wire.Dropped{Amount: wire.Amount{Events: 12, Bytes: 3 << 20}, From: from, To: to}
	a := running("a", time.Second)
	a.Dropped = d
	events := []wire.Event{
		{Seq: 5, Type: wire.EventStdout, Data: wire.EventData{Text: "half "}},
		{Seq: 90, Type: wire.EventStdout, Data: wire.EventData{Text: "a line\n"}, Dropped: d},
	}
	doc := render(t, agent.AgentPage(agent.AgentView{Agent: a, Events: events, Now: frame.StoryNow, Assets: assets}))
	want := "3 MiB from " + words.Clock(from) + " to " + words.Clock(to) + " are no longer there: the log was full."
	if n := doc.one(t, with("id", "dropped")); n.is("hidden") || n.text() != want {
		t.Errorf("it says %q, want %q", n.text(), want)
	}
	lines, _ := agent.Lines(events)
	if got, want := texts(lines), []string{"out:half ", "gap:" + want, "out:a line"}; !slices.Equal(got, want) {
		t.Errorf("lines %q, want %q", got, want)
	}
	a.Dropped = nil
	if doc := render(t, agent.AgentPage(agent.AgentView{Agent: a, Now: frame.StoryNow, Assets: assets})); !doc.one(t, with("id", "dropped")).is("hidden") {
		t.Error("something is said to be missing that is not")
	}
}

func TestAgentPageRendersABoundedPart(t *testing.T) {
	events := []wire.Event{
		{Seq: 5, Type: wire.EventStdout, Data: wire.EventData{Text: "first\n"}},
		{Seq: 9, Type: wire.EventStdout, Data: wire.EventData{Text: strings.Repeat("x\n", agent.MaxLines+10)}},
	}
	doc := render(t, agent.AgentPage(agent.AgentView{Agent: running("a", time.Second), Events: events, Cursor: 9, Now: frame.StoryNow, Assets: assets}))
	if n := len(doc.all(class("ln"))); n != agent.MaxLines {
		t.Errorf("%d lines, want %d", n, agent.MaxLines)
	}
	if first, _ := doc.one(t, with("id", "agent")).attr("data-first"); first != "9" {
		t.Errorf("the first event shown is %s, want 9", first)
	}
	if doc.one(t, with("id", "earlier")).is("hidden") {
		t.Error("the way to earlier output is hidden")
	}
}

// TestAgentPageHasItsTimelineWhateverWasPrinted checks that the timeline does not depend on the output that the page begins with.
func TestAgentPageHasItsTimelineWhateverWasPrinted(t *testing.T) {
	v := agent.AgentView{
		Agent:     running("a", time.Second),
		Events:    []wire.Event{{Seq: 900, Type: wire.EventStdout, Data: wire.EventData{Text: "late\n"}}},
		Earlier:   true,
		Lifecycle: []wire.Event{{Seq: 3, Type: wire.EventSpawned}, {Seq: 4, Type: wire.EventStarted}},
		Now:       frame.StoryNow, Assets: assets,
	}
	doc := render(t, agent.AgentPage(v))
	var got []string
	for _, n := range doc.one(t, with("id", "moments")).all(class("moment-title")) {
		got = append(got, n.text())
	}
	if want := []string{"Started", "Spawned"}; !slices.Equal(got, want) {
		t.Errorf("timeline %q, want %q", got, want)
	}
	if !doc.one(t, with("id", "moments-earlier")).is("hidden") {
		t.Error("earlier events are offered, and there are none")
	}
	v.EarlierLifecycle = true
	more := render(t, agent.AgentPage(v)).one(t, with("id", "moments-earlier"))
	if before, _ := more.attr("data-before"); more.is("hidden") || before != "3" {
		t.Errorf("earlier events than %s are offered: %v", before, !more.is("hidden"))
	}
}

func texts(lines []agent.Line) []string {
	var out []string
	for _, l := range lines {
		s := l.Kind + ":"
		for _, p := range l.Pieces() {
			s += p.Text
		}
		if l.Open {
			s += "…"
		}
		out = append(out, s)
	}
	return out
}

func TestLines(t *testing.T) {
	stdout := func(s string) wire.Event { return wire.Event{Type: wire.EventStdout, Data: wire.EventData{Text: s}} }
	stderr := func(s string) wire.Event { return wire.Event{Type: wire.EventStderr, Data: wire.EventData{Text: s}} }
	input := func(s string) wire.Event { return wire.Event{Type: wire.EventInput, Data: wire.EventData{Text: s}} }
	binary := wire.Event{Type: wire.EventStdout, Data: wire.EventData{Base64: []byte{0xff, 0x00}}}
	exited := wire.Event{Type: wire.EventExited, Data: wire.EventData{Reason: wire.ReasonCompleted}}
	for _, c := range []struct {
		name   string
		events []wire.Event
		want   []string
	}{
		{"whole lines", []wire.Event{stdout("a\nb\n")}, []string{"out:a", "out:b"}},
		{"pieces of a line", []wire.Event{stdout("a"), stdout("b"), stdout("c\n")}, []string{"out:abc"}},
		{"the last goes on", []wire.Event{stdout("a\nb")}, []string{"out:a", "out:b…"}},
		{"two streams, each its own line", []wire.Event{stdout("a"), stderr("x"), stdout("b\n"), stderr("y\n")}, []string{"out:ab", "err:xy"}},
		{"empty lines", []wire.Event{stdout("\n\na\n")}, []string{"out:", "out:", "out:a"}},
		{"carriage returns", []wire.Event{stdout("10%\r50%\r"), stdout("100%\r\n")}, []string{"out:100%"}},
		{"a progress bar without an end", bars(stdout, 400), []string{"out:[" + strings.Repeat("#", 60) + "] 400…"}},
		{"a sequence in two events", []wire.Event{stdout("old\x1b[2"), stdout("K\x1b[1"), stdout("Gnew\n")}, []string{"out:new"}},
		{"a spinner", []wire.Event{stdout("|"), stdout("\b/"), stdout("\b-"), stdout("\b\\\n")}, []string{"out:\\"}},
		{"input", []wire.Event{input("yes\nno\n"), input("")}, []string{"in:yes", "in:no", "in:end of input"}},
		{"binary ends a line", []wire.Event{stdout("a"), binary, stdout("b\n")}, []string{"out:a", "bin:Binary, 2 B · ff 00", "out:b"}},
		{"the end", []wire.Event{stdout("a"), exited}, []string{"out:a", "mark:Completed"}},
		{"a line without end", []wire.Event{stdout(strings.Repeat("x", agent.MaxLine-1) + "äb\n")}, []string{"out:" + strings.Repeat("x", agent.MaxLine-1), "out:äb"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			lines, _ := agent.Lines(c.events)
			if got := texts(lines); !slices.Equal(got, c.want) {
				t.Errorf("lines %q, want %q", got, c.want)
			}
		})
	}
}

// bars are the events of a progress bar that stays on one line.
func bars(print func(string) wire.Event, n int) (all []wire.Event) {
	for i := range n {
		all = append(all, print(fmt.Sprintf("\x1b[2K\x1b[1G[\x1b[32m%s\x1b[0m] %d", strings.Repeat("#", 60), i+1)))
	}
	return all
}

func TestLinesKeepTheStyle(t *testing.T) {
	lines, end := agent.Lines([]wire.Event{
		{Type: wire.EventStdout, Data: wire.EventData{Text: "\x1b[31mred\nstill\x1b[1m"}},
		{Type: wire.EventStdout, Data: wire.EventData{Text: " bold\n"}},
	})
	if got := lines[1].Pieces(); len(got) != 2 || got[0].Class != "f1" || got[1].Class != "a-b f1" {
		t.Errorf("pieces %q", got)
	}
	if c := end["out"].Class(); c != "a-b f1" {
		t.Errorf("ends with %q", c)
	}
}

func TestTimeline(t *testing.T) {
	var got []string
	for _, m := range agent.Timeline(agent.StoryEvents()) {
		got = append(got, m.Title+"/"+m.Detail)
	}
	want := []string{"Signal sent/SIGTERM", "Stop requested/", "Input/no, find out why one is missing",
		"Needs you/Update the expected value to 41?", "Started/pid 41006", "Spawned/by dashboard"}
	if !slices.Equal(got, want) {
		t.Errorf("timeline %q, want %q", got, want)
	}
}

func TestTheme(t *testing.T) {
	for value, want := range map[string]string{"": "", "dark": "dark", "light": "light", `"><script>`: ""} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(&http.Cookie{Name: frame.ThemeCookie, Value: url.QueryEscape(value)})
		if got := frame.Theme(r); got != want {
			t.Errorf("Theme of %q = %q, want %q", value, got, want)
		}
	}
}

func TestLogin(t *testing.T) {
	doc := render(t, login.Login(login.LoginView{Token: "t0k", Nonce: "n"}))
	form := doc.one(t, tag("form"))
	if action, _ := form.attr("action"); action != "/login" {
		t.Errorf("action %s", action)
	}
	if v, _ := form.one(t, with("name", "token")).attr("value"); v != "t0k" {
		t.Errorf("token %s", v)
	}
	for _, n := range doc.all(func(n node) bool { return n.Data == "script" || n.Data == "style" }) {
		if nonce, _ := n.attr("nonce"); nonce != "n" {
			t.Errorf("<%s> has the nonce %q", n.Data, nonce)
		}
	}
	bare := render(t, login.Login(login.LoginView{Token: "t"}))
	if n := len(bare.all(tag("script"))) + len(bare.all(tag("style"))); n > 0 {
		t.Error("without a nonce there is a script or a style")
	}
	bare.one(t, tag("button"))
}

func TestRefused(t *testing.T) {
	for status, want := range map[int]string{401: "skein login", 403: "skein login", 404: "To the fleet", 500: "Its log says why"} {
		doc := render(t, login.Refused(login.RefusedView{Status: status, Nonce: "n"}))
		if got := doc.one(t, tag("main")).text(); !strings.Contains(got, want) || !strings.Contains(got, strconv.Itoa(status)) {
			t.Errorf("%d reads %q", status, got)
		}
		for _, n := range doc.all(func(n node) bool { return n.Data == "script" || n.Data == "link" || n.is("src") }) {
			if v, _ := n.attr("href"); !strings.HasPrefix(v, "data:") {
				t.Errorf("%d needs another file: <%s>", status, n.Data)
			}
		}
	}
}

func TestEachStateHasAShapeOfItsOwn(t *testing.T) {
	doc := render(t, fleet.Fleet(fleetView()))
	shapes := map[string]string{}
	for _, state := range append(slices.Clone(fleet.StateOrder), "requires_action") {
		var b strings.Builder
		for n := range doc.one(t, both(tag("symbol"), with("id", "s-"+state))).ChildNodes() {
			if err := html.Render(&b, n); err != nil {
				t.Fatal(err)
			}
		}
		if same := shapes[b.String()]; same != "" {
			t.Errorf("%s looks like %s", state, same)
		}
		shapes[b.String()] = state
	}
}

func TestStories(t *testing.T) {
	doc := render(t, Stories(assets))
	for _, theme := range []string{"light", "dark"} {
		states := map[string]bool{}
		for _, p := range doc.all(both(class("story-theme"), with("data-theme", theme))) {
			for _, s := range p.all(class("status")) {
				v, _ := s.attr("data-state")
				states[v] = true
			}
		}
		for _, s := range fleet.StateOrder {
			if !states[s] {
				t.Errorf("no story shows %q in %s", s, theme)
			}
		}
	}
}
