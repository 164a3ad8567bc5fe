package jet

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/webtransport/wire"
)

func openSmall(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(context.Background(), Config{Dir: dir, MaxEventBytes: MinEventBytes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// log stores events of a type and waits until they are stored.
func log(s *Store, id wire.AgentID, typ wire.EventType, texts ...string) {
	var wg sync.WaitGroup
	wg.Add(len(texts))
	for _, text := range texts {
		s.Append(&wire.Event{Time: time.Now(), Type: typ, Subject: id, Data: wire.EventData{Text: text}}, func(uint64) { wg.Done() })
	}
	wg.Wait()
}

// numbered returns n texts of a size.
func numbered(n, size int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%0*d\n", size-1, i)
	}
	return all
}

func eventsOf(t testing.TB, s *Store, id wire.AgentID) (all []wire.Event) {
	t.Helper()
	for after := uint64(0); ; after = all[len(all)-1].Seq {
		page, err := s.Events(t.Context(), id, after, 256, batchBytes)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
	}
}

// split divides an agent's events into those about its life and its output.
func split(events []wire.Event) (life, out []wire.Event) {
	for _, e := range events {
		if e.Type.IsOutput() {
			out = append(out, e)
		} else {
			life = append(life, e)
		}
	}
	return life, out
}

// settled waits until room was made.
func settled(t testing.TB, s *Store) {
	t.Helper()
	for {
		s.shares.mu.Lock()
		room, done := s.shares.room, !s.shares.tight()
		for _, a := range s.shares.of {
			for _, sh := range a {
				done = done && sh.dropped.Amount == sh.begin.Amount
			}
		}
		s.shares.mu.Unlock()
		if done {
			return
		}
		select {
		case <-room:
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
}

func streamBytes(t testing.TB, s *Store) uint64 {
	t.Helper()
	info, err := s.stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info.State.Bytes
}

func TestOutputDropsTheOldestOfWhoHasMost(t *testing.T) {
	dir := t.TempDir()
	s := openSmall(t, dir)
	told := map[wire.AgentID]wire.Dropped{}
	s.Drops(func(id wire.AgentID, d wire.Dropped) { told[id] = d })
	quiet := numbered(500, 60)
	for _, id := range []wire.AgentID{"quiet", "loud"} {
		log(s, id, wire.EventSpawned, "")
		log(s, id, wire.EventStarted, "")
	}
	log(s, "quiet", wire.EventStdout, quiet...)
	loud := numbered(2000, 4000)
	log(s, "loud", wire.EventStdout, loud...)
	log(s, "loud", wire.EventExited, "")

	check := func() {
		t.Helper()
		settled(t, s)
		if life, out := split(eventsOf(t, s, "quiet")); len(life) != 2 || len(out) != len(quiet) {
			t.Fatalf("the quiet one has %d events of its life and %d lines, want 2 and %d", len(life), len(out), len(quiet))
		}
		life, out := split(eventsOf(t, s, "loud"))
		if len(life) != 3 || life[0].Type != wire.EventSpawned || life[2].Type != wire.EventExited {
			t.Fatalf("the loud one's life is %v", life)
		}
		if len(out) < 100 || len(out) > 300 {
			t.Fatalf("%d pieces of 4000 bytes are there, of a bound of 1 MiB", len(out))
		}
		for i, e := range out {
			n := len(loud) - len(out) + i
			if e.Data.Text != loud[n] || e.Before != (wire.Amount{Events: uint64(n), Bytes: uint64(n * 4000)}) {
				t.Fatalf("piece %d of %d is %q, behind %+v", i, len(out), e.Data.Text[3990:], e.Before)
			}
		}
		if n := streamBytes(t, s); n > MinEventBytes {
			t.Errorf("the log has %d bytes, its bound is %d", n, MinEventBytes)
		}
		if n, want := s.shares.stored[lifecycle]+s.shares.stored[output], streamBytes(t, s); n != want {
			t.Errorf("%d bytes were counted, the stream has %d", n, want)
		}
		if d := told["loud"]; len(told) != 1 || d.Amount != out[0].Before || d.To.Before(d.From) || d.Last >= out[0].Seq {
			t.Errorf("told %+v; %+v is gone", told, out[0].Before)
		}
	}
	check()
	s.Close()
	s = openSmall(t, dir)
	clear(told)
	s.Drops(func(id wire.AgentID, d wire.Dropped) { told[id] = d })
	check()
}

// What is placed while the only event that was there is dropped stays, even if it is much.
func TestWhatComesDuringADropStays(t *testing.T) {
	t.Parallel()
	s := newShares(MinEventBytes)
	const size = MinEventBytes / 20
	for range 19 { // all are on their way
		s.add("loud", output, size, func(totals) int { return size }, nil)
	}
	s.placed("loud", output, 10)
	id, c, sh, _, ok := s.most()
	if !ok || id != "loud" || c != output || sh.first != 10 || sh.last != 10 {
		t.Fatalf("chosen is %s, %+v, %v", id, sh, ok)
	}
	for seq := uint64(20); seq <= 100; seq += 10 {
		s.placed("loud", output, seq)
	}
	s.dropped(id, c, found{before: totals{Amount: wire.Amount{Events: 1, Bytes: size}, stored: size}})
	if got := s.get("loud", output); got.first != 20 || got.last != 100 || got.count() != 18 {
		t.Errorf("afterwards there are %d events, from %d to %d, want 18 from 20 to 100", got.count(), got.first, got.last)
	}
	s.add("quiet", output, size, func(totals) int { return size }, nil)
	s.placed("quiet", output, 110)
	if id, _, _, _, ok = s.most(); !ok || id != "loud" {
		t.Fatalf("chosen is %s, %v", id, ok)
	}
	s.dropped("quiet", output, found{before: totals{Amount: wire.Amount{Events: 1, Bytes: size}, stored: size}})
	if got := s.get("quiet", output); got.count() != 0 {
		t.Errorf("%d events are left of one", got.count())
	}
}

// Small agents lose nothing, however many they are, as long as another one has more.
func TestManySmallLogsBesideALoudOne(t *testing.T) {
	s := openSmall(t, t.TempDir())
	const agents = 100
	id := func(i int) wire.AgentID { return wire.AgentID(fmt.Sprintf("a%d", i)) }
	loud := numbered(50, 4000)
	for i := range agents { // 4000 bytes each: together less than half of the bound
		log(s, id(i), wire.EventSpawned, "")
		log(s, id(i), wire.EventStdout, numbered(10, 200)...)
		log(s, "loud", wire.EventStdout, loud...)
	}
	for i := range agents {
		if life, out := split(eventsOf(t, s, id(i))); len(life) != 1 || len(out) != 10 {
			t.Fatalf("agent %d has %d and %d events, want 1 and 10", i, len(life), len(out))
		}
	}
	if _, out := split(eventsOf(t, s, "loud")); len(out) == 0 || len(out) > 200 || out[len(out)-1].Data.Text != loud[49] {
		t.Errorf("the loud one has %d pieces", len(out))
	}
}

// An agent's newest event stays as long as another has several, however large it is.
func TestALargeEventStaysBesideManySmallOnes(t *testing.T) {
	s := openSmall(t, t.TempDir())
	log(s, "one", wire.EventStdout, numbered(1, 600_000)...)
	log(s, "many", wire.EventStdout, numbered(600, 1000)...)
	settled(t, s)
	if _, out := split(eventsOf(t, s, "one")); len(out) != 1 {
		t.Error("the only event of an agent is gone")
	}
	if _, out := split(eventsOf(t, s, "many")); len(out) < 100 || len(out) > 400 {
		t.Errorf("of 600 small ones %d are there", len(out))
	}
}

// When all want more than there is, all get about the same.
func TestAgentsThatAllPrintShareTheLog(t *testing.T) {
	s := openSmall(t, t.TempDir())
	const agents = 40
	id := func(i int) wire.AgentID { return wire.AgentID(fmt.Sprintf("a%d", i)) }
	for i := range agents {
		log(s, id(i), wire.EventSpawned, "")
	}
	for range kit.Less(20, 10) { // twice what the log holds
		for i := range agents {
			log(s, id(i), wire.EventStdout, numbered(5, 1000)...)
		}
	}
	for i := range agents {
		life, out := split(eventsOf(t, s, id(i)))
		if fair := MinEventBytes / agents / 1100; len(life) != 1 || len(out) < fair/2 {
			t.Errorf("agent %d has %d events of its life and %d pieces, want 1 and about %d", i, len(life), len(out), fair)
		}
	}
	if n := streamBytes(t, s); n > MinEventBytes {
		t.Errorf("the log has %d bytes, its bound is %d", n, MinEventBytes)
	}
}

// Events about an agent's life have their own share: an agent with endless log messages loses only its own.
func TestLifecycleEventsAreBoundedToo(t *testing.T) {
	s := openSmall(t, t.TempDir())
	log(s, "quiet", wire.EventSpawned, "")
	log(s, "quiet", wire.EventStdout, numbered(300, 1000)...)
	log(s, "chatty", wire.EventLog, numbered(3000, 1000)...)
	if life, out := split(eventsOf(t, s, "quiet")); len(life) != 1 || len(out) != 300 {
		t.Errorf("the quiet one has %d and %d events, want 1 and 300", len(life), len(out))
	}
	life, _ := split(eventsOf(t, s, "chatty"))
	if size := len(life) * 1000; size == 0 || size > MinEventBytes {
		t.Errorf("the chatty one has %d events", len(life))
	}
}

func TestBackFindsTheLastEvents(t *testing.T) {
	s := openSmall(t, t.TempDir())
	log(s, "a", wire.EventSpawned, "")
	log(s, "a", wire.EventStdout, numbered(100, 20)...)
	log(s, "b", wire.EventStdout, numbered(300, 20)...)
	log(s, "a", wire.EventActivity, "")
	log(s, "a", wire.EventStdout, numbered(50, 20)...)
	all := eventsOf(t, s, "a")
	for which, n := range map[wire.Which]int{wire.AllEvents: 152, wire.OutputEvents: 150, wire.LifecycleEvents: 2} {
		var these []wire.Event
		for _, e := range all {
			if which.Has(e.Type) {
				these = append(these, e)
			}
		}
		for _, last := range []int{0, 1, 2, 30, 51, 52, 100, 1000} {
			for _, before := range []uint64{0, these[len(these)/2].Seq} {
				want := these
				if before > 0 {
					want = these[:len(these)/2]
				}
				want = want[max(0, len(want)-last):]
				cursor, err := s.Back(t.Context(), "a", which, before, last)
				if err != nil {
					t.Fatal(err)
				}
				got, err := s.EventsOf(t.Context(), "a", which, cursor, n)
				if err != nil {
					t.Fatal(err)
				}
				if before > 0 {
					for len(got) > 0 && got[len(got)-1].Seq >= before {
						got = got[:len(got)-1]
					}
				}
				if len(got) != len(want) || len(got) > 0 && got[0].Seq != want[0].Seq {
					t.Errorf("%q, the last %d before %d: %d events, want %d", which, last, before, len(got), len(want))
				}
			}
		}
	}
}

func TestAnEarlierLogIsTakenOver(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	epoch := s.Epoch()
	old, err := s.events.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: oldStream, Subjects: []string{"ev.*"}, AllowDirect: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2500 {
		e := wire.Event{Type: wire.EventStdout, Subject: wire.AgentID([]string{"a", "b"}[i%2]), Data: wire.EventData{Text: fmt.Sprintln(i)}}
		if i < 2 {
			e.Type = wire.EventSpawned
		}
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.events.js.PublishMsgAsync(&nats.Msg{Subject: "ev." + string(e.Subject), Data: b}); err != nil {
			t.Fatal(err)
		}
	}
	<-s.events.js.PublishAsyncComplete()
	if info, err := old.Info(t.Context()); err != nil || info.State.Msgs != 2500 {
		t.Fatal(info, err)
	}
	s.Close()

	for range 2 { // the second time there is nothing to do
		s = open(t, dir)
		if s.Epoch() == epoch {
			t.Error("the epoch stayed, though the seqs are others")
		}
		life, out := split(eventsOf(t, s, "b"))
		if len(life) != 1 || len(out) != 1249 || strings.TrimSpace(out[1248].Data.Text) != "2499" || out[1248].Before.Events != 1248 {
			t.Fatalf("%d and %d events, the last %+v", len(life), len(out), out[len(out)-1])
		}
		if _, err := s.events.js.Stream(t.Context(), oldStream); err == nil {
			t.Error("the earlier log is still there")
		}
		s.Close()
	}
}

func FuzzTotals(f *testing.F) {
	f.Add([]byte(`{"seq":0,"data":{},"at":[1,2,3]}`))
	f.Add([]byte(`,"at":[`))
	f.Add([]byte(`{"data":{"text":",\"at\":[9,9,9]}"},"at":[18446744073709551615,0,0]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		before, err := parseTotals(b)
		if err != nil {
			return
		}
		again, err := parseTotals(before.appendTo([]byte("{}")))
		if err != nil || again != before {
			t.Errorf("%+v, read again: %+v, %v", before, again, err)
		}
	})
}
