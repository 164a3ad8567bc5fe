package doctor_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/doctor"
)

// listening takes connections and hands them to f, until the test ends.
func listening(t *testing.T, f func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	ended := make(chan struct{})
	work.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			work.Go(func() { f(conn); <-ended; conn.Close() })
		}
	})
	t.Cleanup(func() { close(ended); ln.Close(); work.Wait() })
	return ln.Addr().String()
}

// The token is not for everybody who listens.
func TestExamineWhatIsNotSkein(t *testing.T) {
	t.Parallel()
	const secret = "the token"
	answering := func(f http.HandlerFunc) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.Header.Get("Authorization"), secret) {
				t.Error("it was sent the token")
			}
			f(w, r)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	for name, c := range map[string]struct{ url, check, found string }{
		"nobody":                {fmt.Sprintf("http://127.0.0.1:%d", closedPort), doctor.CheckTCP, "refused"},
		"no such name":          {"http://nobody.invalid", doctor.CheckName, "nobody.invalid"},
		"ok to everything":      {answering(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }), doctor.CheckHTTP, "200"},
		"another server":        {answering(http.NotFound), doctor.CheckHTTP, "404"},
		"a captive portal":      {answering(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "http://login.example/", 302) }), doctor.CheckHTTP, "login.example"},
		"a proxy with a login":  {answering(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(407) }), doctor.CheckHTTP, "407"},
		"a proxy without a way": {answering(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }), doctor.CheckHTTP, "502"},
		"a stranger's 401":      {answering(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }), doctor.CheckHTTP, "401"},
		"silence":               {"http://" + listening(t, func(net.Conn) {}), doctor.CheckHTTP, "nothing comes"},
		"silence, TLS":          {"https://" + listening(t, func(net.Conn) {}), doctor.CheckTLS, "no answer"},
		"another protocol":      {"http://" + listening(t, func(c net.Conn) { io.WriteString(c, "220 mail\r\n\r\n") }), doctor.CheckHTTP, "no answer of HTTP"},
		"no TLS":                {strings.Replace(answering(http.NotFound), "http:", "https:", 1), doctor.CheckTLS, "does not speak TLS"},
		"TLS":                   {strings.Replace(secure.URL, "https:", "http:", 1), doctor.CheckHTTP, "speaks TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			within := wellInTime
			if strings.HasPrefix(name, "silence") {
				within = 6 * time.Second
			}
			r := examine(t, within, client.Options{URL: c.url, Token: secret})
			if got := r.Check(c.check); got.Verdict != doctor.Failed || !strings.Contains(got.Found, c.found) {
				t.Errorf("%+v", got)
			}
			if r.Endpoint != "" || r.Why == "" || r.Better == "" || len(r.Endpoints) > 0 {
				t.Errorf("%+v", r)
			}
			judged(t, r, "login=skipped websocket=skipped udp=skipped")
		})
	}
}

func TestExamineTheLogin(t *testing.T) {
	t.Parallel()
	n := serve(t)
	for _, token := range []string{"", "another"} {
		r := examine(t, wellInTime, client.Options{URL: n.addrs.HTTP, Token: token})
		judged(t, r, "http=ok login=failed websocket=skipped udp=skipped")
		if r.Endpoint != "" || !strings.Contains(r.Better, "--token") {
			t.Errorf("with %q: %s, %q", token, r.Endpoint, r.Better)
		}
	}
}
