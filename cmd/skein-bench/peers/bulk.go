package peers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	wt "github.com/quic-go/webtransport-go"

	"skein.dev/skein/webtransport/bare"
)

// open gives a stream of a connection, which bare.Answer serves.
type open func(ctx context.Context) (io.ReadWriter, error)

// serveTCP serves one stream a connection, in the clear.
func serveTCP(ctx context.Context, addr string, ready func(net.Addr)) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	var all sync.WaitGroup
	defer all.Wait()
	ready(ln.Addr())
	for {
		c, err := ln.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		all.Go(func() {
			defer c.Close()
			defer context.AfterFunc(ctx, func() { c.Close() })()
			bare.Answer(c)
		})
	}
}

func dialTCP(ctx context.Context, addr string) (open, func(), error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, nil, err
	}
	one := func(context.Context) (io.ReadWriter, error) { return c, nil }
	return one, func() { c.Close() }, nil
}

// bulkStreams is how many streams a session may have.
const bulkStreams = 2000

// dialWebTransport leaves quic-go's settings as they are, as followWebTransport does.
func dialWebTransport(ctx context.Context, addr string) (open, func(), error) {
	t := &wt.Transport{TLSClientConfig: anyCertificate(), QUICConfig: &quic.Config{EnableDatagrams: true, EnableStreamResetPartialDelivery: true}}
	_, sess, err := t.Dial(ctx, "https://"+addr+bulkPath, nil)
	if err != nil {
		t.Close()
		return nil, nil, err
	}
	one := func(ctx context.Context) (io.ReadWriter, error) { return sess.OpenStreamSync(ctx) }
	return one, func() { sess.CloseWithError(0, ""); t.Close() }, nil
}

// received is what a client found, on its standard output.
type received struct {
	Bytes int64
	Took  time.Duration
}

// forever is a stream that ends with its connection.
const forever = math.MaxInt64

// receive has one stream send n bytes; the time begins with the request. With forever it counts what comes in the time of
// count, after that of warm.
func receive(ctx context.Context, k kind, addr string, n int64, warm, count time.Duration) (r received, err error) {
	open, end, err := k.dial(ctx, addr)
	if err != nil {
		return r, err
	}
	defer end()
	str, err := open(ctx)
	if err != nil {
		return r, err
	}
	if n != forever {
		defer context.AfterFunc(ctx, end)()
		begin := time.Now()
		err := bare.Receive(str, n, nil)
		return received{Bytes: n, Took: time.Since(begin)}, err
	}
	var got atomic.Int64
	ended := make(chan error, 1)
	go func() { ended <- bare.Receive(str, n, func(n int) { got.Add(int64(n)) }) }()
	var before int64
	var begin time.Time
	err = window(ctx, warm, count, ended, func() { before, begin = got.Load(), time.Now() })
	r = received{Bytes: got.Load() - before, Took: time.Since(begin)}
	end()
	if err == nil {
		<-ended
		if r.Bytes == 0 {
			err = errors.New("nothing came")
		}
	}
	return r, err
}

// window waits for the time of warm, calls begin, and waits for that of count, unless a stream ends before.
func window(ctx context.Context, warm, count time.Duration, ended chan error, begin func()) error {
	for _, d := range []time.Duration{warm, count} {
		select {
		case err := <-ended:
			return fmt.Errorf("a stream ended: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(d):
		}
		if begin != nil {
			begin()
			begin = nil
		}
	}
	return nil
}

// critical is round trips beside bulk, on a stream of their own.
type critical struct {
	Took  []time.Duration
	Bytes int64 // that the bulk streams brought meanwhile
}

func beside(ctx context.Context, k kind, addr string, streams int, warm, count time.Duration) (r critical, err error) {
	open, end, err := k.dial(ctx, addr)
	if err != nil {
		return r, err
	}
	var all sync.WaitGroup
	defer all.Wait()
	defer end()
	str, err := open(ctx)
	if err != nil {
		return r, err
	}
	echo, err := bare.Echo(str)
	if err != nil {
		return r, err
	}
	var got atomic.Int64
	ended := make(chan error, streams+1)
	for range streams {
		str, err := open(ctx)
		if err != nil {
			return r, err
		}
		all.Go(func() { ended <- bare.Receive(str, forever, func(n int) { got.Add(int64(n)) }) })
	}
	var counts, over atomic.Bool
	var before int64
	all.Go(func() {
		msg := []byte(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{}}` + "\n")
		for !over.Load() {
			counted, begin := counts.Load(), time.Now()
			if err := echo(msg); err != nil {
				ended <- err
				return
			}
			if counted {
				r.Took = append(r.Took, time.Since(begin))
			}
		}
	})
	err = window(ctx, warm, count, ended, func() { before = got.Load(); counts.Store(true) })
	over.Store(true)
	r.Bytes = got.Load() - before
	end()
	all.Wait()
	if err == nil && (len(r.Took) == 0 || r.Bytes == 0) {
		err = fmt.Errorf("%d round trips beside %d bytes", len(r.Took), r.Bytes)
	}
	return r, err
}
