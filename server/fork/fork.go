// Package fork starts programs in a process that sometimes sets a limit of its own, so that one child inherits it: no other child may be
// forked meanwhile.
//
// # Locks
//
// There is one, held to read while a child is forked, and to write while what a child inherits is set.
package fork

import (
	"bytes"
	"os/exec"
	"sync"
)

var forking sync.RWMutex

// Alone calls f while nothing is forked but by f.
func Alone(f func()) {
	forking.Lock()
	defer forking.Unlock()
	f()
}

// Run starts a command and waits for its end, as its own Run does.
func Run(c *exec.Cmd) error {
	if err := Start(c); err != nil {
		return err
	}
	return c.Wait()
}

// Output runs a command and returns its standard output, as its own Output does, but for what it printed to standard error.
func Output(c *exec.Cmd) ([]byte, error) {
	var out bytes.Buffer
	c.Stdout = &out
	err := Run(c)
	return out.Bytes(), err
}

// Start starts a command, as its own Start does.
func Start(c *exec.Cmd) error {
	forking.RLock()
	defer forking.RUnlock()
	return c.Start()
}
