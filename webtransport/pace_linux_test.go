package webtransport

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"skein.dev/skein/e2e/netlab"
	"skein.dev/skein/webtransport/pace"
)

// webSocketOverLab gives a session between the two ends of a link, as overLab does.
func webSocketOverLab(t *testing.T, c netlab.Conditions) (l *netlab.Lab, client, server Session) {
	t.Helper()
	l = newLab(t, c)
	accepted := make(chan Session, 1)
	srv := &http.Server{ConnContext: ConnContext, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s, err := AcceptWebSocket(w, r, WebSocketConfig{Protocols: []string{"test"}}); err == nil {
			accepted <- s
		}
	})}
	var ln net.Listener
	if err := l.Server.Do(func() (err error) {
		ln, err = net.Listen("tcp", net.JoinHostPort(l.Server.Addr.String(), "80"))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { defer close(served); srv.Serve(ln) }()
	t.Cleanup(func() { srv.Close(); <-served })
	// The thread that dials is the one whose namespace counts.
	there := &http.Transport{DialContext: func(_ context.Context, network, addr string) (conn net.Conn, err error) {
		err = l.Client.Do(func() error { conn, err = net.Dial(network, addr); return err })
		return conn, err
	}}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var err error
	client, err = DialWebSocket(ctx, "ws://"+l.Server.Addr.String()+"/", WebSocketConfig{Protocols: []string{"test"}, HTTPClient: &http.Client{Transport: there}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(0, "") })
	server = <-accepted
	t.Cleanup(func() { server.Close(0, "") })
	return l, client, server
}

// fill has sixteen writers write as much as they may, and a client that reads it. It gives what was read, in bytes.
func fill(t *testing.T, client, server Session, shaper Shaper) (read *atomic.Int64, stop func()) {
	t.Helper()
	read = new(atomic.Int64)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 16 {
		str, err := server.OpenStream(ctx)
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			for b := make([]byte, 64<<10); ctx.Err() == nil; {
				if _, err := shaper.Stream(ctx, str).Write(b); err != nil {
					return
				}
			}
		})
	}
	all.Go(func() {
		for {
			str, err := client.AcceptStream(ctx)
			if err != nil {
				return
			}
			all.Go(func() { io.Copy(adder{read}, str) })
		}
	})
	return read, func() {
		cancel()
		client.Close(0, "")
		server.Close(0, "")
		all.Wait()
	}
}

// adder counts what is written to it.
type adder struct{ n *atomic.Int64 }

func (a adder) Write(b []byte) (int, error) {
	a.n.Add(int64(len(b)))
	return len(b), nil
}

var labs = map[string]func(*testing.T, netlab.Conditions) (*netlab.Lab, Session, Session){"webtransport": overLab, "websocket": webSocketOverLab}

// Sixteen writers fill a link whose queue holds as much as is on the way in a round trip. With a pacer they fill the link
// as well, and its queue never overflows. The lab is in user space: the race detector, and other packages' tests beside it,
// would make queues of their own.
func TestBulkDoesNotOverflowTheQueueAtScale(t *testing.T) {
	skipUnderRace(t)
	link := netlab.Conditions{Delay: 10 * time.Millisecond, Rate: 30e6, Queue: 75_000}
	for name, lab := range labs {
		for _, paced := range []bool{false, true} {
			t.Run(name+map[bool]string{true: "", false: " without it"}[paced], func(t *testing.T) {
				l, client, server := lab(t, link)
				shaper, watched := Shaper{Gate: NewGate(8)}, 6*time.Second // it takes seconds to fill the queue again
				if paced {
					shaper.Pacer, watched = NewPacer(server), 3*time.Second
				}
				_, stop := fill(t, client, server, shaper)
				time.Sleep(2 * time.Second)
				before, begin := l.Counts(netlab.Down), time.Now()
				time.Sleep(watched)
				after, took := l.Counts(netlab.Down), time.Since(begin)
				stop()
				dropped, share := after.Dropped-before.Dropped, float64(after.Bytes-before.Bytes)*8/30e6/took.Seconds()
				t.Logf("%d packets dropped, %.2f of the link used", dropped, share)
				if paced && (dropped > 0 || share < 0.8) || !paced && dropped == 0 {
					t.Errorf("%d packets dropped, %.2f of the link used", dropped, share)
				}
			})
		}
	}
}

// compete has a TCP connection, with the kernel's congestion control, send as much as it may. It gives what was read, in bytes.
func compete(t *testing.T, l *netlab.Lab) (read *atomic.Int64) {
	t.Helper()
	read = new(atomic.Int64)
	var ln net.Listener
	if err := l.Server.Do(func() (err error) {
		ln, err = net.Listen("tcp", net.JoinHostPort(l.Server.Addr.String(), "81"))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	var conn net.Conn
	if err := l.Client.Do(func() (err error) { conn, err = net.Dial("tcp", ln.Addr().String()); return err }); err != nil {
		t.Fatal(err)
	}
	sender, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for b := make([]byte, 64<<10); ; {
			if _, err := sender.Write(b); err != nil {
				return
			}
		}
	})
	all.Go(func() { io.Copy(adder{read}, conn) })
	t.Cleanup(func() {
		ln.Close()
		conn.Close()
		sender.Close()
		all.Wait()
	})
	return read
}

// noteStates notes the states that a pacer is in, and since when, until end is called.
func noteStates(p *pace.Pacer) (end func() string) {
	done, noted := make(chan struct{}), make(chan string)
	go func() {
		var states strings.Builder
		begin, last := time.Now(), pace.State(-1)
		for {
			if s := p.State(); s != last {
				fmt.Fprintf(&states, " %.1f %s", time.Since(begin).Seconds(), s)
				last = s
			}
			select {
			case <-time.After(10 * time.Millisecond):
			case <-done:
				noted <- states.String()
				return
			}
		}
	}()
	return func() string { close(done); return <-noted }
}

// A bulk transfer of somebody else's that fills the queue leaves one with a pacer most of what it leaves one without. How much,
// depends on what else the machine does, so that little is asked for here: the simulation of the pacer's package asks for more.
func TestBulkKeepsItsShareBesideTCPAtScale(t *testing.T) {
	skipUnderRace(t)
	for name, lab := range labs {
		var got [2]float64 // Mbit/s, without a pacer and with one
		t.Run(name, func(t *testing.T) {
			for i, what := range []string{"without a pacer", "with one"} {
				t.Run(what, func(t *testing.T) {
					t.Parallel()
					l, client, server := lab(t, netlab.Conditions{Delay: 10 * time.Millisecond, Rate: 15e6, Queue: 75_000})
					shaper, states := Shaper{Gate: NewGate(8)}, func() string { return "" }
					if i == 1 {
						shaper.Pacer = NewPacer(server)
						states = noteStates(shaper.Pacer)
					}
					others := compete(t, l)
					ours, stop := fill(t, client, server, shaper)
					time.Sleep(3 * time.Second)
					before, theirs, begin := ours.Load(), others.Load(), time.Now()
					time.Sleep(20 * time.Second)
					took := time.Since(begin).Seconds()
					got[i] = float64(ours.Load()-before) * 8 / 1e6 / took
					t.Logf("%.1f Mbit/s, the other %.1f%s", got[i], float64(others.Load()-theirs)*8/1e6/took, states())
					stop()
				})
			}
		})
		if got[1] < 0.5*got[0] {
			t.Errorf("%s: %.1f Mbit/s with a pacer, %.1f without", name, got[1], got[0])
		}
	}
}
