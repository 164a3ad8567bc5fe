package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/api"
	"skein.dev/skein/server/auth"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(serveEnv); dir != "" {
		os.Exit(serveProcess(dir))
	}
	if dir := os.Getenv(natsEnv); dir != "" {
		os.Exit(natsProcess(dir))
	}
	goleak.VerifyTestMain(m)
}

// patience bounds every wait for something that must happen.
const patience = kit.Patience

// node is a server that runs.
type node struct {
	*Server
	o     Options
	addrs Addresses
	token string
	stop  func() // says stop and waits; Run must give nil
}

// start runs a server on free ports until the test ends.
func start(t *testing.T, change ...func(*Options)) *node {
	t.Helper()
	o := Options{DataDir: t.TempDir(), HTTP: "localhost:0", Listen: "localhost:0", Node: "test", Version: "test",
		StoreTimeout: patience, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	for _, f := range change {
		f(&o)
	}
	ready := make(chan Addresses, 1)
	o.Ready = func(a Addresses) { ready <- a }
	s, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{Server: s, o: o}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	n.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(2 * patience):
			t.Error("Run does not end")
		}
	})
	t.Cleanup(n.stop)
	select {
	case n.addrs = <-ready:
	case err := <-ended:
		ended <- nil
		t.Fatalf("Run: %v", err)
	}
	if n.token, err = client.ReadToken(o.DataDir); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *node) spawn(t *testing.T, p wire.SpawnParams) wire.Agent {
	t.Helper()
	res, err := n.plane.Spawn(t.Context(), noun.Caller{Actor: "test"}, p)
	if err != nil {
		t.Fatal(err)
	}
	return res.Agents[0]
}

func (n *node) shell(t *testing.T, script string) wire.Agent {
	t.Helper()
	return n.spawn(t, wire.SpawnParams{Type: "shell", Argv: []string{"sh", "-c", script}})
}

func (n *node) script(t *testing.T, script string) wire.Agent {
	t.Helper()
	return n.spawn(t, wire.SpawnParams{Type: "scripted", Script: script})
}

// answer is what a server said to a request, read to its end.
type answer struct {
	*http.Response
	body string
}

// reason is the error object of an answer.
func (a answer) reason(t *testing.T) *wire.Error {
	t.Helper()
	var v struct {
		Error *wire.Error `json:"error"`
	}
	if err := json.Unmarshal([]byte(a.body), &v); err != nil || v.Error == nil {
		t.Fatalf("status %d with %q, want an error object", a.StatusCode, a.body)
	}
	return v.Error
}

// cookie is the login cookie that an answer sets, or nil.
func (a answer) cookie() *http.Cookie {
	for _, c := range a.Cookies() {
		if c.Name == auth.CookieName {
			return c
		}
	}
	return nil
}

// webClient keeps no connection and trusts any certificate.
var webClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}

// ask sends a request; a path goes to the plain HTTP listener.
func (n *node) ask(t *testing.T, method, to string, change ...func(*http.Request)) answer {
	t.Helper()
	if strings.HasPrefix(to, "/") {
		to = n.addrs.HTTP + to
	}
	return askOver(t, webClient.Transport, method, to, change...)
}

// askOver follows no redirect.
func askOver(t *testing.T, c http.RoundTripper, method, to string, change ...func(*http.Request)) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, to, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(r)
	}
	res, err := c.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, to, err)
	}
	res.Request = r
	return answer{res, string(b)}
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) {
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
}

func bearer(token string) func(*http.Request) { return header("Authorization", "Bearer "+token) }

func with(c *http.Cookie) func(*http.Request) { return func(r *http.Request) { r.AddCookie(c) } }

func form(v url.Values) func(*http.Request) {
	return func(r *http.Request) {
		b := v.Encode()
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(b)), int64(len(b))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
}

// login signs a browser in.
func (n *node) login(t *testing.T) *http.Cookie {
	t.Helper()
	a := n.ask(t, "POST", "/login", form(url.Values{"token": {n.auth.OneTimeToken()}}))
	if a.StatusCode != http.StatusSeeOther || a.cookie() == nil {
		t.Fatalf("login: %s, %q", a.Status, a.body)
	}
	return a.cookie()
}

// document fetches /connect, with the token unless change says otherwise.
func (n *node) document(t *testing.T, change ...func(*http.Request)) wire.Connect {
	t.Helper()
	if len(change) == 0 {
		change = append(change, bearer(n.token))
	}
	return readDocument(t, n.ask(t, "POST", "/connect", change...))
}

func readDocument(t *testing.T, a answer) (doc wire.Connect) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &doc); err != nil || a.StatusCode != http.StatusOK {
		t.Fatalf("/connect: %s, %q", a.Status, a.body)
	}
	if err := doc.Resolve(a.Request.URL); err != nil {
		t.Fatal(err)
	}
	return doc
}

func endpoint(t *testing.T, doc wire.Connect, tr wire.Transport) wire.Endpoint {
	t.Helper()
	for _, d := range doc.Endpoints {
		if d.Transport == tr {
			return d
		}
	}
	t.Fatalf("no endpoint for %s in %+v", tr, doc.Endpoints)
	return wire.Endpoint{}
}

// overBoth runs a test over each transport.
func overBoth(t *testing.T, f func(t *testing.T, tr wire.Transport)) {
	for _, tr := range []wire.Transport{wire.WebTransport, wire.WebSocket} {
		t.Run(string(tr), func(t *testing.T) { f(t, tr) })
	}
}

// the other transport
func other(tr wire.Transport) wire.Transport {
	if tr == wire.WebTransport {
		return wire.WebSocket
	}
	return wire.WebTransport
}

// through opens a session through an endpoint, trusting any certificate.
func through(ctx context.Context, d wire.Endpoint, h http.Header) (webtransport.Session, error) {
	if d.Transport == wire.WebTransport {
		return webtransport.DialQUIC(ctx, d.URL, webtransport.QUICDialConfig{
			TLS: &tls.Config{InsecureSkipVerify: true}, Header: h, Protocols: []string{wire.Version}})
	}
	return webtransport.DialWebSocket(ctx, d.URL, webtransport.WebSocketConfig{Protocols: []string{wire.Version}, HTTPClient: webClient, Header: h})
}

// session opens a session that has said nothing yet, and gives the ticket for its hello.
func (n *node) session(t *testing.T, tr wire.Transport, as ...func(*http.Request)) (webtransport.Session, string) {
	t.Helper()
	d := endpoint(t, n.document(t, as...), tr)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	sess, err := through(ctx, d, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sess.Close(uint32(wire.CloseNormal), "") })
	return sess, d.Ticket
}

// stream is one lane of a peer that speaks the protocol by hand.
type stream struct {
	webtransport.Stream
	r *wire.Reader
}

// open opens a stream and writes its first lines.
func open(t *testing.T, sess webtransport.Session, lines ...string) *stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	str, err := sess.OpenStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s := &stream{str, wire.NewReader(str)}
	if len(lines) > 0 {
		s.say(t, lines...)
	}
	return s
}

func (s *stream) say(t *testing.T, lines ...string) {
	t.Helper()
	if _, err := io.WriteString(s, strings.Join(lines, "\n")+"\n"); err != nil {
		t.Fatal(err)
	}
}

// next reads a message. None may be longer than docs/protocol.md says.
func (s *stream) next() (*wire.Message, error) {
	s.SetReadDeadline(time.Now().Add(patience))
	line, err := s.r.Line(wire.MaxMessage)
	if err != nil {
		return nil, err
	}
	var m wire.Message
	return &m, json.Unmarshal(line, &m)
}

// until reads to the message that satisfies f.
func (s *stream) until(t *testing.T, f func(*wire.Message) bool) *wire.Message {
	t.Helper()
	for {
		m, err := s.next()
		if err != nil {
			t.Fatal(err)
		}
		if f(m) {
			return m
		}
	}
}

// answerTo reads to the answer with an id, as JSON.
func (s *stream) answerTo(t *testing.T, id string) *wire.Message {
	t.Helper()
	return s.until(t, func(m *wire.Message) bool { return m.IsResponse() && string(m.ID) == id })
}

// note reads to a notification.
func (s *stream) note(t *testing.T, method string, params any) {
	t.Helper()
	m := s.until(t, func(m *wire.Message) bool { return m.Method == method })
	if err := json.Unmarshal(m.Params, params); err != nil {
		t.Fatal(err)
	}
}

// reset reads to the stream's end and gives the code that it was reset with; -1: it ended otherwise.
func (s *stream) reset() (code int, err error) {
	for err == nil {
		_, err = s.next()
	}
	var se *webtransport.StreamError
	if errors.As(err, &se) && se.Remote {
		return int(se.Code), err
	}
	return -1, err
}

func request(id, method string, params any) string {
	m, err := wire.NewRequest(json.RawMessage(id), method, params)
	if err != nil {
		panic(err)
	}
	b, _ := json.Marshal(m)
	return string(b)
}

const controlHeader = `{"lane":"control"}`

func helloLine(h wire.Hello) string { return request(`"hello"`, wire.MethodHello, h) }

// peer is a session that has said hello.
type peer struct {
	webtransport.Session
	ctrl    *stream
	welcome wire.Welcome
}

var peers = 0 // guarded by peersMu
var peersMu sync.Mutex

func clientID() string {
	peersMu.Lock()
	defer peersMu.Unlock()
	peers++
	return fmt.Sprintf("test-client-%08d", peers)
}

// join opens a session and says hello.
func (n *node) join(t *testing.T, tr wire.Transport, change ...func(*wire.Hello)) *peer {
	t.Helper()
	sess, ticket := n.session(t, tr)
	return enter(t, sess, ticket, change...)
}

func enter(t *testing.T, sess webtransport.Session, ticket string, change ...func(*wire.Hello)) *peer {
	t.Helper()
	h := wire.Hello{Versions: []string{wire.Version}, Ticket: ticket, Client: wire.ClientInfo{ID: clientID(), Name: "test"}, NoStatus: true}
	for _, f := range change {
		f(&h)
	}
	p := &peer{Session: sess, ctrl: open(t, sess, controlHeader, helloLine(h))}
	m := p.ctrl.answerTo(t, `"hello"`)
	if m.Error != nil {
		t.Fatalf("hello: %v", m.Error)
	}
	if err := json.Unmarshal(m.Result, &p.welcome); err != nil {
		t.Fatal(err)
	}
	return p
}

// inBubble runs f with a server in a bubble of time. Sessions come over carriers in memory, and must be closed before f returns.
func inBubble(t *testing.T, f func(t *testing.T, s *Server, join func(...func(*wire.Hello)) *peer)) {
	start(t) // NATS has one clock for all its servers of a process: it must not begin in the bubble
	synctest.Test(t, func(t *testing.T) {
		s, err := New(t.Context(), Options{DataDir: t.TempDir(), Node: "test"})
		if err != nil {
			t.Fatal(err)
		}
		var serving sync.WaitGroup
		hubs, stop := context.WithCancel(t.Context())
		serving.Go(func() { s.sessions.Run(hubs) })
		defer func() {
			s.sessions.Close()
			stop()
			serving.Wait()
			s.Close()
			time.Sleep(time.Minute) // the store's last goroutines end a moment after it
		}()
		f(t, s, func(change ...func(*wire.Hello)) *peer {
			client, server := webtransport.Pipe()
			s.sessions.Serve(server)
			return enter(t, client, s.auth.Ticket(api.Principal{ID: "token", Name: "cli"}), change...)
		})
	})
}

func as(clientID string) func(*wire.Hello) { return func(h *wire.Hello) { h.Client.ID = clientID } }

func withStatus(h *wire.Hello) { h.NoStatus = false }

// call sends a request on the control lane and waits for its answer.
func (p *peer) call(t *testing.T, id, method string, params any) *wire.Message {
	t.Helper()
	p.ctrl.say(t, request(id, method, params))
	return p.ctrl.answerTo(t, id)
}

// ping proves that the session lives, and measures how fast it answers.
func (p *peer) ping(t *testing.T) time.Duration {
	t.Helper()
	begin := time.Now()
	if m := p.call(t, `"ping"`, wire.MethodPing, nil); m.Error != nil {
		t.Fatalf("ping: %v", m.Error)
	}
	return time.Since(begin)
}

// attach opens an agent lane.
func (p *peer) attach(t *testing.T, h wire.Header) (*stream, wire.Attached) {
	t.Helper()
	h.Lane = wire.LaneAgent
	line, _ := json.Marshal(h)
	s := open(t, p, string(line))
	var at wire.Attached
	s.note(t, wire.NoteAttached, &at)
	return s, at
}

// events reads an agent lane to its end.
func (s *stream) events(t *testing.T) (all []wire.Event, end wire.End) {
	t.Helper()
	for {
		m, err := s.next()
		if err != nil {
			t.Fatalf("after %d events: %v", len(all), err)
		}
		switch m.Method {
		case wire.NoteEvents:
			var e wire.Events
			if err := json.Unmarshal(m.Params, &e); err != nil {
				t.Fatal(err)
			}
			all = append(all, e.Events...)
		case wire.NoteEnd:
			if err := json.Unmarshal(m.Params, &end); err != nil {
				t.Fatal(err)
			}
			return all, end
		}
	}
}

func output(events []wire.Event) string {
	var b bytes.Buffer
	for _, e := range events {
		if e.Type == wire.EventStdout {
			b.Write(e.Data.Bytes())
		}
	}
	return b.String()
}

// goodbye gives the server's last word, which a close may overtake on QUIC.
func (p *peer) goodbye() (g wire.Goodbye, came bool) {
	for {
		m, err := p.ctrl.next()
		if err != nil {
			return g, false
		}
		if m.Method == wire.NoteGoodbye {
			return g, json.Unmarshal(m.Params, &g) == nil
		}
	}
}

// closed waits for a session's end and gives the code and the reason that the server sent.
func closed(t *testing.T, sess webtransport.Session) (wire.CloseCode, string) {
	t.Helper()
	kit.Receive(t, "the session's end", sess.Context().Done())
	var ce *webtransport.CloseError
	if err := context.Cause(sess.Context()); !errors.As(err, &ce) || !ce.Remote {
		t.Fatalf("the session ended with %v", err)
	}
	return wire.CloseCode(ce.Code), ce.Reason
}

// isError checks the code of an answer, and the field that it names.
func isError(t *testing.T, m *wire.Message, code wire.ErrorCode, field string) {
	t.Helper()
	switch {
	case m.Error == nil:
		t.Errorf("the answer is %s, want %s", m.Result, code)
	case m.Error.Code != code || m.Error.Message == "" || m.Error.Data == nil || m.Error.Data.Kind != code.String() || m.Error.Data.Field != field:
		t.Errorf("the answer is %v, data %+v; want %s on field %q", m.Error, m.Error.Data, code, field)
	}
}

func result[T any](t *testing.T, m *wire.Message) (v T) {
	t.Helper()
	if m.Error != nil {
		t.Fatalf("the answer is %v", m.Error)
	}
	if err := json.Unmarshal(m.Result, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// processes lists the living processes that carry an agent's mark.
func processes(t *testing.T, id wire.AgentID) (pids []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		b, err := os.ReadFile(path)
		if err == nil && bytes.Contains(b, []byte(runner.EnvAgent+"="+string(id)+"\x00")) {
			pids = append(pids, filepath.Base(filepath.Dir(path)))
		}
	}
	return pids
}

// write makes a file in a folder of the test.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
