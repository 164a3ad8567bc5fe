package client

import (
	"context"
	"math/rand/v2"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

const (
	// A client on a WebSocket tries WebTransport a second after the WebSocket opened, and then less and less often, with
	// jitter. If a session after a return to WebTransport ended within flapTime, the first pause before the next return
	// is twice as long.
	returnMin = 3 * time.Second
	returnMax = time.Minute
	flapTime  = time.Minute
	maxFlaps  = 4

	// Between attempts the client sends a probe of one packet at intervals from knockMin to knockMax. If the probe is
	// answered, the next attempt starts at once.
	knockMin  = time.Second
	knockMax  = 3 * time.Second
	knockWait = time.Second
)

// better tries the WebTransport endpoints of the server that l, a WebSocket, is connected to, until one works. It returns
// nil when ctx ends.
func (c *Client) better(ctx context.Context, l *link) *link {
	b := &backoff{lo: returnMin << c.flaps, hi: returnMax}
	b.reset()
	sleep(ctx, time.Second+b.next())
	for ctx.Err() == nil {
		// A middlebox may drop the probe and let a handshake pass, so an attempt is made without a reply too, but it gets
		// less time.
		patience := retryTimeout
		answered := c.knock(ctx, l.endpoints, time.Now().Add(time.Second+b.next()))
		if answered {
			patience = connectTimeout
		}
		if next := c.overQUIC(ctx, patience); next != nil {
			return next
		}
		if answered { // UDP works, so something else failed
			sleep(ctx, time.Second+b.next())
		}
	}
	return nil
}

// knock probes the WebTransport endpoints until one answers or the time is until.
func (c *Client) knock(ctx context.Context, endpoints []wire.Endpoint, until time.Time) bool {
	for {
		for _, d := range endpoints {
			if d.Transport == wire.WebTransport && webtransport.KnockQUIC(ctx, d.URL, knockWait) {
				return true
			}
		}
		if ctx.Err() != nil || time.Now().After(until) {
			return false
		}
		sleep(ctx, knockMin+rand.N(knockMax-knockMin))
	}
}

// overQUIC opens a WebTransport session. It returns nil if that fails.
func (c *Client) overQUIC(ctx context.Context, patience time.Duration) *link {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	doc, err := c.document(ctx)
	if err != nil {
		return nil
	}
	c.http.CloseIdleConnections()
	for _, d := range doc.Endpoints {
		if d.Transport != wire.WebTransport {
			continue
		}
		l, err := c.open(ctx, doc, d)
		if err == nil {
			l.reason = "WebTransport works again"
			c.cache.keepChoice("")
			return l
		}
		c.log.Debug("WebTransport does not work yet", "err", err)
	}
	return nil
}
