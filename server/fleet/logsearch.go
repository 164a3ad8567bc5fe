package fleet

import (
	"context"
	"errors"
	"regexp/syntax"
	"strings"
	"time"

	"skein.dev/skein/server/grep"
	"skein.dev/skein/webtransport/wire"
)

const (
	// searchReads is how many events a search reads at once.
	searchReads = 64
	// searchBack is how many events before the cursor a search reads, because a line that continues after the cursor may begin
	// there.
	searchBack = 8
	// defaultSearchTime ends a search for an expensive expression, as its bound in bytes does.
	defaultSearchTime = 5 * time.Second
	// maxSearches is how many go on at once; others wait.
	maxSearches = 4
)

// search is one request to find lines in an agent's output.
type search struct {
	f      *Fleet
	v      wire.AgentSearchParams
	lines  grep.Scanner
	until  time.Time
	result wire.AgentSearchResult
	size   int // of the matches as JSON
	enough int // where it ends at the latest, once it has reached a bound
}

// Search finds the lines of an agent's output that have a hit, oldest first. It ends when it has enough of them, or has
// searched as much as one request may.
func (f *Fleet) Search(ctx context.Context, v wire.AgentSearchParams) (wire.AgentSearchResult, error) {
	a, err := f.agent(v.ID)
	if err != nil {
		return wire.AgentSearchResult{}, err
	}
	if err := v.Check(); err != nil {
		return wire.AgentSearchResult{}, err
	}
	if v.Limit == 0 {
		v.Limit = wire.SearchPage
	}
	s := &search{f: f, v: v}
	if s.lines.Pattern, err = pattern(v.Query, v.Regexp, v.Case); err != nil {
		return wire.AgentSearchResult{}, err
	}
	select {
	case f.searches <- struct{}{}:
		defer func() { <-f.searches }()
	case <-ctx.Done():
		return wire.AgentSearchResult{}, ctx.Err()
	}
	s.until = time.Now().Add(f.o.SearchTime)
	s.lines.Report = s.found
	s.result = wire.AgentSearchResult{Matches: []wire.Match{}, Cursor: v.After}
	if err := s.begin(ctx); err != nil {
		return wire.AgentSearchResult{}, err
	}
	if err := s.run(ctx); err != nil {
		return wire.AgentSearchResult{}, err
	}
	s.lines.Open(false)
	if a.passed(v.After) {
		s.result.Dropped = a.record().Dropped
	}
	return s.result, nil
}

// pattern returns the pattern to search for, or an error that says what is wrong with the query.
func pattern(query string, isRegexp, isCase bool) (*grep.Pattern, error) {
	if !isRegexp && strings.Contains(query, "\n") {
		return nil, wire.Errorf(wire.CodeInvalidParams, "the query has a newline, and lines are searched one by one").WithField("query")
	}
	pat, err := grep.Compile(query, isRegexp, isCase)
	if bad := (*syntax.Error)(nil); errors.As(err, &bad) {
		return nil, wire.Errorf(wire.CodeInvalidParams, "the query is not a regular expression (RE2): %s: %s", bad.Code, bad.Expr).WithField("query")
	}
	return pat, err
}

// begin reads the events before the cursor, because a line that continues after the cursor may begin there. Hits in them were
// reported by the request that returned the cursor.
func (s *search) begin(ctx context.Context) error {
	if s.v.After == 0 {
		return nil
	}
	store, id := s.f.o.Store, s.v.ID
	cursor, err := store.Back(ctx, id, wire.OutputEvents, s.v.After+1, searchBack)
	if err != nil {
		return err
	}
	events, err := store.EventsOf(ctx, id, wire.OutputEvents, cursor, searchBack)
	if err != nil {
		return err
	}
	for _, e := range events {
		data := e.Data.Bytes()
		switch {
		case e.Seq > s.v.After:
		case e.Seq == s.v.After && s.v.Offset > 0 && s.v.Offset < len(data):
			s.add(e, data[:s.v.Offset], 0, true)
			s.lines.Open(true)
			s.result.Offset = s.add(e, data[s.v.Offset:], s.v.Offset, false)
			s.result.Scanned += s.result.Offset - s.v.Offset
			if s.result.Offset == len(data) {
				s.result.Offset = 0
			}
			return nil
		default:
			s.add(e, data, 0, true)
		}
	}
	s.lines.Open(true)
	return nil
}

// run searches the events after the cursor.
func (s *search) run(ctx context.Context) error {
	for {
		events, err := s.f.o.Store.EventsOf(ctx, s.v.ID, wire.OutputEvents, s.result.Cursor, searchReads)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			s.result.More = s.result.Offset > 0
			return nil
		}
		for _, e := range events {
			if s.result.Offset > 0 || s.full() {
				s.result.More = s.result.Offset > 0 || s.v.Before == 0 || e.Seq < s.v.Before
				return nil
			}
			if s.v.Before > 0 && e.Seq >= s.v.Before {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			s.event(e)
		}
	}
}

// event searches one event.
func (s *search) event(e wire.Event) {
	data := e.Data.Bytes()
	end := s.add(e, data, 0, false)
	s.result.Cursor = e.Seq
	s.result.Scanned += end
	if end < len(data) {
		s.result.Offset = end
	}
}

func (s *search) add(e wire.Event, data []byte, offset int, silent bool) (end int) {
	if !e.Type.IsOutput() { // what a person reads of a conversation's update is output too
		return offset + len(data)
	}
	return s.lines.Add(streamOf(e), grep.Place{Seq: e.Seq, Time: e.Time, Offset: offset}, data, silent)
}

// full reports whether one request has searched enough. It waits a while for the end of an unfinished line, so that lines are
// seldom shown and searched in parts.
func (s *search) full() bool {
	r := &s.result
	if len(r.Matches) < s.v.Limit && r.Scanned < s.f.o.SearchBytes && (r.Scanned == 0 || time.Now().Before(s.until)) {
		return false
	}
	if s.enough == 0 {
		s.enough = r.Scanned + grep.MaxLine
	}
	return !s.lines.InLine() || r.Scanned >= s.enough
}

// found adds a match. It stops the search within an event only if the message is full.
func (s *search) found(h grep.Hit) bool {
	m := matchOf(h)
	s.result.Matches = append(s.result.Matches, m)
	s.size += m.EncodedLen() + 1
	return s.size < wire.PageBytes
}
