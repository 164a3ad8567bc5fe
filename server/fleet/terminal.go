package fleet

import (
	"context"
	"errors"
	"io"

	"skein.dev/skein/server/terminal"
	"skein.dev/skein/webtransport/wire"
)

// replayEvents is how many events of an agent that has ended make its last screen.
const replayEvents = 2000

// Terminal returns the terminal of an agent. That of an agent that has ended shows what its log has of it.
func (f *Fleet) Terminal(ctx context.Context, id wire.AgentID) (*terminal.Terminal, error) {
	a, err := f.agent(id)
	if err != nil {
		return nil, err
	}
	rec := a.record()
	if rec.TTY == nil {
		return nil, wire.Errorf(wire.CodePrecondition, "agent %s has no terminal: it was spawned without one (tty)", id).WithField("agent")
	}
	if c := a.terminal(); c != nil {
		return c.term, nil
	}
	if rec.Status.Alive() {
		return nil, wire.Errorf(wire.CodeUnavailable, "agent %s has not started yet", id)
	}
	follower, _, err := f.Follow(ctx, wire.Header{Agent: id, Tail: replayEvents})
	if err != nil {
		return nil, err
	}
	past := terminal.Past(*rec.TTY, func(t *terminal.Terminal) { err = replay(ctx, follower, t) })
	return past, err
}

// replay shows a terminal what an agent has written to it.
func replay(ctx context.Context, f *Follower, t *terminal.Terminal) error {
	for {
		events, err := f.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		show(t, events)
	}
}

// show gives a terminal what events have for it.
func show(t *terminal.Terminal, events []wire.Event) {
	for i := range events {
		switch e := &events[i]; {
		case e.Type == wire.EventTTY:
			t.Output(e.Data.Bytes())
		case e.Type == wire.EventResize && e.Data.Size != nil:
			t.Replay(*e.Data.Size)
		case e.Type == wire.EventCrashed:
			t.Restart()
		}
	}
}
