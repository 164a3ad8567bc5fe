package server

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/session"
	"skein.dev/skein/webtransport/wire"
)

// fleetView is a client's view, built from the status lane and datagrams as docs/protocol.md says.
type fleetView struct {
	p     *peer
	lane  *stream
	known map[uint32]wire.Agent
	seq   uint64 // of the last snapshot
}

// watch takes the status lane of a session.
func watch(t *testing.T, p *peer) *fleetView {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	str, err := p.AcceptStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	f := &fleetView{p: p, lane: &stream{str, wire.NewReader(str)}, known: map[uint32]wire.Agent{}}
	if h, err := f.lane.r.Header(); err != nil || h.Lane != wire.LaneStatus {
		t.Fatalf("the server opened %+v, %v", h, err)
	}
	f.snapshot(t)
	return f
}

// snapshot reads to the end of the next snapshot.
func (f *fleetView) snapshot(t *testing.T) (parts int) {
	t.Helper()
	for {
		var s wire.Snapshot
		f.lane.note(t, wire.NoteSnapshot, &s)
		if s.Part != parts || s.Epoch != f.p.welcome.Epoch || parts > 0 && s.Seq != f.seq {
			t.Fatalf("part %d of %d at seq %d, epoch %s", s.Part, s.Parts, s.Seq, s.Epoch)
		}
		if parts == 0 {
			f.known = map[uint32]wire.Agent{}
		}
		parts++
		f.seq = s.Seq
		for _, a := range s.Agents {
			f.known[a.Num] = a
		}
		if parts == s.Parts {
			return parts
		}
	}
}

// updated reads updates until f has what is wanted.
func (f *fleetView) updated(t *testing.T, want func(wire.Update) bool) {
	t.Helper()
	for {
		var u wire.Update
		f.lane.note(t, wire.NoteUpdate, &u)
		for _, a := range u.Agents {
			f.known[a.Num] = a
		}
		if want(u) {
			return
		}
	}
}

// datagram receives the next one; it must be exactly what the codec writes.
func (f *fleetView) datagram(t *testing.T, ctx context.Context) (d wire.StatusDatagram, ok bool) {
	t.Helper()
	b, err := f.p.ReceiveDatagram(ctx)
	if err != nil {
		if ctx.Err() == nil {
			t.Fatal(err)
		}
		return d, false
	}
	d, err = wire.ParseStatusDatagram(b)
	if err != nil || !bytes.Equal(d.Append(nil), b) || d.Epoch != wire.EpochHash(f.p.welcome.Epoch) || len(b) > wire.MaxStatusDatagram {
		t.Fatalf("datagram %x: %+v, %v", b, d, err)
	}
	return d, true
}

func TestStatusOverBothCarriers(t *testing.T) {
	t.Parallel()
	n := start(t)
	old := n.script(t, "say one\nread")
	ended := map[wire.Transport]wire.StatusRecord{}
	all := map[wire.Transport]*fleetView{}
	for _, tr := range []wire.Transport{wire.WebTransport, wire.WebSocket} {
		all[tr] = watch(t, n.join(t, tr, withStatus))
		if a, ok := all[tr].known[old.Num]; !ok || a.ID != old.ID || a.Name != old.Name {
			t.Errorf("%s: the snapshot holds %+v", tr, all[tr].known)
		}
	}
	fresh := n.script(t, "say hello\nread\nexit 3")
	for tr, f := range all {
		f.updated(t, func(wire.Update) bool { a := f.known[fresh.Num]; return a.ID == fresh.ID && a.LastLine == "hello" })
		if f.known[fresh.Num].Status != wire.StatusRunning {
			t.Errorf("%s: %+v", tr, f.known[fresh.Num])
		}
	}
	if err := n.plane.Input(t.Context(), "test", wire.InputParams{ID: fresh.ID, Text: "\n"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for tr, f := range all {
		f.updated(t, func(wire.Update) bool { return f.known[fresh.Num].Status == wire.StatusExited })
		if a := f.known[fresh.Num]; a.Exit == nil || a.Exit.Code != 3 || a.Reason != wire.ReasonFailed {
			t.Errorf("%s: %+v", tr, a)
		}
		seq := uint64(0)
		for ended[tr].Status != wire.StatusExited {
			d, ok := f.datagram(t, ctx)
			if !ok {
				t.Fatalf("%s: no datagram tells of the end", tr)
			}
			if d.Seq <= seq && tr == wire.WebSocket { // in order there
				t.Errorf("seq %d after %d", d.Seq, seq)
			}
			seq = d.Seq
			for _, r := range d.Records {
				if r.Num == fresh.Num {
					ended[tr] = r
				}
			}
		}
	}
	got, _ := n.plane.Get(fresh.ID)
	for tr, r := range ended {
		r.Heartbeat = 0 // it is the age at the time of sending
		want := got.StatusRecord(time.Now())
		want.Heartbeat = 0
		// The datagram may be of the moment before the last event was counted.
		if r.Rev > want.Rev || r.ExitCode != 3 || r.Reason != want.Reason || r.Activity != want.Activity || r.Num != want.Num {
			t.Errorf("%s: the record is %+v, want %+v", tr, r, want)
		}
	}
}

func TestStatusResync(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		f := watch(t, n.join(t, tr, withStatus))
		a := n.script(t, "repeat forever\nsay x\nwait 50ms\nend")
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		var last uint64
		for range 3 { // and one is lost on the way, so to say
			d, ok := f.datagram(t, ctx)
			if !ok {
				t.Fatal("no datagrams")
			}
			last = d.Seq
		}
		f.lane.say(t, request("", wire.MethodResync, nil))
		f.snapshot(t)
		if f.seq < last || f.known[a.Num].ID != a.ID || f.known[a.Num].LastSeq == 0 {
			t.Errorf("a snapshot of seq %d after datagram %d holds %+v", f.seq, last, f.known)
		}
		f.lane.say(t, request("5", wire.MethodResync, nil)) // as a request
		if m := f.lane.answerTo(t, "5"); m.Error != nil {
			t.Error(m.Error)
		}
		f.lane.say(t, request("6", wire.MethodSpawn, wire.SpawnParams{Type: "scripted"}))
		isError(t, f.lane.answerTo(t, "6"), wire.CodeMethodNotFound, "")
		for i := range 50 { // too many at once are one
			id, _ := json.Marshal(100 + i)
			f.lane.say(t, request(string(id), wire.MethodResync, nil))
		}
		f.lane.answerTo(t, "149")
		for {
			d, ok := f.datagram(t, ctx)
			if !ok {
				t.Fatal("the datagrams end")
			}
			if d.Seq > f.seq && len(d.Records) > 0 {
				break
			}
		}
		f.p.ping(t)
	})
}

// In a bubble's time, so that nobody is late.
func TestStatusComesTenTimesASecondAtMost(t *testing.T) {
	seconds := kit.Less(10, 4)
	inBubble(t, func(t *testing.T, s *Server, join func(...func(*wire.Hello)) *peer) {
		p := join(withStatus)
		defer p.Close(0, "")
		f := watch(t, p)
		if _, err := s.plane.Spawn(t.Context(), noun.Caller{Actor: "test"}, wire.SpawnParams{Type: "scripted", Count: 5, Script: "repeat forever\nsay x ${i}\nwait 10ms\nend"}); err != nil {
			t.Fatal(err)
		}
		if _, ok := f.datagram(t, t.Context()); !ok {
			t.Fatal("no datagrams")
		}
		within, cancel := context.WithTimeout(t.Context(), time.Duration(seconds)*time.Second)
		defer cancel()
		seen, told := 0, map[uint32]bool{}
		for {
			d, ok := f.datagram(t, within)
			if !ok {
				break
			}
			seen++
			for _, r := range d.Records {
				told[r.Num] = true
			}
		}
		if seen < 9*seconds || seen > 10*seconds {
			t.Errorf("%d datagrams in %d s", seen, seconds)
		}
		if len(told) != 5 {
			t.Errorf("datagrams told of %d agents, want 5", len(told))
		}
	})
}

func TestManyAgentsFillSeveralDatagramsAndParts(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		part := kit.Less(session.SnapshotPart, 50)
		agents := 2*part + 20
		n := start(t, func(o *Options) { o.snapshotPart = part })
		f := watch(t, n.join(t, tr, withStatus))
		if _, err := n.plane.Spawn(t.Context(), noun.Caller{Actor: "test"}, wire.SpawnParams{Type: "scripted", Count: agents, Script: "read"}); err != nil {
			t.Fatal(err)
		}
		f.updated(t, func(wire.Update) bool { return len(f.known) == agents })
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		nums := map[uint32]bool{}
		for len(nums) < wire.MaxStatusRecords+1 { // more than one datagram holds; some may be lost
			d, ok := f.datagram(t, ctx)
			if !ok {
				t.Fatalf("datagrams told of %d agents", len(nums))
			}
			for _, r := range d.Records {
				nums[r.Num] = true
			}
		}
		f.lane.say(t, request("", wire.MethodResync, nil))
		if parts := f.snapshot(t); parts != 3 || len(f.known) != agents {
			t.Errorf("%d agents in %d parts", len(f.known), parts)
		}
	})
}

func TestForgottenAgentsAreRemoved(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t, func(o *Options) { o.KeepExited = 1 })
		a := n.script(t, "say a")
		kit.Eventually(t, "it ends", func() bool { got, _ := n.plane.Get(a.ID); return got.Status == wire.StatusExited })
		f := watch(t, n.join(t, tr, withStatus))
		if f.known[a.Num].ID != a.ID {
			t.Fatalf("the snapshot holds %+v", f.known)
		}
		n.script(t, "say b")
		f.updated(t, func(u wire.Update) bool { return len(u.Removed) == 1 && u.Removed[0] == a.ID })
	})
}

func TestAProgramMayDoWithoutStatus(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		watched := watch(t, n.join(t, tr, withStatus))
		p := n.join(t, tr)
		a := n.script(t, "say x")
		watched.updated(t, func(wire.Update) bool { return watched.known[a.Num].Status == wire.StatusExited })
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if str, err := p.AcceptStream(ctx); err == nil {
			t.Errorf("the server opened %v", str)
		}
		if b, err := p.ReceiveDatagram(ctx); err == nil {
			t.Errorf("the server sent %x", b)
		}
		p.ping(t)
	})
}
