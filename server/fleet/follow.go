package fleet

import (
	"context"
	"io"
	"slices"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// pageEvents bounds the events of one read of the store.
const pageEvents = 256

// pageBytes bounds what a reader within this process takes at once, in bytes.
const pageBytes = 1 << 20

// Follower reads the events of an agent from a cursor on. It is for use by one goroutine.
type Follower struct {
	a       *agent
	cursor  uint64
	last    uint64 // without follow: where to end
	follow  bool
	had     map[bool]wire.Amount // up to the cursor, by whether it is output, those that are no longer there too
	printed time.Time            // when the output before the cursor was printed; zero: not known
}

// Agent returns the present record of the agent that is followed.
func (f *Follower) Agent() wire.Agent { return f.a.record() }

// Follow returns a follower of an agent's events. It reads agent, after, tail, epoch and follow from h, the header of the lane.
func (f *Fleet) Follow(ctx context.Context, h wire.Header) (*Follower, *wire.Attached, error) {
	a, err := f.agent(h.Agent)
	if err != nil {
		return nil, nil, err
	}
	first, err := a.first(ctx)
	if err != nil {
		return nil, nil, err
	}
	rec := a.record()
	at := &wire.Attached{Agent: rec, Epoch: f.Epoch(), First: first, Last: rec.LastSeq, Recovered: true}
	// The last events of an agent that has exited may not be stored yet, so that its followers always wait for the end.
	w := &Follower{a: a, cursor: h.After, last: rec.LastSeq, follow: h.Follow || !rec.Status.Alive(), had: map[bool]wire.Amount{}}
	if h.Epoch != "" && h.Epoch != at.Epoch || h.After > rec.LastSeq {
		at.Recovered, w.cursor = false, 0 // a cursor of another log means nothing in this one: start over
	}
	if w.cursor == 0 && h.Tail > 0 {
		if w.cursor, err = w.back(ctx, h.Tail); err != nil {
			return nil, nil, err
		}
	}
	if err := w.count(ctx); err != nil {
		return nil, nil, err
	}
	if h.After > 0 && w.cursor == h.After && a.passed(h.After) {
		// Some of what followed it is gone: start over.
		at.Recovered, w.cursor = false, 0
		clear(w.had)
		if h.Tail > 0 {
			if w.cursor, err = w.back(ctx, h.Tail); err == nil {
				err = w.count(ctx)
			}
		}
	}
	return w, at, err
}

// passed reports whether the log has dropped an event after a cursor.
func (a *agent) passed(cursor uint64) bool {
	d := a.record().Dropped
	return d != nil && cursor < d.Last
}

// count counts the events before the cursor, so that Poll notices when some are missing.
func (f *Follower) count(ctx context.Context) error {
	if f.cursor == 0 {
		return nil
	}
	for _, output := range []bool{false, true} {
		n, err := f.a.core.o.Store.Before(ctx, f.a.id, output, f.cursor)
		if err != nil {
			return err
		}
		f.had[output] = n
	}
	return nil
}

// missed notes on each event what is missing before it.
func (f *Follower) missed(events []wire.Event) {
	for i := range events {
		e := &events[i]
		had := f.had[e.Type.WithOutput()]
		if e.Before.Events > had.Events {
			e.Dropped = &wire.Dropped{Amount: e.Before.Minus(had), From: f.since(e), To: e.Time}
		}
		f.had[e.Type.WithOutput()] = wire.Amount{Events: e.Before.Events + 1, Bytes: e.Before.Bytes + uint64(e.Data.Len())}
		if e.Type.IsOutput() {
			f.printed = e.Time
		}
	}
}

// since returns when the events that are missing before an event began.
func (f *Follower) since(e *wire.Event) time.Time {
	rec := f.a.record()
	switch {
	case e.Type.IsOutput() && !f.printed.IsZero():
		return f.printed
	case rec.Dropped != nil && rec.Dropped.From.Before(e.Time):
		return rec.Dropped.From
	}
	return rec.CreatedAt
}

// dropped notes which events of an agent the log drops. It is called before they are dropped.
func (f *Fleet) dropped(id wire.AgentID, d wire.Dropped) {
	a, err := f.agent(id)
	if err != nil {
		return
	}
	a.update(true, func(rec *wire.Agent) {
		switch was := rec.Dropped; {
		case was != nil && was.Events == d.Events: // of an earlier run
			d = *was
		case was != nil:
			d.From = was.From
		case d.From.IsZero():
			d.From = rec.CreatedAt
		}
		rec.Dropped = &d
	})
	f.saves.later(a)
}

// first returns the seq of the oldest event of the agent.
func (a *agent) first(ctx context.Context) (uint64, error) {
	a.mu.Lock()
	if a.tailAfter == 0 && len(a.tail) > 0 { // all of it is in memory
		defer a.mu.Unlock()
		return a.tail[0].Seq, nil
	}
	a.mu.Unlock()
	first, _, err := a.core.o.Store.FirstLast(ctx, a.id)
	return first, err
}

// back finds the cursor after which at most n events follow.
func (f *Follower) back(ctx context.Context, n int) (uint64, error) {
	f.a.mu.Lock()
	if tail := f.a.tail; len(tail) > n {
		defer f.a.mu.Unlock()
		return tail[len(tail)-n-1].Seq, nil
	}
	f.a.mu.Unlock()
	return f.a.core.o.Store.Back(ctx, f.a.id, wire.AllEvents, 0, n)
}

// Cursor returns the seq of the last event that was returned.
func (f *Follower) Cursor() uint64 { return f.cursor }

// Next waits for the next events and returns at most a page of them. It returns io.EOF when Poll does.
func (f *Follower) Next(ctx context.Context) ([]wire.Event, error) {
	news := make(chan struct{}, 1)
	stop := f.Notify(func() {
		select {
		case news <- struct{}{}:
		default:
		}
	})
	defer stop()
	for {
		events, err := f.Poll(ctx, pageBytes)
		if len(events) > 0 || err != nil {
			return events, err
		}
		select {
		case <-news:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Notify sets a function that is called whenever Poll may return something new, until stop is called. The function must not
// wait, nor call stop.
func (f *Follower) Notify(call func()) (stop func()) {
	return f.a.onNews(f, call)
}

// onNews sets the function by which somebody is told when the log grew or ended.
func (a *agent) onNews(who any, call func()) (stop func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.notify == nil {
		a.notify = map[any]func(){}
	}
	a.notify[who] = call
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.notify, who)
	}
}

// Poll returns the next events, about limit bytes and at most a page of them, or none if there are none now. It returns io.EOF
// when the agent has ended and every event was returned, or, without follow, when every event that existed at the start was.
func (f *Follower) Poll(ctx context.Context, limit int) ([]wire.Event, error) {
	for {
		events, ended, inTail := f.fromTail()
		if !inTail {
			page, err := f.a.core.o.Store.Events(ctx, f.a.id, f.cursor, pageEvents, limit)
			if err != nil {
				return nil, err
			}
			if len(page) == 0 { // the log has dropped them: continue with the tail
				f.skip()
				continue
			}
			events = page
		}
		if !f.follow {
			if i := slices.IndexFunc(events, func(e wire.Event) bool { return e.Seq > f.last }); i >= 0 {
				events = events[:i]
			}
		}
		if len(events) > 0 {
			events = atMost(events, limit)
			f.cursor = events[len(events)-1].Seq
			f.missed(events)
			return events, nil
		}
		if ended || !f.follow {
			return nil, io.EOF
		}
		return nil, nil
	}
}

// eventSize is what an event takes beside its data, in bytes, or a little more.
const eventSize = 200

// atMost returns the first events with a total of limit bytes, but at least one. The result does not keep the others alive.
func atMost(events []wire.Event, limit int) []wire.Event {
	size := 0
	for i := range events {
		if size += eventSize + events[i].Data.Len(); size > limit && i > 0 {
			return slices.Clone(events[:i])
		}
	}
	return events
}

// fromTail returns a page of the events after the cursor from memory, if all of them are there.
func (f *Follower) fromTail() (events []wire.Event, ended, inTail bool) {
	// This is checked before the tail is read, because an agent that has ended appends no more events.
	select {
	case <-f.a.ended:
		ended = true
	default:
	}
	f.a.mu.Lock()
	defer f.a.mu.Unlock()
	if f.cursor < f.a.tailAfter {
		return nil, ended, false
	}
	i, _ := slices.BinarySearchFunc(f.a.tail, f.cursor+1, func(e wire.Event, seq uint64) int {
		if e.Seq < seq {
			return -1
		}
		return 1
	})
	rest := f.a.tail[i:]
	return slices.Clone(rest[:min(len(rest), pageEvents)]), ended, true
}

// skip moves the cursor to the beginning of the tail.
func (f *Follower) skip() {
	f.a.mu.Lock()
	defer f.a.mu.Unlock()
	f.cursor = max(f.cursor, f.a.tailAfter)
}
