package kit

import (
	"bytes"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"
)

// UDPRelay stands between clients and a server, and passes packets on, or not.
type UDPRelay struct {
	pc     net.PacketConn
	work   sync.WaitGroup
	target string // set by To

	mu    sync.Mutex
	delay time.Duration       // of what the server sends
	flows map[string]*UDPFlow // by the client's address
	drop  int                 // every so many packets one is lost; 0: none
	count int
	gate  func(f *UDPFlow, toServer bool, b []byte) bool // nil: everything passes
}

// UDPFlow is what a relay passes on between one address of a client and the server.
type UDPFlow struct {
	out  net.Conn
	dead bool
}

// RelayUDP opens a relay, until the test ends. It passes nothing on before To.
func RelayUDP(t testing.TB) *UDPRelay {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &UDPRelay{pc: pc, flows: map[string]*UDPFlow{}}
	t.Cleanup(func() {
		pc.Close()
		r.mu.Lock()
		for _, f := range r.flows {
			f.out.Close()
		}
		r.mu.Unlock()
		r.work.Wait()
	})
	return r
}

// Port is where clients reach the relay, on 127.0.0.1.
func (r *UDPRelay) Port() int { return r.pc.LocalAddr().(*net.UDPAddr).Port }

// Target is the server's address.
func (r *UDPRelay) Target() string { return r.target }

// To says on which port of this machine the server is, and begins.
func (r *UDPRelay) To(port int) {
	r.target = fmt.Sprintf("127.0.0.1:%d", port)
	r.work.Go(func() {
		buf := make([]byte, 64<<10)
		for {
			n, from, err := r.pc.ReadFrom(buf)
			if err != nil {
				return
			}
			if f := r.flow(from); f != nil && r.passes(f, true, buf[:n]) {
				f.out.Write(buf[:n])
			}
		}
	})
}

func (r *UDPRelay) flow(from net.Addr) *UDPFlow {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.flows[from.String()]; f != nil {
		return f
	}
	out, err := net.Dial("udp", r.target)
	if err != nil {
		return nil
	}
	f := &UDPFlow{out: out}
	r.flows[from.String()] = f
	r.work.Go(func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := out.Read(buf)
			if err != nil {
				return
			}
			if r.passes(f, false, buf[:n]) {
				r.back(from, buf[:n])
			}
		}
	})
	return f
}

// back passes on what the server sent, when its time has come.
func (r *UDPRelay) back(to net.Addr, b []byte) {
	r.mu.Lock()
	delay := r.delay
	r.mu.Unlock()
	if delay == 0 {
		r.pc.WriteTo(b, to)
		return
	}
	b = bytes.Clone(b)
	time.AfterFunc(delay, func() { r.pc.WriteTo(b, to) })
}

func (r *UDPRelay) passes(f *UDPFlow, toServer bool, b []byte) bool {
	r.mu.Lock()
	r.count++
	passes, gate := !f.dead && (r.drop == 0 || r.count%r.drop != 0), r.gate
	r.mu.Unlock()
	return passes && (gate == nil || gate(f, toServer, b))
}

// Delay makes what the server sends arrive later by d, from now on.
func (r *UDPRelay) Delay(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.delay = d
}

// Guard makes a test decide which packets pass; nil: all.
func (r *UDPRelay) Guard(gate func(f *UDPFlow, toServer bool, b []byte) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gate = gate
}

// Lose makes one of every so many packets get lost, from now on; 0: none, 1: all.
func (r *UDPRelay) Lose(every int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop = every
}

// Cut swallows every packet of the clients that are there now, for ever.
func (r *UDPRelay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.flows {
		f.dead = true
	}
}
