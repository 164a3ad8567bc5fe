package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"skein.dev/skein/e2e/netlab"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// fault is what happens to a link while sessions are over it.
type fault struct {
	name       string
	transports []string                                       // that clients ask for
	begins     wire.Transport                                 // what client.Auto comes to before; else each keeps to what it asked for
	ends       wire.Transport                                 // likewise, afterwards
	before     func(l *netlab.Lab)                            // what is there before the sessions; nil: nothing
	happens    func(ctx context.Context, l *netlab.Lab) error // in the middle of the sessions
	small      bool                                           // it is in the small matrix, for -race, too
}

const (
	// delay of the link, each way.
	delay = 10 * time.Millisecond
	// steady is how long a fault lasts that has no time of its own.
	steady = 6 * time.Second
)

var (
	both = []string{client.WebTransport, client.WebSocket}
	auto = []string{client.Auto}
)

// faults are sorted so that those that take long begin first.
var faults = []fault{
	{name: "UDP is blocked", transports: auto, begins: wire.WebTransport, ends: wire.WebSocket, small: true,
		happens: func(_ context.Context, l *netlab.Lab) error {
			l.Change(func(c *netlab.Conditions) { c.NoUDP = true })
			return nil
		}},
	{name: "the client's address changes", transports: both,
		happens: func(_ context.Context, l *netlab.Lab) error { return l.MoveClient() }},
	// quic-go v0.64 follows a client to two addresses, for it spends one of the client's three spare connection IDs on
	// each; at the third a Go client's session ends by its pings. Chromium's connection IDs are empty, which needs none.
	{name: "5 NAT rebindings", transports: both, small: true,
		before: func(l *netlab.Lab) { l.NAT(false) },
		happens: func(ctx context.Context, l *netlab.Lab) error {
			for i := range 5 {
				l.NAT(i%2 == 1) // at times to another address
				if err := pause(ctx, time.Second); err != nil {
					return err
				}
			}
			return nil
		}},
	{name: "UDP works again", transports: auto, begins: wire.WebSocket, ends: wire.WebTransport,
		before: func(l *netlab.Lab) { l.Change(func(c *netlab.Conditions) { c.NoUDP = true }) },
		happens: func(_ context.Context, l *netlab.Lab) error {
			l.Change(func(c *netlab.Conditions) { c.NoUDP = false })
			return nil
		}},
	{name: "no link for 2 s", transports: both, happens: lasts(2*time.Second, netlab.Conditions{Down: true})},
	{name: "a full link of 4 Mbit/s", transports: both, happens: fill},
	{name: "5 % loss", transports: both, happens: lasts(steady, netlab.Conditions{Loss: 0.05})},
	{name: "loss in bursts, 5 % of the time", transports: both, happens: lasts(steady, netlab.Conditions{Burst: netlab.Burst{Loss: 0.05, Mean: 60 * time.Millisecond}})},
	{name: "1 % loss", transports: both, happens: lasts(steady, netlab.Conditions{Loss: 0.01})},
	{name: "20 % reordered", transports: both, happens: lasts(steady, netlab.Conditions{Reorder: 0.2, ReorderBy: 15 * time.Millisecond})},
}

// lasts gives the link other conditions for some time.
func lasts(d time.Duration, c netlab.Conditions) func(context.Context, *netlab.Lab) error {
	return func(ctx context.Context, l *netlab.Lab) error {
		good := l.Conditions()
		c.Delay = delay
		hit := func() (n int) {
			for _, d := range []netlab.Direction{netlab.Up, netlab.Down} {
				counts := l.Counts(d)
				n += counts.Lost + counts.Blocked + counts.Reordered
			}
			return n
		}
		before := hit()
		l.Set(netlab.Both(c))
		defer l.Set(good)
		if err := pause(ctx, d); err != nil {
			return err
		}
		if hit() == before {
			return errors.New("it hit no packet")
		}
		return nil
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fill makes the link narrow, and fills it in both directions.
func fill(ctx context.Context, l *netlab.Lab) error {
	good, dropped := l.Conditions(), l.Counts(netlab.Down).Dropped
	defer l.Set(good)
	l.Set(netlab.Both(netlab.Conditions{Delay: delay, Rate: 4e6, Queue: 50_000}))
	var ln net.Listener
	if err := l.Server.Do(func() (err error) {
		ln, err = net.Listen("tcp", fmt.Sprintf("%s:7", l.Server.Addr))
		return err
	}); err != nil {
		return err
	}
	defer ln.Close()
	var ends [2]net.Conn
	if err := l.Client.Do(func() (err error) {
		ends[0], err = net.DialTimeout("tcp", ln.Addr().String(), maxGap)
		return err
	}); err != nil {
		return err
	}
	var err error
	if ends[1], err = ln.Accept(); err != nil {
		ends[0].Close()
		return err
	}
	var all sync.WaitGroup
	for _, c := range ends {
		all.Go(func() { io.Copy(io.Discard, c) })
		all.Go(func() {
			for b := make([]byte, 64<<10); ; {
				if _, err := c.Write(b); err != nil {
					return
				}
			}
		})
	}
	err = pause(ctx, steady)
	for _, c := range ends {
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
	all.Wait()
	if after := l.Counts(netlab.Down).Dropped; err == nil && after == dropped {
		err = errors.New("the link was not full: it dropped nothing")
	}
	return err
}
