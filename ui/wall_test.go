package ui

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/wall"
	"skein.dev/skein/webtransport/wire"
)

func wallView(query string, agents ...wire.Agent) wall.View {
	q, _ := url.ParseQuery(query)
	return wall.View{Frame: frame.Frame{Node: "kiln", Assets: func(name string) string { return "/static/" + name }}, Agents: agents, Filter: wall.ParseFilter(q)}
}

// TestWallFilter has the same cases as static/test/app-wall.test.js, where they can be the same.
func TestWallFilter(t *testing.T) {
	a := []wire.Agent{running("one", 5*time.Second), running("two", 4*time.Second), failing("fails"), running("for a task", 3*time.Second), running("asks", time.Second)}
	a[1].Type, a[1].Labels = "coder", map[string]string{"team": "core"}
	a[3].ForTask, a[3].LastLine = "t1", "a Needle here"
	a[4].Activity, a[4].Question = wire.ActivityRequiresAction, "Go on?"
	for _, c := range []struct {
		query string
		want  []string
	}{
		{"", []string{"one", "two", "asks"}},
		{"type=coder", []string{"two"}},
		{"label=team%3Dcore", []string{"two"}},
		{"node=elsewhere", nil},
		{"state=needs", []string{"asks"}},
		{"state=failing", []string{"fails"}},
		{"state=tasks", []string{"for a task"}},
		{"q=NEEDLE", []string{"for a task"}},
		{"agents=" + string(a[2].ID) + "," + string(a[0].ID) + ",,anone", []string{"fails", "one"}},
		{"agents=" + string(a[2].ID) + "," + string(a[0].ID) + "&q=one", []string{"one"}},
		{"size=huge&state=nonsense", []string{"one", "two", "asks"}},
	} {
		doc := render(t, wall.Wall(wallView(c.query, a...)))
		var got []string
		for _, cell := range doc.all(class("cell")) {
			got = append(got, cell.one(t, class("name")).text())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q shows %v, want %v", c.query, got, c.want)
		}
		if hidden := doc.one(t, with("id", "no-cells")).is("hidden"); hidden != (c.want != nil) {
			t.Errorf("%q: that there is nothing to show is hidden: %v", c.query, hidden)
		}
	}
}

func TestWallShowsTwoHundred(t *testing.T) {
	var agents []wire.Agent
	for i := range 203 {
		agents = append(agents, running(fmt.Sprint("a", i), time.Duration(300-i)*time.Second))
	}
	doc := render(t, wall.Wall(wallView("", agents...)))
	if n := len(doc.all(class("cell"))); n != wall.MaxCells {
		t.Errorf("it has %d cells", n)
	}
	if cut := doc.one(t, with("id", "cut")); cut.is("hidden") || cut.text() != "The first 200 of 203: filter for fewer." {
		t.Errorf("it says %q", cut.text())
	}
	if got := doc.one(t, with("id", "summary")).text(); got != "200 agents" {
		t.Errorf("it says %q", got)
	}
}

// What a link asks for is what the page shows.
func TestWallURL(t *testing.T) {
	for _, query := range []string{"", "agents=a1%2Ca2&label=a%3Db&node=n&q=x&size=small&state=needs&type=t", "size=large"} {
		q, _ := url.ParseQuery(query)
		if got := strings.TrimPrefix(strings.TrimPrefix(wall.ParseFilter(q).URL(), "/wall"), "?"); got != query {
			t.Errorf("%q became %q", query, got)
		}
	}
	q := url.Values{"agents": {strings.Repeat("x", 100) + "," + strings.Repeat("y,", 500) + "a1"}}
	if got := wall.ParseFilter(q).Agents; !slices.Equal(got, []wire.AgentID{"y", "a1"}) {
		t.Errorf("the agents asked for are %q", got)
	}
}
