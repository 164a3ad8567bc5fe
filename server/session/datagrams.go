package session

import (
	"context"
	"sync"
	"time"

	"skein.dev/skein/server/api"
	"skein.dev/skein/webtransport/wire"
)

// maxRaced bounds the requests of a session that came as datagrams and are in progress. Further ones are dropped, since
// they also come on their lane.
const maxRaced = 16

// raced has the ids of a session's requests that came as datagrams, so that copies of one in progress are dropped.
type raced struct {
	mu  sync.Mutex
	ids map[string]struct{}
}

// enter reports whether a request should be carried out.
func (r *raced) enter(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, in := r.ids[id]; in || len(r.ids) >= maxRaced {
		return false
	}
	if r.ids == nil {
		r.ids = map[string]struct{}{}
	}
	r.ids[id] = struct{}{}
	return true
}

func (r *raced) leave(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.ids, id)
}

// serveDatagrams serves the critical requests that clients send as datagrams in addition to their lanes (wire.Races). The
// first to arrive is carried out; the second is answered from the reply cache.
func (c *conn) serveDatagrams() {
	var requests raced
	for {
		b, err := c.sess.ReceiveDatagram(c.ctx)
		if err != nil {
			return
		}
		select {
		case <-c.welcomed:
		default:
			continue
		}
		if c.views.typed(c.ctx, b) {
			continue
		}
		m, ok := wire.ParseMessageDatagram(b, wire.DatagramRequest)
		if !ok || !wire.Races(m.Method) || !requests.enter(string(m.ID)) {
			continue
		}
		c.s.Metrics.Raced.Inc()
		c.lanes.Go(func() {
			c.answerRaced(m)
			requests.leave(string(m.ID))
		})
	}
}

func (c *conn) answerRaced(m *wire.Message) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), api.InputTimeout) // a stop has its own timeout
	defer cancel()
	res, err := c.call(ctx, wire.LaneOf(m.Method), m)
	answer := wire.NewError(m.ID, wire.AsError(err))
	if err == nil {
		if answer, err = wire.NewResult(m.ID, res); err != nil {
			return
		}
	}
	line, err := wire.AppendLine(nil, answer)
	if err != nil {
		return
	}
	d, fits := wire.AppendMessageDatagram(nil, wire.DatagramResponse, line)
	if !fits {
		return // the client can still use its lane
	}
	begin := time.Now()
	for _, at := range wire.RaceDelays {
		select {
		case <-time.After(time.Until(begin.Add(at))):
			c.sess.SendDatagram(d)
		case <-c.ctx.Done():
			return
		}
	}
}
