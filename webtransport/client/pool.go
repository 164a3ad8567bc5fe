package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// PoolOptions bound a Pool. The zero value is a sensible one.
type PoolOptions struct {
	MaxServers  int           // connections at once; 0: 16
	MaxUsers    int           // of one connection at once; 0: 1,000
	IdleTimeout time.Duration // how long a connection without a user is kept; 0: one minute
	PingTimeout time.Duration // within which a connection must answer before it is given out after a pause; 0: 5 s
}

// Errors of a Pool.
var (
	ErrPoolClosed = errors.New("skein client: the pool is closed")
	ErrPoolFull   = errors.New("skein client: the pool is full")
)

// freshFor is how long a connection that just had a user is given out unasked.
const freshFor = 5 * time.Second

// Pool shares one live connection per server among callers. A connection is asked whether it answers before it is given
// out after a pause, replaced when the server refused it for good, and closed when nobody has used it for a while. It is
// safe for concurrent use. Servers are told apart by what their Options say, their Logger aside.
type Pool struct {
	o PoolOptions

	mu     sync.Mutex
	closed bool
	conns  map[string]*pooled
	freed  chan struct{} // closed and replaced when a user is gone
}

// pooled is one connection of a pool.
type pooled struct {
	key   string
	ready chan struct{} // closed when c or err is there
	c     *Client
	err   error

	// guarded by Pool.mu
	users int
	used  time.Time
	idle  *time.Timer // closes it; nil: it has users
}

// Lease is one user's share of a connection. Use its methods as those of a Client of one's own, then Release it.
type Lease struct {
	*Client
	release func()
}

// Release gives the share back. It may be called more than once.
func (l *Lease) Release() { l.release() }

// Close is Release: the connection is the pool's.
func (l *Lease) Close() error {
	l.release()
	return nil
}

// NewPool makes an empty pool. Close it, or Drain it, when done.
func NewPool(o PoolOptions) *Pool {
	if o.MaxServers == 0 {
		o.MaxServers = 16
	}
	if o.MaxUsers == 0 {
		o.MaxUsers = 1000
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = time.Minute
	}
	if o.PingTimeout == 0 {
		o.PingTimeout = 5 * time.Second
	}
	return &Pool{o: o, conns: map[string]*pooled{}, freed: make(chan struct{})}
}

// Get gives a share of the connection to a server, and makes the connection when there is none. Callers that come
// meanwhile wait for the same one. ErrPoolFull is wrapped when MaxServers others have users, or MaxUsers are on this one.
func (p *Pool) Get(ctx context.Context, o Options) (*Lease, error) {
	for {
		e, mine, err := p.enter(keyOf(o))
		if err != nil {
			return nil, err
		}
		if mine {
			go p.dial(e, o)
		}
		select {
		case <-e.ready:
		case <-ctx.Done():
			p.leave(e)
			return nil, ctx.Err()
		}
		if e.err != nil {
			p.leave(e)
			return nil, e.err
		}
		if p.healthy(ctx, e) {
			return &Lease{e.c, sync.OnceFunc(func() { p.leave(e) })}, nil
		}
		p.discard(e)
		p.leave(e)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

func keyOf(o Options) string {
	o.Logger = nil
	return fmt.Sprintf("%+v", o)
}

// enter counts a user in. mine: the caller is to dial.
func (p *Pool) enter(key string) (e *pooled, mine bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, false, ErrPoolClosed
	}
	e = p.conns[key]
	switch {
	case e == nil:
		if len(p.conns) >= p.o.MaxServers && !p.evict() {
			return nil, false, fmt.Errorf("%w: %d servers have users", ErrPoolFull, p.o.MaxServers)
		}
		e, mine = &pooled{key: key, ready: make(chan struct{})}, true
		p.conns[key] = e
	case e.users >= p.o.MaxUsers:
		return nil, false, fmt.Errorf("%w: this server has %d users", ErrPoolFull, e.users)
	}
	e.users++
	if e.idle != nil {
		e.idle.Stop()
		e.idle = nil
	}
	return e, mine, nil
}

// evict makes room by the connection that has been without a user longest. The caller holds mu.
func (p *Pool) evict() bool {
	var oldest *pooled
	for _, e := range p.conns {
		if e.users == 0 && (oldest == nil || e.used.Before(oldest.used)) {
			oldest = e
		}
	}
	if oldest == nil {
		return false
	}
	p.drop(oldest)
	return true
}

// drop closes a connection without users. The caller holds mu.
func (p *Pool) drop(e *pooled) {
	if p.conns[e.key] == e {
		delete(p.conns, e.key)
	}
	if e.idle != nil {
		e.idle.Stop()
		e.idle = nil
	}
	go func() {
		<-e.ready
		if e.c != nil {
			e.c.Close()
		}
	}()
}

// dial connects for all who wait. It is bounded by Dial's own time, not by one caller's patience.
func (p *Pool) dial(e *pooled, o Options) {
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	e.c, e.err = Dial(ctx, o)
	if e.err != nil {
		p.discard(e)
	}
	p.mu.Lock()
	e.used = time.Now()
	p.mu.Unlock()
	close(e.ready)
}

// discard makes the next caller dial anew.
func (p *Pool) discard(e *pooled) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns[e.key] == e {
		delete(p.conns, e.key)
	}
}

// healthy reports whether a connection is of use. One that has just been used is taken to be: a request over a session
// that broke meanwhile waits for the next one.
func (p *Pool) healthy(ctx context.Context, e *pooled) bool {
	if e.c.ctx.Err() != nil {
		return false
	}
	p.mu.Lock()
	fresh := time.Since(e.used) < freshFor || e.users > 1
	p.mu.Unlock()
	if fresh {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, p.o.PingTimeout)
	defer cancel()
	_, err := e.c.Ping(ctx)
	return err == nil
}

// leave counts a user out. The last one starts the clock.
func (p *Pool) leave(e *pooled) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.users--
	e.used = time.Now()
	close(p.freed)
	p.freed = make(chan struct{})
	switch {
	case e.users > 0:
	case p.conns[e.key] != e || p.closed: // it was discarded
		p.drop(e)
	default:
		e.idle = time.AfterFunc(p.o.IdleTimeout, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			if e.users == 0 && e.idle != nil {
				p.drop(e)
			}
		})
	}
}

// Drain takes no more callers, waits until those that are there have released their shares, and closes the connections.
// When ctx ends first it closes them all the same, and gives ctx's error.
func (p *Pool) Drain(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	for {
		users := 0
		for _, e := range p.conns {
			users += e.users
		}
		if users == 0 {
			break
		}
		freed := p.freed
		p.mu.Unlock()
		select {
		case <-freed:
			p.mu.Lock()
			continue
		case <-ctx.Done():
			p.mu.Lock()
		}
		break
	}
	all := make([]*pooled, 0, len(p.conns))
	for _, e := range p.conns {
		if e.idle != nil {
			e.idle.Stop()
		}
		all = append(all, e)
	}
	clear(p.conns)
	p.mu.Unlock()
	var closing sync.WaitGroup
	for _, e := range all {
		closing.Go(func() {
			<-e.ready
			if e.c != nil {
				e.c.Close()
			}
		})
	}
	closing.Wait()
	return ctx.Err()
}

// Close drains the pool without waiting: calls that wait fail with ErrClosed.
func (p *Pool) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p.Drain(ctx)
	return nil
}

// PoolStats is what a pool holds now.
type PoolStats struct {
	Servers int // connections, also those that are being made
	Users   int // shares that are not released
}

// Stats counts.
func (p *Pool) Stats() PoolStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := PoolStats{Servers: len(p.conns)}
	for _, e := range p.conns {
		s.Users += e.users
	}
	return s
}
