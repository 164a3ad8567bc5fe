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
	MaxServers  int           // most connections at a time; 0: 16
	MaxUsers    int           // most users of a connection at a time; 0: 1,000
	IdleTimeout time.Duration // how long an unused connection is kept; 0: one minute
	PingTimeout time.Duration // how long a connection that was not used for a while may take to answer a ping; 0: 5 s
}

// Errors of a Pool.
var (
	ErrPoolClosed = errors.New("skein client: the pool is closed")
	ErrPoolFull   = errors.New("skein client: the pool is full")
)

// freshFor is how long after its last use a connection is reused without a ping.
const freshFor = 5 * time.Second

// Pool shares one live connection per server among callers. Before it reuses a connection that was not used for a while,
// it checks that the server answers. It replaces a connection that the server has refused permanently, and closes one
// that nobody has used for a while. Two servers are the same if all of their Options except Logger are equal. A Pool is
// safe for concurrent use.
type Pool struct {
	o PoolOptions

	mu     sync.Mutex
	closed bool
	conns  map[string]*pooled
	freed  chan struct{} // closed and replaced when a user leaves
}

// pooled is one connection of a pool.
type pooled struct {
	key   string
	ready chan struct{} // closed when c or err is set
	c     *Client
	err   error

	// guarded by Pool.mu
	users int
	used  time.Time
	idle  *time.Timer // closes the connection; nil while it has users
}

// Lease is one user's share of a connection. It is used like a Client of one's own and must be released.
type Lease struct {
	*Client
	release func()
}

// Release gives up the share. It may be called more than once.
func (l *Lease) Release() { l.release() }

// Close is the same as Release, because the connection belongs to the pool.
func (l *Lease) Close() error {
	l.release()
	return nil
}

// NewPool returns an empty pool. Close or Drain must be called when it is no longer needed.
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

// Get returns a share of the connection to a server and makes the connection if there is none. Callers that arrive in the
// meantime wait for the same connection. The error wraps ErrPoolFull if MaxServers other servers have users or this one
// has MaxUsers.
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

// enter adds a user. mine reports that the caller must dial.
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

// evict drops the connection that has been unused for longest, if there is one. The caller holds mu.
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

// drop closes an unused connection. The caller holds mu.
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

// dial connects on behalf of all who wait. Its time is bounded by itself and not by the context of one caller.
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

// discard forgets a connection, so that the next caller dials.
func (p *Pool) discard(e *pooled) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns[e.key] == e {
		delete(p.conns, e.key)
	}
}

// healthy reports whether a connection can be used. It trusts one that was used a moment ago: if that one's session has
// broken since, a request waits for the next session.
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

// leave removes a user. The last one starts the timer that closes the connection.
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

// Drain refuses new callers, waits until all shares are released, and closes the connections. If ctx ends first, it
// closes them at once and returns the error of ctx.
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

// Close closes the pool without waiting. Calls that wait for replies fail with ErrClosed.
func (p *Pool) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p.Drain(ctx)
	return nil
}

// PoolStats is what a pool holds now.
type PoolStats struct {
	Servers int // connections, including those that are being made
	Users   int // shares that are not released
}

// Stats returns the current counts.
func (p *Pool) Stats() PoolStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := PoolStats{Servers: len(p.conns)}
	for _, e := range p.conns {
		s.Users += e.users
	}
	return s
}
