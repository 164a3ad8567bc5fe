package server

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/exchange"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// stalls is a body that stalls after its first byte.
type stalls struct {
	begun bool
	once  sync.Once
	ended chan struct{}
}

// Close is called by the client once it has its answer.
func (s *stalls) Close() error {
	s.once.Do(func() { close(s.ended) })
	return nil
}

func (s *stalls) Read(p []byte) (int, error) {
	if !s.begun {
		s.begun = true
		return copy(p, "x"), nil
	}
	<-s.ended
	return 0, io.ErrUnexpectedEOF
}

// bodyRoutes are all routes with a body, and one without.
var bodyRoutes = []string{"/rpc", "/connect", "/login", "/admission", "/stop", "/memory", "/tasks/none/cancel", "/artifacts/none/delete", "/logout", "/login/token", "/nowhere"}

func TestABodyThatStallsIsEnded(t *testing.T) {
	t.Parallel()
	n := start(t, func(o *Options) { o.BodyTimeout = 50 * time.Millisecond })
	for _, path := range bodyRoutes {
		for name, authorization := range map[string]string{"with a login": "Bearer " + n.token, "without": ""} {
			t.Run(path+" "+name, func(t *testing.T) {
				t.Parallel()
				head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\nAuthorization: %s\r\n\r\nx", path, authorization)
				t.Run("HTTP/1.1", func(t *testing.T) { endsHTTP1(t, strings.TrimPrefix(n.addrs.HTTP, "http://"), head) })
				t.Run("HTTP/2", func(t *testing.T) {
					c := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
					defer c.CloseIdleConnections()
					endsRequest(t, c, 2, n.addrs.HTTPS+path, authorization)
				})
				t.Run("HTTP/3", func(t *testing.T) {
					c := &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
					defer c.Close()
					endsRequest(t, c, 3, n.addrs.HTTPS+path, authorization)
				})
			})
		}
	}
}

// endsHTTP1 reads the connection until the server ends it.
func endsHTTP1(t *testing.T, addr, head string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	io.WriteString(conn, head)
	if answer, err := io.ReadAll(conn); exchange.IsTimeout(err) {
		t.Errorf("the server still waits; it said %.80q", answer)
	}
}

// endsRequest waits for the answer, which the server must send although the body does not end.
func endsRequest(t *testing.T, c http.RoundTripper, version int, url, authorization string) {
	t.Helper()
	body := &stalls{ended: make(chan struct{})}
	defer body.Close()
	r, err := http.NewRequestWithContext(t.Context(), "POST", url, body)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = 1000
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", authorization)
	answered := make(chan error, 1)
	go func() {
		res, err := c.RoundTrip(r)
		if err == nil {
			if res.ProtoMajor != version {
				err = fmt.Errorf("it came over %s", res.Proto)
			}
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
		answered <- err
	}()
	if err := kit.Receive(t, "the server's answer", answered); err != nil {
		t.Log(err) // a reset of the stream ends it, too
	}
}

// An incomplete form does not do what an empty one would: open admission, or delete an artifact.
func TestAFormThatBreaksOffDoesNothing(t *testing.T) {
	t.Parallel()
	n := start(t, func(o *Options) { o.BodyTimeout = 50 * time.Millisecond })
	n.ask(t, "POST", "/admission", bearer(n.token), form(map[string][]string{"closed": {"true"}}))
	if a := n.plane.Admission(); !a.Closed {
		t.Fatalf("admission is %+v", a)
	}
	file, err := n.plane.Artifacts.Create(t.Context(), noun.Caller{Actor: "test"}, wire.ArtifactCreateParams{Name: "x", Size: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/admission", "/artifacts/" + string(file.ID) + "/delete"} {
		endsHTTP1(t, strings.TrimPrefix(n.addrs.HTTP, "http://"), "POST "+path+" HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+n.token+
			"\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\nclosed=tr")
	}
	if a := n.plane.Admission(); !a.Closed {
		t.Errorf("admission is %+v", a)
	}
	if _, err := n.plane.Artifacts.Get(file.ID); err != nil {
		t.Errorf("the artifact: %v", err)
	}
}

// deadlines is a ResponseWriter that records the deadlines of its request.
type deadlines struct {
	*httptest.ResponseRecorder
	set []time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.set = append(d.set, t)
	return nil
}

func TestABodyGetsTimeAsItsBytesCome(t *testing.T) {
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	exchange.TimedBodies(time.Minute, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.ReadFull(r.Body, make([]byte, 3*exchange.SlowestBody))
		io.ReadAll(r.Body)
	})).ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("x", 4*exchange.SlowestBody))))
	if len(w.set) < 3 {
		t.Fatalf("%d deadlines", len(w.set))
	}
	if got := w.set[1].Sub(w.set[0]); got != 3*time.Second {
		t.Errorf("three seconds' bytes give %s", got)
	}
	if last := w.set[len(w.set)-1]; !last.IsZero() {
		t.Errorf("after the body the connection ends at %s", last)
	}
}
