package session

import (
	"context"
	"slices"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// serve serves the session until it ends.
func (c *conn) serve() {
	hello := time.AfterFunc(wire.HelloTimeout, func() { c.close(wire.CloseHelloTimeout, "no hello within "+wire.HelloTimeout.String()) })
	defer hello.Stop()
	c.lanes.Go(func() {
		select {
		case <-c.welcomed:
			hello.Stop()
			if !c.noStatus {
				c.serveStatus()
			}
		case <-c.ctx.Done():
		}
	})
	c.lanes.Go(c.serveDatagrams)
	for {
		str, err := c.sess.AcceptStream(c.ctx)
		if err != nil {
			break
		}
		c.lanes.Go(func() { c.serveStream(str) })
	}
	if c.ctx.Err() == nil { // it accepts no more streams but has not ended: it is broken
		c.close(wire.CloseProtocol, "")
	}
	c.lanes.Wait()
	c.log.Debug("session ended", "cause", context.Cause(c.ctx), "client", c.client.Name)
}

// serveStream reads a stream's header and serves its lane.
func (c *conn) serveStream(str webtransport.Stream) {
	c.s.Metrics.Streams.Inc()
	defer c.s.Metrics.Streams.Dec()
	l := c.newLane(str)
	str.SetReadDeadline(time.Now().Add(wire.HeaderTimeout))
	h, err := l.r.Header()
	if err != nil {
		l.cancel(headerCode(err))
		return
	}
	if !slices.Contains(wire.Lanes, h.Lane) { // checked here because metrics are labeled with the lane's name
		l.cancel(wire.StreamBadLane)
		return
	}
	str.SetReadDeadline(time.Time{})
	str.SetClass(uint8(h.Lane.Class()))
	var use *laneUse
	l.str, use = c.shapers.shape(c.ctx, h.Lane, str)
	defer use.closed()
	use.moved(true, l.r.Taken(), 0)
	l.r.Continue(l.str)
	switch {
	case h.Lane == wire.LaneControl && c.control.CompareAndSwap(false, true):
		c.serveControl(l)
	case h.Lane == wire.LaneControl || !c.waitWelcome():
		l.cancel(wire.StreamBadLane)
	case h.Lane == wire.LaneAgent:
		c.serveAgent(l, h)
	case h.Lane == wire.LaneTTY:
		c.serveTerminal(l, h)
	case h.Lane == wire.LaneGlance:
		c.serveGlance(l, h)
	case h.Lane == wire.LaneWorker:
		c.serveWorker(l)
	case h.Lane == wire.LaneHealth:
		l.serveRequests(c.healthRequests)
	case h.Lane == wire.LaneTask:
		c.serveTasks(l)
	case h.Lane == wire.LaneMemory:
		c.serveMemory(l)
	case h.Lane == wire.LaneResult:
		c.serveResults(l, h)
	case h.Lane == wire.LaneBulk:
		c.serveBulk(l, h)
	default:
		l.cancel(wire.StreamBadLane)
	}
}

func headerCode(err error) wire.StreamCode {
	if isTimeout(err) {
		return wire.StreamTimeout
	}
	return wire.StreamBadHeader
}

// waitWelcome holds back a lane that was opened before the session's hello was answered.
func (c *conn) waitWelcome() bool {
	select {
	case <-c.welcomed:
		return true
	case <-c.ctx.Done():
		return false
	}
}
