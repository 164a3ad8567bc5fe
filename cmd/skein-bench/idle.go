package main

import (
	"context"
	"sync"
	"time"

	"skein.dev/skein/webtransport/bare"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// rss is what a process holds, in KiB, once it holds still.
func rss(pid int) (float64, error) {
	last, err := memory(pid)
	for range 20 {
		time.Sleep(200 * time.Millisecond)
		now, err := memory(pid)
		if err != nil || max(now-last, last-now) < 64 {
			return now, err
		}
		last = now
	}
	return last, err
}

// growth measures what open makes a process hold, divided by n.
func growth(pid, n int, open func() (close func(), err error)) (float64, error) {
	before, err := rss(pid)
	if err != nil {
		return 0, err
	}
	done, err := open()
	if err != nil {
		return 0, err
	}
	defer done()
	after, err := rss(pid)
	return (after - before) / float64(n), err
}

func benchSessions(b *benchRun, transport string) (r result, err error) {
	const n = 400
	r.Value, err = growth(b.srv.Process.Pid, n, func() (func(), error) {
		return openAll(n, func() (*client.Client, error) { return b.dial(transport) }, func(c *client.Client) { c.Close() })
	})
	if err != nil {
		return r, err
	}
	r.Bare, err = growth(b.peer.Process.Pid, n, func() (func(), error) {
		return openAll(n, func() (bare.Conn, error) {
			c, err := b.dialBare(transport)
			if err == nil {
				err = c.Echo([]byte("x"))
			}
			return c, err
		}, bare.Conn.Close)
	})
	return r, err
}

// openAll opens n of something, one after the other.
func openAll[T any](n int, open func() (T, error), end func(T)) (func(), error) {
	all := make([]T, 0, n)
	done := func() { closeAllOf(all, end) }
	for range n {
		v, err := open()
		if err != nil {
			done()
			return nil, err
		}
		all = append(all, v)
	}
	return done, nil
}

func closeAllOf[T any](all []T, f func(T)) {
	var wg sync.WaitGroup
	for _, v := range all {
		wg.Go(func() { f(v) })
	}
	wg.Wait()
}

// benchStreams attaches to an agent that says nothing, on many streams of few sessions.
func benchStreams(b *benchRun, transport string) (r result, err error) {
	const sessions, each = 4, 500
	r.Value, err = growth(b.srv.Process.Pid, sessions*each, func() (func(), error) {
		ctx, cancel := context.WithCancel(b.ctx)
		var all []*client.Client
		var lanes, attached sync.WaitGroup
		done := func() { cancel(); lanes.Wait(); closeAllOf(all, func(c *client.Client) { c.Close() }) }
		for range sessions {
			c, err := b.dial(transport)
			if err != nil {
				done()
				return nil, err
			}
			all = append(all, c)
			res, err := c.Spawn(ctx, wire.SpawnParams{Type: "scripted", Script: "read"})
			if err != nil {
				done()
				return nil, err
			}
			for range each {
				attached.Add(1)
				lanes.Go(func() {
					for range c.Events(ctx, res.Agents[0].ID, client.EventOptions{Follow: true, Attached: func(wire.Attached) { attached.Done() }}) {
					}
				})
			}
		}
		attached.Wait()
		return done, nil
	})
	if err != nil || transport != client.WebTransport {
		return r, err
	}
	r.Bare, err = growth(b.peer.Process.Pid, sessions*each, func() (func(), error) {
		var all []bare.Conn
		done := func() { closeAllOf(all, bare.Conn.Close) }
		for range sessions {
			c, err := b.dialBare(transport)
			if err != nil {
				done()
				return nil, err
			}
			all = append(all, c)
			for range each {
				if err := c.OpenIdle(b.ctx); err != nil {
					done()
					return nil, err
				}
			}
		}
		return done, nil
	})
	return r, err
}
