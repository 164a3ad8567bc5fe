package server

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"skein.dev/skein/e2e/kit"
)

// A child that was forked when its server was killed holds the lock for a moment more.
func TestALockThatIsGivenBackSoonIsWaitedFor(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	before, err := openDataDir(path)
	if err != nil {
		t.Fatal(err)
	}
	// As fork does; but what other tests start must not have it too.
	child, err := unix.FcntlInt(before.lock.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	before.lock.Close()
	if d, err := openDataDirWithin(path, 0); err == nil {
		d.close()
		t.Fatal("the lock is nobody's")
	}
	time.AfterFunc(lockPatience/4, func() { unix.Close(child) })
	d, err := openDataDirWithin(path, kit.Patience)
	if err != nil {
		t.Fatal(err)
	}
	d.close()
}

// Of a folder and its copy, each server would take the other's agents for its own orphans.
func TestACopiedFolderIsAnotherInstance(t *testing.T) {
	t.Parallel()
	first, err := openDataDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir()
	if err := os.CopyFS(path, os.DirFS(first.path)); err != nil {
		t.Fatal(err)
	}
	second, err := openDataDir(path)
	if err != nil {
		t.Fatal(err)
	}
	if second.instance == first.instance || !second.copied || first.copied {
		t.Errorf("the folder is instance %s, its copy %s, found to be one: %v", first.instance, second.instance, second.copied)
	}
	was := second.instance
	first.close()
	second.close()
	if second, err = openDataDir(path); err != nil {
		t.Fatal(err)
	}
	defer second.close()
	if second.instance != was || second.copied {
		t.Errorf("later it is instance %s, it was %s", second.instance, was)
	}
}
