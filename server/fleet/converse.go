package fleet

import (
	"context"
	"fmt"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// conversing returns an agent's process as one that has an ability of those that converse.
func conversing[T any](f *Fleet, id wire.AgentID, what string) (*agent, T, error) {
	var none T
	a, err := f.agent(id)
	if err != nil {
		return nil, none, err
	}
	a.mu.Lock()
	run, status := a.running, a.rec.Status
	a.mu.Unlock()
	if run == nil {
		return nil, none, wire.Errorf(wire.CodePrecondition, "agent %s is %s: %s are those of a running agent", id, status, what).WithField("id")
	}
	to, ok := runner.As[T](run)
	if !ok {
		return nil, none, wire.Errorf(wire.CodePrecondition, "agent %s has no %s: agents of kind acp may have some", id, what).WithField("id")
	}
	return a, to, nil
}

// Options returns what an agent offers: its options and commands.
func (f *Fleet) Options(id wire.AgentID) (*wire.OptionsResult, error) {
	_, to, err := conversing[runner.Configurer](f, id, "options")
	if err != nil {
		return nil, err
	}
	r := to.Options()
	return &r, nil
}

// Configure sets an option of an agent. It returns what the agent offers then, as some options depend on others.
func (f *Fleet) Configure(ctx context.Context, actor string, p wire.ConfigureParams) (*wire.OptionsResult, error) {
	a, to, err := conversing[runner.Configurer](f, p.ID, "options")
	if err != nil {
		return nil, err
	}
	if err := to.Configure(ctx, p.Option, p.Value); err != nil {
		return nil, err
	}
	a.event(wire.EventLog, actor, wire.EventData{Text: noun.Clip(fmt.Sprintf("%s was set to %s", p.Option, p.Value))})
	r := to.Options()
	return &r, nil
}

// Sessions returns a page of the conversations that an agent can go on with.
func (f *Fleet) Sessions(ctx context.Context, p wire.SessionsParams) (*wire.SessionsResult, error) {
	if len(p.Cursor) > wire.MaxCursor {
		return nil, noun.Bad("cursor", "longer than %d bytes", wire.MaxCursor)
	}
	_, to, err := conversing[runner.Lister](f, p.ID, "sessions")
	if err != nil {
		return nil, err
	}
	return to.Sessions(ctx, p.Cursor)
}

// checkSession checks whether an agent of a type can go on with a conversation, and sets the folder of one that an agent has had.
func (f *Fleet) checkSession(t wire.AgentType, s *wire.SpawnParams) error {
	switch {
	case s.Fork && s.Session == "":
		return noun.Bad("fork", "say which session is copied: give session")
	case s.Session == "":
		return nil
	case !f.can(t).Sessions:
		return noun.Bad("session", "agents of type %q have no sessions: those of kind acp have", t.Name)
	case len(s.Session) > wire.MaxOptionID || !wire.Printable(s.Session):
		return noun.Bad("session", "a session's id has at most %d bytes, and no control characters", wire.MaxOptionID)
	case s.Count > 1 && !s.Fork:
		return noun.Bad("session", "one agent at a time can be in a session")
	case s.Cwd != "" || s.Folder != "":
		return nil
	}
	var last wire.Agent
	for _, a := range f.all() {
		if rec := a.record(); rec.Type == t.Name && rec.Session == s.Session && rec.Num > last.Num {
			last = rec
		}
	}
	switch to := last.Folder; {
	case last.Cwd == "" || to == nil:
	case to.Mode == wire.FolderWorktree && to.State == wire.FolderRemoved:
		s.Folder, s.Cwd = wire.FolderWorktree, to.Repo
	default: // also what was its own
		s.Folder, s.Cwd = wire.FolderShared, last.Cwd
		s.Share = s.Share || s.Fork // with the agent of the session, which goes on
	}
	return nil
}

// sessionFree returns an error if an agent that is alive has a conversation. The caller holds mu.
func (f *Fleet) sessionFree(t wire.AgentType, session string) error {
	for _, a := range f.agents.byNum {
		if session == "" || a.typ != t.Name {
			continue
		}
		if rec := a.record(); rec.Status.Alive() && (rec.Session == session || rec.Session == "" && a.goesOn == session && !a.forks) {
			return wire.Errorf(wire.CodeConflict, "agent %s is in that session: stop it first", rec.ID).WithField("session")
		}
	}
	return nil
}
