package client_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func (n *node) pooled() client.Options {
	return client.Options{URL: n.addrs.HTTP, Token: n.token, Name: "test"}
}

// sessions counts the server's sessions.
func (n *node) sessions(t *testing.T) float64 {
	t.Helper()
	return n.metric(t, `skein_sessions{transport="webtransport"}`) + n.metric(t, `skein_sessions{transport="websocket"}`)
}

func TestPoolSharesOneConnection(t *testing.T) {
	t.Parallel()
	n := serve(t)
	p := client.NewPool(client.PoolOptions{IdleTimeout: 300 * time.Millisecond})
	defer p.Close()
	kept, err := p.Get(t.Context(), n.pooled()) // else the connection is idle as soon as the others are through
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			l, err := p.Get(t.Context(), n.pooled())
			if err != nil {
				t.Error(err)
				return
			}
			defer l.Release()
			if _, err := l.Spawn(t.Context(), wire.SpawnParams{Type: "scripted", Script: "say a"}); err != nil {
				t.Error(err)
			}
			l.Release() // once is enough, twice does no harm
		})
	}
	all.Wait()
	if got := n.sessions(t); got != 1 {
		t.Errorf("%v sessions for 50 callers, want 1", got)
	}
	if got := p.Stats(); got != (client.PoolStats{Servers: 1, Users: 1}) {
		t.Errorf("%+v", got)
	}
	kept.Release()
	kit.Eventually(t, "an idle connection is closed", func() bool { return n.sessions(t) == 0 && p.Stats().Servers == 0 })
	l, err := p.Get(t.Context(), n.pooled())
	if err != nil {
		t.Fatal(err)
	}
	if got := agents(t, l.Client); got != 50 {
		t.Errorf("%d agents, want 50", got)
	}
	l.Close()
}

func TestPoolReplacesWhatIsOfNoUse(t *testing.T) {
	t.Parallel()
	n := serve(t)
	p := client.NewPool(client.PoolOptions{})
	defer p.Close()
	l, err := p.Get(t.Context(), n.pooled())
	if err != nil {
		t.Fatal(err)
	}
	go l.Session().Close(uint32(wire.CloseLoggedOut), "") // which forbids to come back
	if _, err := l.Ping(t.Context()); err == nil {
		for range l.Watch(t.Context()) { // until it ends
		}
	}
	l.Release()
	again, err := p.Get(t.Context(), n.pooled())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Release()
	if again.Client == l.Client {
		t.Error("the same connection, which is over")
	}
	if _, err := again.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestPoolLimits(t *testing.T) {
	t.Parallel()
	n, other := serve(t), serve(t)
	p := client.NewPool(client.PoolOptions{MaxServers: 1, MaxUsers: 2})
	defer p.Close()
	a, err := p.Get(t.Context(), n.pooled())
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Get(t.Context(), n.pooled())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Get(t.Context(), n.pooled()); !errors.Is(err, client.ErrPoolFull) {
		t.Errorf("a third user: %v", err)
	}
	if _, err := p.Get(t.Context(), other.pooled()); !errors.Is(err, client.ErrPoolFull) {
		t.Errorf("a second server: %v", err)
	}
	a.Release()
	b.Release()
	c, err := p.Get(t.Context(), other.pooled()) // the first one has no user: it makes room
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	kit.Eventually(t, "the first server's connection is closed", func() bool { return n.sessions(t) == 0 })
}

func TestPoolTellsEveryoneOfAServerThatIsNotThere(t *testing.T) {
	t.Parallel()
	n := serve(t)
	o := n.pooled()
	n.stop()
	p := client.NewPool(client.PoolOptions{})
	defer p.Close()
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			if _, err := p.Get(t.Context(), o); err == nil {
				t.Error("a connection to nobody")
			}
		})
	}
	all.Wait()
	if got := p.Stats(); got != (client.PoolStats{}) {
		t.Errorf("%+v", got)
	}
	n = n.restart(t)
	l, err := p.Get(t.Context(), n.pooled())
	if err != nil {
		t.Fatal(err)
	}
	l.Release()
}

func TestPoolDrains(t *testing.T) {
	t.Parallel()
	n := serve(t, func(o *server.Options) {})
	p := client.NewPool(client.PoolOptions{})
	l, err := p.Get(t.Context(), n.pooled())
	if err != nil {
		t.Fatal(err)
	}
	drained := make(chan error, 1)
	go func() { drained <- p.Drain(t.Context()) }()
	kit.Eventually(t, "no more callers", func() bool {
		more, err := p.Get(t.Context(), n.pooled())
		if err == nil {
			more.Release()
		}
		return errors.Is(err, client.ErrPoolClosed)
	})
	if _, err := l.Ping(t.Context()); err != nil {
		t.Errorf("a share that is not released: %v", err)
	}
	select {
	case <-drained:
		t.Fatal("drained, with a user")
	default:
	}
	l.Release()
	if err := <-drained; err != nil {
		t.Error(err)
	}
	kit.Eventually(t, "the connection is closed", func() bool { return n.sessions(t) == 0 })

	p = client.NewPool(client.PoolOptions{})
	l, err = p.Get(t.Context(), n.pooled())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := p.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a drain with a user that stays: %v", err)
	}
	if _, err := l.Ping(t.Context()); !errors.Is(err, client.ErrClosed) {
		t.Errorf("a call after that: %v", err)
	}
	l.Release()
}
