package fleet

import (
	"cmp"
	"context"
	"slices"
	"time"
	"unicode/utf8"

	"skein.dev/skein/server/grep"
	"skein.dev/skein/webtransport/wire"
)

const (
	// outputReads is how many events of all agents a search reads at once.
	outputReads = 256
	// firstWindow is how many positions of the log a search of all agents goes back first. The next window is larger if that had
	// little output, and smaller if it had much.
	firstWindow = 1024
	minWindow   = 64
	maxWindow   = 1 << 20
	// littleOutput and muchOutput are the bytes of a window that tell so. One that has tooMuch is searched again in smaller ones.
	littleOutput = 1 << 20
	muchOutput   = 4 << 20
	tooMuch      = 8 << 20
	// manyMatches is how many a window keeps at most, until it drops those that the answer has no room for.
	manyMatches = 4096
)

// searchAll is one request to find lines in the output of all agents. It reads the log window by window, from its end back, and
// the events of a window in their order.
type searchAll struct {
	f      *Fleet
	v      wire.LogSearchParams
	pat    *grep.Pattern
	result wire.LogSearchResult
	heads  map[head]bool // the continuations of lines, at the beginning of a window, that had a hit
}

// head is where the output of an agent goes on in a newer window.
type head struct {
	seq    uint64
	stream int
}

// window is a part of the log that is searched at once: the events after low, up to high.
type window struct {
	s         *searchAll
	low, high uint64
	agents    map[wire.AgentID]*grep.Scanner
	names     map[wire.AgentID]string
	matches   []wire.LogMatch
	scanned   int
	oldest    time.Time
}

// SearchAll finds the lines of all agents' output that have a hit, those that begin last first. It ends when it has enough of
// them, or has searched as much as one request may.
func (f *Fleet) SearchAll(ctx context.Context, v wire.LogSearchParams) (wire.LogSearchResult, error) {
	if err := v.Check(); err != nil {
		return wire.LogSearchResult{}, err
	}
	v.Limit = cmp.Or(v.Limit, wire.FoundPage)
	pat, err := pattern(v.Query, v.Regexp, v.Case)
	if err != nil {
		return wire.LogSearchResult{}, err
	}
	select {
	case f.searches <- struct{}{}:
		defer func() { <-f.searches }()
	case <-ctx.Done():
		return wire.LogSearchResult{}, ctx.Err()
	}
	s := &searchAll{f: f, v: v, pat: pat, heads: map[head]bool{}}
	s.result.Matches = []wire.LogMatch{}
	s.result.Dropped = f.gone()
	return s.result, s.run(ctx)
}

// gone is what the log has dropped of the agents that there are; nil: nothing.
func (f *Fleet) gone() *wire.Amount {
	var all wire.Amount
	for _, a := range f.all() {
		if d := a.record().Dropped; d != nil {
			all.Events, all.Bytes = all.Events+d.Events, all.Bytes+d.Bytes
		}
	}
	if all.Events == 0 {
		return nil
	}
	return &all
}

// run searches the windows, the newest first.
func (s *searchAll) run(ctx context.Context) error {
	first, last, err := s.f.o.Store.Ends(ctx)
	if err != nil {
		return err
	}
	high := last
	if s.v.Before > 0 {
		high = min(high, s.v.Before-1)
	}
	until := time.Now().Add(s.f.o.SearchTime)
	for size := uint64(firstWindow); ; {
		s.result.Before = high + 1
		s.result.More = first > 0 && high >= first
		if !s.result.More || s.enough() || s.result.Scanned > 0 && time.Now().After(until) {
			return nil
		}
		w := &window{s: s, low: high - min(size, high), high: high, agents: map[wire.AgentID]*grep.Scanner{}, names: map[wire.AgentID]string{}}
		if err := w.search(ctx); err != nil {
			return err
		}
		if w.full() {
			size = max((high-w.low)/4, minWindow)
			continue
		}
		if s.take(w) {
			return nil
		}
		high, size = w.low, nextSize(size, w.scanned)
	}
}

// enough reports whether one request has found or searched enough.
func (s *searchAll) enough() bool {
	return len(s.result.Matches) >= s.v.Limit || s.result.Scanned >= s.f.o.SearchBytes
}

func nextSize(size uint64, scanned int) uint64 {
	switch {
	case scanned < littleOutput:
		return min(2*size, maxWindow)
	case scanned > muchOutput:
		return max(size/4, minWindow)
	}
	return size
}

// take adds the matches of a window to the result, the last first. If that has enough before the last of them, take reports so,
// and the next request continues within the window.
func (s *searchAll) take(w *window) (within bool) {
	r := &s.result
	r.Scanned += w.scanned
	if !w.oldest.IsZero() {
		r.Since = &w.oldest
	}
	w.sort()
	back := 0
	for i, m := range w.matches {
		if i > 0 && m.Seq == w.matches[i-1].Seq {
			back++
		} else {
			back = 0
			if i > 0 && len(r.Matches) >= s.v.Limit {
				r.Before, r.More, r.Since = w.matches[i-1].Seq, true, &w.matches[i-1].Time
				return true
			}
		}
		if m.Back = back; back < s.v.Limit {
			r.Matches = append(r.Matches, m)
		}
	}
	return false
}

// search searches the events of the window, and to their ends the lines that begin in it.
func (w *window) search(ctx context.Context) error {
	for cursor := w.low; cursor < w.high; {
		events, err := w.s.f.o.Store.Outputs(ctx, cursor, int(min(outputReads, w.high-cursor)))
		if err != nil {
			return err
		}
		for _, e := range events {
			if e.Seq > w.high {
				return w.finish(ctx)
			}
			w.add(e)
		}
		if w.full() {
			return nil
		}
		if len(events) == 0 {
			break
		}
		cursor = events[len(events)-1].Seq
	}
	return w.finish(ctx)
}

// full reports whether the window has so much output that it is given up for a smaller one.
func (w *window) full() bool {
	return w.scanned > tooMuch && w.high-w.low > minWindow
}

// sort puts the matches that begin last first.
func (w *window) sort() {
	slices.SortFunc(w.matches, func(a, b wire.LogMatch) int {
		return cmp.Or(cmp.Compare(b.Seq, a.Seq), cmp.Compare(b.Offset, a.Offset))
	})
}

// prune drops the matches that the answer has no room for, because so many begin after them.
func (w *window) prune() {
	w.sort()
	limit, back, kept := w.s.v.Limit, 0, w.matches[:0]
	for i, m := range w.matches {
		if i > 0 && m.Seq == w.matches[i-1].Seq {
			back++
		} else if back = 0; len(kept) > limit {
			break
		}
		if back < limit {
			kept = append(kept, m)
		}
	}
	clear(w.matches[len(kept):])
	w.matches = kept
}

// add searches an event. What is no output is passed over, and so is the output of agents that are being removed.
func (w *window) add(e wire.Event) {
	if w.oldest.IsZero() {
		w.oldest = e.Time
	}
	lines := w.scanner(e.Subject)
	if lines == nil || !e.Type.IsOutput() {
		return
	}
	data := e.Data.Bytes()
	w.scanned += len(data)
	lines.Add(streamOf(e), grep.Place{Seq: e.Seq, Time: e.Time}, data, false)
}

// scanner returns what searches the output of an agent; nil if there is no such agent.
func (w *window) scanner(id wire.AgentID) *grep.Scanner {
	if lines, known := w.agents[id]; known {
		return lines
	}
	a, err := w.s.f.agent(id)
	if err != nil {
		w.agents[id] = nil
		return nil
	}
	w.names[id] = a.record().Name
	w.agents[id] = &grep.Scanner{Pattern: w.s.pat, Report: func(h grep.Hit) bool {
		w.found(id, h)
		return true
	}}
	return w.agents[id]
}

// found keeps a match.
func (w *window) found(id wire.AgentID, h grep.Hit) {
	if h.Seq <= w.low || h.Seq > w.high {
		return
	}
	if h.Offset == 0 {
		w.s.heads[head{h.Seq, h.Stream}] = true
	}
	if w.matches = append(w.matches, wire.LogMatch{Agent: id, Name: w.names[id], Match: matchOf(h)}); len(w.matches) >= manyMatches {
		w.prune()
	}
}

// finish searches the lines that go on after the window. Their continuations were searched with the newer window, as lines of
// their own: one that had a hit there is not reported again.
func (w *window) finish(ctx context.Context) error {
	for id, lines := range w.agents {
		if lines == nil || !lines.InLine() {
			continue
		}
		lines.Open(false)
		if err := w.goOn(ctx, id, lines); err != nil {
			return err
		}
		lines.Open(false)
	}
	return nil
}

// goOn reads an agent's next events until its lines end there.
func (w *window) goOn(ctx context.Context, id wire.AgentID, lines *grep.Scanner) error {
	events, err := w.s.f.o.Store.EventsOf(ctx, id, wire.OutputEvents, w.high, searchBack)
	if err != nil {
		return err
	}
	for _, e := range events {
		if !e.Type.IsOutput() {
			continue
		}
		stream := streamOf(e)
		lines.Add(stream, grep.Place{Seq: e.Seq, Time: e.Time}, e.Data.Bytes(), w.s.heads[head{e.Seq, stream}])
		if !lines.InLine() {
			return nil
		}
	}
	return nil
}

func streamOf(e wire.Event) int {
	if e.Type == wire.EventStderr {
		return 1
	}
	return 0
}

// matchOf describes a hit as the protocol does.
func matchOf(h grep.Hit) wire.Match {
	m := wire.Match{Seq: h.Seq, Time: h.Time, Type: wire.EventStdout, Offset: h.Offset, Length: utf8.RuneCountInString(h.Text)}
	if h.Stream == 1 {
		m.Type = wire.EventStderr
	}
	m.Line, m.Column, m.From, m.To = h.Around(wire.MaxMatchLine)
	return m
}
