package server

import (
	"slices"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/server/api"
	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// hello returns a valid hello with a ticket.
func hello(ticket string) wire.Hello {
	return wire.Hello{Versions: []string{wire.Version}, Ticket: ticket, Client: wire.ClientInfo{ID: clientID()}, NoStatus: true}
}

// refused checks how a session ended whose hello was refused. The close may overtake the error itself.
func refused(t *testing.T, sess webtransport.Session, ctrl *stream, code wire.ErrorCode, field string, want wire.CloseCode) (supported []string) {
	t.Helper()
	m, err := ctrl.next()
	if err == nil {
		isError(t, m, code, field)
		if m.Error != nil && m.Error.Data != nil {
			supported = m.Error.Data.Supported
		}
	}
	got, reason := closed(t, sess)
	if got != want || reason == "" || m != nil && err == nil && m.Error != nil && reason != m.Error.Message {
		t.Errorf("closed with %d %q, want %d", got, reason, want)
	}
	return supported
}

func TestTicketsThatAreNoGood(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		for name, c := range map[string]struct {
			spoil func(t *testing.T, ticket string) string
			code  wire.ErrorCode
			close wire.CloseCode
		}{
			"unknown":           {func(*testing.T, string) string { return "guess" }, wire.CodeTicketExpired, wire.CloseTicketExpired},
			"none":              {func(*testing.T, string) string { return "" }, wire.CodeUnauthorized, wire.CloseUnauthorized},
			"the token instead": {func(*testing.T, string) string { return n.token }, wire.CodeTicketExpired, wire.CloseTicketExpired},
			"used through the same endpoint": {func(t *testing.T, ticket string) string {
				sess, _ := n.session(t, tr)
				enter(t, sess, ticket)
				return ticket
			}, wire.CodeTicketExpired, wire.CloseTicketExpired},
			"used through the other endpoint": {func(t *testing.T, ticket string) string {
				sess, _ := n.session(t, other(tr))
				enter(t, sess, ticket)
				return ticket
			}, wire.CodeTicketExpired, wire.CloseTicketExpired},
			"expired": {func(*testing.T, string) string {
				return n.auth.TicketUntil(api.Principal{ID: "token", Name: "cli"}, time.Now().Add(-time.Second))
			}, wire.CodeTicketExpired, wire.CloseTicketExpired},
		} {
			t.Run(name, func(t *testing.T) {
				sess, ticket := n.session(t, tr)
				ctrl := open(t, sess, controlHeader, helloLine(hello(c.spoil(t, ticket))))
				refused(t, sess, ctrl, c.code, "", c.close)
			})
		}
	})
}

func TestHellosThatAreNoGood(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		change := func(f func(*wire.Hello)) func(string) string {
			return func(ticket string) string {
				h := hello(ticket)
				f(&h)
				return helloLine(h)
			}
		}
		raw := func(line string) func(string) string { return func(string) string { return line } }
		for name, c := range map[string]struct {
			line  func(ticket string) string
			code  wire.ErrorCode
			field string
			close wire.CloseCode
		}{
			"an unknown version":        {change(func(h *wire.Hello) { h.Versions = []string{"skein.v0", "skein.v99"} }), wire.CodeVersion, "versions", wire.CloseVersion},
			"no version":                {change(func(h *wire.Hello) { h.Versions = nil }), wire.CodeVersion, "versions", wire.CloseVersion},
			"a short client id":         {change(func(h *wire.Hello) { h.Client.ID = "fifteen-letters" }), wire.CodeInvalidParams, "client.id", wire.CloseProtocol},
			"a long client id":          {change(func(h *wire.Hello) { h.Client.ID = strings.Repeat("x", 129) }), wire.CodeInvalidParams, "client.id", wire.CloseProtocol},
			"a client name that clears": {change(func(h *wire.Hello) { h.Client.Name = "a\x1b[2Jb" }), wire.CodeInvalidParams, "client.name", wire.CloseProtocol},
			"versions of a wrong type":  {raw(`{"jsonrpc":"2.0","id":1,"method":"hello","params":{"versions":"skein.v1"}}`), wire.CodeInvalidParams, "versions", wire.CloseProtocol},
			"a client of a wrong type":  {raw(`{"jsonrpc":"2.0","id":1,"method":"hello","params":{"versions":["skein.v1"],"client":{"id":5}}}`), wire.CodeInvalidParams, "client.id", wire.CloseProtocol},
			"params that are a list":    {raw(`{"jsonrpc":"2.0","id":1,"method":"hello","params":["skein.v1"]}`), wire.CodeInvalidParams, "", wire.CloseProtocol},
			"another method first":      {raw(request("1", wire.MethodPing, nil)), wire.CodeInvalidRequest, "", wire.CloseProtocol},
			"a notification":            {func(k string) string { return request("", wire.MethodHello, hello(k)) }, wire.CodeInvalidRequest, "", wire.CloseProtocol},
			"an answer":                 {raw(`{"jsonrpc":"2.0","id":1,"result":{}}`), wire.CodeInvalidRequest, "", wire.CloseProtocol},
			"garbage":                   {raw("\x00\xff\x16\x03 GET / HTTP/1.1"), wire.CodeParse, "", wire.CloseProtocol},
			"a batch":                   {raw(`[{"jsonrpc":"2.0","id":1,"method":"hello"}]`), wire.CodeInvalidRequest, "", wire.CloseProtocol},
			"another JSON-RPC":          {raw(`{"id":1,"method":"hello"}`), wire.CodeInvalidRequest, "", wire.CloseProtocol},
		} {
			t.Run(name, func(t *testing.T) {
				sess, ticket := n.session(t, tr)
				ctrl := open(t, sess, controlHeader, c.line(ticket))
				supported := refused(t, sess, ctrl, c.code, c.field, c.close)
				if c.code == wire.CodeVersion && supported != nil && !slices.Equal(supported, []string{wire.Version}) {
					t.Errorf("supported: %q", supported)
				}
			})
		}
	})
}

func TestAControlLaneThatEndsBeforeHello(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		for name, rest := range map[string]string{"": "", "within a line": `{"jsonrpc":"2.0","id":1,"me`} {
			t.Run(name, func(t *testing.T) {
				sess, _ := n.session(t, tr)
				ctrl := open(t, sess, controlHeader)
				ctrl.Write([]byte(rest))
				ctrl.Close()
				if code, _ := closed(t, sess); code != wire.CloseProtocol {
					t.Errorf("closed with %d", code)
				}
			})
		}
	})
}

func TestARefusedVersionLeavesTheTicketGood(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		sess, ticket := n.session(t, tr)
		h := hello(ticket)
		h.Versions = []string{"skein.v99"}
		open(t, sess, controlHeader, helloLine(h))
		closed(t, sess)
		sess, _ = n.session(t, tr)
		enter(t, sess, ticket).ping(t)
	})
}

func TestWelcome(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		p := n.join(t, tr, func(h *wire.Hello) { h.Versions = []string{"skein.v99", wire.Version} })
		w := p.welcome
		want := wire.Limits{MaxMessage: wire.MaxMessage, MaxStreams: wire.MaxStreams, MaxBatch: wire.MaxBatch, MaxInput: wire.MaxInput, MaxDatagram: wire.MaxStatusDatagram}
		if w.Version != wire.Version || w.Session == "" || w.Epoch != n.plane.Epoch() || w.Recovered || w.Node != "test" || w.Server != "test" || w.Limits != want {
			t.Errorf("%+v", w)
		}
		for epoch, recovered := range map[string]bool{w.Epoch: true, "another.0": false} {
			q := n.join(t, tr, func(h *wire.Hello) { h.Resume = &wire.Resume{Session: w.Session, Epoch: epoch} })
			if q.welcome.Recovered != recovered || q.welcome.Session == w.Session {
				t.Errorf("resumed from epoch %q: %+v", epoch, q.welcome)
			}
		}
	})
}

func TestHelloIsSaidOnce(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		p := n.join(t, tr)
		isError(t, p.call(t, "1", wire.MethodHello, hello(endpoint(t, n.document(t), tr).Ticket)), wire.CodeInvalidRequest, "")
		if code, err := open(t, p, controlHeader).reset(); code != int(wire.StreamBadLane) {
			t.Errorf("a second control lane: %v", err)
		}
		p.ping(t)
	})
}

// TestSilenceIsEnded waits for the protocol's timeouts, once for all cases.
func TestSilenceIsEnded(t *testing.T) {
	t.Parallel()
	n := start(t)
	type silence struct {
		name string
		end  func(t *testing.T) bool
	}
	var all []silence
	begin := time.Now()
	for _, tr := range []wire.Transport{wire.WebTransport, wire.WebSocket} {
		timesOut := func(name string, sess webtransport.Session) {
			all = append(all, silence{string(tr) + ": " + name, func(t *testing.T) bool {
				code, _ := closed(t, sess)
				return code == wire.CloseHelloTimeout
			}})
		}
		sess, _ := n.session(t, tr)
		timesOut("a session without a stream", sess)
		sess, _ = n.session(t, tr)
		open(t, sess, controlHeader)
		timesOut("a control lane without hello", sess)
		sess, ticket := n.session(t, tr)
		open(t, sess, controlHeader).Write([]byte(helloLine(hello(ticket))))
		timesOut("a hello without its end", sess)
		sess, _ = n.session(t, tr)
		open(t, sess, `{"lane":"agent","agent":"a234567234567"}`)
		timesOut("an agent lane alone", sess)

		p := n.join(t, tr)
		for name, start := range map[string]string{"no header": " ", "half a header": `{"lane":"ag`} {
			s := open(t, p)
			s.Write([]byte(start))
			all = append(all, silence{string(tr) + ": " + name, func(*testing.T) bool {
				code, _ := s.reset()
				return code == int(wire.StreamTimeout)
			}})
		}
		all = append(all, silence{string(tr) + ": the session with the silent streams", func(t *testing.T) bool { return p.ping(t) < patience }})
	}
	for _, s := range all {
		if !s.end(t) {
			t.Errorf("%s did not end as it should", s.name)
		}
	}
	if took := time.Since(begin); took < wire.HelloTimeout {
		t.Errorf("it took %s, less than a client's time to say hello", took)
	}
}
