package mask

import (
	"bytes"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"skein.dev/skein/e2e/kit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func listen(t *testing.T) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// lossy is a connection whose stats say that it loses packets.
func lossy(n *atomic.Uint64) func() Stats {
	return func() Stats {
		return Stats{PacketsSent: 100 * n.Add(1), PacketsLost: n.Load(), BytesSent: 1000 * n.Load(), MinRTT: 40 * time.Millisecond, SmoothedRTT: 40 * time.Millisecond}
	}
}

func TestPacketsOfALossyThinFlowGoOutTwice(t *testing.T) {
	t.Parallel()
	peer, stranger := listen(t), listen(t)
	c := New(listen(t), Config{})
	var looks atomic.Uint64
	f := c.Watch(peer.LocalAddr, lossy(&looks))
	send := func(to *net.UDPConn, b string) {
		t.Helper()
		if _, _, err := c.WriteMsgUDP([]byte(b), nil, to.LocalAddr().(*net.UDPAddr)); err != nil {
			t.Fatal(err)
		}
	}
	send(peer, "first")
	if n := c.Repeated(); n != 0 || f.State().On || f.State().Reason != "no loss was seen" {
		t.Fatalf("before any loss: %d, %+v", n, f.State())
	}
	kit.Eventually(t, "it is on", func() bool { send(peer, "x"); return f.State().On })
	time.Sleep(50 * time.Millisecond) // the copies of these are out
	before, writes := c.Repeated(), f.writes.Load()
	for range 64 {
		send(peer, "y")
		send(stranger, "y")
	}
	send(peer, "\xc0 a packet of a handshake")
	want := before
	for n := writes + 1; n <= writes+64; n++ {
		if !f.probes.Load() || n%probe != 0 {
			want++
		}
	}
	kit.Eventually(t, "the copies are out", func() bool { return c.Repeated() >= want })
	time.Sleep(20 * time.Millisecond)
	if got := f.State(); c.Repeated() != want || got.Repeated != want || got.Spacing != 40*time.Millisecond/16 {
		t.Errorf("%d of 64 were repeated, %d are right: %+v", c.Repeated()-before, want-before, got)
	}
	count := func(at *net.UDPConn, b string) (n int) {
		buf := make([]byte, 2000)
		at.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		for {
			m, err := at.Read(buf)
			if err != nil {
				return n
			}
			if bytes.Equal(buf[:m], []byte(b)) {
				n++
			}
		}
	}
	if n := count(peer, "y"); n != 64+int(want-before) {
		t.Errorf("the peer got %d packets", n)
	}
	if n := count(stranger, "y"); n != 64 {
		t.Errorf("a stranger got %d packets", n)
	}
	f.Stop()
	send(peer, "z")
	if n := count(peer, "z"); n != 1 {
		t.Errorf("after Stop the peer got %d", n)
	}
}

func TestAMaskHasABudget(t *testing.T) {
	t.Parallel()
	peer := listen(t)
	c := New(listen(t), Config{Ceiling: 800_000}) // 200 KB a second, and a burst of 64 KiB
	var looks atomic.Uint64
	f := c.Watch(peer.LocalAddr, lossy(&looks))
	defer f.Stop()
	b := make([]byte, 1000)
	kit.Eventually(t, "it is on", func() bool { c.WriteMsgUDP(b, nil, peer.LocalAddr().(*net.UDPAddr)); return f.State().On })
	before, begin := c.Repeated(), time.Now()
	for range 2000 {
		c.WriteMsgUDP(b, nil, peer.LocalAddr().(*net.UDPAddr))
	}
	time.Sleep(50 * time.Millisecond)
	n := c.Repeated() - before
	took := time.Since(begin)
	if most := uint64(70 + 200*took.Seconds()); n == 0 || n > most {
		t.Errorf("%d of 2000 were repeated in %s, %d may be", n, took, most)
	}
}

func TestAFlowMoves(t *testing.T) {
	t.Parallel()
	one, two := listen(t), listen(t)
	c := New(listen(t), Config{})
	var at atomic.Pointer[net.UDPConn]
	at.Store(one)
	var looks atomic.Uint64
	f := c.Watch(func() net.Addr { return at.Load().LocalAddr() }, lossy(&looks))
	defer f.Stop()
	other := c.Watch(two.LocalAddr, lossy(&looks)) // an old connection at that place
	at.Store(two)
	moved := func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return (*c.flows.Load())[key(two.LocalAddr().(*net.UDPAddr))] == f
	}
	kit.Eventually(t, "it is where its packets go", moved)
	other.Stop()
	if !moved() || len(*c.flows.Load()) != 1 {
		t.Error("the end of another one took its place away")
	}
	newer := c.Watch(two.LocalAddr, lossy(&looks))
	newer.Stop()
	kit.Eventually(t, "it has its place again", moved)
}

func TestAMaskThatIsOff(t *testing.T) {
	t.Parallel()
	peer := listen(t)
	c := New(listen(t), Config{Off: true})
	f := c.Watch(peer.LocalAddr, func() Stats { t.Error("it looks"); return Stats{} })
	c.WriteMsgUDP([]byte("x"), nil, peer.LocalAddr().(*net.UDPAddr))
	time.Sleep(2 * lookEvery)
	if s := f.State(); s.On || s.Reason != "it is turned off" {
		t.Errorf("%+v", s)
	}
	f.Stop()
}
