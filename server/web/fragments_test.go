package web

import (
	"fmt"
	"strings"
	"testing"

	"skein.dev/skein/webtransport/wire"
)

func TestWhatManyWatchIsRenderedOnce(t *testing.T) {
	var f Fragments
	rendered := 0
	get := func(as wire.TaskHTML, rec wire.Task) {
		f.get(as, rec.ID, rec, func() string { rendered++; return "html" })
	}
	rec := wire.Task{ID: "t1", Rev: 1, State: wire.TaskWorking}
	for range 3 {
		get(wire.TaskAsRow, rec)
	}
	get(wire.TaskAsCard, rec)
	rec.Progress = []wire.Progress{{Text: "half"}} // without a new revision
	get(wire.TaskAsRow, rec)
	get(wire.TaskAsRow, rec)
	if rendered != 3 {
		t.Errorf("rendered %d times, want a row, a card, and the row that changed", rendered)
	}
	for i := range 2 * maxFragments {
		get(wire.TaskAsRow, wire.Task{ID: wire.TaskID(fmt.Sprint(i))})
	}
	if len(f.all) > maxFragments {
		t.Errorf("%d fragments are kept, want %d at most", len(f.all), maxFragments)
	}
}

func TestEventsWhoseHTMLDoesNotFitAreLeftForLater(t *testing.T) {
	t.Parallel()
	for _, newest := range []bool{false, true} {
		var events []wire.Event
		for seq := range uint64(3) {
			events = append(events, wire.Event{Seq: seq + 1, Type: wire.EventSignal, Data: wire.EventData{Text: strings.Repeat("a", maxHTML/2-1000)}})
		}
		m, err := wire.NewRequest([]byte("1"), wire.MethodAgentEvents, wire.AgentEventsParams{HTML: true, Newest: newest})
		if err != nil {
			t.Fatal(err)
		}
		res, err := new(Fragments).Events(t.Context(), m, wire.AgentEventsResult{Events: events})
		if err != nil {
			t.Fatal(err)
		}
		got, want := res.(wire.AgentEventsResult), []uint64{1, 2}
		if newest {
			want = []uint64{2, 3}
		}
		if len(got.Events) != 2 || len(got.HTML) != 2 || !got.More || got.Events[0].Seq != want[0] || got.HTML[want[0]] == "" || got.HTML[want[1]] == "" {
			t.Errorf("newest %v: %d events, HTML of %d, more %v; want %v", newest, len(got.Events), len(got.HTML), got.More, want)
		}
	}
}
