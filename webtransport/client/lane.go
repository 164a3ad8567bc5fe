package client

import (
	"errors"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// send writes a request to its lane and opens the lane with the first request. An error is left to serve, which ends the
// session; the request is then sent in the next one.
func (l *link) send(p *pendingCall) {
	if limit := l.welcome.Limits.MaxMessage; limit > 0 && len(p.line) > limit { // this server has another limit than the one before
		p.answer(&wire.Message{Error: requestTooLong(len(p.line), limit)})
		return
	}
	if p.race != nil && l.kind == wire.WebTransport { // on a WebSocket, datagrams wait for lost packets as streams do
		go l.race(p)
	}
	if p.lane == wire.LaneControl {
		l.ctrl.write(p.line)
		return
	}
	if r := l.lane(p.lane); r != nil {
		r.write(p.line)
	}
}

// race sends a critical request as datagrams too, until it is answered.
func (l *link) race(p *pendingCall) {
	begin := time.Now()
	for _, at := range wire.RaceDelays {
		select {
		case <-time.After(time.Until(begin.Add(at))):
		case <-l.sess.Context().Done():
			return
		}
		if p.answered.Load() || l.sess.SendDatagram(p.race) != nil {
			return
		}
	}
}

// lane returns a lane of this session and opens it if need be. It returns nil if the session has ended.
func (l *link) lane(name wire.Lane) *rpcLane {
	l.laneMu.Lock()
	defer l.laneMu.Unlock()
	if r := l.lanes[name]; r != nil {
		return r
	}
	str, err := l.open(l.sess.Context(), wire.Header{Lane: name})
	if err != nil {
		return nil
	}
	r := &rpcLane{str: str}
	if l.lanes == nil {
		l.lanes = map[wire.Lane]*rpcLane{}
	}
	l.lanes[name] = r
	l.readers.Go(func() { l.readLane(name, r) })
	return r
}

// end closes a lane on which no request waits for its reply. The next request opens another one.
func (l *link) end(name wire.Lane) {
	l.laneMu.Lock()
	defer l.laneMu.Unlock()
	r := l.lanes[name]
	if r == nil {
		return
	}
	delete(l.lanes, name)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	r.str.Close()
}

// readLane reads the replies on a lane. If the lane breaks, it closes the session, because the requests on the lane would
// wait for ever.
func (l *link) readLane(name wire.Lane, lane *rpcLane) {
	r := wire.NewReader(lane.str)
	for {
		m, err := r.Answer()
		var we *wire.Error
		if errors.As(err, &we) {
			continue
		}
		if err != nil {
			l.calls.lineBroke(name, err)
			lane.mu.Lock()
			ended := lane.ended
			lane.mu.Unlock()
			if !ended && l.sess.Context().Err() == nil {
				l.log.Warn("a lane broke; connecting again", "lane", name, "err", err)
				l.sess.Close(uint32(wire.CloseLost), "the lane "+string(name)+" broke")
			}
			return
		}
		if m.IsResponse() {
			l.calls.answered(m)
		}
	}
}
