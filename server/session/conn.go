package session

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"skein.dev/skein/server/api"
	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// WriteTimeout is how long a write may wait for a client that does not read. A client that makes no progress for this time
// is closed, and may connect again.
const WriteTimeout = 30 * time.Second

const (
	// lingerTime is the time between the last message of a session and its close.
	lingerTime = 250 * time.Millisecond
	// goodbyeTimeout bounds the write of a goodbye to a client that may be gone.
	goodbyeTimeout = time.Second
	// maxInputs bounds the inputs of a lane that are in progress: the other slots stay free for commands, even if many
	// agents do not read.
	maxInputs = wire.MaxInFlight * 3 / 4
	// inputPatience is how long a lane with maxInputs waits before it refuses another one.
	inputPatience = 250 * time.Millisecond
)

// conn is one session: a client that has said hello, or has HelloTimeout to do so.
type conn struct {
	// static
	s    *shared
	sess webtransport.Session
	id   string
	log  *slog.Logger
	ctx  context.Context // ends with the session

	lanes    sync.WaitGroup
	control  atomic.Bool   // the control lane is open
	welcomed chan struct{} // closed after hello; the fields below may be read then
	who      api.Principal
	client   wire.ClientInfo
	noStatus bool
	ctrl     *lane

	shapers shapers
	ended   ended
	unread  unread
	views   views
	glances atomic.Int64 // the glance lanes that are open
	// uploads and downloads bound the bulk lanes in progress; further ones wait unread. They are separate, so that slow
	// downloads do not hold up uploads.
	uploads, downloads chan struct{}
}

func newConn(s *shared, sess webtransport.Session) *conn {
	c := &conn{
		s: s, sess: sess, id: rand.Text()[:12], ctx: sess.Context(), welcomed: make(chan struct{}),
		uploads: make(chan struct{}, MaxTransfers), downloads: make(chan struct{}, MaxTransfers),
	}
	c.shapers = shapers{sess: sess, limits: s.Limits, metrics: s.Metrics}
	c.unread.reads, c.unread.share = make(chan struct{}, laneReads), s.Share
	c.log = s.Logger.With("session", c.id, "transport", sess.Info().Transport)
	return c
}

// asker returns who makes the requests of this session.
func (c *conn) asker() api.Asker {
	return api.Asker{Principal: c.who, Client: c.client, Gone: c.ctx.Done()}
}

// close says goodbye and ends the session.
func (c *conn) close(code wire.CloseCode, reason string) {
	after := time.Duration(-time.Millisecond)
	if code.Reconnect() {
		after = 0
	}
	c.goodbye(code, reason, after)
	c.linger()
	c.sess.Close(uint32(code), reason)
}

// linger gives the client time to read the last message and to close the session itself, because browsers drop what a page
// has not read when its session ends.
func (c *conn) linger() {
	select {
	case <-c.ctx.Done():
	case <-time.After(lingerTime):
	}
}

// goodbye tells the client, if it has a control lane, that the session will end.
func (c *conn) goodbye(code wire.CloseCode, reason string, after time.Duration) {
	select {
	case <-c.welcomed:
	default:
		return
	}
	m, err := wire.NewNotification(wire.NoteGoodbye, wire.Goodbye{Code: code, Reason: reason, ReconnectAfterMS: after.Milliseconds()})
	if err == nil {
		c.ctrl.write(m, goodbyeTimeout)
	}
}
