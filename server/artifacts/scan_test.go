package artifacts

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// Which files are ready does not depend on the speed of the test, since the times of the files are far away.
func TestWhatAScanFindsReady(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	as := &Artifacts{log: slog.New(slog.NewTextHandler(&log, nil))}
	o := newOutbox("a1", t.TempDir())
	past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	file := func(name string, changed time.Time) {
		t.Helper()
		path := filepath.Join(o.dir, name)
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, changed, changed); err != nil {
			t.Fatal(err)
		}
	}
	scans := func(ended bool, want ...string) {
		t.Helper()
		var got []string
		for _, f := range o.scan(as, criteria{ended: ended, tasks: []wire.TaskID{"t1"}}) {
			got = append(got, f.path)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("ready: %q, want %q", got, want)
		}
	}
	scans(false)
	file("fresh", future)
	file("settled", past)
	file(".hidden", future)
	file(".old", past)
	scans(false, "settled")
	if err := os.Rename(filepath.Join(o.dir, ".hidden"), filepath.Join(o.dir, "renamed")); err != nil {
		t.Fatal(err)
	}
	scans(false, "renamed", "settled")
	scans(true, "fresh", "renamed", "settled")

	file("huge", past)
	if err := os.Truncate(filepath.Join(o.dir, "huge"), wire.MaxArtifactSize+1); err != nil {
		t.Skipf("NOT TESTED: a file that is too large. This file system has none: %v", err)
	}
	scans(true, "fresh", "renamed", "settled")
	scans(true, "fresh", "renamed", "settled")
	if n := strings.Count(log.String(), "too large"); n != 1 {
		t.Errorf("it is reported %d times: %s", n, log.String())
	}
}

func TestAnEmptyOutboxIsScannedWhenSomethingComes(t *testing.T) {
	t.Parallel()
	o := newOutbox("a1", t.TempDir())
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(o.dir, past, past); err != nil {
		t.Fatal(err)
	}
	if got := o.scan(nil, criteria{}); len(got) > 0 || o.vacant.IsZero() {
		t.Errorf("%+v, vacant since %s", got, o.vacant)
	}
	path := filepath.Join(o.dir, "f")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, past, past); err != nil {
		t.Fatal(err)
	}
	if got := o.scan(nil, criteria{}); len(got) != 1 {
		t.Errorf("%+v", got)
	}
}

// TestWhatIsOpenIsNotTakenWithAResult scans the folder without Artifacts.
func TestWhatIsOpenIsNotTakenWithAResult(t *testing.T) {
	t.Parallel()
	o := newOutbox("a1", t.TempDir())
	if err := os.WriteFile(filepath.Join(o.dir, "f"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := o.scan(nil, criteria{tasks: []wire.TaskID{"t1"}, answered: "t2"}); len(got) > 0 {
		t.Errorf("with another task's result: %+v", got)
	}
	if got := o.scan(nil, criteria{tasks: []wire.TaskID{"t1"}, answered: "t1"}); len(got) != 1 || got[0].task != "t1" {
		t.Errorf("with its task's result: %+v", got)
	}
	// The file was not kept, for example on a full disk, and the next task writes to it.
	if err := os.WriteFile(filepath.Join(o.dir, "f"), []byte("more"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := o.scan(nil, criteria{tasks: []wire.TaskID{"t2"}, answered: "t2"}); len(got) != 1 || got[0].task != "t2" {
		t.Errorf("of the next task: %+v", got)
	}
}
