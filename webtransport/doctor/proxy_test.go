package doctor_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/doctor"
	"skein.dev/skein/webtransport/wire"
)

// proxied puts a proxy of HTTP before a server.
func proxied(t *testing.T, n *node, change func(*http.Response) error, instead http.HandlerFunc) client.Options {
	t.Helper()
	to, err := url.Parse(n.addrs.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	p := &httputil.ReverseProxy{ModifyResponse: change, Transport: &http.Transport{DisableKeepAlives: true},
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if instead != nil && r.URL.Path == "/ws" {
			instead(w, r)
			return
		}
		p.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return client.Options{URL: s.URL, Token: n.token}
}

// naming changes the document that names the endpoints. The WebSocket endpoint is the proxy's.
func naming(proxy *client.Options, change func(*wire.Endpoint)) func(*http.Response) error {
	return func(res *http.Response) error {
		if res.Request.URL.Path != "/connect" || res.StatusCode != http.StatusOK {
			return nil
		}
		var doc wire.Connect
		if err := json.NewDecoder(res.Body).Decode(&doc); err != nil {
			return err
		}
		res.Body.Close()
		for i := range doc.Endpoints {
			if doc.Endpoints[i].Transport == wire.WebSocket {
				doc.Endpoints[i].URL = strings.Replace(proxy.URL, "http:", "ws:", 1) + "/ws"
			}
			change(&doc.Endpoints[i])
		}
		b, err := json.Marshal(doc)
		res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
		res.Header.Set("Content-Length", fmt.Sprint(len(b)))
		return err
	}
}

func TestExamineAnotherCertificateOnUDP(t *testing.T) {
	t.Parallel()
	n := serve(t)
	var o client.Options
	o = proxied(t, n, naming(&o, func(d *wire.Endpoint) {
		for i := range d.CertificateHashes {
			d.CertificateHashes[i].Value = make([]byte, 32)
		}
	}), nil)
	r := examine(t, wellInTime, o)
	judged(t, r, "websocket=ok udp=ok quic=failed webtransport=skipped")
	if c := r.Check(doctor.CheckQUIC); r.Endpoint != wire.WebSocket || !strings.Contains(c.Found, "not the one that was announced") {
		t.Errorf("%s, %+v", r.Endpoint, c)
	}
}

func TestExamineProxiesOfWebSocket(t *testing.T) {
	t.Parallel()
	n := serve(t)
	for name, c := range map[string]struct {
		instead http.HandlerFunc
		found   string
	}{
		"that do not pass it": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) }, "403"},
		"that fall silent": {func(w http.ResponseWriter, r *http.Request) {
			up, err := net.Dial("tcp", strings.TrimPrefix(n.addrs.HTTP, "http://"))
			if err != nil {
				t.Error(err)
				return
			}
			defer up.Close()
			r.Host = strings.TrimPrefix(n.addrs.HTTP, "http://")
			r.Write(up)
			down, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer down.Close()
			b := make([]byte, 4096)
			k, _ := up.Read(b)
			head, _, _ := bytes.Cut(b[:k], []byte("\r\n\r\n"))
			down.Write(append(head, "\r\n\r\n"...))
			io.Copy(io.Discard, down) // until the client goes
		}, "nothing came"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var o client.Options
			o = proxied(t, n, naming(&o, func(*wire.Endpoint) {}), c.instead)
			r := examine(t, 12*time.Second, o)
			judged(t, r, "http=ok login=ok websocket=failed webtransport=ok")
			if got := r.Check(doctor.CheckWebSocket); r.Endpoint != wire.WebTransport || !strings.Contains(got.Found, c.found) {
				t.Errorf("%s, %+v", r.Endpoint, got)
			}
			if d := endpointOf(r, wire.WebSocket); d.Open {
				t.Errorf("%+v", d)
			}
		})
	}
}

func TestExamineTheClock(t *testing.T) {
	t.Parallel()
	n := serve(t)
	for off, want := range map[time.Duration]string{0: "clock=ok", 10 * time.Second: "clock=ok", 5 * time.Minute: "clock=warning", -time.Hour: "clock=warning"} {
		var o client.Options
		change := naming(&o, func(*wire.Endpoint) {})
		o = proxied(t, n, func(res *http.Response) error {
			res.Header.Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
			return change(res)
		}, nil)
		r := examine(t, wellInTime, o)
		judged(t, r, want)
		if r.Endpoint == "" {
			t.Errorf("%s off: %s", off, r.Why)
		}
	}
}
