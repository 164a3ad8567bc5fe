// Package mask hides packet loss from the flows that suffer most from it: thin ones, which notice a lost packet a round
// trip late and then halve a window that is small already. It sends each packet of such a connection twice, some
// milliseconds apart. A QUIC receiver discards the second one (RFC 9000, section 12.3), so that the peer, which may be a
// browser, needs no change.
//
// docs/loss-masking.md has the policy and its evidence.
//
// # Locks
//
// In the order in which they are taken:
//
//	Conn.mu   which flows there are, and the timer; held while the flows are sampled, and so while remote and stats are called
//	Flow.mu   what the last sample decided
//
// Sending a packet takes neither.
package mask

import (
	"maps"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// DefaultCeiling is the rate in bits per second up to which a connection counts as thin.
const DefaultCeiling = 4_000_000

// Config says what is masked.
type Config struct {
	Off bool
	// Ceiling is the rate in bits per second above which a connection is not masked; 0: DefaultCeiling. The copies take
	// at most twice as much.
	Ceiling int64
}

// Conn is a UDP socket that sends packets twice where that helps. quic-go uses it like a *net.UDPConn.
type Conn struct {
	*net.UDPConn
	c        Config
	repeated atomic.Uint64

	flows atomic.Pointer[map[netip.AddrPort]*Flow] // replaced when it changes

	mu       sync.Mutex
	sampling *time.Timer // nil if there are no flows
	all      map[*Flow]struct{}
}

// New wraps a socket. Closing the Conn closes it.
func New(c *net.UDPConn, config Config) *Conn {
	if config.Ceiling <= 0 {
		config.Ceiling = DefaultCeiling
	}
	m := &Conn{UDPConn: c, c: config, all: map[*Flow]struct{}{}}
	m.flows.Store(&map[netip.AddrPort]*Flow{})
	return m
}

// Repeated counts the packets that were sent twice.
func (c *Conn) Repeated() uint64 { return c.repeated.Load() }

// Masked counts the flows that are masked now.
func (c *Conn) Masked() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for f := range c.all {
		if f.spacing.Load() > 0 {
			n++
		}
	}
	return n
}

// Flow is a connection on a Conn.
type Flow struct {
	conn   *Conn
	remote func() net.Addr
	stats  func() Stats

	writes   atomic.Uint64
	repeated atomic.Uint64
	spacing  atomic.Int64 // nanoseconds; 0: not masked
	copies   atomic.Int32
	probes   atomic.Bool
	budget   *rate.Limiter

	// owned by sample, which runs once at a time
	policy policy
	seen   uint64
	addr   netip.AddrPort

	mu     sync.Mutex
	reason string
}

// Watch starts to sample a connection, until Stop is called on its flow. While the connection sends, remote and stats are
// called ten times a second.
func (c *Conn) Watch(remote func() net.Addr, stats func() Stats) *Flow {
	ceiling := float64(c.c.Ceiling)
	f := &Flow{conn: c, remote: remote, stats: stats, policy: policy{ceiling: ceiling}, reason: "no loss was seen",
		budget: rate.NewLimiter(rate.Limit(ceiling/4), max(int(ceiling/4/10), 64<<10))} // two copies of each packet; a burst of 100 ms
	if c.c.Off {
		f.reason = "it is turned off"
		return f
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all[f] = struct{}{}
	c.place(f)
	if c.sampling == nil {
		c.sampling = time.AfterFunc(sampleEvery, c.sample)
	}
	return f
}

// Stop ends the flow. Its packets are sent once from then on.
func (f *Flow) Stop() {
	c := f.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.all, f)
	c.unplace(f)
	if len(c.all) == 0 && c.sampling != nil {
		c.sampling.Stop()
		c.sampling = nil
	}
}

// State describes the masking of a flow.
type State struct {
	On       bool
	Copies   int           // of each packet
	Spacing  time.Duration // between a packet and its copy
	Repeated uint64        // how many copies were sent
	Reason   string        // why masking is off
}

// State returns the current state.
func (f *Flow) State() State {
	f.mu.Lock()
	defer f.mu.Unlock()
	spacing := time.Duration(f.spacing.Load())
	return State{On: spacing > 0, Copies: int(f.copies.Load()), Spacing: spacing, Repeated: f.repeated.Load(), Reason: f.reason}
}

// sample samples every flow that has sent something since the last sample.
func (c *Conn) sample() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sampling == nil {
		return
	}
	now := time.Now()
	for f := range c.all {
		c.place(f)
		if n := f.writes.Load(); n != f.seen {
			f.seen = n
			f.take(f.policy.sample(now, f.stats()))
		}
	}
	c.sampling.Reset(sampleEvery)
}

func (f *Flow) take(v verdict) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reason = v.reason
	if !v.on {
		v.spacing = 0
	}
	f.copies.Store(int32(v.copies))
	f.probes.Store(v.probe)
	f.spacing.Store(int64(v.spacing))
}

// place registers a flow under the address that its packets are sent to, which changes when the connection migrates. The
// caller holds mu.
func (c *Conn) place(f *Flow) {
	a, ok := f.remote().(*net.UDPAddr)
	if !ok {
		return
	}
	to, flows := key(a), *c.flows.Load()
	if to == f.addr && flows[to] != nil { // the flow has its place, or a newer connection has it
		return
	}
	c.unplace(f)
	f.addr = to
	flows = maps.Clone(*c.flows.Load())
	flows[to] = f
	c.flows.Store(&flows)
}

func (c *Conn) unplace(f *Flow) {
	if (*c.flows.Load())[f.addr] == f {
		flows := maps.Clone(*c.flows.Load())
		delete(flows, f.addr)
		c.flows.Store(&flows)
	}
}

func key(a *net.UDPAddr) netip.AddrPort {
	ap := a.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}

// WriteMsgUDP sends a packet, or several of the same size (UDP_SEGMENT), and repeats it later if its flow is masked.
func (c *Conn) WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error) {
	n, oobn, err = c.UDPConn.WriteMsgUDP(b, oob, addr)
	flows := *c.flows.Load()
	if len(flows) == 0 || err != nil {
		return n, oobn, err
	}
	f := flows[key(addr)]
	if f == nil {
		return n, oobn, nil
	}
	count := f.writes.Add(1)
	spacing := time.Duration(f.spacing.Load())
	longHeader := len(b) > 0 && b[0]&0x80 != 0 // part of a handshake
	if spacing > 0 && !longHeader && !(f.probes.Load() && count%probe == 0) {
		f.repeat(b, oob, addr, spacing, int(f.copies.Load()))
	}
	return n, oobn, nil
}

// buffers holds a packet and its control message.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 2048); return &b }}

// repeat sends copies of a packet, each one spacing after the one before, as far as the budget allows.
func (f *Flow) repeat(b, oob []byte, addr *net.UDPAddr, spacing time.Duration, copies int) {
	n := len(b)
	if copies == 0 || !f.budget.AllowN(time.Now(), n) {
		return
	}
	buf := buffers.Get().(*[]byte)
	*buf = append(append((*buf)[:0], b...), oob...)
	time.AfterFunc(spacing, func() {
		packet, oob := (*buf)[:n], (*buf)[n:]
		if _, _, err := f.conn.UDPConn.WriteMsgUDP(packet, oob, addr); err == nil {
			f.repeated.Add(1)
			f.conn.repeated.Add(1)
			f.repeat(packet, oob, addr, spacing, copies-1)
		}
		buffers.Put(buf)
	})
}
