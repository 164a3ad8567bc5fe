package control_test

import (
	"sync"
	"testing"
	"time"

	"skein.dev/skein/server/control"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/server/runner/remote"
	"skein.dev/skein/webtransport/wire"
)

const programKey = "a key that nobody knows"

// dialled adds a type of programs that dial in.
func dialled(o *control.Options) {
	o.Kinds[wire.KindRemote] = &remote.Kind{}
	o.Types = append(o.Types, wire.AgentType{Name: "remote", Kind: wire.KindRemote, Tasks: wire.TasksLines, StopGraceMS: 10, LeaseMS: time.Minute.Milliseconds()})
}

// deaf is the way to a program that reads nothing.
type deaf struct {
	once   sync.Once
	closed chan struct{}
}

func (d *deaf) Send([]byte) error { return nil }
func (d *deaf) Close()            { d.once.Do(func() { close(d.closed) }) }

// joins lets a program dial in. Its connection ends when the server ends it, or by gone.
func (n *node) joins(t *testing.T, agent wire.AgentID) (at wire.AgentID, gone func(), err error) {
	t.Helper()
	to := &deaf{closed: make(chan struct{})}
	link, j, err := n.Join(t.Context(), noun.Caller{Actor: "test"}, wire.WorkerJoin{Key: programKey, Agent: agent}, to)
	if err != nil {
		return "", nil, err
	}
	over := make(chan struct{})
	go func() { defer close(over); <-to.closed; link.Gone() }()
	return j.Agent, func() { to.Close(); <-over }, nil
}

var _ runner.Line = (*deaf)(nil)

// A program whose first answers are lost joins again and again, while the first of its requests is carried out.
func TestAProgramThatJoinsRepeatedlyIsOneAgent(t *testing.T) {
	n := open(t, t.TempDir(), dialled)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, _, err := n.joins(t, ""); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if all := n.List(wire.Filter{}).Agents; len(all) != 1 {
		t.Errorf("it is %d agents", len(all))
	}
}

// A program that was away when the server ended becomes another agent. One that somebody stopped learns that.
func TestAProgramComesBackAfterARestart(t *testing.T) {
	for name, c := range map[string]struct {
		stopped bool
		want    wire.ErrorCode
	}{"whose agent was alive": {false, wire.CodeNotFound}, "whose agent was stopped": {true, wire.CodePrecondition}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			n := open(t, dir, dialled)
			id, gone, err := n.joins(t, "")
			if err != nil {
				t.Fatal(err)
			}
			gone()
			if c.stopped {
				if _, err := n.Stop(t.Context(), noun.Caller{Actor: "test"}, wire.StopParams{IDs: []wire.AgentID{id}}); err != nil {
					t.Fatal(err)
				}
				if _, _, err := n.joins(t, id); wire.AsError(err).Code != c.want {
					t.Errorf("it joins: %v", err)
				}
			}
			n.close()
			n = open(t, dir, dialled)
			if _, _, err := n.joins(t, id); wire.AsError(err).Code != c.want {
				t.Errorf("it joins after a restart: %v", err)
			}
		})
	}
}
