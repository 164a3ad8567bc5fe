// Package datadir is the folder in which a server keeps everything, and the lock that keeps a second server out of it.
package datadir

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"skein.dev/skein/webtransport/wire"
)

// Dir is the open folder that holds everything a Skein keeps:
//
//	lock         held while a server runs
//	instance     marks the processes of this folder's agents
//	token        what the command line signs in with (0600)
//	server.json  where the running server listens (0600)
//	tls/         the development certificate
//	push/        the key of Web Push, and the browsers that are notified (0600)
//	store/       JetStream
//	agents/      working folders of agents without one of their own, with their outboxes
//	outbox/      outboxes of the other agents: files that they want to be kept
//	uploads/     uploads of artifacts that are not complete
type Dir struct {
	Path     string
	Instance string // marks the processes of this folder's agents
	Token    string // is what the command line signs in with
	Copied   bool   // reports that the folder was found to be a copy of one that a server runs on

	lock *os.File
	name io.Closer // held on this machine for the instance; nil: none could be had
}

// lockPatience is how long a lock is waited for. A child that a server had just forked when it was killed has the lock
// until it becomes the program that it was forked for.
const lockPatience = time.Second

// take takes the folder's lock.
func (d *Dir) take(patience time.Duration) error {
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		err := unix.Flock(int(d.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Since(begin) >= patience {
			return err
		}
	}
}

// Open makes what is missing in the folder and takes its lock.
func Open(path string) (*Dir, error) { return openWithin(path, lockPatience) }

// openWithin waits for the lock with a patience of its own.
func openWithin(path string, patience time.Duration) (*Dir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	d := &Dir{Path: path}
	if d.lock, err = os.OpenFile(d.File("lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, fmt.Errorf("open the data folder: %w", err)
	}
	if err := d.take(patience); err != nil {
		d.lock.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("another skein serves from %s; stop it, or name another folder with --data-dir", path)
		}
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if err = d.openInstance(); err == nil {
		d.Token, err = d.secret(wire.TokenFile)
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// openInstance reads the folder's instance, and makes sure that no other server on this machine has it: of two folders of which
// one is a copy, each server would end the other's agents as its own orphans. The later one gets an instance of its own.
func (d *Dir) openInstance() (err error) {
	if d.Instance, err = d.secret("instance"); err != nil || d.takeName() {
		return err
	}
	d.Copied = true
	if err := os.Remove(d.File("instance")); err != nil {
		return fmt.Errorf("give a copied data folder an instance of its own: %w", err)
	}
	if d.Instance, err = d.secret("instance"); err == nil {
		d.takeName()
	}
	return err
}

// takeName holds a name of the instance for as long as this process lives: an abstract socket (unix(7)), which leaves no file
// behind. false: another process has it, and not only for the moment that lockPatience speaks of.
func (d *Dir) takeName() bool {
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.ListenPacket("unixgram", "@skein-"+d.Instance)
		if err == nil {
			d.name = c
			return true
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			return true // no such sockets here: nobody can have it
		}
		if time.Since(begin) >= lockPatience {
			return false
		}
	}
}

// File is the path of a file or a folder in d.
func (d *Dir) File(name ...string) string {
	return filepath.Join(append([]string{d.Path}, name...)...)
}

// secret reads a random word from a file, or makes it.
func (d *Dir) secret(name string) (string, error) {
	b, err := os.ReadFile(d.File(name))
	if s := strings.TrimSpace(string(b)); err == nil && len(s) >= 26 {
		return s, os.Chmod(d.File(name), 0o600)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read %s: %w", d.File(name), err)
	}
	s := rand.Text()
	return s, WriteFile(d.File(name), []byte(s+"\n"))
}

// Announce tells local clients where the server is.
func (d *Dir) Announce(l wire.Local) error {
	b, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	return WriteFile(d.File(wire.LocalFile), append(b, '\n'))
}

// Close removes the announcement and gives the lock back.
func (d *Dir) Close() {
	os.Remove(d.File(wire.LocalFile))
	if d.name != nil {
		d.name.Close()
	}
	d.lock.Close()
}

// WriteFile replaces a file atomically and durably. Only its owner can read it.
func WriteFile(path string, b []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(b)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(tmp.Name(), path)
}
