package jet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"skein.dev/skein/webtransport/wire"
)

func (s *Store) makeLog(ctx context.Context) (err error) {
	s.stream, err = s.events.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: logStream, Subjects: []string{logSubject + "*.*"}, Storage: jetstream.FileStorage, AllowDirect: true,
	})
	if err != nil {
		return fmt.Errorf("open the event log: %w", err)
	}
	return nil
}

func (s *Store) openLog(ctx context.Context) error {
	if err := s.makeLog(ctx); err != nil {
		return err
	}
	info, err := s.stream.Info(ctx, jetstream.WithSubjectFilter(logSubject+">"))
	if err != nil {
		return fmt.Errorf("open the event log: %w", err)
	}
	for subject := range info.State.Subjects {
		if err := s.loadShare(ctx, subject); err != nil {
			return fmt.Errorf("open the event log: %s: %w", subject, err)
		}
	}
	return nil
}

// loadShare reads from the log what it holds of one subject.
func (s *Store) loadShare(ctx context.Context, subject string) error {
	id, token, _ := strings.Cut(strings.TrimPrefix(subject, logSubject), ".")
	c := class(slices.Index(classTokens[:], token))
	if c < 0 {
		return errors.New("there is no such kind of event")
	}
	first, err := s.next(ctx, subject, 0)
	if err != nil {
		return err
	}
	m, err := s.stream.GetLastMsgForSubject(ctx, subject)
	if err != nil {
		return err
	}
	last, err := read(m)
	if err != nil {
		return err
	}
	sh := share{first: first.seq, last: last.seq, begin: first.before, end: last.after()}
	if first.before.Events > 0 {
		sh.dropped = wire.Dropped{Amount: first.before.Amount, To: first.time, Last: first.seq - 1}
	}
	s.shares.mu.Lock()
	defer s.shares.mu.Unlock()
	s.shares.agent(wire.AgentID(id))[c] = sh
	s.shares.stored[c] += sh.size()
	if s.shares.tight() { // the bound may be lower than it was
		s.shares.wake()
	}
	return nil
}

// next returns the first event of a subject after a seq. Its seq is 0 if there is none.
func (s *Store) next(ctx context.Context, subject string, after uint64) (found, error) {
	m, err := s.stream.GetMsg(ctx, after+1, jetstream.WithGetMsgSubject(subject))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return found{}, nil
	}
	if err != nil {
		return found{}, fmt.Errorf("find an event: %w", err)
	}
	return read(m)
}

// Events returns at most limit of an agent's events with a seq greater than after, oldest first.
func (s *Store) Events(ctx context.Context, id wire.AgentID, after uint64, limit, bytes int) ([]wire.Event, error) {
	return s.eventsOf(ctx, id, wire.AllEvents, after, limit, bytes)
}

// EventsOf is like Events but returns only the chosen kind of events.
func (s *Store) EventsOf(ctx context.Context, id wire.AgentID, which wire.Which, after uint64, limit int) ([]wire.Event, error) {
	return s.eventsOf(ctx, id, which, after, limit, batchBytes)
}

func (s *Store) eventsOf(ctx context.Context, id wire.AgentID, which wire.Which, after uint64, limit, bytes int) ([]wire.Event, error) {
	subject := logSubject + string(id) + ".*"
	if c := classesOf(which); len(c) == 1 {
		subject = subjectOf(id, c[0])
	}
	return s.eventsUnder(ctx, subject, after, limit, bytes)
}

// Outputs returns at most limit events with a seq greater than after, oldest first: those that are kept as output, of all agents.
func (s *Store) Outputs(ctx context.Context, after uint64, limit int) ([]wire.Event, error) {
	return s.eventsUnder(ctx, subjectOf("*", output), after, limit, batchBytes)
}

func (s *Store) eventsUnder(ctx context.Context, subject string, after uint64, limit, bytes int) ([]wire.Event, error) {
	msgs, err := batch(ctx, s.events.js, logStream, subject, after, limit, bytes)
	if err != nil {
		return nil, fmt.Errorf("read the events %s: %w", subject, err)
	}
	var all []wire.Event
	for _, m := range msgs {
		var e wire.Event
		if err := json.Unmarshal(m.Data, &e); err != nil {
			return nil, fmt.Errorf("read event %d: %w", m.Sequence, err)
		}
		before, err := parseTotals(m.Data)
		if err != nil {
			return nil, fmt.Errorf("read event %d: %w", m.Sequence, err)
		}
		e.Seq, e.Before = m.Sequence, before.Amount
		all = append(all, e)
	}
	return all, nil
}

// Before returns how many events of one kind an agent had up to a seq, and their bytes. It counts events that the log has
// dropped too.
func (s *Store) Before(ctx context.Context, id wire.AgentID, out bool, seq uint64) (wire.Amount, error) {
	c := lifecycle
	if out {
		c = output
	}
	sh := s.shares.get(id, c)
	if sh.last <= seq {
		return sh.end.Amount, nil
	}
	f, err := s.next(ctx, subjectOf(id, c), seq)
	return f.before.Amount, err
}

// Back returns the cursor after which an agent has at most n of the chosen events with a seq less than before. If before
// is 0, it counts from the newest event.
func (s *Store) Back(ctx context.Context, id wire.AgentID, which wire.Which, before uint64, n int) (uint64, error) {
	first, last := s.firstLast(id)
	if before == 0 || before > last {
		before = last + 1
	}
	if first == 0 || first >= before {
		return 0, nil
	}
	all, err := s.count(ctx, id, which, before-1)
	if err != nil {
		return 0, err
	}
	return seek(first-1, before-1, func(seq uint64) (bool, error) {
		these, err := s.count(ctx, id, which, seq)
		return these+uint64(n) >= all, err
	})
}

// count returns how many of an agent's chosen events were appended up to a seq.
func (s *Store) count(ctx context.Context, id wire.AgentID, which wire.Which, seq uint64) (all uint64, _ error) {
	for _, c := range classesOf(which) {
		n, err := s.Before(ctx, id, c == output, seq)
		if err != nil {
			return 0, err
		}
		all += n.Events
	}
	return all, nil
}

// FirstLast returns the seqs of an agent's oldest and newest event, or 0, 0 if it has none.
func (s *Store) FirstLast(_ context.Context, id wire.AgentID) (first, last uint64, err error) {
	first, last = s.firstLast(id)
	return first, last, nil
}

// Ends returns the seqs of the log's oldest and newest event, or 0, 0 if it has none.
func (s *Store) Ends(ctx context.Context) (first, last uint64, err error) {
	info, err := s.stream.Info(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("find the ends of the event log: %w", err)
	}
	if info.State.Msgs == 0 {
		return 0, 0, nil
	}
	return info.State.FirstSeq, info.State.LastSeq, nil
}

// At returns the seq of the last event until a time, of any agent, and the time of the log's oldest event; 0, or the zero time, if there is none.
// Events of different agents are in the order in which they were appended, which differs from that of their times by as little as that takes.
func (s *Store) At(ctx context.Context, at time.Time) (seq uint64, oldest time.Time, err error) {
	first, last, err := s.Ends(ctx)
	if err != nil || first == 0 {
		return 0, oldest, err
	}
	any := logSubject + "*.*"
	begin, err := s.next(ctx, any, first-1)
	if err != nil {
		return 0, oldest, err
	}
	seq, err = seek(first-1, last, func(seq uint64) (bool, error) {
		f, err := s.next(ctx, any, seq)
		return f.seq == 0 || f.happened().After(at), err
	})
	if seq < first {
		seq = 0
	}
	return seq, begin.happened(), err
}

func (s *Store) firstLast(id wire.AgentID) (first, last uint64) {
	for c := range classes {
		sh := s.shares.get(id, c)
		if sh.first != 0 && (first == 0 || sh.first < first) {
			first = sh.first
		}
		last = max(last, sh.last)
	}
	return first, last
}

// Drops registers f, which is told what an agent's log loses before it is dropped. Drops calls f at once for each agent
// that has lost events already. f must not block.
func (s *Store) Drops(f func(wire.AgentID, wire.Dropped)) {
	s.shares.mu.Lock()
	defer s.shares.mu.Unlock()
	s.shares.told = f
	for id, a := range s.shares.of {
		if d := droppedOf(a); d.Events > 0 {
			f(id, d)
		}
	}
}

// seek returns the smallest x in [lo, hi) for which ok is true, or hi if there is none. If ok is true for x, it must be
// true for all greater values.
func seek(lo, hi uint64, ok func(x uint64) (bool, error)) (uint64, error) {
	for lo < hi {
		x := lo + (hi-lo)/2
		yes, err := ok(x)
		if err != nil {
			return 0, err
		}
		if yes {
			hi = x
		} else {
			lo = x + 1
		}
	}
	return lo, nil
}
