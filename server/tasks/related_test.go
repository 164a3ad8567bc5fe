package tasks

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// kept is a store that remembers its records.
type kept struct{ *world }

func (k kept) Tasks(context.Context) ([]wire.Task, uint64, error) {
	return slices.Collect(maps.Values(k.records)), 0, nil
}

// untouched are tasks that nobody works on. again opens them anew, from what is stored.
func untouched(t *testing.T) (ts *Tasks, again func() *Tasks) {
	w := &world{t: t, calm: true, rand: rand.New(rand.NewPCG(1, 1)), records: map[wire.TaskID]wire.Task{}, agents: map[wire.AgentID]*actor{}}
	open := func() *Tasks {
		ts := New(Options{Store: kept{w}, Fleet: w, Node: "n", Timeout: time.Minute, Closing: t.Context(),
			Types: map[string]wire.AgentType{"coder": {Name: "coder", Tasks: wire.TasksLines, Argv: []string{"x"}, MaxInstances: 1}}}, slog.New(slog.NewTextHandler(io.Discard, nil)))
		if err := ts.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		return ts
	}
	return open(), open
}

// tied submits tasks, each of which is given as "name: those that it depends on", or with a parent as "parent/name: …".
func tied(t *testing.T, ts *Tasks, lines ...string) {
	t.Helper()
	ids := map[string]string{}
	for _, x := range ts.List(wire.TaskFilter{}).Tasks {
		ids[x.Name] = string(x.ID)
	}
	var specs []wire.TaskSpec
	for _, line := range lines {
		name, deps, _ := strings.Cut(line, ":")
		parent, own, child := strings.Cut(name, "/")
		if !child {
			parent, own = "", name
		}
		s := wire.TaskSpec{Type: "coder", Name: own, Key: own, Parent: wire.TaskID(ids[parent])}
		for _, d := range strings.Fields(deps) {
			s.DependsOn = append(s.DependsOn, cmp.Or(ids[d], "#"+d))
		}
		specs = append(specs, s)
	}
	if _, err := ts.Submit(t.Context(), noun.Caller{Actor: "me"}, wire.SubmitParams{Tasks: specs}); err != nil {
		t.Fatal(err)
	}
}

func named(ts *Tasks, name string) wire.TaskID {
	for _, x := range ts.List(wire.TaskFilter{}).Tasks {
		if x.Name == name {
			return x.ID
		}
	}
	return ""
}

func namesOf(all []wire.Task) string {
	var names []string
	for _, x := range all {
		names = append(names, x.Name)
	}
	return strings.Join(names, " ")
}

func TestRelated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts, again := untouched(t)
		tied(t, ts, "last: mid first", "mid: first", "first", "beside: first", "other: another", "another", "alone")
		tied(t, ts, "later: last", "group")
		tied(t, ts, "group/a", "group/b: a", "group/c")
		for name, ts := range map[string]*Tasks{"as submitted": ts, "after a restart": again()} {
			for of, want := range map[string]string{
				"last": "last mid first beside later", "first": "last mid first beside later", "later": "last mid first beside later",
				"other": "other another", "alone": "", "group": "a b", "a": "a b", "c": "", "none": "",
			} {
				if got := namesOf(ts.Related(named(ts, of)).Tasks); got != want {
					t.Errorf("%s, %s has to do with %q, want %q", name, of, got, want)
				}
			}
		}
		// Who watches a task learns that another depends on it from now on.
		since := ts.Change()
		tied(t, ts, "newest: beside")
		if got := namesOf(ts.Changes(since, wire.TaskFilter{IDs: []wire.TaskID{named(ts, "beside")}}).Tasks); got != "beside" {
			t.Errorf("whoever watches it sees %q", got)
		}
		// What is forgotten leaves nothing.
		if _, err := ts.Cancel(noun.Caller{Actor: "me"}, wire.TaskCancelParams{IDs: []wire.TaskID{named(ts, "first"), named(ts, "another"), named(ts, "alone"), named(ts, "group")}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		ts.o.Keep = 0
		ts.Forget(t.Context())
		if n := len(ts.all) + len(ts.needers); n != 0 {
			t.Errorf("%d tasks are left, of which others were needed by %v", len(ts.all), ts.needers)
		}
	})
}

func TestRelatedIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts, _ := untouched(t)
		tied(t, ts, "hub")
		for i := range 6 {
			var some []string
			for j := range 200 {
				some = append(some, fmt.Sprintf("t%d: hub", 200*i+j))
			}
			tied(t, ts, some...)
			r := ts.Related(named(ts, "t7"))
			if len(r.Tasks) != MaxRelated || len(r.Left) != MaxUnrelated || !strings.Contains(namesOf(r.Tasks), "hub") || !strings.Contains(namesOf(r.Tasks), "t7") {
				t.Errorf("of %d there are %d, and %d more by name: %s", 200*(i+1), len(r.Tasks), len(r.Left), namesOf(r.Tasks))
			}
			all := 200*(i+1) + 1
			if want := min(all, maxSought) - MaxRelated - MaxUnrelated; r.More != want || r.Least != (all > maxSought) {
				t.Errorf("of %d there are %d more, or still more: %v", all, r.More, r.Least)
			}
		}
	})
}
