package fleet

import (
	"context"
	"slices"

	"skein.dev/skein/webtransport/wire"
)

// backReads is how many events a page of the newest events reads at once, from the end back.
const backReads = 64

// EventPage reads events of an agent's log: the first that match, or the last.
func (f *Fleet) EventPage(ctx context.Context, v wire.AgentEventsParams) (res wire.AgentEventsResult, err error) {
	a, err := f.agent(v.ID)
	if err != nil {
		return res, err
	}
	if err := v.Check(); err != nil {
		return res, err
	}
	if v.Limit == 0 {
		v.Limit = wire.LogPage
	}
	if res.First, res.Last, err = f.o.Store.FirstLast(ctx, v.ID); err != nil {
		return res, err
	}
	read := a.pageAfter
	if v.Newest {
		read = a.pageBefore
	}
	if res.Events, res.More, err = read(ctx, v); err != nil {
		return wire.AgentEventsResult{}, err
	}
	from := v.After
	if v.Newest && res.More {
		from = res.Events[0].Seq - 1
	}
	return res, a.markDropped(ctx, res.Events, from)
}

// pageAfter reads the first events after v.After.
func (a *agent) pageAfter(ctx context.Context, v wire.AgentEventsParams) (all []wire.Event, more bool, err error) {
	all = []wire.Event{}
	for cursor, room := v.After, wire.PageBytes; ; {
		events, err := a.core.o.Store.EventsOf(ctx, a.id, v.Which, cursor, v.Limit+1-len(all))
		if err != nil || len(events) == 0 {
			return all, false, err
		}
		for _, e := range events {
			if v.Before > 0 && e.Seq >= v.Before {
				return all, false, nil
			}
			if room -= e.EncodedLen() + 1; len(all) == v.Limit || room < 0 && len(all) > 0 {
				return all, true, nil
			}
			all, cursor = append(all, e), e.Seq
		}
	}
}

// pageBefore reads the last events before v.Before.
func (a *agent) pageBefore(ctx context.Context, v wire.AgentEventsParams) (all []wire.Event, more bool, err error) {
	all = []wire.Event{} // the newest first
	for before, room := v.Before, wire.PageBytes; ; {
		events, err := a.eventsBefore(ctx, v.Which, before, min(v.Limit+1-len(all), backReads))
		if err != nil {
			return nil, false, err
		}
		for _, e := range slices.Backward(events) {
			if e.Seq <= v.After {
				events = nil
				break
			}
			if room -= e.EncodedLen() + 1; len(all) == v.Limit || room < 0 && len(all) > 0 {
				slices.Reverse(all)
				return all, true, nil
			}
			all, before = append(all, e), e.Seq
		}
		if len(events) == 0 {
			slices.Reverse(all)
			return all, false, nil
		}
	}
}

// eventsBefore reads the last n events before a seq, oldest first; before 0 means the newest.
func (a *agent) eventsBefore(ctx context.Context, which wire.Which, before uint64, n int) (all []wire.Event, err error) {
	cursor, err := a.core.o.Store.Back(ctx, a.id, which, before, n)
	for err == nil && len(all) < n {
		var events []wire.Event
		events, err = a.core.o.Store.EventsOf(ctx, a.id, which, cursor, n-len(all))
		if len(events) == 0 {
			break
		}
		for _, e := range events {
			if before > 0 && e.Seq >= before {
				return all, nil
			}
			all, cursor = append(all, e), e.Seq
		}
	}
	return all, err
}

// markDropped notes on each event the dropped events before it that came after the cursor.
func (a *agent) markDropped(ctx context.Context, events []wire.Event, cursor uint64) error {
	f := &Follower{a: a, cursor: cursor, had: map[bool]wire.Amount{}}
	if err := f.count(ctx); err != nil {
		return err
	}
	if a.passed(cursor) { // the events dropped after the cursor can't be told from those before it, so all are reported
		for output, had := range f.had {
			begin, err := a.core.o.Store.Before(ctx, a.id, output, 0)
			if err != nil {
				return err
			}
			if had == begin {
				delete(f.had, output)
			}
		}
	}
	f.missed(events)
	return nil
}
