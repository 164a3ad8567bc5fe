package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// rpcLane is a lane of one session that carries requests.
type rpcLane struct {
	mu    sync.Mutex // held around writes
	str   webtransport.Stream
	ended bool // guarded by mu: by this side, which wants nothing more of it
}

func (r *rpcLane) write(line []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.str.Write(line)
}

// send writes a request to its lane, which opens with its first request. A failure shows in serve, and the line goes
// out again with the next session.
func (l *link) send(p *pendingCall) {
	if limit := l.welcome.Limits.MaxMessage; limit > 0 && len(p.line) > limit { // another server than the one it was made for
		p.answer(&wire.Message{Error: requestTooLong(len(p.line), limit)})
		return
	}
	if p.race != nil && l.kind == wire.WebTransport { // a WebSocket's datagrams wait for what was lost like its streams
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

// race sends a critical request as datagrams beside its lane, until it is answered.
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

// lane opens a lane of this session, once; nil: the session ended.
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

// end ends a lane that waits for no answer. The next request opens another one.
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

// readLane takes the answers that come on a lane. The session can't go on without it: what waits for an answer there
// would wait for ever.
func (l *link) readLane(name wire.Lane, lane *rpcLane) {
	r := wire.NewReader(lane.str)
	for {
		m, err := r.Answer()
		var we *wire.Error
		if errors.As(err, &we) {
			continue
		}
		if err != nil {
			l.c.lineBroke(name, err)
			lane.mu.Lock()
			ended := lane.ended
			lane.mu.Unlock()
			if !ended && l.sess.Context().Err() == nil {
				l.c.log.Warn("a lane broke; connecting again", "lane", name, "err", err)
				l.sess.Close(uint32(wire.CloseLost), "the lane "+string(name)+" broke")
			}
			return
		}
		if m.IsResponse() {
			l.c.answered(m)
		}
	}
}

// open opens a stream with its header.
func (l *link) open(ctx context.Context, h wire.Header) (webtransport.Stream, error) {
	str, err := l.sess.OpenStream(ctx)
	if err != nil {
		return nil, err
	}
	str.SetClass(uint8(h.Lane.Class()))
	line, err := wire.AppendLine(nil, h)
	if err == nil && len(line) > wire.MaxHeader {
		err = wire.Errorf(wire.CodeTooLarge, "the lane's header has %d bytes; the server takes %d", len(line), wire.MaxHeader)
	}
	if err == nil {
		_, err = str.Write(line)
	}
	if err != nil {
		reset(str)
		return nil, err
	}
	return str, nil
}

func reset(str webtransport.Stream) {
	str.CancelRead(uint32(wire.StreamCanceled))
	str.CancelWrite(uint32(wire.StreamCanceled))
}

// errDone ends a subscription from within.
var errDone = errors.New("done")

// subscribe keeps a lane of its own open for what the server sends by itself, over reconnects, so that a reader that is
// slow holds up nothing else. first is asked for the lane's header and its first request, if it has one, each time
// that the lane is opened; take gets every message. It ends with ctx, with the Client, with the server's refusal, or
// with take's error; errDone is no error.
func (c *Client) subscribe(ctx context.Context, first func() (wire.Header, *wire.Message), take func(*wire.Message) error) error {
	for {
		l, err := c.live(ctx)
		if err != nil {
			return err
		}
		if err := l.subscribe(ctx, first, take); err != nil {
			if errors.Is(err, errDone) {
				return nil
			}
			return err
		}
	}
}

// subscribe reads one lane. nil: the session broke; go on in the next.
func (l *link) subscribe(ctx context.Context, first func() (wire.Header, *wire.Message), take func(*wire.Message) error) error {
	h, request := first()
	str, err := l.open(ctx, h)
	if err != nil {
		return hopeless(ctx, h.Lane, err)
	}
	defer reset(str)
	stop := context.AfterFunc(ctx, func() { reset(str) })
	defer stop()
	if request != nil {
		line, err := wire.AppendLine(nil, request)
		if err != nil {
			return err
		}
		if limit := cmp.Or(l.welcome.Limits.MaxMessage, wire.MaxMessage); len(line) > limit {
			return requestTooLong(len(line), limit)
		}
		if _, err := str.Write(line); err != nil {
			return hopeless(ctx, h.Lane, err)
		}
	}
	r := wire.NewReader(str)
	for {
		line, err := r.Line(wire.MaxLine)
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("the server ended the lane %s", h.Lane)
		}
		if err != nil {
			return hopeless(ctx, h.Lane, err)
		}
		var m wire.Message
		if err := json.Unmarshal(line, &m); err != nil {
			return fmt.Errorf("lane %s: %w", h.Lane, err)
		}
		if m.Error != nil {
			return m.Error
		}
		if err := take(&m); err != nil {
			return err
		}
	}
}
