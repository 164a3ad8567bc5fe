package client

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// link is one session with its control lane.
type link struct {
	// static after greet
	ctx       context.Context // of the Client; the session is closed when it ends
	log       *slog.Logger
	calls     *calls
	watches   *watches
	sess      webtransport.Session
	ctrl      *rpcLane
	r         *wire.Reader // of ctrl; owned by serve
	welcome   wire.Welcome
	kind      wire.Transport
	endpoints []wire.Endpoint // of the document that named the endpoint of this session
	reason    string
	since     time.Time
	writes    webtransport.Shaper // on bulk lanes

	statusMu sync.Mutex     // held around writes to status
	readers  sync.WaitGroup // of the lanes other than ctrl
	laneMu   sync.Mutex     // guards lanes; held while one is opened
	lanes    map[wire.Lane]*rpcLane

	mu      sync.Mutex
	goodbye *wire.Goodbye
	rtt     time.Duration
	status  webtransport.Stream // the status lane; nil until the server has opened it
	blind   error               // why the status lane can't be read any more
}

func (l *link) connection() Connection {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Connection{Transport: l.kind, Reason: l.reason, Session: l.welcome.Session, Epoch: l.welcome.Epoch,
		Node: l.welcome.Node, Server: l.welcome.Server, RTT: l.rtt, Since: l.since}
}

func (l *link) reconnectAfter() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.goodbye == nil || l.goodbye.ReconnectAfterMS < 0 {
		return 0
	}
	return time.Duration(l.goodbye.ReconnectAfterMS) * time.Millisecond
}

// Connection describes the live session.
type Connection struct {
	Transport wire.Transport
	Reason    string // why this transport was chosen, for people
	Session   string
	Epoch     string
	Node      wire.NodeID
	Server    string
	RTT       time.Duration
	Since     time.Time
}

// rpcLane is a lane of one session that carries requests.
type rpcLane struct {
	mu    sync.Mutex // held around writes
	str   webtransport.Stream
	ended bool // guarded by mu: this side closed it and expects no more replies
}

func (r *rpcLane) write(line []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.str.Write(line)
}

// open opens a stream and writes its header.
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

// leaving reports whether the server said goodbye. Such a session accepts nothing new.
func (l *link) leaving() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.goodbye != nil
}
