package control

import (
	"context"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// ChangesOf returns what an agent has changed in its folder.
func (p *Plane) ChangesOf(ctx context.Context, v wire.ChangesParams) (*wire.Changes, error) {
	a, err := p.Get(v.ID)
	if err != nil {
		return nil, err
	}
	return p.Folders.Changes(ctx, &a)
}

// StampOf returns a text that is another one when the folder of an agent has changed.
func (p *Plane) StampOf(ctx context.Context, id wire.AgentID) (string, error) {
	a, err := p.Get(id)
	if err != nil {
		return "", err
	}
	return p.Folders.Stamp(ctx, &a)
}

// DiffOf returns how an agent has changed a file.
func (p *Plane) DiffOf(ctx context.Context, v wire.DiffParams) (*wire.Diff, error) {
	a, err := p.Get(v.ID)
	if err != nil {
		return nil, err
	}
	return p.Folders.Diff(ctx, &a, v)
}

// Commit commits what an agent has changed, and notes it in the agent's log.
func (p *Plane) Commit(ctx context.Context, by noun.Caller, v wire.CommitParams) (*wire.CommitResult, error) {
	a, err := p.Get(v.ID)
	if err != nil {
		return nil, err
	}
	res, err := p.Folders.Commit(ctx, &a, v)
	if err != nil {
		return nil, err
	}
	if a.Status.Alive() {
		p.Say(v.ID, by.Actor, "its changes were committed as "+res.Commit.ID[:12]+": "+res.Commit.Subject)
	}
	return res, nil
}
