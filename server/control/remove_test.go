package control_test

import (
	"errors"
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

// remove removes agents, and returns why each was not; "": it was.
func (n *node) remove(t *testing.T, ids ...wire.AgentID) (why []string) {
	t.Helper()
	res, err := n.Remove(t.Context(), noun.Caller{Actor: "ann"}, wire.RemoveParams{IDs: ids})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range res.Reports {
		if r.ID != ids[i] {
			t.Errorf("the report on %s is of %s", ids[i], r.ID)
		}
		if why = append(why, ""); r.Error != nil {
			why[i] = r.Error.Message
		}
	}
	return why
}

// What is removed leaves neither a record nor a log, also for the next server.
func TestAgentsThatHaveEndedAreRemoved(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	lives, ended := n.shell(t, "exec sleep 1000"), n.shell(t, "echo bye")
	n.wait(t, ended.ID)
	since := n.Change()
	why := n.remove(t, lives.ID, ended.ID, ended.ID, "anope")
	if !strings.Contains(why[0], "is alive: stop it first") || why[1] != "" || !strings.Contains(why[2], "there is no agent") || !strings.Contains(why[3], "there is no agent") {
		t.Errorf("they are not removed: %q", why)
	}
	if got := n.Changes(since).Removed; !slices.Equal(got, []wire.AgentID{ended.ID}) {
		t.Errorf("who shows the fleet is told of %v", got)
	}
	if _, err := n.Get(ended.ID); !errors.Is(err, &wire.Error{Code: wire.CodeNotFound}) {
		t.Errorf("it is still there: %v", err)
	}
	for _, ids := range [][]wire.AgentID{nil, make([]wire.AgentID, wire.MaxBatch+1)} {
		if _, err := n.Remove(t.Context(), noun.Caller{}, wire.RemoveParams{IDs: ids}); !errors.Is(err, &wire.Error{Code: wire.CodeInvalidParams}) {
			t.Errorf("%d ids: %v", len(ids), err)
		}
	}
	n.close()
	n = open(t, n.dir)
	if all := n.List(wire.Filter{}).Agents; len(all) != 1 || all[0].ID != lives.ID {
		t.Errorf("the next server has %+v", all)
	}
	if events, err := n.store.Events(t.Context(), ended.ID, 0, 10, 1<<20); len(events) > 0 || err != nil {
		t.Errorf("it has %d events, %v", len(events), err)
	}
}

// A worktree that has work keeps its agent; a fresh folder is removed if it has no file.
func TestARemovalLosesNoWork(t *testing.T) {
	t.Parallel()
	repo := repository(t)
	n := open(t, t.TempDir())
	fresh := func(script string) wire.Agent {
		return n.spawn(t, wire.SpawnParams{Type: "shell", Folder: wire.FolderFresh, Argv: []string{"sh", "-c", script}})
	}
	clean, dirty, empty, full := n.inWorktree(t, repo, "true"), n.inWorktree(t, repo, "echo new >new"), fresh("mkdir -p a/b"), fresh("mkdir a; echo x >a/b")
	for _, a := range []wire.Agent{clean, dirty, empty, full} {
		n.wait(t, a.ID)
	}
	why := n.remove(t, clean.ID, dirty.ID, empty.ID)
	if why[0] != "" || !strings.Contains(why[1], "has work") || why[2] != "" {
		t.Errorf("they are not removed: %q", why)
	}
	a, err := n.Get(dirty.ID)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(a.Folder.Top, "new")); string(b) != "new\n" {
		t.Errorf("its work is %q, %v", b, err)
	}
	res, err := n.Remove(t.Context(), noun.Caller{Actor: "ann"}, wire.RemoveParams{IDs: []wire.AgentID{full.ID}})
	if err != nil || res.Reports[0].Folder != full.Cwd || res.Reports[0].Error != nil {
		t.Errorf("%+v, %v", res, err)
	}
	for dir, there := range map[string]bool{empty.Cwd: false, filepath.Join(full.Cwd, "a", "b"): true, repo: true} {
		if _, err := os.Stat(dir); (err == nil) != there {
			t.Errorf("%s is there: %v", dir, err)
		}
	}
	if _, err := n.Discard(t.Context(), noun.Caller{Actor: "ann"}, wire.DiscardParams{ID: dirty.ID}); err != nil {
		t.Fatal(err)
	}
	if why := n.remove(t, dirty.ID); why[0] != "" {
		t.Errorf("after its work was discarded: %s", why[0])
	}
}

func TestAgentsAreKeptForATime(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir(), func(o *control.Options) { o.KeepFor = time.Millisecond })
	lives, ended := n.shell(t, "exec sleep 1000"), n.shell(t, "echo bye")
	kit.Eventually(t, "it is forgotten", func() bool { _, err := n.Get(ended.ID); return err != nil })
	if _, err := n.Get(lives.ID); err != nil {
		t.Error(err)
	}
	n.close()
	n = open(t, n.dir, func(o *control.Options) { o.KeepFor = time.Hour }) // by which it has ended, too
	if why := n.remove(t, lives.ID); why[0] != "" {
		t.Error(why[0])
	}
}
