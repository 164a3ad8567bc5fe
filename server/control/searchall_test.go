package control_test

import (
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

// searchAll asks until there is no more, and counts the requests.
func (n *node) searchAll(t *testing.T, v wire.LogSearchParams) (all []wire.LogMatch, requests int) {
	t.Helper()
	for {
		res, err := n.SearchAll(t.Context(), v)
		if err != nil {
			t.Fatal(err)
		}
		all, requests = append(all, res.Matches...), requests+1
		if !res.More {
			return all, requests
		}
		if v.Before > 0 && res.Before >= v.Before || res.Before == 0 {
			t.Fatalf("before %d the search got to %d", v.Before, res.Before)
		}
		v.Before = res.Before
	}
}

// linesOfAll has who printed each line and what it says.
func linesOfAll(all []wire.LogMatch, names map[wire.AgentID]string) (texts []string) {
	for _, m := range all {
		texts = append(texts, names[m.Agent]+": "+m.Line)
	}
	return texts
}

func TestSearchAllFindsTheNewestLinesOfAllAgents(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	a, seqs := n.printed(t, out("one needle\nsecond needle\n"), out("cut in the nee"))
	b, _ := n.printed(t, stderr("a \x1b[31mNEEDLE\x1b[0m of the other\n"), out("hay\n"))
	more := []piece{out("dle of a line\n"), out(`{"needle":1}`)}
	for _, p := range more {
		done := make(chan struct{})
		e := wire.Event{Time: time.Now().UTC(), Type: p.t, Subject: a, Data: wire.EventData{Text: p.text}}
		if strings.HasPrefix(p.text, "{") {
			e.Type = wire.EventUpdate
		}
		n.store.Append(&e, func(uint64) { close(done) })
		<-done
	}
	names := map[wire.AgentID]string{a: "a", b: "b"}
	want := []string{"b: a NEEDLE of the other", "a: cut in the needle of a line", "a: second needle", "a: one needle"}
	for _, limit := range []int{0, 1, 2, 3} {
		got, requests := n.searchAll(t, wire.LogSearchParams{Query: "needle", Limit: limit})
		if lines := linesOfAll(got, names); !slices.Equal(lines, want) && !(limit == 1 && slices.Equal(lines, want[:3])) {
			t.Errorf("limit %d: %q in %d requests, want %q", limit, lines, requests, want)
		}
	}
	if got, _ := n.search(t, wire.AgentSearchParams{ID: a, Query: `{"needle`}); len(got) != 0 {
		t.Errorf("the search of one agent finds updates of its conversation: %+v", got)
	}
	got, _ := n.searchAll(t, wire.LogSearchParams{Query: "needle"})
	if m := got[3]; m.Seq != seqs[0] || m.Back != 1 || m.Offset != 0 || m.From != 4 || m.To != 10 || m.Type != wire.EventStdout || m.Name == "" || m.Time.IsZero() {
		t.Errorf("the first line: %+v, want it at %d", m, seqs[0])
	}
	if m := got[0]; m.Type != wire.EventStderr || m.Back != 0 || m.Column != 3 {
		t.Errorf("the line of the other: %+v", m)
	}
	for name, c := range map[string]struct {
		v    wire.LogSearchParams
		want []string
	}{
		"in this case":       {wire.LogSearchParams{Query: "NEEDLE", Case: true}, want[:1]},
		"an expression":      {wire.LogSearchParams{Query: "^(one|second) ", Regexp: true}, want[2:]},
		"only what precedes": {wire.LogSearchParams{Query: "needle", Before: seqs[1]}, want[2:]},
		"no update":          {wire.LogSearchParams{Query: `{"needle`}, nil},
		"nothing":            {wire.LogSearchParams{Query: "absent"}, nil},
	} {
		if got, _ := n.searchAll(t, c.v); !slices.Equal(linesOfAll(got, names), c.want) {
			t.Errorf("%s: %q, want %q", name, linesOfAll(got, names), c.want)
		}
	}
}

// TestSearchAllGoesOnFromWhereItWas checks that the limits of a request neither lose a line nor return one twice.
func TestSearchAllGoesOnFromWhereItWas(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir(), func(o *control.Options) { o.SearchBytes = 500 })
	var pieces []piece
	for i := range 1500 {
		pieces = append(pieces, out(fmt.Sprintf("line %d\n", i)))
	}
	n.printed(t, pieces...)
	n.printed(t, out("first of the other\n"))
	for _, limit := range []int{7, 100} {
		got, requests := n.searchAll(t, wire.LogSearchParams{Query: "line 1", Limit: limit})
		if len(got) != 611 || got[0].Line != "line 1499" || got[610].Line != "line 1" || requests < 611/limit {
			t.Errorf("limit %d: %d lines in %d requests", limit, len(got), requests)
		}
		if !slices.IsSortedFunc(got, func(a, b wire.LogMatch) int { return int(b.Seq) - int(a.Seq) }) {
			t.Errorf("limit %d: not the newest first", limit)
		}
	}
	if got, requests := n.searchAll(t, wire.LogSearchParams{Query: "line 0"}); len(got) != 1 || requests < 2 {
		t.Errorf("the first line: %+v in %d requests, want more than one", got, requests)
	}
	res, err := n.SearchAll(t.Context(), wire.LogSearchParams{Query: "absent"})
	if err != nil || !res.More || res.Scanned < 500 || res.Since == nil || res.Dropped != nil {
		t.Errorf("a part: %+v, %v", res, err)
	}
}

// However much is printed at once, a request reads and keeps a bounded part of it.
func TestSearchAllIsBounded(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir(), func(o *control.Options) { o.SearchBytes = 1 << 20 })
	hay := strings.Repeat(strings.Repeat("hay ", 255)+"\n", 60)
	var pieces []piece
	for i := range 200 {
		pieces = append(pieces, out(fmt.Sprintf("%sneedle %d\n", hay, i)))
	}
	n.printed(t, pieces...)
	res, err := n.SearchAll(t.Context(), wire.LogSearchParams{Query: "needle"})
	if all := 200 * len(hay); err != nil || res.Scanned > all*3/4 || len(res.Matches) == 0 || res.Matches[0].Line != "needle 199" {
		t.Errorf("it searched %d of %d bytes, and found %+v, %v", res.Scanned, all, res.Matches, err)
	}
	if got, _ := n.searchAll(t, wire.LogSearchParams{Query: "needle", Limit: 100}); len(got) != 200 || got[199].Line != "needle 0" {
		t.Errorf("it found %d lines, want 200", len(got))
	}
}

func TestSearchAllOfManyMatches(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	lines := func(name string) (text string, last3 []string) {
		var all []string
		for i := range 6000 {
			all = append(all, fmt.Sprint(name, i))
		}
		return strings.Join(all, "\n") + "\n", []string{all[5999], all[5998], all[5997]}
	}
	first, lastOfFirst := lines("a")
	second, lastOfSecond := lines("b")
	n.printed(t, out(first), out(second), out("cb\n"))
	got, _ := n.searchAll(t, wire.LogSearchParams{Query: "[abc]", Regexp: true, Limit: 3})
	var texts []string
	for _, m := range got {
		texts = append(texts, m.Line)
	}
	if want := slices.Concat([]string{"cb"}, lastOfSecond, lastOfFirst); !slices.Equal(texts, want) {
		t.Errorf("it found %q, want %q", texts, want)
	}
}

func TestSearchAllSaysWhatIsGone(t *testing.T) {
	t.Parallel()
	n := openStore(t, jet.Config{Dir: t.TempDir(), MaxEventBytes: jet.MinEventBytes})
	a := n.shell(t, `echo the beginning; `+strings.ReplaceAll(loud, "read go; ", ""))
	n.follow(t, wire.Header{Agent: a.ID, Tail: 1, Follow: true}, says("done"))
	kit.Eventually(t, "the flood dropped something", func() bool { rec, _ := n.Get(a.ID); return rec.Dropped != nil && rec.Dropped.Bytes > flood/2 })
	for query, found := range map[string]int{"the beginning": 0, "done": 1} {
		if got, _ := n.searchAll(t, wire.LogSearchParams{Query: query}); len(got) != found {
			t.Errorf("%s: %+v", query, got)
		}
	}
	if res, err := n.SearchAll(t.Context(), wire.LogSearchParams{Query: "done"}); err != nil || res.Dropped == nil || res.Dropped.Bytes < flood/2 {
		t.Errorf("what is gone: %+v, %v", res, err)
	}
}

func TestSearchAllRefuses(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	for name, c := range map[string]struct {
		v     wire.LogSearchParams
		field string
	}{
		"no query":             {wire.LogSearchParams{}, "query"},
		"a query that is long": {wire.LogSearchParams{Query: strings.Repeat("x", wire.MaxQuery+1)}, "query"},
		"a query of two lines": {wire.LogSearchParams{Query: "a\nb"}, "query"},
		"half an expression":   {wire.LogSearchParams{Query: "a)|(b", Regexp: true}, "query"},
		"a limit beyond all":   {wire.LogSearchParams{Query: "x", Limit: wire.MaxFoundPage + 1}, "limit"},
	} {
		_, err := n.SearchAll(t.Context(), c.v)
		if e := (*wire.Error)(nil); !errors.As(err, &e) || e.Code != wire.CodeInvalidParams || e.Data.Field != c.field {
			t.Errorf("%s: err = %v", name, err)
		}
	}
	if res, err := n.SearchAll(t.Context(), wire.LogSearchParams{Query: "x"}); err != nil || res.More || len(res.Matches) != 0 || res.Since != nil {
		t.Errorf("of an empty log: %+v, %v", res, err)
	}
}
