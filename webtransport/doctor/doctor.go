// Package doctor examines the path from a client to a Skein server, and explains what works, what does not and what to
// change: name, TCP, TLS, HTTP, clocks and login, and then a session through each endpoint. Each check is a Check of the
// Report. Checks that depend on one that failed are skipped.
//
// The files follow the path: tcp.go, tls.go, http.go, login.go, websocket.go, quic.go, and measure.go for what an open
// session shows. judge.go says which endpoint a client will use.
//
// # Locks
//
// diagnosis.mu guards the report, and is held while the watcher is called. The lock in train guards the times of its
// pings, and is never held together with it.
package doctor

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"skein.dev/skein/webtransport/client"
)

// Timeout bounds Examine when its context has no deadline.
const Timeout = 10 * time.Second

// Examine examines each step of the path to a server, independent steps at the same time, and says through which endpoint
// a client will connect. It ends with ctx, or after Timeout; a silent server takes half of that. watch, if not nil, is
// called with the checks that are under way, one call at a time. The error is about the options; what the network does is
// in the report.
func Examine(ctx context.Context, o client.Options, watch func(underWay []string)) (*Report, error) {
	u, err := url.Parse(o.URL)
	if err == nil && (u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "") {
		err = errors.New("a server's URL is http:// or https:// and a host, such as https://skein.example.com:4433")
	}
	if err != nil {
		return nil, fmt.Errorf("diagnose %q: %w", o.URL, err)
	}
	o.Transport = cmp.Or(o.Transport, client.Auto)
	begin := time.Now()
	end, ok := ctx.Deadline()
	if !ok {
		end = begin.Add(Timeout)
	}
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	d := &diagnosis{o: o, url: u, port: cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme]),
		total: time.Until(end), watch: watch, id: rand.Text(),
		report: Report{URL: o.URL, Program: o.Version}}
	d.http = d.httpClient(client.TLSConfig(o.CertificateHashes))
	d.run(ctx)
	d.finish()
	d.report.TookMS = inMS(time.Since(begin))
	return &d.report, nil
}

// run examines the steps as far as the path leads.
func (d *diagnosis) run(ctx context.Context) {
	if d.resolve(ctx); len(d.addrs) == 0 {
		return
	}
	if d.connectTCP(ctx); len(d.reached) == 0 {
		return
	}
	var first sync.WaitGroup
	first.Go(func() { d.checkTLS(ctx) })
	first.Go(func() { d.checkHTTP(ctx) })
	first.Wait()
	if d.report.Check(CheckHTTP).Verdict == Failed || !d.trusted {
		return
	}
	if d.login(ctx); d.document == nil {
		return
	}
	d.tryEndpoints(ctx)
	d.protocol()
	d.processes()
}
