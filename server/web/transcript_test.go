package web

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"skein.dev/skein/webtransport/wire"
)

// talks is a log of agents, each of whose events is an entry.
type talks struct {
	events map[wire.AgentID][]wire.Event
	read   int // events that were asked for
}

func (l *talks) say(id wire.AgentID, n int) {
	if l.events == nil {
		l.events = map[wire.AgentID][]wire.Event{}
	}
	for range n {
		seq := uint64(len(l.events[id]) + 1)
		l.events[id] = append(l.events[id], wire.Event{Seq: seq, Type: wire.EventLog, Data: wire.EventData{Text: fmt.Sprint("note ", seq)}})
	}
}

func (l *talks) page(_ context.Context, p wire.AgentEventsParams) (res wire.AgentEventsResult, err error) {
	all := l.events[p.ID]
	if p.Before > 0 {
		all = all[:p.Before-1]
	}
	all = all[min(int(p.After), len(all)):]
	if res.More = len(all) > p.Limit; res.More && p.Newest {
		all = all[len(all)-p.Limit:]
	} else if res.More {
		all = all[:p.Limit]
	}
	l.read += len(all)
	res.Events = all
	return res, nil
}

// between is the first and the last note of a part of a conversation, and how many there are.
func between(t *testing.T, ts *transcripts, p wire.AgentRenderParams) string {
	t.Helper()
	v, err := ts.view(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	notes := regexp.MustCompile(`note \d+`).FindAllString(v.HTML, -1)
	if len(notes) == 0 {
		return "none"
	}
	more := ""
	if v.More {
		more = ", more"
	}
	return fmt.Sprintf("%s to %s: %d%s", strings.TrimPrefix(notes[0], "note "), strings.TrimPrefix(notes[len(notes)-1], "note "), len(notes), more)
}

func TestAConversationIsFollowedAndReadBackToItsBeginning(t *testing.T) {
	var log talks
	ts := &transcripts{page: log.page}
	of := func(after, before uint64) string {
		t.Helper()
		return between(t, ts, wire.AgentRenderParams{IDs: []wire.AgentID{"a"}, After: after, Before: before})
	}
	if got := of(0, 0); got != "none" {
		t.Errorf("of one that has said nothing: %s", got)
	}
	log.say("a", 3)
	if got := of(0, 0); got != "1 to 3: 3" {
		t.Errorf("the newest: %s", got)
	}
	log.say("a", 5000)
	if got := of(3, 0); got != "4924 to 5003: 80, more" {
		t.Errorf("many after the third: %s", got)
	}
	log.read = 0
	log.say("a", 2)
	if got := of(5003, 0); got != "5004 to 5005: 2, more" || log.read != 2 {
		t.Errorf("after the newest: %s, from %d events", got, log.read)
	}
	if got := of(5005, 0); got != "none" {
		t.Errorf("after all: %s", got)
	}
	seen, parts := uint64(5006), 0
	for more := true; more && parts < 1000; parts++ {
		var from, to, n uint64
		got := of(0, seen)
		if _, err := fmt.Sscanf(got, "%d to %d: %d", &from, &to, &n); err != nil || to != seen-1 || n != to-from+1 {
			t.Fatalf("before %d: %s", seen, got)
		}
		seen, more = from, strings.Contains(got, "more")
	}
	if seen != 1 || parts > 100 {
		t.Errorf("it goes back to %d in %d parts", seen, parts)
	}
}

func TestOutputBetweenEntriesIsPassedOver(t *testing.T) {
	var log talks
	ts := &transcripts{page: log.page}
	log.say("a", 3)
	for range 3 * earlierEvents {
		log.events["a"] = append(log.events["a"], wire.Event{Seq: uint64(len(log.events["a"]) + 1), Type: wire.EventStderr, Data: wire.EventData{Text: "noise\n"}})
	}
	log.say("a", 1)
	p := wire.AgentRenderParams{IDs: []wire.AgentID{"a"}}
	last := fmt.Sprint(len(log.events["a"]))
	if got := between(t, ts, p); got != last+" to "+last+": 1, more" {
		t.Errorf("the newest: %s", got)
	}
	p.Before = uint64(len(log.events["a"]))
	if got := between(t, ts, p); got != "1 to 3: 3" {
		t.Errorf("before it: %s", got)
	}
	small := log.page // pages of two events, as if these were large
	ts = &transcripts{page: func(ctx context.Context, p wire.AgentEventsParams) (wire.AgentEventsResult, error) {
		p.Limit = 2
		return small(ctx, p)
	}}
	p.Before = 0
	if log.read = 0; between(t, ts, p) == "none" || log.read > 2*transcriptPages {
		t.Errorf("%d events are read", log.read)
	}
}

func TestFewConversationsAreKept(t *testing.T) {
	var log talks
	ts := &transcripts{page: log.page}
	look := func(id wire.AgentID) string {
		return between(t, ts, wire.AgentRenderParams{IDs: []wire.AgentID{id}})
	}
	for i := range 3 * maxTranscripts {
		id := wire.AgentID(fmt.Sprint("a", i))
		log.say(id, 5)
		look(id)
		look("a0") // which stays
	}
	log.read = 0
	if got := look("a0"); got != "1 to 5: 5" || log.read != 0 {
		t.Errorf("the one that is looked at again and again: %s, from %d events", got, log.read)
	}
	if got := look("a1"); got != "1 to 5: 5" || log.read != 5 || len(ts.all) > maxTranscripts {
		t.Errorf("one that was forgotten: %s, from %d events; %d are kept", got, log.read, len(ts.all))
	}
}
