package control_test

import (
	"strings"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/jet"
	"skein.dev/skein/webtransport/wire"
)

// at returns the fleet as it was, and its agents by id.
func (n *node) at(t *testing.T, p wire.FleetAtParams) (*wire.FleetAtResult, map[wire.AgentID]wire.PastAgent) {
	t.Helper()
	res, err := n.At(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	by := map[wire.AgentID]wire.PastAgent{}
	for _, a := range res.Agents {
		by[a.ID] = a
	}
	return res, by
}

// when returns the time of the first event of an agent for which ok is true, once there is one.
func (n *node) when(t *testing.T, id wire.AgentID, ok func(wire.Event) bool) time.Time {
	t.Helper()
	all := n.follow(t, wire.Header{Agent: id, Follow: true}, ok)
	return all[len(all)-1].Time
}

// moment is a time between what was and what comes.
func moment() time.Time {
	now := time.Now()
	time.Sleep(5 * time.Millisecond)
	return now
}

func (n *node) writes(t *testing.T, id wire.AgentID, text string) {
	t.Helper()
	if err := n.Input(t.Context(), "ann", wire.InputParams{ID: id, Text: text}); err != nil {
		t.Fatal(err)
	}
}

func prints(text string) func(wire.Event) bool {
	return func(e wire.Event) bool { return e.Type.IsOutput() && strings.Contains(string(e.Data.Bytes()), text) }
}

func shown(p *wire.Picture) string {
	if p == nil {
		return "nothing"
	}
	var lines []string
	for _, row := range p.Rows {
		line := ""
		for _, piece := range row.Pieces {
			line += piece.Text
		}
		lines = append(lines, line)
	}
	return strings.TrimRight(strings.Join(lines, "|"), "| ")
}

// Each moment has the agents that were alive, what they did, and what they showed.
func TestTheFleetAsItWas(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	if res, _ := n.at(t, wire.FleetAtParams{}); res.First != nil || res.Total != 0 {
		t.Errorf("of an empty log: %+v", res)
	}
	teller := n.shell(t, "echo one; read x; echo two; read x")
	asker := n.spawn(t, wire.SpawnParams{Type: "scripted", Script: "say begun\nask Merge?\nsay got ${reply}\nread"})
	screen := n.spawn(t, wire.SpawnParams{Type: "shell", TTY: &wire.Size{Cols: 30, Rows: 4}, Argv: []string{"sh", "-c", `stty -echo; printf 'wrong\rright\n'; read x; printf '\033[2J\033[Hnew'; read x`}})

	one := n.when(t, teller.ID, prints("one"))
	n.when(t, asker.ID, func(e wire.Event) bool { return e.Data.Activity == wire.ActivityRequiresAction })
	n.when(t, screen.ID, prints("right"))
	all := moment()
	n.writes(t, teller.ID, "go\n")
	n.writes(t, asker.ID, "yes\n")
	n.writes(t, screen.ID, "\r")
	n.when(t, teller.ID, prints("two"))
	n.when(t, asker.ID, prints("got yes"))
	n.when(t, screen.ID, prints("new"))
	later := moment()
	n.writes(t, teller.ID, "end\n")
	exited := n.wait(t, teller.ID)

	res, then := n.at(t, wire.FleetAtParams{At: all, Pictures: 10})
	if res.Total != 3 || !res.At.Equal(all) || res.First == nil || res.First.After(one) || res.Last.Before(later) {
		t.Errorf("%+v", res)
	}
	if a := then[teller.ID]; a.Status != wire.StatusRunning || a.Exit != nil || shown(a.Picture) != "one" || a.Picture.Kind != wire.PictureLines {
		t.Errorf("the first is %s, and shows %q", a.Status, shown(a.Picture))
	}
	if a := then[asker.ID]; a.Activity != wire.ActivityRequiresAction || a.Question != "Merge?" || a.AskedAt == nil || a.AskedAt.After(all) || res.Agents[0].ID != asker.ID {
		t.Errorf("who asks is %+v; the first is %s", a.Agent, res.Agents[0].Name)
	}
	if a := then[screen.ID]; shown(a.Picture) != "right" || a.Picture.Kind != wire.PictureScreen || a.Picture.Cols != 30 {
		t.Errorf("the screen shows %q: %+v", shown(a.Picture), a.Picture)
	}

	res, then = n.at(t, wire.FleetAtParams{At: later, Pictures: 10})
	if a := then[asker.ID]; a.Activity == wire.ActivityRequiresAction || a.Question != "" {
		t.Errorf("after the answer: %+v", a.Agent)
	}
	if got := shown(then[screen.ID].Picture); got != "new" {
		t.Errorf("the screen shows %q", got)
	}
	if got := shown(then[teller.ID].Picture); got != "one|go|two" {
		t.Errorf("the lines are %q", got)
	}

	if _, now := n.at(t, wire.FleetAtParams{}); len(now) != 2 || now[teller.ID].ID != "" || now[asker.ID].Picture != nil {
		t.Errorf("now there are %v", now)
	}
	if _, end := n.at(t, wire.FleetAtParams{At: *exited.ExitedAt, IDs: []wire.AgentID{teller.ID}}); len(end) != 0 {
		t.Errorf("at its end: %v", end)
	}
	if _, some := n.at(t, wire.FleetAtParams{At: all, IDs: []wire.AgentID{teller.ID, "anope"}, Pictures: 1}); len(some) != 1 || shown(some[teller.ID].Picture) != "one" {
		t.Errorf("of one: %v", some)
	}
	if res, none := n.at(t, wire.FleetAtParams{At: res.First.Add(-time.Hour)}); len(none) != 0 || !res.At.Equal(*res.First) {
		t.Errorf("before the log: %+v", res)
	}
	for _, p := range []wire.FleetAtParams{{Pictures: -1}, {Pictures: wire.MaxPastPictures + 1}, {Rows: wire.MaxPictureRows + 1}, {Cols: -1}, {IDs: make([]wire.AgentID, wire.MaxPastAgents+1)}} {
		if _, err := n.At(t.Context(), p); wire.AsError(err).Code != wire.CodeInvalidParams {
			t.Errorf("%+v: %v", p, err)
		}
	}

	// The next server tells the same.
	n.close()
	n = open(t, n.dir)
	_, then = n.at(t, wire.FleetAtParams{At: all, Pictures: 10})
	if a := then[asker.ID]; len(then) != 3 || a.Question != "Merge?" || shown(then[screen.ID].Picture) != "right" || shown(then[teller.ID].Picture) != "one" {
		t.Errorf("after a restart: %v", then)
	}
}

// What the log has dropped is said to be gone.
func TestAPastThatIsGone(t *testing.T) {
	t.Parallel()
	n := openStore(t, jet.Config{Dir: t.TempDir(), MaxEventBytes: jet.MinEventBytes})
	loud := n.shell(t, "echo first; read x; yes 0123456789012345678901234567890123456789 | head -n 100000; echo last; read x")
	n.when(t, loud.ID, prints("first"))
	first := moment()
	_, then := n.at(t, wire.FleetAtParams{At: first, Pictures: 1})
	if a := then[loud.ID]; a.Gone || shown(a.Picture) != "first" {
		t.Errorf("it shows %q, gone: %v", shown(a.Picture), a.Gone)
	}
	n.writes(t, loud.ID, "go\n")
	n.when(t, loud.ID, prints("last"))
	kit.Eventually(t, "the log has dropped it", func() bool {
		_, then := n.at(t, wire.FleetAtParams{At: first, Pictures: 1})
		a := then[loud.ID]
		return a.Gone && a.Picture == nil && a.Status == wire.StatusRunning
	})
}
