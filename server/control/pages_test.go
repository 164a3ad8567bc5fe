package control_test

import (
	"fmt"
	"slices"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/control"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// newestFirst checks what a list's pages held.
func newestFirst[T any](t *testing.T, what string, got, made []T, without ...int) {
	t.Helper()
	var want []T
	for i := range slices.Backward(made) {
		if !slices.Contains(without, i) {
			want = append(want, made[i])
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the pages of %s hold %v, want %v", what, got, want)
	}
}

// A record that exists throughout is on exactly one page, whatever comes and goes while the pages are read, even the record
// at the cursor. A record that is added meanwhile is on none.
func TestPagesAreStableWhileTheListChanges(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir(), workers, func(o *control.Options) { o.KeepExited = 1 })
	by := noun.Caller{Actor: "test"}
	agent := func() wire.AgentID { return n.spawn(t, wire.SpawnParams{Type: "scripted", Script: "read"}).ID }
	artifact := func() wire.ArtifactID {
		a, err := n.Artifacts.Create(t.Context(), by, wire.ArtifactCreateParams{Name: "a", Size: 1})
		if err != nil {
			t.Fatal(err)
		}
		return a.ID
	}
	task := func() wire.TaskID { return n.submit(t, wire.TaskSpec{Type: "command", Argv: []string{"true"}})[0].ID }
	if _, err := n.SetAdmission(t.Context(), by, wire.AdmissionParams{Type: "command", Closed: true}); err != nil { // they wait
		t.Fatal(err)
	}
	var agents, gotAgents []wire.AgentID
	var artifacts, gotArtifacts []wire.ArtifactID
	var tasks, gotTasks []wire.TaskID
	for range 7 {
		agents, artifacts, tasks = append(agents, agent()), append(artifacts, artifact()), append(tasks, task())
	}

	f := wire.Filter{Limit: 2}
	for i := 0; i == 0 || f.After != 0; i++ {
		page := n.List(f)
		for _, a := range page.Agents {
			gotAgents = append(gotAgents, a.ID)
		}
		if f.After = page.Next; i == 0 {
			agent()
			if _, err := n.Stop(t.Context(), by, wire.StopParams{IDs: agents[5:]}); err != nil {
				t.Fatal(err)
			}
			kit.Eventually(t, "one agent is forgotten", func() bool { return n.List(wire.Filter{}).Total == 7 }) // the older of the two is forgotten
		}
	}
	newestFirst(t, "agents", gotAgents, agents)

	g := wire.ArtifactFilter{Limit: 2}
	for i := 0; i == 0 || g.After != ""; i++ {
		page := n.Artifacts.List(g)
		for _, a := range page.Artifacts {
			gotArtifacts = append(gotArtifacts, a.ID)
		}
		if g.After = page.Next; i == 0 {
			artifact()
			for _, id := range artifacts[4:6] {
				if err := n.Artifacts.Delete(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	newestFirst(t, "artifacts", gotArtifacts, artifacts, 4)

	h := wire.TaskFilter{Limit: 2, States: []wire.TaskState{wire.TaskSubmitted}}
	for i := 0; i == 0 || h.After != 0; i++ {
		page := n.Tasks.List(h)
		for _, x := range page.Tasks {
			gotTasks = append(gotTasks, x.ID)
		}
		if h.After = page.Next; i == 0 {
			task()
			if _, err := n.Tasks.Cancel(by, wire.TaskCancelParams{IDs: tasks[4:6]}); err != nil {
				t.Fatal(err)
			}
			for _, id := range tasks[4:6] {
				n.over(t, id)
			}
		}
	}
	newestFirst(t, "tasks", gotTasks, tasks, 4)
}
