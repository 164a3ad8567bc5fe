package control_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/control"
	"skein.dev/skein/server/jet"
	"skein.dev/skein/webtransport/wire"
)

// piece is output as it came from a pipe.
type piece struct {
	t    wire.EventType
	text string
}

func out(text string) piece    { return piece{wire.EventStdout, text} }
func stderr(text string) piece { return piece{wire.EventStderr, text} }

// printed makes an ended agent with this output, split as given. It returns the seqs of the pieces.
func (n *node) printed(t *testing.T, pieces ...piece) (wire.AgentID, []uint64) {
	t.Helper()
	id := n.shell(t, "true").ID
	n.wait(t, id)
	seqs := make([]uint64, len(pieces))
	done := make(chan struct{}, len(pieces))
	for i, p := range pieces {
		d := wire.EventData{Text: p.text}
		if strings.ToValidUTF8(p.text, "") != p.text {
			d = wire.EventData{Base64: []byte(p.text)}
		}
		n.store.Append(&wire.Event{Time: time.Now().UTC(), Type: p.t, Subject: id, Data: d}, func(seq uint64) { seqs[i] = seq; done <- struct{}{} })
	}
	for range pieces {
		<-done
	}
	return id, seqs
}

// search asks until there is no more, and counts the requests.
func (n *node) search(t *testing.T, v wire.AgentSearchParams) (all []wire.Match, requests int) {
	t.Helper()
	for {
		res, err := n.Search(t.Context(), v)
		if err != nil {
			t.Fatal(err)
		}
		all, requests = append(all, res.Matches...), requests+1
		if !res.More {
			return all, requests
		}
		if res.Cursor < v.After || res.Cursor == v.After && res.Offset <= v.Offset {
			t.Fatalf("behind %d, %d the search got to %d, %d", v.After, v.Offset, res.Cursor, res.Offset)
		}
		v.After, v.Offset = res.Cursor, res.Offset
	}
}

func linesOf(all []wire.Match) (texts []string) {
	for _, m := range all {
		texts = append(texts, m.Line)
	}
	return texts
}

func TestSearchFindsWhatAPersonSees(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	id, seqs := n.printed(t,
		out("first\nsecond \x1b[1;31mERROR\x1b[0m in red\r\n"),
		out("10% of the\r100% of the work\n\x1b]0;a title\x07plain\n"),
		out("cut in the mid"), stderr("on the side\n"), out("dle of a line\nStraße\n"),
		out("bytes \xff that are not text\n"),
		stderr("no newline: an error"),
	)
	long, _ := n.printed(t, out(strings.Repeat("é", 500)+"needle"+strings.Repeat("ß", 5000)+"needle\n"))
	for name, c := range map[string]struct {
		v    wire.AgentSearchParams
		want []string
	}{
		"in any case":                      {wire.AgentSearchParams{Query: "error"}, []string{"second ERROR in red", "no newline: an error"}},
		"in this case":                     {wire.AgentSearchParams{Query: "error", Case: true}, []string{"no newline: an error"}},
		"through colours":                  {wire.AgentSearchParams{Query: "second error in"}, []string{"second ERROR in red"}},
		"no escape sequence":               {wire.AgentSearchParams{Query: "31m"}, nil},
		"no title":                         {wire.AgentSearchParams{Query: "title"}, nil},
		"what a progress bar shows":        {wire.AgentSearchParams{Query: "100%"}, []string{"100% of the work"}},
		"nothing that it wrote over":       {wire.AgentSearchParams{Query: "^10%", Regexp: true}, nil},
		"a line of two events":             {wire.AgentSearchParams{Query: "the middle of"}, []string{"cut in the middle of a line"}},
		"another stream between them":      {wire.AgentSearchParams{Query: "side"}, []string{"on the side"}},
		"letters beyond ASCII in any case": {wire.AgentSearchParams{Query: "STRAßE"}, []string{"Straße"}},
		"beside bytes that are not text":   {wire.AgentSearchParams{Query: "not text"}, []string{"bytes \ufffd that are not text"}},
		"a dot is a dot":                   {wire.AgentSearchParams{Query: "f.rst"}, nil},
		"an expression":                    {wire.AgentSearchParams{Query: `^f.rst$|ERR[O]R\b`, Regexp: true, Case: true}, []string{"first", "second ERROR in red"}},
		"an expression in any case":        {wire.AgentSearchParams{Query: "^FIRST$", Regexp: true}, []string{"first"}},
		"only what follows":                {wire.AgentSearchParams{Query: "error", After: seqs[0]}, []string{"no newline: an error"}},
		"only what precedes":               {wire.AgentSearchParams{Query: "error", Before: seqs[6]}, []string{"second ERROR in red"}},
		"a line that goes on behind it":    {wire.AgentSearchParams{Query: "middle of", After: seqs[2]}, []string{"cut in the middle of a line"}},
		"no hit that precedes it":          {wire.AgentSearchParams{Query: "cut in", After: seqs[2]}, nil},
		"nothing":                          {wire.AgentSearchParams{Query: "absent"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c.v.ID = id
			if got, _ := n.search(t, c.v); !slices.Equal(linesOf(got), c.want) {
				t.Errorf("got %q, want %q", linesOf(got), c.want)
			}
		})
	}

	got, _ := n.search(t, wire.AgentSearchParams{ID: id, Query: "middle"})
	if m := got[0]; m.Seq != seqs[2] || m.Offset != 0 || m.Column != 12 || m.Type != wire.EventStdout || m.From != 11 || m.To != 17 || m.Time.IsZero() {
		t.Errorf("the line of two events: %+v, want it at %d", m, seqs[2])
	}
	got, _ = n.search(t, wire.AgentSearchParams{ID: id, Query: "ße"})
	if m := got[0]; m.Seq != seqs[4] || m.Offset != len("dle of a line\n") || m.Column != 5 {
		t.Errorf("the line in the midst of an event: %+v, want it at %d", m, seqs[4])
	}
	got, _ = n.search(t, wire.AgentSearchParams{ID: long, Query: "needle"})
	if m := got[0]; len(got) != 1 || m.Column != 501 || len(m.Line) > wire.MaxMatchLine || string([]rune(m.Line)[m.From:m.To]) != "needle" || strings.ContainsRune(m.Line, '\ufffd') {
		t.Errorf("the long line: %d matches, %+v", len(got), got)
	}
}

// TestSearchGoesOnFromWhereItWas checks that the limits of a request neither lose a match nor return one twice.
func TestSearchGoesOnFromWhereItWas(t *testing.T) {
	t.Parallel()
	var pieces []piece
	var want []string
	for i := range 200 {
		line := fmt.Sprintf("line %d", i)
		cut := i % (len(line) + 1)
		pieces = append(pieces, out(line[:cut]), stderr("aside\n"), out(line[cut:]+"\n"))
		want = append(want, line)
	}
	pieces = append(pieces, out(strings.Repeat("line\n", 4_000))) // fills a message alone
	for range 4_000 {
		want = append(want, "line")
	}
	whole := open(t, t.TempDir())
	id, _ := whole.printed(t, pieces...)
	small := open(t, t.TempDir(), func(o *control.Options) { o.SearchBytes = 500 })
	idSmall, _ := small.printed(t, pieces...)
	slow := open(t, t.TempDir(), func(o *control.Options) { o.SearchTime = 1 })
	idSlow, _ := slow.printed(t, pieces[:90]...)
	for name, c := range map[string]struct {
		n        *node
		v        wire.AgentSearchParams
		requests int
	}{
		"a limit":         {whole, wire.AgentSearchParams{ID: id, Query: "line", Limit: 1000}, 3},
		"what is scanned": {small, wire.AgentSearchParams{ID: idSmall, Query: "LINE", Limit: 1000}, 5},
		"an expression":   {small, wire.AgentSearchParams{ID: idSmall, Query: "^line( [0-9]+)?$", Regexp: true}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			got, requests := c.n.search(t, c.v)
			if !slices.Equal(linesOf(got), want) {
				t.Errorf("%d lines, want %d", len(got), len(want))
			}
			if requests < c.requests {
				t.Errorf("%d requests, want at least %d", requests, c.requests)
			}
		})
	}
	if got, requests := slow.search(t, wire.AgentSearchParams{ID: idSlow, Query: "line"}); !slices.Equal(linesOf(got), want[:30]) || requests < 30 {
		t.Errorf("what takes long: %q in %d requests", linesOf(got), requests)
	}
	if got, requests := small.search(t, wire.AgentSearchParams{ID: idSmall, Query: "line 199"}); !slices.Equal(linesOf(got), []string{"line 199"}) || requests < 5 {
		t.Errorf("the last one of all: %q in %d requests", linesOf(got), requests)
	}
}

func TestSearchSaysWhatIsGone(t *testing.T) {
	t.Parallel()
	n := openStore(t, jet.Config{Dir: t.TempDir(), MaxEventBytes: jet.MinEventBytes})
	a := n.shell(t, `echo the beginning; `+strings.ReplaceAll(loud, "read go; ", ""))
	n.follow(t, wire.Header{Agent: a.ID, Tail: 1, Follow: true}, says("done"))
	kit.Eventually(t, "the flood dropped something", func() bool { rec, _ := n.Get(a.ID); return rec.Dropped != nil && rec.Dropped.Bytes > flood/2 })
	var last uint64 // where the line is that the program prints at its end
	for query, found := range map[string]int{"the beginning": 0, "done": 1} {
		res, err := n.Search(t.Context(), wire.AgentSearchParams{ID: a.ID, Query: query})
		if err != nil || len(res.Matches) != found || res.More || res.Dropped == nil || res.Dropped.Bytes < flood/2 {
			t.Fatalf("%s: %+v, %v", query, res, err)
		}
		for _, m := range res.Matches {
			last = m.Seq
		}
	}
	if res, err := n.Search(t.Context(), wire.AgentSearchParams{ID: a.ID, Query: "done", After: last - 1}); err != nil || len(res.Matches) != 1 || res.Dropped != nil {
		t.Errorf("behind what is gone: %+v, %v", res, err)
	}
	started, err := n.EventPage(t.Context(), wire.AgentEventsParams{ID: a.ID, Which: wire.LifecycleEvents, Limit: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, after := range []uint64{0, started.Events[1].Seq} {
		page, err := n.EventPage(t.Context(), wire.AgentEventsParams{ID: a.ID, Which: wire.OutputEvents, After: after})
		if err != nil || page.Events[0].Dropped == nil || page.Events[0].Dropped.Bytes < flood/2 {
			t.Fatalf("behind %d, the first that is there says %+v, %v", after, page.Events[0].Dropped, err)
		}
		for _, e := range append(page.Events[1:], started.Events...) {
			if e.Dropped != nil {
				t.Errorf("event %d: %+v is missing before it", e.Seq, e.Dropped)
			}
		}
	}
}

func TestSearchRefuses(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	id, _ := n.printed(t, out("text\n"))
	for name, c := range map[string]struct {
		v     wire.AgentSearchParams
		code  wire.ErrorCode
		field string
	}{
		"no query":             {wire.AgentSearchParams{ID: id}, wire.CodeInvalidParams, "query"},
		"a query that is long": {wire.AgentSearchParams{ID: id, Query: strings.Repeat("x", wire.MaxQuery+1)}, wire.CodeInvalidParams, "query"},
		"a query of two lines": {wire.AgentSearchParams{ID: id, Query: "a\nb"}, wire.CodeInvalidParams, "query"},
		"half an expression":   {wire.AgentSearchParams{ID: id, Query: "a)|(b", Regexp: true}, wire.CodeInvalidParams, "query"},
		"a look behind":        {wire.AgentSearchParams{ID: id, Query: "(?<=a)b", Regexp: true}, wire.CodeInvalidParams, "query"},
		"a huge expression":    {wire.AgentSearchParams{ID: id, Query: "((x{100}){100}){100}", Regexp: true}, wire.CodeInvalidParams, "query"},
		"less than nothing":    {wire.AgentSearchParams{ID: id, Query: "x", Limit: -1}, wire.CodeInvalidParams, "limit"},
		"a limit beyond all":   {wire.AgentSearchParams{ID: id, Query: "x", Limit: wire.MaxLogPage + 1}, wire.CodeInvalidParams, "limit"},
		"an offset of nothing": {wire.AgentSearchParams{ID: id, Query: "x", Offset: 5}, wire.CodeInvalidParams, "offset"},
		"a negative offset":    {wire.AgentSearchParams{ID: id, Query: "x", After: 1, Offset: -1}, wire.CodeInvalidParams, "offset"},
		"an unknown agent":     {wire.AgentSearchParams{ID: "anope", Query: "x"}, wire.CodeNotFound, "id"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := n.Search(t.Context(), c.v)
			var e *wire.Error
			if !errors.As(err, &e) || e.Code != c.code || e.Data.Field != c.field {
				t.Errorf("err = %v", err)
			}
		})
	}
	for field, v := range map[string]wire.AgentEventsParams{
		"which": {ID: id, Which: "all"}, "limit": {ID: id, Limit: wire.MaxLogPage + 1}, "id": {ID: "anope"},
	} {
		_, err := n.EventPage(t.Context(), v)
		if e := (*wire.Error)(nil); !errors.As(err, &e) || e.Data.Field != field {
			t.Errorf("%s: err = %v", field, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := n.Search(ctx, wire.AgentSearchParams{ID: id, Query: "x"}); !errors.Is(err, context.Canceled) {
		t.Errorf("of who has left: %v", err)
	}
	res, err := n.Search(t.Context(), wire.AgentSearchParams{ID: id, Query: "text", After: 1 << 40, Offset: 7})
	if err != nil || len(res.Matches) != 0 || res.More {
		t.Errorf("behind the end: %+v, %v", res, err)
	}
}

func TestEventPage(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	var pieces []piece
	for i := range 500 {
		pieces = append(pieces, out(fmt.Sprintf("%d\n", i)))
	}
	id, seqs := n.printed(t, pieces...)
	all := n.follow(t, wire.Header{Agent: id}, nil)
	first := all[0].Seq
	var happened []wire.Event // which may be one more where the machine is busy
	for _, e := range all {
		if !e.Type.IsOutput() {
			happened = append(happened, e)
		}
	}
	for name, c := range map[string]struct {
		v          wire.AgentEventsParams
		begin, end uint64 // seqs of the page
		count      int
		more       bool
	}{
		"the first":               {wire.AgentEventsParams{Which: wire.OutputEvents}, seqs[0], seqs[199], wire.LogPage, true},
		"the newest":              {wire.AgentEventsParams{Which: wire.OutputEvents, Newest: true}, seqs[300], seqs[499], wire.LogPage, true},
		"all":                     {wire.AgentEventsParams{Limit: 1000}, first, seqs[499], len(happened) + 500, false},
		"all from the end":        {wire.AgentEventsParams{Limit: 1000, Newest: true}, first, seqs[499], len(happened) + 500, false},
		"just all":                {wire.AgentEventsParams{Limit: 500, Which: wire.OutputEvents}, seqs[0], seqs[499], 500, false},
		"just all from the end":   {wire.AgentEventsParams{Limit: 500, Which: wire.OutputEvents, Newest: true}, seqs[0], seqs[499], 500, false},
		"what happened":           {wire.AgentEventsParams{Which: wire.LifecycleEvents, Newest: true}, first, happened[len(happened)-1].Seq, len(happened), false},
		"behind one":              {wire.AgentEventsParams{After: seqs[9], Limit: 3}, seqs[10], seqs[12], 3, true},
		"before one":              {wire.AgentEventsParams{Before: seqs[9], Limit: 3, Newest: true}, seqs[6], seqs[8], 3, true},
		"between two":             {wire.AgentEventsParams{After: seqs[9], Before: seqs[12]}, seqs[10], seqs[11], 2, false},
		"between two, the newest": {wire.AgentEventsParams{After: seqs[9], Before: seqs[12], Newest: true}, seqs[10], seqs[11], 2, false},
		"the last of a range":     {wire.AgentEventsParams{After: seqs[9], Before: seqs[100], Limit: 1, Newest: true}, seqs[99], seqs[99], 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			c.v.ID = id
			got, err := n.EventPage(t.Context(), c.v)
			if err != nil || len(got.Events) == 0 {
				t.Fatalf("%+v, %v", got, err)
			}
			e := got.Events
			if e[0].Seq != c.begin || e[len(e)-1].Seq != c.end || len(e) != c.count || got.More != c.more || got.First != first || got.Last != seqs[499] {
				t.Errorf("%d events from %d to %d, more %v, of %d to %d; want %d from %d to %d, more %v", len(e), e[0].Seq, e[len(e)-1].Seq, got.More, got.First, got.Last, c.count, c.begin, c.end, c.more)
			}
			for _, e := range e {
				if e.Dropped != nil {
					t.Errorf("event %d: %+v is missing before it", e.Seq, e.Dropped)
				}
			}
		})
	}
	for _, newest := range []bool{false, true} {
		got, err := n.EventPage(t.Context(), wire.AgentEventsParams{ID: id, After: seqs[499], Newest: newest})
		if err != nil || got.Events == nil || len(got.Events) != 0 || got.More {
			t.Errorf("behind the end: %+v, %v", got, err)
		}
	}
	large := strings.Repeat("x", 30<<10)
	pieces = nil
	for range 40 {
		pieces = append(pieces, out(large))
	}
	id, seqs = n.printed(t, pieces...)
	for _, newest := range []bool{false, true} {
		got, err := n.EventPage(t.Context(), wire.AgentEventsParams{ID: id, Which: wire.OutputEvents, Newest: newest})
		if err != nil || len(got.Events) < 10 || len(got.Events) > 17 || !got.More || newest != (got.Events[len(got.Events)-1].Seq == seqs[39]) {
			t.Errorf("large ones, newest %v: %d events, more %v, %v", newest, len(got.Events), got.More, err)
		}
	}
}
