package control_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/control"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// kept returns an agent's artifacts by name.
func (n *node) kept(id wire.AgentID) map[string]wire.Artifact {
	all := map[string]wire.Artifact{}
	for _, a := range n.Artifacts.List(wire.ArtifactFilter{Agent: id}).Artifacts {
		all[a.Name] = a
	}
	return all
}

func names(all map[string]wire.Artifact) []string { return slices.Sorted(maps.Keys(all)) }

// says waits until an agent prints a line.
func (n *node) says(t *testing.T, id wire.AgentID, line string) {
	t.Helper()
	var out strings.Builder
	n.follow(t, wire.Header{Agent: id, Follow: true}, func(e wire.Event) bool {
		if e.Type == wire.EventStdout {
			out.Write(e.Data.Bytes())
		}
		return strings.Contains(out.String(), line+"\n")
	})
	if !strings.Contains(out.String(), line+"\n") {
		t.Fatalf("the agent said %q, never %q", out.String(), line)
	}
}

func TestWhatAnAgentLeavesIsKept(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	given := t.TempDir()
	for name, cwd := range map[string]string{"in a folder of its own": "", "in a given folder": given} {
		t.Run(name, func(t *testing.T) {
			script := `cd "$SKEIN_OUTBOX" && pwd
				printf 'the report' > report.txt
				mkdir -p charts/2026 && head -c 300000 /dev/zero > charts/2026/load.bin
				: > empty
				printf x > .hidden; mkdir .cache; printf x > .cache/x
				ln -s /etc/passwd link; ln -s /etc folder; mkfifo pipe
				printf x > "$(printf 'a\tb')"
				exit 3`
			a := n.spawn(t, wire.SpawnParams{Type: "shell", Argv: []string{"sh", "-c", script}, Cwd: cwd})
			events := n.follow(t, wire.Header{Agent: a.ID, Follow: true}, nil)
			all := n.kept(a.ID) // they are there when the end is
			if got := names(all); !slices.Equal(got, []string{"a_b", "charts-2026-load.bin", "empty", "report.txt"}) {
				t.Fatalf("kept: %q", got)
			}
			n.holds(t, all["report.txt"].ID, []byte("the report"))
			n.holds(t, all["charts-2026-load.bin"].ID, make([]byte, 300_000))
			n.holds(t, all["empty"].ID, nil)
			if a := all["report.txt"]; a.Agent == "" || a.Task != "" || a.Actor != string(a.Agent) || !strings.HasPrefix(a.MediaType, "text/plain") {
				t.Errorf("%+v", a)
			}
			want := filepath.Join(n.dir, "agents", string(a.ID), "outbox")
			if cwd != "" {
				want = filepath.Join(n.dir, "outbox", string(a.ID))
			}
			dir := strings.TrimSpace(output(events, wire.EventStdout))
			if dir != want {
				t.Errorf("the outbox is %s, want %s", dir, want)
			}
			kit.Eventually(t, "the emptied folder is gone", func() bool { _, err := os.Stat(filepath.Join(dir, "charts")); return errors.Is(err, fs.ErrNotExist) })
			left, err := os.ReadDir(dir)
			if err != nil || len(left) != 5 { // .hidden .cache link folder pipe
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}

func TestAnEmptyOutboxGoes(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	a := n.shell(t, `mkdir -p "$SKEIN_OUTBOX/a/b"; printf x > "$SKEIN_OUTBOX/a/b/c"`)
	n.wait(t, a.ID)
	kit.Eventually(t, "the outbox is gone", func() bool {
		_, err := os.Stat(filepath.Join(n.dir, "agents", string(a.ID), "outbox"))
		return errors.Is(err, fs.ErrNotExist)
	})
	if got := names(n.kept(a.ID)); !slices.Equal(got, []string{"a-b-c"}) {
		t.Errorf("kept: %q", got)
	}
}

// A file is taken from a running agent only when it is closed and unchanged for a while, never while it is written, however
// slowly.
func TestCompleteFilesAreTakenFromARunningAgent(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	a := n.shell(t, `cd "$SKEIN_OUTBOX"
		printf begin > done.txt
		exec 3> slow.txt; printf 'first ' >&3
		printf whole > .work; echo ready; read line
		mv .work renamed.txt; echo renamed; read line
		printf second >&3; exec 3>&-; echo closed; read line`)
	n.says(t, a.ID, "ready")
	kit.Eventually(t, "the file is kept", func() bool { return slices.Equal(names(n.kept(a.ID)), []string{"done.txt"}) })
	n.holds(t, n.kept(a.ID)["done.txt"].ID, []byte("begin"))
	if err := n.Input(t.Context(), "test", wire.InputParams{ID: a.ID, Text: "\n"}); err != nil {
		t.Fatal(err)
	}
	n.says(t, a.ID, "renamed")
	begin := time.Now()
	kit.Eventually(t, "the renamed file is kept", func() bool { return n.kept(a.ID)["renamed.txt"].ID != "" })
	t.Logf("a renamed file was kept after %s", time.Since(begin))
	if got := n.kept(a.ID); got["slow.txt"].ID != "" {
		t.Error("a file was taken that its agent writes to")
	}
	if err := n.Input(t.Context(), "test", wire.InputParams{ID: a.ID, Text: "\n"}); err != nil {
		t.Fatal(err)
	}
	kit.Eventually(t, "the slow file is kept", func() bool { return n.kept(a.ID)["slow.txt"].ID != "" })
	n.holds(t, n.kept(a.ID)["slow.txt"].ID, []byte("first second"))
	if rec, _ := n.Get(a.ID); rec.Status != wire.StatusRunning {
		t.Errorf("the agent is %s", rec.Status)
	}
	if left, err := os.ReadDir(filepath.Join(n.dir, "agents", string(a.ID), "outbox")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestATasksFilesAreItsOwn(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir(), func(o *control.Options) {
		o.Types = append(o.Types, wire.AgentType{Name: "writer", Kind: wire.KindExec, Tasks: wire.TasksProcess, MaxInstances: 2,
			Argv: []string{"sh", "-c", `cat > "$SKEIN_OUTBOX/result.txt"`}})
	})
	res, err := n.Tasks.Submit(t.Context(), noun.Caller{Actor: "test"}, wire.SubmitParams{Tasks: []wire.TaskSpec{
		{Type: "writer", Input: wire.Payload{Text: "one"}}, {Type: "writer", Input: wire.Payload{Text: "two"}}}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"one", "two"} {
		id := res.Tasks[i].ID
		if rec, err := n.Tasks.Wait(t.Context(), id); err != nil || rec.State != wire.TaskCompleted {
			t.Fatalf("%+v, %v", rec, err)
		}
		got := n.Artifacts.List(wire.ArtifactFilter{Task: id}).Artifacts // there when the task is completed
		if len(got) != 1 {
			t.Fatalf("the artifacts of task %s: %+v", id, got)
		}
		n.holds(t, got[0].ID, []byte(want))
	}
}

func TestTheSameFileKeptAgainIsOneArtifact(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := open(t, dir)
	a := n.shell(t, `printf same > "$SKEIN_OUTBOX/f"`)
	n.wait(t, a.ID)
	first := n.kept(a.ID)["f"]
	again, err := n.Artifacts.Keep(t.Context(), a.ID, "", "f", strings.NewReader("same"))
	if err != nil || again.ID != first.ID {
		t.Errorf("%+v, %v; the first is %s", again, err, first.ID)
	}
	other, err := n.Artifacts.Keep(t.Context(), a.ID, "", "f", strings.NewReader("other"))
	if err != nil || other.ID == first.ID {
		t.Errorf("other bytes: %+v, %v", other, err)
	}
	n.close()

	// The server was killed after the record was written but before the file was removed, and before it saw a second one.
	outbox := filepath.Join(dir, "agents", string(a.ID), "outbox")
	for name, b := range map[string]string{"f": "same", "g": "late"} {
		if err := errors.Join(os.MkdirAll(outbox, 0o700), os.WriteFile(filepath.Join(outbox, name), []byte(b), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	n = open(t, dir)
	kit.Eventually(t, "the outbox is gone", func() bool { _, err := os.Stat(outbox); return errors.Is(err, fs.ErrNotExist) })
	if got := n.Artifacts.List(wire.ArtifactFilter{Agent: a.ID}).Artifacts; len(got) != 3 {
		t.Errorf("there are %+v", got)
	}
	n.holds(t, n.kept(a.ID)["g"].ID, []byte("late"))
	if ids := n.objects(t); len(ids) != 3 {
		t.Errorf("the store has the bytes of %v", ids)
	}
}

func TestManyFilesAreKept(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	const files = 150
	a := n.shell(t, fmt.Sprintf(`cd "$SKEIN_OUTBOX"; i=0; while [ $i -lt %d ]; do printf "file $i" > f$i; i=$((i+1)); done`, files))
	n.wait(t, a.ID)
	kit.Eventually(t, "every file is kept", func() bool { return len(n.kept(a.ID)) == files })
	n.holds(t, n.kept(a.ID)["f77"].ID, []byte("file 77"))
}

// An outbox that was replaced by a link is not followed.
func TestAnOutboxIsAFolder(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	elsewhere := t.TempDir()
	secret := filepath.Join(elsewhere, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := n.shell(t, `rmdir "$SKEIN_OUTBOX" && ln -s `+elsewhere+` "$SKEIN_OUTBOX"`)
	n.wait(t, a.ID)
	if got := names(n.kept(a.ID)); len(got) > 0 {
		t.Errorf("kept: %q", got)
	}
	if b, err := os.ReadFile(secret); err != nil || !bytes.Equal(b, []byte("secret")) {
		t.Errorf("%q, %v", b, err)
	}
}

func TestAFullDiskLeavesFilesInTheOutbox(t *testing.T) {
	dir := kit.TmpFS(t, "256m")
	n := open(t, dir)
	free := kit.Fill(t, dir, 24<<20) // less than the reserve, an eighth of the disk
	a := n.shell(t, `head -c 1000000 /dev/zero > "$SKEIN_OUTBOX/f"`)
	if end := n.wait(t, a.ID); end.Reason != wire.ReasonCompleted {
		t.Errorf("the agent: %+v", end)
	}
	file := filepath.Join(dir, "agents", string(a.ID), "outbox", "f")
	if info, err := os.Stat(file); err != nil || info.Size() != 1_000_000 || len(n.kept(a.ID)) > 0 {
		t.Errorf("%+v, %v; kept: %v", info, err, names(n.kept(a.ID)))
	}
	free()
	n.close()
	n = open(t, dir)
	kit.Eventually(t, "the file is kept", func() bool { return len(n.kept(a.ID)) == 1 })
	n.holds(t, n.kept(a.ID)["f"].ID, make([]byte, 1_000_000))
}

// holds checks that an artifact is complete and has these bytes.
func (n *node) holds(t *testing.T, id wire.ArtifactID, want []byte) {
	t.Helper()
	a, r, err := n.Artifacts.Download(t.Context(), id, 0)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if a.State != wire.ArtifactComplete || a.Size != int64(len(want)) || !bytes.Equal(got, want) {
		t.Errorf("the record is %+v, with %d bytes; want %d", a, len(got), len(want))
	}
}

func (n *node) objects(t *testing.T) []wire.ArtifactID {
	t.Helper()
	ids, err := n.store.Objects(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return ids
}
