package netlab

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// mtu of the link, in bytes, as on most of them.
const mtu = 1500

// Lab is two hosts with a link between them.
type Lab struct {
	*Link
	Client, Server *Host

	mu  sync.Mutex
	nat *nat // nil: none

	tuns  [2]*os.File // of Client, of Server
	pumps sync.WaitGroup
	close sync.Once
}

// Host is one end of the lab: a network namespace with a loopback and one address.
type Host struct {
	Namespace string
	Addr      netip.Addr
	device    string
}

// Unavailable says why there can be no lab here; nil: there can.
func Unavailable() error {
	if os.Geteuid() != 0 {
		return errors.New("a lab needs root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return errors.New("a lab needs iproute2")
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		return errors.New("a lab needs /dev/net/tun")
	}
	return nil
}

var labs atomic.Int64

// New makes a lab. Close it.
func New(seed uint64, c [2]Conditions) (*Lab, error) {
	if err := Unavailable(); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("lab%d-%d", os.Getpid(), labs.Add(1))
	l := &Lab{Link: NewLink(seed, c),
		Client: &Host{Namespace: name + "c", Addr: netip.MustParseAddr("10.80.0.2"), device: "lab0"},
		Server: &Host{Namespace: name + "s", Addr: netip.MustParseAddr("10.80.0.1"), device: "lab0"}}
	for i, h := range []*Host{l.Client, l.Server} {
		tun, err := h.open()
		if err != nil {
			l.Close()
			return nil, fmt.Errorf("make the lab: %w", err)
		}
		l.tuns[i] = tun
	}
	for d := range l.tuns {
		out := &sink{to: l.tuns[1-d], wake: make(chan struct{}, 1)}
		l.pumps.Go(func() { l.pump(Direction(d), l.tuns[d], out) })
		l.pumps.Go(out.run)
	}
	return l, nil
}

// Close ends the lab: its hosts, and every socket in them.
func (l *Lab) Close() {
	l.close.Do(func() {
		for _, f := range l.tuns {
			if f != nil {
				f.Close()
			}
		}
		l.pumps.Wait()
		for _, h := range []*Host{l.Client, l.Server} {
			ip("netns", "del", h.Namespace)
		}
	})
}

// NAT puts a NAT before the client, whose outer address is 10.80.1.1. Called again it rebinds: every flow gets another
// port and, if move says so, the NAT another address.
func (l *Lab) NAT(move bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.nat == nil {
		l.nat = newNAT(netip.MustParseAddr("10.80.1.1"))
		return
	}
	outer := l.nat.outer
	if move {
		outer = outer.Next()
	}
	l.nat.rebind(outer)
}

// MoveClient gives the client another address in place of the one it has, as a laptop that changes networks.
func (l *Lab) MoveClient() error {
	h := l.Client
	next := h.Addr.Next()
	if err := ip("-n", h.Namespace, "addr", "del", h.Addr.String()+"/16", "dev", h.device); err != nil {
		return err
	}
	h.Addr = next
	return h.address()
}

// TCP sets the congestion control of TCP connections over the link to come, such as cubic or bbr.
func (h *Host) TCP(congestion string) error {
	return ip("-n", h.Namespace, "route", "replace", "10.80.0.0/16", "dev", h.device, "src", h.Addr.String(), "proto", "kernel", "scope", "link", "congctl", congestion)
}

// Command runs a program on the host, in its namespace.
func (h *Host) Command(ctx context.Context, program string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", h.Namespace, program}, args...)...)
}

// Do calls f on a thread in the host's namespace. Sockets that f itself opens, not in other goroutines, are the host's
// for good.
func (h *Host) Do(f func() error) error {
	ended := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		ns, err := os.Open("/run/netns/" + h.Namespace)
		if err == nil {
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
			ns.Close()
		}
		if err == nil {
			err = f()
		}
		ended <- err
	}()
	return <-ended
}

// open makes the host and gives its end of the link.
func (h *Host) open() (tun *os.File, err error) {
	if err := ip("netns", "add", h.Namespace); err != nil {
		return nil, err
	}
	if err := ip("-n", h.Namespace, "link", "set", "lo", "up"); err != nil {
		return nil, err
	}
	err = h.Do(func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return fmt.Errorf("open /dev/net/tun: %w", err)
		}
		req, err := unix.NewIfreq(h.device)
		if err == nil {
			req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
			err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
		}
		if err != nil {
			unix.Close(fd)
			return fmt.Errorf("make a TUN device: %w", err)
		}
		tun = os.NewFile(uintptr(fd), "/dev/net/tun")
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := ip("-n", h.Namespace, "link", "set", h.device, "up", "mtu", fmt.Sprint(mtu), "txqueuelen", "5000"); err != nil {
		return tun, err
	}
	return tun, h.address()
}

// address is in 10.80.0.0/16, where the NAT's outer addresses are too.
func (h *Host) address() error {
	return ip("-n", h.Namespace, "addr", "add", h.Addr.String()+"/16", "dev", h.device)
}

func ip(args ...string) error {
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// pump reads what a host sends, until the lab is closed.
func (l *Lab) pump(d Direction, from *os.File, out *sink) {
	defer out.end()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		now := time.Now()
		p, ok := parse(buf[:n])
		at, passes := l.Pass(now, d, n, ok && p.proto == protoUDP)
		if !passes {
			continue
		}
		b := append(make([]byte, 0, n), buf[:n]...)
		if p, ok := parse(b); ok && !l.translate(d, p) {
			continue
		}
		out.add(at, b)
	}
}

func (l *Lab) translate(d Direction, p packet) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.nat == nil:
		return true
	case d == Down:
		return l.nat.down(p)
	}
	l.nat.up(p)
	return true
}

// sink writes packets when their time has come.
type sink struct {
	to   *os.File
	wake chan struct{}

	mu    sync.Mutex
	queue schedule
	next  uint64
	ended bool
}

func (s *sink) add(at time.Time, b []byte) {
	s.mu.Lock()
	s.next++
	heap.Push(&s.queue, scheduled{at, s.next, b})
	first := s.queue[0].seq == s.next
	s.mu.Unlock()
	if first {
		s.ring()
	}
}

func (s *sink) end() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.ring()
}

func (s *sink) ring() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *sink) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		s.mu.Lock()
		if s.ended {
			s.mu.Unlock()
			return
		}
		wait := time.Hour
		for len(s.queue) > 0 {
			if wait = time.Until(s.queue[0].at); wait > 0 {
				break
			}
			p := heap.Pop(&s.queue).(scheduled)
			s.mu.Unlock()
			s.to.Write(p.b) // a device that is full drops it, as any does
			s.mu.Lock()
			wait = time.Hour
		}
		s.mu.Unlock()
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-s.wake:
		}
	}
}

type scheduled struct {
	at  time.Time
	seq uint64 // those of one moment keep their order
	b   []byte
}

// schedule is a heap: what comes first, first.
type schedule []scheduled

func (s schedule) Len() int { return len(s) }
func (s schedule) Less(i, j int) bool {
	return s[i].at.Before(s[j].at) || s[i].at.Equal(s[j].at) && s[i].seq < s[j].seq
}
func (s schedule) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s *schedule) Push(v any)   { *s = append(*s, v.(scheduled)) }
func (s *schedule) Pop() any {
	old := *s
	v := old[len(old)-1]
	*s = old[:len(old)-1]
	return v
}
