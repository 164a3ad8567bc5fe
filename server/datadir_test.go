package server

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A child that was forked when its server was killed holds the lock for a moment more.
func TestALockThatIsGivenBackSoonIsWaitedFor(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	before, err := openDataDir(path)
	if err != nil {
		t.Fatal(err)
	}
	child, err := unix.Dup(int(before.lock.Fd())) // as fork does
	if err != nil {
		t.Fatal(err)
	}
	before.lock.Close()
	if d, err := openDataDir(path); err == nil {
		d.close()
		t.Fatal("the lock is nobody's")
	}
	time.AfterFunc(lockPatience/4, func() { unix.Close(child) })
	d, err := openDataDir(path)
	if err != nil {
		t.Fatal(err)
	}
	d.close()
}
