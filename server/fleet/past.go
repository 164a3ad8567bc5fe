package fleet

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"skein.dev/skein/server/glance"
	"skein.dev/skein/server/terminal"
	"skein.dev/skein/webtransport/wire"
)

// pastEvents is how many events that are no output say what an agent did at a time.
const pastEvents = 200

// At returns the agents that were alive at a time, as their logs tell.
func (f *Fleet) At(ctx context.Context, p wire.FleetAtParams) (*wire.FleetAtResult, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	select { // it reads as much as a search does
	case f.searches <- struct{}{}:
		defer func() { <-f.searches }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	now := time.Now().UTC()
	if p.At.IsZero() || p.At.After(now) {
		p.At = now
	}
	seq, oldest, err := f.o.Store.At(ctx, p.At)
	if err != nil {
		return nil, err
	}
	res := &wire.FleetAtResult{At: p.At, Last: now, Agents: []wire.PastAgent{}}
	if !oldest.IsZero() {
		res.First = &oldest
		if p.At.Before(oldest) {
			res.At = oldest
		}
	}
	alive := f.aliveAt(p.IDs, p.At)
	res.Total = len(alive)
	alive = alive[:min(len(alive), wire.MaxPastAgents)]
	for _, a := range alive {
		rec, err := a.at(ctx, seq)
		switch {
		case err != nil:
			return nil, err
		case rec.Status.Alive():
			res.Agents = append(res.Agents, wire.PastAgent{Agent: rec})
		default:
			res.Total--
		}
	}
	slices.SortStableFunc(res.Agents, longestWait)
	res.Agents = res.Agents[:wire.PageOf(res.Agents, wire.MaxPastAgents)]
	room := wire.MaxPictureBytes
	for i := range res.Agents[:min(len(res.Agents), p.Pictures)] {
		at := &res.Agents[i]
		a, err := f.agent(at.ID)
		if err != nil {
			continue // it was removed meanwhile
		}
		if at.Picture, at.Gone, err = a.picture(ctx, seq, cmp.Or(p.Rows, wire.DefaultPictureRows), cmp.Or(p.Cols, wire.DefaultPictureCols)); err != nil {
			return nil, err
		}
		if room -= at.Picture.Size(); room < 0 {
			at.Picture = nil
			break
		}
	}
	return res, nil
}

// aliveAt returns the agents that began before a time and ended after it, as far as their records say, the newest first.
func (f *Fleet) aliveAt(ids []wire.AgentID, at time.Time) []*agent {
	var all []*agent
	if len(ids) == 0 {
		all = f.all()
	}
	for _, id := range ids {
		if a, err := f.agent(id); err == nil {
			all = append(all, a)
		}
	}
	all = slices.DeleteFunc(all, func(a *agent) bool {
		rec := a.record()
		return rec.CreatedAt.After(at) || !rec.Status.Alive() && rec.ExitedAt != nil && !rec.ExitedAt.After(at)
	})
	slices.SortFunc(all, func(a, b *agent) int { return cmp.Compare(b.num, a.num) })
	return all
}

// longestWait puts those that wait for a person first, whoever waits longest before the others.
func longestWait(a, b wire.PastAgent) int {
	switch {
	case (a.AskedAt != nil) != (b.AskedAt != nil):
		if a.AskedAt != nil {
			return -1
		}
		return 1
	case a.AskedAt == nil:
		return 0
	}
	return a.AskedAt.Compare(*b.AskedAt)
}

// at returns the record of the agent as it was after the event with a seq.
func (a *agent) at(ctx context.Context, seq uint64) (wire.Agent, error) {
	events, err := a.core.o.Store.EventsOf(ctx, a.id, wire.LifecycleEvents, 0, pastEvents)
	if err == nil && len(events) == pastEvents && events[pastEvents-1].Seq <= seq {
		events, _, err = a.pageBefore(ctx, wire.AgentEventsParams{Which: wire.LifecycleEvents, Before: seq + 1, Limit: pastEvents})
	}
	then := past{rec: timeless(a.record()), asks: map[wire.AskID]*wire.Ask{}}
	for i := range events {
		if events[i].Seq > seq {
			break
		}
		then.add(&events[i])
	}
	return then.end(), err
}

// timeless returns what holds of an agent at any time.
func timeless(rec wire.Agent) wire.Agent {
	return wire.Agent{
		ID: rec.ID, Num: rec.Num, Name: rec.Name, Type: rec.Type, Kind: rec.Kind, Node: rec.Node, Desired: wire.DesiredRun, Argv: rec.Argv, Cwd: rec.Cwd,
		Folder: rec.Folder, NoInput: rec.NoInput, TTY: rec.TTY, Labels: rec.Labels, CreatedAt: rec.CreatedAt, ForTask: rec.ForTask,
		OnDemand: rec.OnDemand, Status: wire.StatusRunning,
	}
}

// past is what the events of an agent make of its record.
type past struct {
	rec  wire.Agent
	asks map[wire.AskID]*wire.Ask // that are open
}

func (p *past) add(e *wire.Event) {
	rec, d := &p.rec, &e.Data
	switch e.Type {
	case wire.EventSpawned:
		rec.Status = wire.StatusPending
	case wire.EventStarted:
		rec.Status, rec.StartedAt = wire.StatusRunning, &e.Time
		rec.Generation++
	case wire.EventActivity:
		rec.Activity, rec.Question, rec.AskedAt = d.Activity, "", nil
		if d.Activity == wire.ActivityRequiresAction {
			rec.Question, rec.AskedAt = d.Text, &e.Time
		}
	case wire.EventAsk:
		if d.Ask != nil {
			p.asks[d.Ask.ID] = d.Ask
		}
	case wire.EventAnswer:
		if d.Ask != nil {
			delete(p.asks, d.Ask.ID)
		}
	case wire.EventTask:
		rec.Tasks = slices.DeleteFunc(rec.Tasks, func(id wire.TaskID) bool { return id == d.Task })
		if !d.State.Terminal() {
			rec.Tasks = append(rec.Tasks, d.Task)
		}
	case wire.EventStopping:
		rec.Status, rec.Desired = wire.StatusStopping, wire.DesiredStop
	case wire.EventCrashed:
		rec.Status, rec.Restarts = wire.StatusPending, rec.Restarts+1
		p.rest()
	case wire.EventExited:
		rec.Status, rec.Reason, rec.Exit, rec.ExitedAt = wire.StatusExited, d.Reason, d.Exit, &e.Time
		p.rest()
	}
}

// rest takes away what only an agent that runs has.
func (p *past) rest() {
	p.rec.Activity, p.rec.Question, p.rec.AskedAt, p.rec.Tasks = wire.ActivityNone, "", nil, nil
	clear(p.asks)
}

// end returns the record. Of several questions it has the oldest.
func (p *past) end() wire.Agent {
	asks := slices.SortedFunc(maps.Values(p.asks), func(a, b *wire.Ask) int { return a.Since.Compare(b.Since) })
	if len(asks) > 0 && p.rec.Status == wire.StatusRunning {
		p.rec.Activity, p.rec.Question, p.rec.AskedAt = wire.ActivityRequiresAction, asks[0].Text, &asks[0].Since
	}
	return p.rec
}

// picture returns what the agent showed after the event with a seq. gone says that the log no longer has what it had printed.
func (a *agent) picture(ctx context.Context, seq uint64, rows, cols int) (p *wire.Picture, gone bool, err error) {
	rec := a.record()
	limit := glanceEvents
	if rec.TTY != nil {
		limit = replayEvents
	}
	events, _, err := a.pageBefore(ctx, wire.AgentEventsParams{Before: seq + 1, Limit: limit})
	if err != nil {
		return nil, false, err
	}
	if !slices.ContainsFunc(events, func(e wire.Event) bool { return e.Type.WithOutput() }) {
		had, err := a.core.o.Store.Before(ctx, a.id, true, seq)
		if err != nil || had.Events > 0 {
			return nil, err == nil, err
		}
	}
	shown := wire.Picture{Kind: wire.PictureLines}
	if rec.TTY != nil {
		shown = screenOf(*rec.TTY, events)
	} else {
		lines := glance.New(rows, cols)
		for i := range events {
			lines.Add(&events[i])
		}
		shown = lines.Picture()
	}
	shown.Bound()
	return &shown, false, nil
}

// screenOf is what a terminal showed after some events. It has the size at which the first of them found it, if they say which.
func screenOf(size wire.Size, events []wire.Event) wire.Picture {
	for i := range events {
		if to := events[i].Data.Size; to != nil {
			size = *to
			break
		}
	}
	term := terminal.Past(size, func(t *terminal.Terminal) { show(t, events) })
	p, _, _ := term.Picture(wire.MaxPictureRows, wire.MaxPictureCols, 0)
	return p
}
