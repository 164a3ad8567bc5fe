package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

const (
	transferBuffer = 128 << 10 // bytes
	// transferTries bounds the attempts in one session that transfer nothing.
	transferTries = 5
	// lastWordTimeout is how long to wait for the server's reason after it stopped a stream.
	lastWordTimeout = 2 * time.Second
)

// errBroken is wrapped by the error of an attempt after which another one may continue.
var errBroken = errors.New("the transfer broke off")

// transfer repeats attempt, in one session after the other, until it succeeds or fails with an error that another attempt
// can't mend.
func (c *Client) transfer(ctx context.Context, attempt func(context.Context, *link) (moved int64, err error)) error {
	for tries := 0; ; tries++ {
		l, err := c.live(ctx)
		if err != nil {
			return err
		}
		moved, err := attempt(ctx, l)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case !errors.Is(err, errBroken):
			return err
		case moved > 0 || l.leaving():
			tries = 0
		case tries == transferTries:
			return err
		}
		if err := l.pause(ctx, tries); err != nil {
			return err
		}
	}
}

// pause waits before the next attempt. It returns early if the session ends.
func (l *link) pause(ctx context.Context, tries int) error {
	var again <-chan time.Time
	if !l.leaving() {
		again = time.After(50 * time.Millisecond << tries)
	}
	select {
	case <-again:
	case <-l.sess.Context().Done():
	case <-ctx.Done():
		return ctx.Err()
	case <-l.ctx.Done():
		return context.Cause(l.ctx)
	}
	return nil
}

// bulk opens a bulk lane and reads its first line. The caller must close the lane.
func (l *link) bulk(ctx context.Context, h wire.Header) (*bulkLane, *wire.Bulk, error) {
	h.Lane = wire.LaneBulk
	str, err := l.open(ctx, h)
	if err != nil {
		return nil, nil, broken(err)
	}
	b := &bulkLane{str: str, r: wire.NewReader(str)}
	b.stop = context.AfterFunc(ctx, func() { reset(str) })
	first, err := b.read()
	if err != nil {
		b.close()
		return nil, nil, err
	}
	return b, first, nil
}

// bulkLane is the stream of one attempt.
type bulkLane struct {
	str  webtransport.Stream
	r    *wire.Reader
	stop func() bool
}

func (b *bulkLane) close() {
	b.stop()
	reset(b.str)
}

// read reads a line. If the server refuses the transfer, that is its error.
func (b *bulkLane) read() (*wire.Bulk, error) {
	line, err := b.r.Line(wire.MaxLine)
	if err := hopeless(context.Background(), wire.LaneBulk, err); err != nil {
		return nil, err
	}
	if err != nil {
		return nil, broken(err)
	}
	var m wire.Bulk
	if err := json.Unmarshal(line, &m); err != nil {
		return nil, fmt.Errorf("the server's line on a bulk lane: %w", err)
	}
	if m.Error != nil {
		return nil, m.Error
	}
	if m.Artifact == nil {
		return nil, errors.New("the server's line on a bulk lane names no artifact")
	}
	return &m, nil
}

func broken(err error) error { return fmt.Errorf("%w: %w", errBroken, err) }

// upload is an upload that is under way.
type upload struct {
	id       wire.ArtifactID
	r        io.ReaderAt
	size     int64
	progress func(sent, total int64)
	done     *wire.Artifact
}

func (u *upload) attempt(ctx context.Context, l *link) (moved int64, err error) {
	b, first, err := l.bulk(ctx, wire.Header{Artifact: u.id, Op: wire.BulkPut})
	if err != nil {
		return 0, err
	}
	var reading sync.WaitGroup
	defer reading.Wait()
	defer b.close()
	if first.Done {
		u.done = first.Artifact
		u.tell(u.size)
		return 0, nil
	}
	// The server may answer before the last byte was sent, if it needs no more of them.
	answer := make(chan error, 1)
	reading.Go(func() {
		last, err := b.read()
		if err == nil {
			u.done = last.Artifact
		}
		answer <- err
		b.str.CancelWrite(uint32(wire.StreamCanceled)) // no effect if everything was sent
	})
	moved, err = u.send(l.writes.Stream(ctx, b.str), first.Offset)
	if err == nil {
		return moved, <-answer
	}
	if !errors.Is(err, errBroken) { // an error of the file
		return moved, err
	}
	select {
	case said := <-answer:
		return moved, said
	case <-time.After(lastWordTimeout):
		return moved, err
	}
}

// send writes the bytes from an offset on and closes its side of the stream.
func (u *upload) send(str webtransport.Stream, offset int64) (moved int64, err error) {
	u.tell(offset)
	buf := make([]byte, transferBuffer)
	for at := offset; at < u.size; {
		n, err := u.r.ReadAt(buf[:min(int64(len(buf)), u.size-at)], at)
		if n == 0 && err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return moved, fmt.Errorf("read byte %d of the file: %w", at, err)
		}
		if _, err := str.Write(buf[:n]); err != nil {
			return moved, broken(err)
		}
		at += int64(n)
		moved += int64(n)
		u.tell(at)
	}
	if err := str.Close(); err != nil {
		return moved, broken(err)
	}
	return moved, nil
}

func (u *upload) tell(sent int64) {
	if u.progress != nil {
		u.progress(sent, u.size)
	}
}

// download is a download that is under way.
type download struct {
	id       wire.ArtifactID
	w        io.Writer
	hash     hash.Hash // of what was written; nil for a piece, which is verified with the others
	until    int64     // where it ends; 0: at the end of the artifact
	offset   int64     // how far it is
	progress func(received, total int64)
	artifact *wire.Artifact
}

func (d *download) attempt(ctx context.Context, l *link) (moved int64, err error) {
	b, first, err := l.bulk(ctx, wire.Header{Artifact: d.id, Op: wire.BulkGet, Offset: d.offset, Length: max(0, d.until-d.offset)})
	if err != nil {
		return 0, err
	}
	defer b.close()
	b.str.Close() // nothing will be sent
	d.artifact = first.Artifact
	d.tell()
	end := first.Artifact.Size
	if d.until > 0 {
		end = min(end, d.until)
	}
	from, rest, buf := d.offset, b.r.Rest(), make([]byte, transferBuffer)
	for d.offset < end {
		n, rerr := rest.Read(buf[:min(int64(len(buf)), end-d.offset)])
		if n > 0 {
			if err := d.take(buf[:n]); err != nil {
				return d.offset - from, err
			}
		}
		if rerr != nil && d.offset < end {
			return d.offset - from, broken(rerr)
		}
	}
	return d.offset - from, nil
}

// take writes the next bytes.
func (d *download) take(b []byte) error {
	if _, err := d.w.Write(b); err != nil {
		return err
	}
	if d.hash != nil {
		d.hash.Write(b)
	}
	d.offset += int64(len(b))
	d.tell()
	return nil
}

func (d *download) tell() {
	if d.progress != nil {
		d.progress(d.offset, d.artifact.Size)
	}
}
