package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// serve reads until the session ends and returns the code that it ended with, or 0 if it broke.
func (l *link) serve() wire.CloseCode {
	closed := make(chan struct{})
	stop := context.AfterFunc(l.ctx, func() {
		defer close(closed)
		l.sess.Close(uint32(wire.CloseNormal), "")
	})
	defer func() {
		if !stop() {
			<-closed // Close still sends the code, and the program may exit after serve
		}
	}()
	var parts sync.WaitGroup
	parts.Go(func() { l.accept() })
	parts.Go(func() { l.receive() })
	parts.Go(func() { l.heartbeat() })
	for {
		m, err := l.r.Answer()
		var we *wire.Error
		if errors.As(err, &we) {
			continue
		}
		if err != nil {
			l.calls.lineBroke(wire.LaneControl, err)
			break
		}
		switch {
		case m.IsResponse():
			l.calls.answered(m)
		case m.Method == wire.NoteGoodbye:
			var g wire.Goodbye
			if json.Unmarshal(m.Params, &g) == nil {
				l.mu.Lock()
				l.goodbye = &g
				l.mu.Unlock()
			}
		}
	}
	// The control lane has ended. Either the session has too, or it is of no use. A close by the server takes a moment to
	// arrive.
	select {
	case <-l.sess.Context().Done():
	case <-time.After(webtransport.CloseTimeout):
		l.sess.Close(uint32(wire.CloseNormal), "")
	}
	parts.Wait()
	l.readers.Wait()
	if ce := new(webtransport.CloseError); errors.As(context.Cause(l.sess.Context()), &ce) {
		return wire.CloseCode(ce.Code)
	}
	return 0
}

// heartbeat measures the round-trip time and closes a session that does not answer.
func (l *link) heartbeat() {
	every := 5 * time.Second
	missed := 0
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		begin := time.Now()
		p, err := l.calls.requestOn(wire.LaneHealth, wire.MethodPing, nil)
		if err != nil {
			return
		}
		select {
		case <-p.call.done:
			missed = 0
			l.mu.Lock()
			l.rtt = time.Since(begin)
			l.mu.Unlock()
			l.calls.forget(p)
			l.end(wire.LaneHealth) // so that an idle session keeps no lane open
			select {
			case <-t.C:
			case <-l.sess.Context().Done():
				return
			}
			continue
		case <-t.C:
			missed++
		case <-l.sess.Context().Done():
			l.calls.forget(p)
			return
		}
		l.calls.forget(p)
		if missed == 2 {
			l.sess.Close(uint32(wire.CloseLost), "two pings went unanswered")
			return
		}
	}
}

// accept accepts the streams that the server opens, which are status lanes.
func (l *link) accept() {
	var lanes sync.WaitGroup
	defer lanes.Wait()
	for {
		str, err := l.sess.AcceptStream(l.sess.Context())
		if err != nil {
			return
		}
		lanes.Go(func() {
			r := wire.NewReader(str)
			h, err := r.Header()
			if err != nil || h.Lane != wire.LaneStatus {
				str.CancelRead(uint32(wire.StreamBadLane))
				str.CancelWrite(uint32(wire.StreamBadLane))
				return
			}
			l.mu.Lock()
			l.status = str
			l.mu.Unlock()
			l.readStatus(r)
		})
	}
}

// readStatus reads the status lane and passes each line to the watches.
func (l *link) readStatus(r *wire.Reader) {
	for {
		line, err := r.Line(wire.MaxLine)
		if err != nil {
			if errors.Is(err, wire.ErrLineTooLong) {
				l.loseStatus(hopeless(l.ctx, wire.LaneStatus, err))
			} else if err != io.EOF {
				l.log.Debug("status lane ended", "err", err)
			}
			return
		}
		for _, w := range l.watches.list() {
			w.message(l, line)
		}
	}
}

// loseStatus fails the watches. Another session would not help, since the server would send the same there.
func (l *link) loseStatus(err error) {
	l.mu.Lock()
	l.blind = err
	l.mu.Unlock()
	for _, w := range l.watches.list() {
		w.fail(err)
	}
}

// receive reads the datagrams.
func (l *link) receive() {
	for {
		b, err := l.sess.ReceiveDatagram(l.sess.Context())
		if err != nil {
			return
		}
		if m, ok := wire.ParseMessageDatagram(b, wire.DatagramResponse); ok {
			l.calls.answered(m)
			continue
		}
		for _, w := range l.watches.list() {
			w.datagram(l, b)
		}
	}
}

// resync requests a snapshot on the status lane. If the lane is not open yet, a snapshot comes without a request.
func (l *link) resync() error {
	l.mu.Lock()
	str, blind := l.status, l.blind
	l.mu.Unlock()
	if str == nil || blind != nil {
		return blind
	}
	m, _ := wire.NewNotification(wire.MethodResync, nil)
	line, _ := wire.AppendLine(nil, m)
	l.statusMu.Lock()
	defer l.statusMu.Unlock()
	str.Write(line)
	return nil
}
