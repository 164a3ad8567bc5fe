package jet

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"skein.dev/skein/webtransport/wire"
)

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(context.Background(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// appendAll stores n events of an agent and returns their seqs.
func appendAll(s *Store, id wire.AgentID, n int) []uint64 {
	var wg sync.WaitGroup
	seqs := make([]uint64, n)
	wg.Add(n)
	for i := range n {
		e := &wire.Event{Time: time.Now(), Type: wire.EventStdout, Subject: id, Data: wire.EventData{Text: fmt.Sprintf("%s %d\n", id, i)}}
		s.Append(e, func(seq uint64) { seqs[i] = seq; wg.Done() })
	}
	wg.Wait()
	return seqs
}

func TestEventsSurviveAndKeepTheirOrder(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	a := appendAll(s, "aaa", 700)
	appendAll(s, "bbb", 300)
	more := appendAll(s, "aaa", 50)
	epoch := s.Epoch()
	s.Close()

	s = open(t, dir)
	if s.Epoch() != epoch {
		t.Errorf("epoch after a clean end: %s, was %s", s.Epoch(), epoch)
	}
	var got []wire.Event
	for after := uint64(0); ; {
		page, err := s.Events(t.Context(), "aaa", after, 256, batchBytes)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
		after = page[len(page)-1].Seq
	}
	if len(got) != 750 {
		t.Fatalf("%d events of aaa, want 750", len(got))
	}
	for i, e := range got[:700] {
		if want := fmt.Sprintf("aaa %d\n", i); e.Data.Text != want || e.Seq != a[i] {
			t.Fatalf("event %d: %q at %d, want %q at %d", i, e.Data.Text, e.Seq, want, a[i])
		}
	}
	first, last, err := s.FirstLast(t.Context(), "aaa")
	if err != nil || first != a[0] || last != more[49] {
		t.Errorf("first %d, last %d, %v; want %d, %d", first, last, err, a[0], more[49])
	}
	if f, l, err := s.FirstLast(t.Context(), "ccc"); f != 0 || l != 0 || err != nil {
		t.Errorf("an agent without events: %d, %d, %v", f, l, err)
	}
	testOutputs(t, s)
}

// testOutputs checks that the output of all agents comes in the order of the log, and nothing else.
func testOutputs(t *testing.T, s *Store) {
	t.Helper()
	first, last, err := s.Ends(t.Context())
	if err != nil || first == 0 || last <= first {
		t.Fatalf("the log is from %d to %d, %v", first, last, err)
	}
	agents := map[wire.AgentID]int{}
	after := first - 1
	for {
		page, err := s.Outputs(t.Context(), after, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			if e.Seq <= after || e.Seq > last || !e.Type.WithOutput() {
				t.Fatalf("after %d: %+v", after, e)
			}
			agents[e.Subject]++
			after = e.Seq
		}
	}
	for id, n := range agents {
		if all, err := s.EventsOf(t.Context(), id, wire.OutputEvents, 0, 10_000); err != nil || len(all) != n {
			t.Errorf("%d outputs of %s, want %d, %v", n, id, len(all), err)
		}
	}
	if len(agents) < 2 {
		t.Errorf("output of %v, want that of two agents", agents)
	}
}

func TestEpochAfterAnUncleanEnd(t *testing.T) {
	dir := t.TempDir()
	crash := func(boot string) (epoch string) {
		t.Helper()
		s, err := Open(t.Context(), Config{Dir: dir, boot: boot})
		if err != nil {
			t.Fatal(err)
		}
		s.closing.Do(func() { close(s.appends); s.done.Wait(); s.shutdown() }) // no mark
		return s.Epoch()
	}
	first := crash("monday")
	if again := crash("monday"); again != first {
		t.Errorf("epoch %s after %s, though the kernel kept every event", again, first)
	}
	if again := crash("tuesday"); again == first {
		t.Errorf("epoch %s is trusted after a crash of the machine", again)
	}
}

func TestAgentRecords(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for i := range 20 {
		if err := s.PutAgent(t.Context(), &wire.Agent{ID: wire.AgentID(fmt.Sprintf("a%02d", i)), Name: strings.Repeat("n", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.PutAgent(t.Context(), &wire.Agent{ID: "a00", Name: "second"}); err != nil {
		t.Fatal(err)
	}
	appendAll(s, "a01", 3)
	if err := s.DeleteAgent(t.Context(), "a01"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = open(t, dir)
	all, err := s.Agents(t.Context())
	if err != nil || len(all) != 19 {
		t.Fatalf("%d agents, %v; want 19", len(all), err)
	}
	for _, a := range all {
		if a.ID == "a00" && a.Name != "second" {
			t.Errorf("a00 is %q, want the last write", a.Name)
		}
	}
	if events, err := s.Events(t.Context(), "a01", 0, 10, batchBytes); len(events) != 0 || err != nil {
		t.Errorf("a deleted agent has %d events, %v", len(events), err)
	}
}

func TestLogins(t *testing.T) {
	s := open(t, t.TempDir())
	if _, ok, err := s.GetLogin(t.Context(), "h1"); ok || err != nil {
		t.Fatalf("a login that was never made: %v, %v", ok, err)
	}
	if err := s.PutLogin(t.Context(), "h1", Login{Agent: "firefox"}); err != nil {
		t.Fatal(err)
	}
	if l, ok, err := s.GetLogin(t.Context(), "h1"); !ok || err != nil || l.Agent != "firefox" {
		t.Fatalf("login: %+v, %v, %v", l, ok, err)
	}
	if err := s.DeleteLogin(t.Context(), "h1"); err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := s.GetLogin(t.Context(), "h1"); ok {
		t.Error("a revoked login is still good")
	}
}

func BenchmarkPutAgent(b *testing.B) {
	s := open(b, b.TempDir())
	a := &wire.Agent{ID: "a0123456789ab", Name: "bench", Argv: []string{"sh", "-c", "true"}}
	for b.Loop() {
		if err := s.PutAgent(b.Context(), a); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	s := open(b, b.TempDir())
	appendAll(s, "aaa", b.N)
}
