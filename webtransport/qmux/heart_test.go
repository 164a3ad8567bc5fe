package qmux

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestIdleTimeout(t *testing.T) {
	for name, test := range map[string]struct {
		cfg  Config
		peer uint64 // milliseconds
		want time.Duration
	}{
		"ours":            {Config{IdleTimeout: 5 * time.Second}, 30000, 5 * time.Second},
		"the peer's":      {Config{IdleTimeout: time.Minute}, 7000, 7 * time.Second},
		"only ours":       {Config{IdleTimeout: 5 * time.Second}, 0, 5 * time.Second},
		"only the peer's": {Config{IdleTimeout: -1}, 7000, 7 * time.Second},
		"default":         {Config{}, 0, 30 * time.Second},
		"no pings":        {Config{KeepAlive: -1}, 0, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, s := silent(t, test.cfg)
				go func() { // takes all that is sent and never answers: the pings must not keep the session alive
					for {
						if _, err := p.conn.ReadMessage(context.Background()); err != nil {
							return
						}
					}
				}()
				time.Sleep(time.Second)
				start := time.Now()
				hello := moqParams
				hello.maxIdleTimeout = test.peer
				p.send(hello.frame())
				<-s.Context().Done()
				if err := context.Cause(s.Context()); !errors.Is(err, ErrIdleTimeout) {
					t.Errorf("ended with %v", err)
				}
				if got := time.Since(start); got != test.want {
					t.Errorf("ended after %v, want %v", got, test.want)
				}
			})
		})
	}
}

// A peer that never speaks at all is given up, too.
func TestIdleBeforeParameters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := silent(t, Config{IdleTimeout: 3 * time.Second})
		<-s.Context().Done()
		if _, err := s.OpenStream(t.Context()); !errors.Is(err, ErrIdleTimeout) {
			t.Error(err)
		}
	})
}

func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := pair(t, Config{IdleTimeout: 5 * time.Second}, Config{KeepAlive: -1})
		near, far := open(t, c, s)
		time.Sleep(time.Hour)
		must(near.Write([]byte("still here")))(t)
		readN(t, far, 10)
		if sent := c.Stats().BytesSent; sent > 3600*10 {
			t.Errorf("%d bytes in an idle hour", sent)
		}
	})
}

func TestNeverIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{IdleTimeout: -1, KeepAlive: -1}
		c, s := pair(t, cfg, cfg)
		near, far := open(t, c, s)
		time.Sleep(24 * time.Hour)
		must(near.Write([]byte("still here")))(t)
		readN(t, far, 10)
	})
}

// slow delays each message, as a network does.
type slow struct {
	Conn
	delay time.Duration
}

func (s slow) WriteMessage(ctx context.Context, b []byte) error {
	time.Sleep(s.delay)
	return s.Conn.WriteMessage(ctx, b)
}

func TestRTT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe()
		c, s := closing(t, Client(slow{a, 20 * time.Millisecond}, Config{}), Server(slow{b, 30 * time.Millisecond}, Config{}))
		if got := c.RTT(); got != 0 {
			t.Errorf("%v before it was measured", got)
		}
		time.Sleep(time.Second)
		if got := c.RTT(); got < 50*time.Millisecond || got > 100*time.Millisecond {
			t.Errorf("%v at the start, want some 50 ms", got)
		}
		time.Sleep(10 * time.Minute)
		for _, got := range []time.Duration{c.RTT(), s.RTT()} {
			if got < 50*time.Millisecond || got > 51*time.Millisecond {
				t.Errorf("%v, want 50 ms", got)
			}
		}
	})
}
