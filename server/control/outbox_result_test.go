package control_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// filesOf gives the names and contents of a task's artifacts.
func filesOf(t *testing.T, p *speaking, id wire.TaskID) (all []string) {
	t.Helper()
	for _, a := range p.Artifacts.List(wire.ArtifactFilter{Task: id}).Artifacts {
		_, r, err := p.Artifacts.Download(t.Context(), a.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a.Name+"="+string(b))
	}
	slices.Sort(all)
	return all
}

// TestEachTaskHasItsOwnFiles gives one agent tasks back to back. Each leaves files, and answers at once.
func TestEachTaskHasItsOwnFiles(t *testing.T) {
	t.Parallel()
	p := linesPlane(t, speaks(`
		while next; do
			cd "$SKEIN_OUTBOX"
			printf '%s' "$task" > "patch-$task.diff"
			printf '%s' "$task" > same-name
			printf 'always the same' > same-file
			mkdir -p logs/deep && printf '%s' "$task" > logs/deep/log
			printf '%s' "$task" > .hidden && mv .hidden moved
			case $line in
			*'"fails"'*) say task.error '"task":"'$task'","message":"no"' ;;
			*) say task.progress '"task":"'$task'","text":"on it"'; say task.result '"task":"'$task'","output":"done"' ;;
			esac
		done`))
	specs := make([]wire.TaskSpec, 7)
	for i := range specs {
		specs[i] = wire.TaskSpec{Type: "worker", Input: wire.Payload{Text: fmt.Sprint(i)}}
	}
	specs[3].Input.Text = "fails"
	for _, id := range submitted(t, p, specs...) {
		over(t, p, id)
		want := []string{"logs-deep-log=" + string(id), "moved=" + string(id), fmt.Sprintf("patch-%s.diff=%s", id, id), "same-file=always the same", "same-name=" + string(id)}
		if got := filesOf(t, p, id); !slices.Equal(got, want) { // they are there when the end is
			t.Errorf("task %s has %q, want %q", id, got, want)
		}
	}
	if all := p.Artifacts.List(wire.ArtifactFilter{}); all.Total != 5*len(specs) {
		t.Errorf("%d artifacts", all.Total)
	}
}

// TestAFileThatIsBeingWrittenStaysWithItsTask has a file open across the results of two tasks.
func TestAFileThatIsBeingWrittenStaysWithItsTask(t *testing.T) {
	t.Parallel()
	p := linesPlane(t, speaks(`
		cd "$SKEIN_OUTBOX"
		next; exec 3> slow; printf 'begun in %s' "$task" >&3; printf whole > quick; say task.result '"task":"'$task'","output":""'
		next; printf ', ended in %s' "$task" >&3; exec 3>&-; say task.result '"task":"'$task'","output":""'
		next`))
	ids := submitted(t, p, wire.TaskSpec{Type: "worker"}, wire.TaskSpec{Type: "worker"})
	over(t, p, ids[0])
	if got := filesOf(t, p, ids[0]); !slices.Equal(got, []string{"quick=whole"}) {
		t.Errorf("when it ended, the first task has %q", got)
	}
	over(t, p, ids[1])
	kit.Eventually(t, "the slow file is kept", func() bool { return p.Artifacts.List(wire.ArtifactFilter{}).Total == 2 })
	want := []string{"quick=whole", fmt.Sprintf("slow=begun in %s, ended in %s", ids[0], ids[1])}
	if got := filesOf(t, p, ids[0]); !slices.Equal(got, want) {
		t.Errorf("the first task has %q, want %q", got, want)
	}
}

// TestACanceledTaskHasItsFiles lets an agent go on with the next task when it has let go of one that was canceled.
func TestACanceledTaskHasItsFiles(t *testing.T) {
	t.Parallel()
	p := linesPlane(t, speaks(`
		cd "$SKEIN_OUTBOX"
		next; first=$task; say task.progress '"task":"'$task'","text":"begun"'
		next; printf x > of-the-canceled; say task.error '"task":"'$first'","message":"canceled"'
		next; printf y > of-the-next; say task.result '"task":"'$task'","output":""'
		next`))
	ids := submitted(t, p, wire.TaskSpec{Type: "worker"}, wire.TaskSpec{Type: "worker"})
	kit.Eventually(t, "the first task has begun", func() bool { rec, err := p.Tasks.Get(ids[0]); return err == nil && len(rec.Progress) > 0 })
	if _, err := p.Tasks.Cancel(noun.Caller{Actor: "test"}, wire.TaskCancelParams{IDs: ids[:1]}); err != nil {
		t.Fatal(err)
	}
	over(t, p, ids[1])
	for i, want := range []string{"of-the-canceled=x", "of-the-next=y"} {
		if got := filesOf(t, p, ids[i]); !slices.Equal(got, []string{want}) {
			t.Errorf("task %d has %q, want %q", i, got, want)
		}
	}
}

// TestOfSeveralTasksTheNameTells has an agent with two tasks in work.
func TestOfSeveralTasksTheNameTells(t *testing.T) {
	t.Parallel()
	typ := speaks(`
		cd "$SKEIN_OUTBOX"
		next; one=$task; next; two=$task
		printf 1 > "$one.txt"; mkdir "$two"; printf 2 > "$two/f"; printf 0 > whose
		say task.result '"task":"'$two'","output":""'; say task.result '"task":"'$one'","output":""'
		next`)
	typ.MaxTasks = 2
	p := linesPlane(t, typ)
	ids := submitted(t, p, wire.TaskSpec{Type: "worker"}, wire.TaskSpec{Type: "worker"})
	for _, id := range ids {
		over(t, p, id)
	}
	for _, id := range ids {
		if got := filesOf(t, p, id); len(got) != 1 || !strings.Contains(got[0], string(id)) {
			t.Errorf("task %s has %q", id, got)
		}
	}
	p.Close(context.Background()) // keeps the rest
	for _, a := range p.Artifacts.List(wire.ArtifactFilter{}).Artifacts {
		if a.Name == "whose" && a.Task != "" {
			t.Errorf("nobody can tell whose it is, and it is task %s's", a.Task)
		}
	}
}
