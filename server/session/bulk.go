package session

import (
	"context"
	"errors"
	"io"
	"time"

	"skein.dev/skein/server/artifacts"
	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

const (
	// MaxTransfers bounds the transfers of a session that are in progress in one direction; further ones wait. Each holds a
	// buffer of a few hundred KiB.
	MaxTransfers = 16
	// downloadBuffer is how much a download writes at once, in bytes.
	downloadBuffer = 128 << 10
)

// serveBulk carries the bytes of one artifact (see wire.Bulk). A slow reader is held back by the stream's flow control
// alone: no more is buffered than one read returns.
func (c *conn) serveBulk(l *lane, h wire.Header) {
	slots := c.downloads
	if h.Op == wire.BulkPut {
		slots = c.uploads
	}
	select {
	case slots <- struct{}{}:
	case <-c.ctx.Done():
		l.cancel(wire.StreamCanceled)
		return
	}
	if h.Op == wire.BulkPut {
		c.upload(l, h)
	} else {
		c.download(l, h)
	}
	<-slots
	l.drain() // does nothing if the lane was canceled
}

// upload receives an artifact's bytes from where an earlier upload stopped.
func (c *conn) upload(l *lane, h wire.Header) {
	u, done, err := c.s.Plane.Artifacts.Upload(c.ctx, h.Artifact)
	switch {
	case err != nil:
		l.refuseBulk(h, err)
		return
	case done != nil:
		l.endBulk(wire.Bulk{Artifact: done, Offset: done.Size, Done: true})
		return
	}
	defer u.Close()
	rec := u.Artifact()
	if err := l.send(wire.Bulk{Artifact: &rec, Offset: u.Offset}); err != nil {
		l.cancel(wire.StreamCanceled)
		return
	}
	release := interrupt(u.Context(), l.str)
	rec, err = u.Receive(l.r.Rest())
	release()
	if err != nil {
		l.refuseBulk(h, err)
		return
	}
	l.endBulk(wire.Bulk{Artifact: &rec, Offset: rec.Size, Done: true})
}

// interrupt makes reads fail once ctx ends, until release is called. It does not cancel the stream, because the client
// would learn of that before it has read the reason.
func interrupt(ctx context.Context, str webtransport.Stream) (release func()) {
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		str.SetReadDeadline(time.Unix(1, 0))
		close(interrupted)
	})
	return func() {
		if !stop() {
			<-interrupted
			str.SetReadDeadline(time.Time{})
		}
	}
}

// endBulk sends the last line of a bulk lane. What the client still sends is discarded.
func (l *lane) endBulk(b wire.Bulk) {
	l.send(b)
	l.end()
}

// refuseBulk ends a transfer with an error, if the client can do something about it. An interrupted transfer is reset
// instead, and the client continues in another one.
func (l *lane) refuseBulk(h wire.Header, err error) {
	var we *wire.Error
	switch {
	case errors.Is(err, artifacts.ErrStopping), l.c.ctx.Err() != nil:
		l.cancel(wire.StreamCanceled)
	case errors.As(err, &we):
		l.endBulk(wire.Bulk{Error: we})
	case isReset(err):
		l.c.log.Debug("a transfer broke off", "artifact", h.Artifact, "err", err)
		l.cancel(wire.StreamCanceled)
	default:
		l.c.log.Error("a transfer failed", "artifact", h.Artifact, "op", h.Op, "err", err)
		l.cancel(wire.StreamInternal)
	}
}

func isReset(err error) bool {
	var se *webtransport.StreamError
	return errors.As(err, &se) || errors.Is(err, io.ErrUnexpectedEOF)
}

// download sends an artifact's bytes from an offset on.
func (c *conn) download(l *lane, h wire.Header) {
	rec, r, err := c.s.Plane.Artifacts.Download(c.ctx, h.Artifact, h.Offset)
	if err != nil {
		l.refuseBulk(h, err)
		return
	}
	if err := l.send(wire.Bulk{Artifact: &rec, Offset: h.Offset}); err != nil {
		l.cancel(wire.StreamCanceled)
		return
	}
	if h.Length > 0 {
		r = io.LimitReader(r, h.Length)
	}
	_, err = io.CopyBuffer(patient{l.str}, struct{ io.Reader }{r}, make([]byte, downloadBuffer))
	switch {
	case isTimeout(err):
		l.cancel(wire.StreamTimeout)
	case err != nil:
		l.refuseBulk(h, err)
	default:
		l.end()
	}
}

// patient writes to a client that may read slowly but may not pause for WriteTimeout.
type patient struct{ str webtransport.Stream }

func (p patient) Write(b []byte) (int, error) {
	p.str.SetWriteDeadline(time.Now().Add(WriteTimeout))
	return p.str.Write(b)
}
