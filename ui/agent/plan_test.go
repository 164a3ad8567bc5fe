package agent

import (
	"slices"
	"strings"
	"testing"

	"skein.dev/skein/webtransport/wire"
)

func TestTheLastPlanIsShown(t *testing.T) {
	update := func(text string) wire.Event {
		return wire.Event{Type: wire.EventUpdate, Data: wire.EventData{Text: text}}
	}
	older := update(`{"sessionUpdate":"plan","entries":[{"content":"older","status":"completed"}]}`)
	for name, c := range map[string]struct {
		events []wire.Event
		want   []PlanEntry
	}{
		"none":           {[]wire.Event{update(`{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"\"plan\""}}`)}, nil},
		"the last":       {[]wire.Event{older, update(`{"sessionUpdate":"plan","entries":[{"content":"look","status":"completed","priority":"high"},{"content":"do","status":"in_progress"},{"content":"tell","status":"pending"}]}`)}, []PlanEntry{{"look", "completed"}, {"do", "in_progress"}, {"tell", "pending"}}},
		"odd ones":       {[]wire.Event{update(`{"sessionUpdate":"plan","entries":[7,{"content":"a\u0007b","status":"never heard of"},{"content":["x"]}]}`)}, []PlanEntry{{"ab", "pending"}}},
		"an empty one":   {[]wire.Event{older, update(`{"sessionUpdate":"plan","entries":[]}`)}, nil},
		"not of the log": {[]wire.Event{{Type: wire.EventStdout, Data: older.Data}}, nil},
	} {
		if got := Plan(c.events); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, not %q", name, got, c.want)
		}
	}
}

func FuzzPlan(f *testing.F) {
	f.Add(`{"sessionUpdate":"plan","entries":[{"content":"look","status":"completed"},null,7]}`)
	f.Add(`{"sessionUpdate":"plan","entries":{}}`)
	f.Add(`{"sessionUpdate":"plan","entries":[` + strings.Repeat(`{"content":"x"},`, 200) + `{}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		plan, _ := planOf(text)
		if len(plan) > maxPlan {
			t.Fatalf("%d entries", len(plan))
		}
		for _, e := range plan {
			if len(e.Text) > maxPlanText+len("…") {
				t.Fatalf("an entry has %d bytes", len(e.Text))
			}
		}
	})
}
