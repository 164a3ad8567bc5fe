package ui

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/ui/agent"
	"skein.dev/skein/ui/fleet"
	"skein.dev/skein/ui/frame"
	"skein.dev/skein/webtransport/wire"
)

func agentHTML(t *testing.T, as wire.AgentHTML, a wire.Agent, of wire.AgentType) string {
	t.Helper()
	var b bytes.Buffer
	if err := agent.AgentFragment(as, &a, of, frame.StoryNow).Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Still leaves out only cells that the page writes itself: agents that are the same without them are rendered the same,
// apart from those cells and the record's age.
func TestWhatChangesAllTheTimeRendersNothingAnew(t *testing.T) {
	for _, a := range append(fleet.StoryAgents(), fleet.StoryBadged()...) {
		later := a
		later.Usage = wire.Usage{CPU: 3, RSS: 9 << 30, Processes: 12, CPUTime: 80}
		later.LastLine, later.LastSeq, later.Rev = "another line", 4711, 99
		if a.Status != wire.StatusUnknown {
			later.LastHeartbeat = frame.StoryAgo(5 * time.Second)
		}
		if !reflect.DeepEqual(fleet.Still(a), fleet.Still(later)) {
			t.Errorf("%s differs: %+v and %+v", a.Name, fleet.Still(a), fleet.Still(later))
		}
		for _, as := range []wire.AgentHTML{wire.AgentAsRow, wire.AgentAsPage, wire.AgentAsCell} {
			if got, want := agentHTML(t, as, fleet.Still(a), wire.AgentType{}), agentHTML(t, as, fleet.Still(later), wire.AgentType{}); got != want {
				t.Errorf("%s as a %s: %s and %s", a.Name, as, got, want)
			}
			hot := []string{`data-rev="`, `data-f="cpu">`, `data-f="mem">`, `data-f="line">`, `data-f="pid">`, `data-f="beat">`, `class="cell-row">`}
			if got, want := cells(agentHTML(t, as, a, wire.AgentType{}), hot), cells(agentHTML(t, as, later, wire.AgentType{}), hot); got != want {
				t.Errorf("%s as a %s has more that changes:\n%s\n%s", a.Name, as, got, want)
			}
		}
	}
	a := fleet.StoryAgents()[0]
	for name, change := range map[string]func(*wire.Agent){
		"status": func(a *wire.Agent) { a.Status = wire.StatusStopping }, "question": func(a *wire.Agent) { a.Question = "Another?" },
		"tasks": func(a *wire.Agent) { a.Tasks = []wire.TaskID{"t1"} }, "exit": func(a *wire.Agent) { a.Exit = &wire.Exit{Code: 3} },
	} {
		b := a
		change(&b)
		if reflect.DeepEqual(fleet.Still(a), fleet.Still(b)) {
			t.Errorf("another %s is no change", name)
		}
	}
}

// cells removes the values or texts after some marks from HTML.
func cells(html string, marks []string) string {
	for _, mark := range marks {
		for before, rest, ok := strings.Cut(html, mark); ok; before, rest, ok = strings.Cut(html, mark) {
			html = before + rest[strings.IndexAny(rest, `<"`):]
		}
	}
	return html
}

func TestAnAgentIsRenderedAsItsPageHasIt(t *testing.T) {
	of := fleet.StoryTypes()[0]
	for _, a := range append(fleet.StoryAgents(), fleet.StoryBadged()...) {
		var page bytes.Buffer
		if err := agent.AgentPage(agent.AgentView{Agent: a, Type: of, Now: frame.StoryNow, Assets: func(name string) string { return name }}).Render(t.Context(), &page); err != nil {
			t.Fatal(err)
		}
		html := agentHTML(t, wire.AgentAsPage, a, of)
		for _, begin := range []string{`<form class="input-box"`, `<section class="prompts"`, `<section class="banner"`, `<div id="folder"`, `<section class="side-part" id="usage"`, `<section class="side-part" id="facts"`, `<div class="agent-head"`} {
			at := strings.LastIndex(html, begin)
			if at < 0 || !strings.Contains(page.String(), html[at:]) {
				t.Fatalf("the page of %s has not from %s: %s", a.Name, begin, html)
			}
			html = html[:at]
		}
	}
}
