package ui

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/ui/agent"
	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/inbox"
	"skein.dev/skein/webtransport/wire"
)

func inboxView(asks ...wire.Ask) inbox.View {
	return inbox.View{Frame: frame.Frame{Now: frame.StoryNow, Assets: assets, Waiting: frame.Waiting{Count: len(asks), Position: "p.3"}}, Asks: asks}
}

func pendingAsk(id, typ, text string, edit func(*wire.Ask)) wire.Ask {
	a := wire.Ask{ID: wire.AskID(id), Agent: wire.AgentID("a" + id), Name: "agent of " + id, Type: typ, Kind: wire.AskQuestion, Text: text, State: wire.AskPending, Since: frame.StoryNow.Add(-time.Minute)}
	if edit != nil {
		edit(&a)
	}
	a.Prompt = a.PromptOf()
	return a
}

func permission(command string) func(*wire.Ask) {
	return func(a *wire.Ask) {
		a.Kind, a.Tool = wire.AskPermission, &wire.AskTool{Kind: "execute", Command: command}
		a.Options = []wire.AskOption{{ID: "y", Name: "Yes", Kind: wire.AllowOnce}, {ID: "n", Name: "No", Kind: wire.RejectOnce}}
	}
}

func TestTheInboxPutsTheSameTogether(t *testing.T) {
	doc := render(t, inbox.Inbox(inboxView(
		pendingAsk("q1", "coder", "Run?", permission("make")),
		pendingAsk("q2", "coder", "Run?", permission("make test")), // another command
		pendingAsk("q3", "coder", "Run?", permission("make")),
		pendingAsk("q4", "other", "Run?", permission("make")), // another type
		pendingAsk("q5", "coder", "Run?", nil),                // another kind
		pendingAsk("q6", "coder", "Run?", func(a *wire.Ask) { // another option
			permission("make")(a)
			a.Options[1].Name = "Never"
		}),
		pendingAsk("q7", "coder", "Run?", permission("make")),
	)))
	var got []string
	for _, card := range doc.all(tag("article")) {
		got = append(got, value(t, card, "data-ids"))
	}
	if want := []string{"q1 q3 q7", "q2", "q4", "q5", "q6"}; !slices.Equal(got, want) {
		t.Errorf("the cards have %q, want %q", got, want)
	}
	first := doc.all(tag("article"))[0]
	forms := first.all(tag("form"))
	if len(forms) != 4 { // for all, and one by one
		t.Fatalf("%d forms", len(forms))
	}
	for i, want := range []string{"q1 q3 q7", "q1", "q3", "q7"} {
		var ids []string
		for _, in := range forms[i].all(with("name", "ask")) {
			ids = append(ids, value(t, in, "value"))
		}
		if prompt := value(t, forms[i].one(t, with("name", "prompt")), "value"); strings.Join(ids, " ") != want || prompt == "" {
			t.Errorf("form %d answers %q with prompt %q", i, ids, prompt)
		}
		if value(t, forms[i], "method") != "post" || value(t, forms[i], "action") != "/inbox" {
			t.Errorf("form %d goes to %s", i, value(t, forms[i], "action"))
		}
	}
	if got := first.one(t, tag("summary")).text(); got != "One by one: agent of q1, agent of q3 and agent of q7" {
		t.Errorf("it names %q", got)
	}
	if got := forms[0].text(); got != "Yes all 3 1 No all 3 2" {
		t.Errorf("the buttons read %q", got)
	}
	if got := doc.one(t, with("id", "waiting")); got.text() != "7" || got.is("hidden") {
		t.Errorf("the navigation counts %q", got.text())
	}
	if got := doc.one(t, tag("title")).text(); got != "(7) Inbox · Skein" {
		t.Errorf("the title is %q", got)
	}
	if !doc.one(t, with("id", "no-asks")).is("hidden") {
		t.Error("it says that nobody waits")
	}
}

func TestACardHasABound(t *testing.T) {
	var many []wire.Ask
	for i := range 250 {
		many = append(many, pendingAsk(fmt.Sprint("q", i), "coder", "Run?", nil))
	}
	cards := render(t, inbox.Inbox(inboxView(many...))).all(tag("article"))
	keys := map[string]bool{}
	for _, c := range cards {
		keys[value(t, c, "data-key")] = true
	}
	if len(cards) != 3 || len(keys) != 3 {
		t.Errorf("%d cards with %d keys", len(cards), len(keys))
	}
	for i := range many {
		many[i] = pendingAsk(fmt.Sprint("q", i), "coder", fmt.Sprint("Run ", i, "?"), nil)
	}
	doc := render(t, inbox.Inbox(inboxView(many...)))
	if n := len(doc.all(tag("article"))); n != inbox.MaxCards {
		t.Errorf("%d cards", n)
	}
	if more := doc.one(t, with("id", "more-asks")); more.is("hidden") || more.text() != "50 of 250 are shown" {
		t.Errorf("it says %q", more.text())
	}
}

func TestAnAskIsTextOnly(t *testing.T) {
	const evil = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>` + "\x1b[31m\u202e"
	old := evil
	a := pendingAsk("q1", evil, evil, func(a *wire.Ask) {
		a.Kind, a.Name, a.Task = wire.AskPermission, evil, evil
		a.Tool = &wire.AskTool{Kind: evil, Command: evil, Paths: []string{evil, "plain"}, Diffs: []wire.AskDiff{{Path: evil, New: evil}, {Path: "x", Old: &old, New: "new"}}, Cut: true}
		a.Options = []wire.AskOption{{ID: evil, Name: evil, Kind: wire.OptionKind(evil)}, {ID: evil + "2", Kind: wire.AllowAlways}}
	})
	b := a
	b.ID = "q2"
	at := frame.StoryNow
	ended := a
	ended.State, ended.Ended, ended.Reason = wire.AskCanceled, &at, evil
	answered := a
	answered.State, answered.Ended, answered.Answer = wire.AskResolved, &at, &wire.AskAnswer{Option: evil, By: wire.ByPolicy, Rule: evil}
	v := inboxView(a, b)
	v.Ended = []wire.Ask{ended, answered}
	v.Refused = inbox.Refused{Asks: []wire.Ask{ended}, Why: evil, Text: evil}
	for name, doc := range map[string]node{
		"the inbox":       render(t, inbox.Inbox(v)),
		"the agent's own": render(t, agent.AgentPage(agent.AgentView{Agent: wire.Agent{ID: "a1", Name: "x", Status: wire.StatusRunning}, Now: frame.StoryNow, Assets: assets, Asks: v.Asks})),
	} {
		if found := doc.all(func(n node) bool { return n.Data == "img" || n.Data == "script" && !n.is("src") }); len(found) > 0 {
			t.Errorf("%s has %d elements of the agent's", name, len(found))
		}
		for _, n := range doc.all(func(n node) bool { return n.is("onerror") }) {
			t.Errorf("%s has a handler of the agent's on <%s>", name, n.Data)
		}
		main := doc.one(t, with("id", "asks")).text()
		if !strings.Contains(main, "<script>alert(1)</script>") || strings.ContainsAny(main, "\x1b\u202e") {
			t.Errorf("%s shows %q", name, main)
		}
		// The ids of options are the agent's, and must come back as they are.
		if got := value(t, doc.all(class("ask-option"))[0], "value"); got != evil {
			t.Errorf("%s answers with the option %q", name, got)
		}
	}
}

func TestWhatAnAgentWantsIsShown(t *testing.T) {
	old := "one\ntwo\nthree\n"
	at := frame.StoryNow.Add(90 * time.Second)
	edit := pendingAsk("q1", "coder", "Edit a file", func(a *wire.Ask) {
		permission("sed -i s/two/2/ file\nrm -rf /")(a)
		a.Expires = &at
		a.Tool.Kind, a.Tool.Cut = "edit", true
		a.Tool.Paths = []string{"file", "elsewhere"}
		a.Tool.Diffs = []wire.AskDiff{{Path: "file", Old: &old, New: "one\n2\nthree\n"}, {Path: "new", New: "a\n"}}
	})
	card := render(t, inbox.Inbox(inboxView(edit))).one(t, tag("article"))
	if got := card.one(t, tag("h2")).text(); got != "agent of q1 wants to edit" {
		t.Errorf("the title is %q", got)
	}
	var command string
	for d := range card.one(t, tag("pre")).Descendants() {
		command += d.Data
	}
	if command != "sed -i s/two/2/ file\nrm -rf /" { // its lines are commands of their own
		t.Errorf("the command is %q", command)
	}
	if got := card.one(t, class("ask-paths")).text(); got != "elsewhere" {
		t.Errorf("beside the diffs it names %q", got)
	}
	diffs := card.all(class("ask-diff"))
	if len(diffs) != 2 || !diffs[0].is("open") || diffs[1].is("open") {
		t.Fatalf("%d diffs", len(diffs))
	}
	if got := diffs[0].text(); got != "file +1 −1oneRemoved: twoAdded: 2three" {
		t.Errorf("the diff reads %q", got)
	}
	if got := diffs[1].one(t, tag("summary")).text(); got != "new new +2 −0" {
		t.Errorf("the new file reads %q", got)
	}
	if got := card.one(t, class("ask-limit")).text(); got != "expires in 1m 30s" {
		t.Errorf("it says %q", got)
	}
	if got := card.all(class("ask-cut")); len(got) != 1 {
		t.Error("it hides that something was cut")
	}
	for i, want := range []string{"allow", "reject"} {
		if got := value(t, card.all(class("ask-option"))[i], "data-effect"); got != want {
			t.Errorf("option %d looks like %q", i, got)
		}
	}
}

func TestAProgramInATerminalIsLinked(t *testing.T) {
	card := render(t, inbox.Inbox(inboxView(pendingAsk("q1", "claude", "Bash?", func(a *wire.Ask) { a.Kind = wire.AskTerminal })))).one(t, tag("article"))
	if len(card.all(tag("form"))) > 0 {
		t.Error("it can be answered here")
	}
	if got := value(t, card.one(t, both(tag("a"), class("button"))), "href"); got != "/agents/aq1" {
		t.Errorf("it leads to %q", got)
	}
}

func TestTheInboxTellsHowQuestionsEnded(t *testing.T) {
	v := inboxView()
	v.Ended = inbox.StoryEnded()
	doc := render(t, inbox.Inbox(v))
	for i, want := range []string{
		"reviewer Merge into main?Answered yes, with a squash, by dashboardjust now",
		"coder-1 npm test -- --watch=falseAnswered Allow once, by skein-js1m ago",
		"coder-2 npm test -- --watch=falseAnswered by policy Allow once, by rule 2: allow execute npm *4m ago",
		"coder-3 Edit two filesNobody answered in time Reject, by the time limit9m ago",
		"claude Bash: rm -rf buildNot needed any more The agent went on without an answer.16m ago",
	} {
		if got := doc.all(class("ask-end"))[i].text(); got != want {
			t.Errorf("%d reads %q, want %q", i, got, want)
		}
	}
	if empty := doc.one(t, with("id", "no-asks")); empty.is("hidden") || !strings.Contains(empty.text(), "wants permission to run a command") {
		t.Error("it does not say what would be here")
	}
}

func TestARefusedAnswerLosesNothing(t *testing.T) {
	waits := pendingAsk("q1", "coder", "Merge?", nil)
	over := pendingAsk("q2", "coder", "Push?", func(a *wire.Ask) { a.State = wire.AskResolved })
	v := inboxView(waits)
	v.Refused = inbox.Refused{Asks: []wire.Ask{waits, over}, Why: "It was refused.", Text: "with a squash"}
	doc := render(t, inbox.Inbox(v))
	card := doc.one(t, tag("article"))
	if got := value(t, card.one(t, with("name", "text")), "value"); got != "with a squash" {
		t.Errorf("the box has %q", got)
	}
	if got := card.one(t, with("data-f", "note")).text(); got != "It was refused." {
		t.Errorf("the card says %q", got)
	}
	gone := doc.one(t, has("data-over")).text()
	if !strings.Contains(gone, "It was refused.") || !strings.Contains(gone, "with a squash") {
		t.Errorf("the one that waits no more reads %q", gone)
	}
}

func TestAnAgentsPageShowsItsRequests(t *testing.T) {
	v := agent.AgentView{Agent: wire.Agent{ID: "a1", Name: "coder", Status: wire.StatusRunning}, Now: frame.StoryNow, Assets: assets,
		Asks: []wire.Ask{pendingAsk("q1", "coder", "Which way?", nil), pendingAsk("q2", "coder", "Run?", permission("make"))}}
	asks := render(t, agent.AgentPage(v)).one(t, with("id", "asks"))
	if got := asks.all(tag("article")); len(got) != 1 || value(t, got[0], "data-ids") != "q2" || asks.is("hidden") { // the banner answers the other
		t.Errorf("it shows %q", asks.text())
	}
	v.Asks = v.Asks[:1]
	if !render(t, agent.AgentPage(v)).one(t, with("id", "asks")).is("hidden") {
		t.Error("an empty list is shown")
	}
}
