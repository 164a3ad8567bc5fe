package client

import (
	"context"
	"math/rand/v2"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

const (
	// A client on a WebSocket tries WebTransport a second after the WebSocket opened, and then less and less often, with jitter.
	// A return to WebTransport that did not last for flapTime doubles the first pause.
	returnMin = 3 * time.Second
	returnMax = time.Minute
	flapTime  = time.Minute
	maxFlaps  = 4

	// Between two attempts the client sends a probe, one packet, every knockMin to knockMax. An answer makes it try at once.
	knockMin  = time.Second
	knockMax  = 3 * time.Second
	knockWait = time.Second
)

// better tries the WebTransport doors of the server of l, a WebSocket, from time to time; nil: ctx ended.
func (c *Client) better(ctx context.Context, l *link) *link {
	b := &backoff{lo: returnMin << c.flaps, hi: returnMax}
	b.reset()
	sleep(ctx, time.Second+b.next())
	for ctx.Err() == nil {
		// Something on the path may pass a handshake and drop the probe, so that an attempt is due without an answer too. It gets
		// less time.
		patience := retryTimeout
		answered := c.knock(ctx, l.doors, time.Now().Add(time.Second+b.next()))
		if answered {
			patience = connectTimeout
		}
		if next := c.overQUIC(ctx, patience); next != nil {
			return next
		}
		if answered { // it is not UDP that is missing
			sleep(ctx, time.Second+b.next())
		}
	}
	return nil
}

// knock knocks at the WebTransport doors until one answers, or until is over.
func (c *Client) knock(ctx context.Context, doors []wire.Door, until time.Time) bool {
	for {
		for _, d := range doors {
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

// overQUIC opens a WebTransport session; nil: there is no way.
func (c *Client) overQUIC(ctx context.Context, patience time.Duration) *link {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	doc, err := c.document(ctx)
	if err != nil {
		return nil
	}
	c.http.CloseIdleConnections()
	for _, d := range doc.Doors {
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
