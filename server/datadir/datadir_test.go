package datadir

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"skein.dev/skein/e2e/kit"
)

// A child that was being forked when its server was killed holds the lock for another moment.
func TestALockThatIsGivenBackSoonIsWaitedFor(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	before, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	// As fork does, but processes of other tests must not inherit it.
	child, err := unix.FcntlInt(before.lock.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	before.lock.Close()
	if d, err := openWithin(path, 0); err == nil {
		d.Close()
		t.Fatal("the lock is nobody's")
	}
	time.AfterFunc(lockPatience/4, func() { unix.Close(child) })
	d, err := openWithin(path, kit.Patience)
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
}

// With a folder and its copy, each server would take the other's agents for its own orphans.
func TestACopiedFolderIsAnotherInstance(t *testing.T) {
	t.Parallel()
	first, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir()
	if err := os.CopyFS(path, os.DirFS(first.Path)); err != nil {
		t.Fatal(err)
	}
	second, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if second.Instance == first.Instance || !second.Copied || first.Copied {
		t.Errorf("the folder is instance %s, its copy %s, found to be one: %v", first.Instance, second.Instance, second.Copied)
	}
	was := second.Instance
	first.Close()
	second.Close()
	if second, err = Open(path); err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if second.Instance != was || second.Copied {
		t.Errorf("later it is instance %s, it was %s", second.Instance, was)
	}
}
