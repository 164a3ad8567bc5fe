package control_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/jet"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// flood is what the loud agent prints on demand: four times the size limit of the log.
const flood = 4 * jet.MinEventBytes

// loud waits for a line, prints the flood, and waits again.
var loud = fmt.Sprintf(`read go; head -c %d /dev/zero | tr '\0' x | fold -w 127 | head -c %d; echo; echo done; read end`, flood, flood)

// amount adds up output.
func amount(events []wire.Event) (a wire.Amount) {
	for _, e := range events {
		if e.Type.IsOutput() {
			a.Events++
			a.Bytes += uint64(len(e.Data.Bytes()))
		}
	}
	return a
}

// gone adds up what the events report as dropped before them.
func gone(events []wire.Event) (a wire.Amount) {
	for _, e := range events {
		if e.Dropped != nil {
			a.Events += e.Dropped.Events
			a.Bytes += e.Dropped.Bytes
		}
	}
	return a
}

func says(text string) func(wire.Event) bool {
	return func(e wire.Event) bool { return strings.Contains(string(e.Data.Bytes()), text) }
}

func TestALoudAgentDropsItsOwnOutputOnly(t *testing.T) {
	t.Parallel()
	c := jet.Config{Dir: t.TempDir(), MaxEventBytes: jet.MinEventBytes}
	n := openStore(t, c)
	quiet := n.shell(t, `i=0; while [ $i -lt 500 ]; do i=$((i+1)); echo line $i; done`)
	n.wait(t, quiet.ID)
	a := n.shell(t, loud)
	slow, _, err := n.Follow(t.Context(), wire.Header{Agent: a.ID, Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	begun, err := slow.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Input(t.Context(), "test", wire.InputParams{ID: a.ID, Text: "go\n"}); err != nil {
		t.Fatal(err)
	}
	early := n.follow(t, wire.Header{Agent: a.ID, Follow: true}, says("xxx"))
	n.follow(t, wire.Header{Agent: a.ID, Tail: 1, Follow: true}, says("done"))
	kit.Eventually(t, "the flood dropped something", func() bool { rec, _ := n.Get(a.ID); return rec.Dropped != nil && rec.Dropped.Bytes > flood/2 })

	// A reader that continues after the flood is told exactly what it misses.
	rest := begun
	for !says("done")(rest[len(rest)-1]) {
		page, err := slow.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		rest = append(rest, page...)
	}
	const printed = flood + uint64(len("\ndone\n"))
	if got, missing := amount(rest), gone(rest); got.Bytes+missing.Bytes != printed || missing.Bytes == 0 || got.Bytes == 0 {
		t.Errorf("he got %+v and misses %+v, of %d bytes", got, missing, printed)
	}

	check := func(n *node) {
		t.Helper()
		if got := n.follow(t, wire.Header{Agent: quiet.ID}, nil); amount(got).Bytes != 4392 || gone(got).Events != 0 || got[0].Type != wire.EventSpawned || got[len(got)-1].Type != wire.EventExited {
			t.Errorf("the quiet one: %+v, misses %+v, from %s to %s", amount(got), gone(got), got[0].Type, got[len(got)-1].Type)
		}
		all := n.follow(t, wire.Header{Agent: a.ID}, nil)
		for _, typ := range []wire.EventType{wire.EventSpawned, wire.EventStarted, wire.EventInput} {
			if !slices.ContainsFunc(all[:5], func(e wire.Event) bool { return e.Type == typ }) {
				t.Errorf("its %s is missing", typ)
			}
		}
		if got, missing := amount(all), gone(all); got.Bytes+missing.Bytes != printed || missing.Bytes == 0 || got.Bytes < jet.MinEventBytes/2 {
			t.Errorf("%+v are there and %+v are missing, of %d bytes", got, missing, printed)
		}
		rec, err := n.Get(a.ID)
		if d := rec.Dropped; err != nil || d == nil || d.Amount != gone(all) || d.From.Before(a.CreatedAt) || !d.To.After(d.From) || d.To.After(time.Now()) {
			t.Errorf("its record says %+v, %v; %+v are missing", d, err, gone(all))
		}
		if rec, _ := n.Get(quiet.ID); rec.Dropped != nil {
			t.Errorf("the quiet one's record says %+v", rec.Dropped)
		}
		for _, e := range early { // a cursor is refused only if events after it are gone
			cursor := e.Seq
			f, at, err := n.Follow(t.Context(), wire.Header{Agent: a.ID, After: cursor, Epoch: n.Epoch()})
			if err != nil || at.Recovered || f.Cursor() != 0 {
				t.Errorf("a cursor before what is gone: recovered %v, goes on behind %d, %v", at.Recovered, f.Cursor(), err)
			}
		}
		cursor := all[len(all)-2].Seq
		if _, at, err := n.Follow(t.Context(), wire.Header{Agent: a.ID, After: cursor, Epoch: n.Epoch()}); err != nil || !at.Recovered {
			t.Errorf("a cursor of what is there: recovered %v, %v", at.Recovered, err)
		}
		if got := n.follow(t, wire.Header{Agent: a.ID, After: cursor}, nil); gone(got).Events != 0 || got[0].Seq != all[len(all)-1].Seq {
			t.Errorf("behind it are %+v, and %+v are missing", got, gone(got))
		}
	}
	kit.Eventually(t, "the last room was made", func() bool { // the last room was made
		rec, _ := n.Get(a.ID)
		return rec.Dropped.Amount == gone(n.follow(t, wire.Header{Agent: a.ID}, nil))
	})
	check(n)
	if _, err := n.Stop(t.Context(), noun.Caller{Actor: "test"}, wire.StopParams{IDs: []wire.AgentID{a.ID}}); err != nil {
		t.Fatal(err)
	}
	n.close()
	check(openStore(t, c))
}
