package mask

import (
	"net"
	"sync"
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

// received counts the packets that arrived, by their content.
type received struct {
	mu sync.Mutex
	n  map[string]int
}

// receive reads a socket until it is closed.
func receive(at *net.UDPConn) *received {
	r := &received{n: map[string]int{}}
	go func() {
		buf := make([]byte, 2000)
		for {
			m, err := at.Read(buf)
			if err != nil {
				return
			}
			r.mu.Lock()
			r.n[string(buf[:m])]++
			r.mu.Unlock()
		}
	}()
	return r
}

func (r *received) count(packet string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n[packet]
}

// lossy is a connection whose stats say that it loses packets.
func lossy(n *atomic.Uint64) func() Stats {
	return func() Stats {
		return Stats{PacketsSent: 100 * n.Add(1), PacketsLost: n.Load(), BytesSent: 1000 * n.Load(), MinRTT: 40 * time.Millisecond, SmoothedRTT: 40 * time.Millisecond}
	}
}

func TestPacketsOfALossyThinFlowAreRepeated(t *testing.T) {
	t.Parallel()
	peer, stranger := listen(t), listen(t)
	peerGot, strangerGot := receive(peer), receive(stranger)
	c := New(listen(t), Config{})
	var samples atomic.Uint64
	f := c.Watch(peer.LocalAddr, lossy(&samples))
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
	writes := f.writes.Load()
	for range 64 {
		send(peer, "y")
		send(stranger, "y")
	}
	const handshake = "\xc0 a packet of a handshake"
	send(peer, handshake)
	want := 0
	for n := writes + 1; n <= writes+64; n++ {
		if !f.probes.Load() || n%probe != 0 {
			want += 2 // so thin a flow gets two copies
		}
	}
	kit.Eventually(t, "the copies are out", func() bool { return peerGot.count("y") >= 64+want && strangerGot.count("y") >= 64 })
	f.Stop()
	send(peer, "z")
	kit.Eventually(t, "the packet after Stop", func() bool { return peerGot.count("z") > 0 })
	time.Sleep(20 * time.Millisecond) // for what must not come
	if n := peerGot.count("y"); n != 64+want {
		t.Errorf("there were %d copies of 64, %d are right: %+v", n-64, want, f.State())
	}
	for what, n := range map[string]int{"a stranger's packet": strangerGot.count("y") - 64, "one of a handshake": peerGot.count(handshake) - 1, "one after Stop": peerGot.count("z") - 1} {
		if n != 0 {
			t.Errorf("%s was repeated %d times", what, n)
		}
	}
	if got := f.State(); got.Repeated != c.Repeated() || got.Repeated < uint64(want) || got.Spacing != 40*time.Millisecond/16 {
		t.Errorf("%d were repeated: %+v", c.Repeated(), got)
	}
}

func TestAMaskHasABudget(t *testing.T) {
	t.Parallel()
	peer := listen(t)
	c := New(listen(t), Config{Ceiling: 800_000}) // 200 KB a second, and a burst of 64 KiB
	var samples atomic.Uint64
	f := c.Watch(peer.LocalAddr, lossy(&samples))
	defer f.Stop()
	b := make([]byte, 1000)
	kit.Eventually(t, "it is on", func() bool { c.WriteMsgUDP(b, nil, peer.LocalAddr().(*net.UDPAddr)); return f.State().On })
	before, begin := c.Repeated(), time.Now()
	for range 2000 {
		c.WriteMsgUDP(b, nil, peer.LocalAddr().(*net.UDPAddr))
	}
	kit.Eventually(t, "some are repeated", func() bool { return c.Repeated() > before })
	time.Sleep(50 * time.Millisecond) // for those that must not come
	n := c.Repeated() - before
	took := time.Since(begin)
	if most := uint64(70 + 200*took.Seconds()); n > most {
		t.Errorf("%d of 2000 were repeated in %s, %d may be", n, took, most)
	}
}

func TestAFlowMoves(t *testing.T) {
	t.Parallel()
	one, two := listen(t), listen(t)
	c := New(listen(t), Config{})
	var at atomic.Pointer[net.UDPConn]
	at.Store(one)
	var samples atomic.Uint64
	f := c.Watch(func() net.Addr { return at.Load().LocalAddr() }, lossy(&samples))
	defer f.Stop()
	other := c.Watch(two.LocalAddr, lossy(&samples)) // an old connection at that place
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
	newer := c.Watch(two.LocalAddr, lossy(&samples))
	newer.Stop()
	kit.Eventually(t, "it has its place again", moved)
}

func TestAMaskThatIsOff(t *testing.T) {
	t.Parallel()
	peer := listen(t)
	c := New(listen(t), Config{Off: true})
	f := c.Watch(peer.LocalAddr, func() Stats { t.Error("it samples"); return Stats{} })
	c.WriteMsgUDP([]byte("x"), nil, peer.LocalAddr().(*net.UDPAddr))
	time.Sleep(2 * sampleEvery)
	if s := f.State(); s.On || s.Reason != "it is turned off" {
		t.Errorf("%+v", s)
	}
	f.Stop()
}
