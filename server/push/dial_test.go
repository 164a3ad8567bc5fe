package push

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"skein.dev/skein/webtransport/wire"
)

// A name that leads to this machine is no way in, whatever it looked like when it was subscribed.
func TestNothingOfTheServersOwnNetworkIsConnectedTo(t *testing.T) {
	t.Parallel()
	var connections atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	srv.StartTLS()
	defer srv.Close()
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	for name, private := range map[string]bool{"refused": false, "allowed": true} {
		roots := x509.NewCertPool()
		roots.AddCert(srv.Certificate())
		p, err := New(Options{Dir: t.TempDir(), Private: private, roots: roots, Asks: func() []wire.Ask { return nil },
			SignedIn: func(context.Context, string) (bool, error) { return true, nil }})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		p.courier.client.Transport.(*http.Transport).TLSClientConfig.ServerName = "example.com"
		r, err := p.Subscribe(t.Context(), newBrowser(t, "https://localhost:"+port+"/a").offer(), Browser{})
		if err != nil {
			t.Fatal(err)
		}
		connections.Store(0)
		_, err = p.Test(r.ID)
		switch {
		case private && (err != nil || connections.Load() == 0):
			t.Errorf("%s: %v", name, err)
		case !private && (err == nil || !strings.Contains(err.Error(), "not public") || connections.Load() != 0):
			t.Errorf("%s: %v after %d connections", name, err, connections.Load())
		}
	}
}
