package session

import (
	"context"
	"sync"
	"time"

	"skein.dev/skein/server/api"
	"skein.dev/skein/webtransport/wire"
)

// maxRaced bounds the requests of a session that came as datagrams and are in work. More are dropped: their lane brings
// them too.
const maxRaced = 16

// raced are a session's requests that came as datagrams, by their ids: copies of one that is in work are dropped.
type raced struct {
	mu  sync.Mutex
	ids map[string]struct{}
}

// enter reports whether a request is to be carried out.
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

// serveDatagrams takes the critical requests that clients send as datagrams beside their lanes (wire.Races). Both are
// answered from one record: whichever comes first has the effect.
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
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), api.InputTimeout) // that of a stop is its own
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
		return // its lane has room
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
