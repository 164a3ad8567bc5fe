package server

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/session"
	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// hears reads a stream of the server to its end.
func (s *stream) hears(t *testing.T) string {
	t.Helper()
	s.SetReadDeadline(time.Now().Add(patience))
	b, err := io.ReadAll(s.r.Rest())
	if err != nil {
		t.Fatalf("after %d bytes: %v", len(b), err)
	}
	return string(b)
}

// code formats an error code as in a refusal.
func code(c wire.ErrorCode) string { return fmt.Sprintf(`"code":%d`, c) }

// stopped reports whether the server sent STOP_SENDING. A ping ensures that one sent before has arrived.
func (p *peer) stopped(t *testing.T, s *stream) bool {
	t.Helper()
	p.ping(t)
	s.SetWriteDeadline(time.Now().Add(patience))
	_, err := s.Write([]byte(" "))
	if se := (*webtransport.StreamError)(nil); err != nil && !errors.As(err, &se) {
		t.Fatal(err)
	}
	return err != nil
}

// Firefox 153 drops what its page has not read of a stream when STOP_SENDING comes, the end included.
func TestNoStopSendingBehindAnEnd(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		p := n.join(t, tr)
		bytes := noise(1, 100_000)
		create := func(id string, size int64, sum string) wire.Artifact {
			return p.createArtifact(t, id, wire.ArtifactCreateParams{Name: "x", Size: size, SHA256: sum})
		}
		whole := create(`"whole"`, int64(len(bytes)), sha(bytes))
		up := p.bulk(t, wire.BulkPut, whole.ID, 0)
		up.line(t)
		if _, err := up.Write(bytes); err != nil {
			t.Fatal(err)
		}
		if err := up.Close(); err != nil {
			t.Fatal(err)
		}
		up.hears(t)

		begun := func(id string, size int64, sum string) (wire.ArtifactID, *stream) {
			a := create(id, size, sum)
			s := p.bulk(t, wire.BulkPut, a.ID, 0)
			s.line(t)
			return a.ID, s
		}
		agent := n.script(t, "say done")
		for name, c := range map[string]struct {
			lane func() *stream
			want string // part of what the server sends until the end
		}{
			"events of an agent that has ended": {func() *stream {
				s, _ := p.attach(t, wire.Header{Agent: agent.ID, Follow: true})
				return s
			}, wire.NoteEnd},
			"an agent that is not there":         {func() *stream { return open(t, p, `{"lane":"agent","agent":"none"}`) }, code(wire.CodeNotFound)},
			"a task that is not there":           {func() *stream { return open(t, p, `{"lane":"result","task":"none"}`) }, code(wire.CodeNotFound)},
			"a download":                         {func() *stream { return p.bulk(t, wire.BulkGet, whole.ID, 0) }, string(bytes)},
			"a download of what is not there":    {func() *stream { return p.bulk(t, wire.BulkGet, "none", 0) }, code(wire.CodeNotFound)},
			"an upload that is complete already": {func() *stream { return p.bulk(t, wire.BulkPut, whole.ID, 0) }, `"done":true`},
			"an upload of too much": {func() *stream {
				_, s := begun(`"much"`, 3, "")
				s.Write([]byte("more than that"))
				return s
			}, `"size"`},
			"an upload that another took over": {func() *stream {
				id, s := begun(`"taken"`, 3, "")
				other := p.bulk(t, wire.BulkPut, id, 0)
				other.line(t)
				return s
			}, code(wire.CodeConflict)},
			"an upload of what is deleted": {func() *stream {
				id, s := begun(`"deleted"`, 3, "")
				p.call(t, `"delete"`, wire.MethodArtifactDelete, wire.ArtifactParams{ID: id})
				return s
			}, code(wire.CodeNotFound)},
		} {
			t.Run(name, func(t *testing.T) {
				s := c.lane()
				if said := s.hears(t); !strings.Contains(said, c.want) {
					t.Errorf("the server said %.200q, want %.80q in it", said, c.want)
				}
				if p.stopped(t, s) {
					t.Error("STOP_SENDING came behind the end")
				}
			})
		}
	})
}

func TestNoStopSendingBehindTheLastResult(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		p := n.join(t, tr)
		tasks := open(t, p, `{"lane":"task"}`, request(`1`, wire.MethodTaskOrchestrate, wire.OrchestrateParams{
			Task: wire.TaskSpec{Type: "shell", Argv: []string{"true"}}, Inputs: []wire.Payload{{Text: "one"}}}))
		parent := result[wire.Task](t, tasks.answerTo(t, `1`))
		s := open(t, p, fmt.Sprintf(`{"lane":"result","task":%q}`, parent.ID))
		if said := s.hears(t); !strings.Contains(said, wire.NoteAggregate) {
			t.Errorf("the server said %.200q", said)
		}
		if p.stopped(t, s) {
			t.Error("STOP_SENDING came behind the end")
		}
	})
}

// A client that never ends its side keeps at most MaxEnded lanes.
func TestLanesThatTheClientDoesNotEnd(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		p := n.join(t, tr)
		var all []*stream
		for range session.MaxEnded + 2 {
			s := open(t, p, `{"lane":"agent","agent":"none"}`)
			s.hears(t)
			all = append(all, s)
		}
		for i, s := range all[:2] {
			kit.Eventually(t, fmt.Sprintf("lane %d of %d is asked to stop", i, len(all)), func() bool { return p.stopped(t, s) })
		}
		for i, s := range all[2:] {
			if p.stopped(t, s) {
				t.Errorf("lane %d of %d was asked to stop", i+2, len(all))
			}
		}
	})
}

// Data after the end of a lane is discarded, until it is too much.
func TestWhatComesBehindAnEndIsBounded(t *testing.T) {
	t.Parallel()
	most := kit.Less(session.MaxAfterEnd, 3<<20)
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t, func(o *Options) {
			o.ConfigFile, o.maxAfterEnd = write(t, "skein.yaml", "agent_types: {}\nlanes: {agent: none}\n"), int64(most)
		})
		p := n.join(t, tr)
		s := open(t, p, `{"lane":"agent","agent":"none"}`)
		s.hears(t)
		s.SetWriteDeadline(time.Now().Add(patience))
		chunk := make([]byte, 1<<20)
		if _, err := s.Write(chunk); err != nil {
			t.Fatalf("the first MiB: %v", err)
		}
		sent, err := len(chunk), error(nil)
		for err == nil && sent < 4*most {
			_, err = s.Write(chunk)
			sent += len(chunk)
		}
		if se := (*webtransport.StreamError)(nil); !errors.As(err, &se) || !se.Remote || sent <= most {
			t.Errorf("after %d bytes: %v, want STOP_SENDING after more than %d", sent, err, most)
		}
		p.ping(t)
	})
}
