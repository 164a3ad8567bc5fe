package doctor

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// recorder keeps the response to an upgrade, which the library hides.
type recorder struct {
	http.RoundTripper
	status int
	server string
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := r.RoundTripper.RoundTrip(req)
	if err == nil {
		r.status, r.server = res.StatusCode, res.Header.Get("Server")
	}
	return res, err
}

// tryWebSocket opens a session over WebSocket.
func (d *diagnosis) tryWebSocket(ctx context.Context, endpoint wire.Endpoint) {
	d.begin(CheckWebSocket)
	c := Check{Name: CheckWebSocket, Verdict: OK}
	rep := Endpoint{Transport: endpoint.Transport, URL: endpoint.URL}
	defer func() { d.putEndpoint(rep, c) }()
	opening, cancel := d.part(ctx, 0.5)
	defer cancel()
	begin := time.Now()
	tr := &http.Transport{TLSClientConfig: client.TLSConfig(d.o.CertificateHashes)}
	defer tr.CloseIdleConnections()
	rec := &recorder{RoundTripper: tr}
	sess, err := webtransport.DialWebSocket(opening, endpoint.URL, webtransport.WebSocketConfig{Protocols: []string{wire.Version}, HTTPClient: &http.Client{Transport: rec}})
	if err != nil {
		c = noUpgrade(rec, err)
		return
	}
	defer sess.Close(uint32(wire.CloseNormal), "")
	ctrl, err := d.hello(opening, sess, endpoint)
	if err != nil {
		c = noHello(CheckWebSocket, err, time.Since(begin))
		if silent(err) {
			c.Means = "A proxy took the WebSocket and does not pass on what is sent."
			c.Do = "Have the proxy pass WebSockets through unbuffered, for " + endpoint.URL + ", or go around it."
		}
		return
	}
	rep.Open, rep.HelloMS = true, inMS(time.Since(begin))
	d.train(ctx, sess, ctrl, &rep)
	if c = rep.judge(CheckWebSocket); c.Verdict == OK && rep.SlowestMS > 4*rep.RTTMS+stallNotice {
		c.Verdict, c.Means = Warning, "TCP waited for packets that were lost; all agents wait with it."
		c.Do = "Use WebTransport where it works; look at the link for loss."
	}
}

// noUpgrade explains why there is no WebSocket.
func noUpgrade(rec *recorder, err error) Check {
	c := Check{Name: CheckWebSocket, Verdict: Failed}
	switch {
	case rec.status == http.StatusSwitchingProtocols:
		c.Found, c.Means, c.Do = "the upgrade was taken, and none of Skein's subprotocols", "A proxy answered it itself, or it drops Sec-WebSocket-Protocol.", "Have the proxy pass the header on."
	case rec.status != 0:
		c.Found = fmt.Sprintf("the upgrade was answered with %d %s", rec.status, http.StatusText(rec.status))
		if rec.server != "" {
			c.Found += fmt.Sprintf(" (%s)", rec.server)
		}
		c.Means, c.Do = "A proxy on the way does not pass WebSockets.", "Have the proxy pass the headers Upgrade and Connection for /ws."
	case silent(err):
		c.Found, c.Means, c.Do = "the upgrade gets no answer", "A proxy on the way holds it back.", "Have the proxy pass the headers Upgrade and Connection for /ws."
	default:
		c.Found, c.Means, c.Do = plainly(err), "The WebSocket endpoint can't be reached.", "Look at the server's log, and at a proxy on the way."
	}
	return c
}
