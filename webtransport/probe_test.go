package webtransport

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
)

// patience bounds what must happen over a bad link.
const patience = kit.Patience

func addrOf(pc net.PacketConn) netip.AddrPort { return pc.LocalAddr().(*net.UDPAddr).AddrPort() }

func listenPackets(t *testing.T) net.PacketConn {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	return pc
}

// answering calls f for each packet that comes, until the test ends.
func answering(t *testing.T, f func(pc net.PacketConn, b []byte, from net.Addr)) netip.AddrPort {
	pc := listenPackets(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buf := make([]byte, 2048)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			f(pc, buf[:n], from)
		}
	}()
	t.Cleanup(func() { pc.Close(); <-ended })
	return addrOf(pc)
}

// onlyVersion answers every packet with a Version Negotiation of one version.
func onlyVersion(v uint32) func(net.PacketConn, []byte, net.Addr) {
	return func(pc net.PacketConn, b []byte, from net.Addr) {
		to := b[6 : 6+int(b[5])]
		by := b[6+len(to)+1 : 6+len(to)+1+int(b[6+len(to)])]
		a := append([]byte{0x80, 0, 0, 0, 0, byte(len(by))}, by...)
		a = append(append(a, byte(len(to))), to...)
		pc.WriteTo(binary.BigEndian.AppendUint32(a, v), from)
	}
}

func TestProbeQUIC(t *testing.T) {
	pc, _, stop := serveQUIC(t, "127.0.0.1:0", testTLS(t), nil)
	defer stop()
	p, err := ProbeQUIC(t.Context(), addrOf(pc))
	if err != nil || p.RTT <= 0 || p.Size != 1452 || !slices.Contains(p.Versions, 1) {
		t.Errorf("%+v, %v", p, err)
	}
}

// A path may pass small packets alone, and lose some of those.
func TestProbeQUICFindsTheSizeThatPasses(t *testing.T) {
	first := true
	at := answering(t, func(pc net.PacketConn, b []byte, from net.Addr) {
		if len(b) > 1280 {
			return
		}
		if len(b) == 1280 && first {
			first = false
			return
		}
		onlyVersion(7)(pc, b, from)
	})
	p, err := ProbeQUIC(t.Context(), at)
	if err != nil || p.Size != 1280 || !slices.Equal(p.Versions, []uint32{7}) {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestProbeQUICTellsFailuresApart(t *testing.T) {
	for name, c := range map[string]struct {
		at   netip.AddrPort
		want error
	}{
		"a closed port":    {netip.MustParseAddrPort("127.0.0.1:1"), syscall.ECONNREFUSED},
		"silence":          {addrOf(listenPackets(t)), context.DeadlineExceeded},
		"another protocol": {answering(t, func(pc net.PacketConn, b []byte, from net.Addr) { pc.WriteTo([]byte("hello"), from) }), ErrNotQUIC},
		"an echo":          {answering(t, func(pc net.PacketConn, b []byte, from net.Addr) { pc.WriteTo(b, from) }), ErrNotQUIC},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			within := kit.Less(400*time.Millisecond, 2*time.Second) // all of which passes, where no answer is one of QUIC
			if c.want == syscall.ECONNREFUSED {
				within = patience
			}
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			p, err := ProbeQUIC(ctx, c.at)
			if !errors.Is(err, c.want) {
				t.Errorf("%+v, %v, want %v", p, err, c.want)
			}
		})
	}
}

func TestFaultOf(t *testing.T) {
	conf := testTLS(t)
	pc, _, stop := serveQUIC(t, "127.0.0.1:0", conf, nil)
	defer stop()
	refusing := NewQUICServer(QUICConfig{TLS: conf, Handler: http.NotFoundHandler()})
	socket := listenPackets(t)
	served := make(chan struct{})
	go func() { defer close(served); refusing.Serve(socket.(*net.UDPConn)) }()
	defer func() { refusing.Close(); <-served }()
	for name, c := range map[string]struct {
		at     netip.AddrPort
		strict bool
		want   Fault
	}{
		"silence":          {addrOf(listenPackets(t)), false, FaultSilent},
		"a wrong identity": {addrOf(pc), true, FaultTLS},
		"another version":  {answering(t, onlyVersion(0xff00001d)), false, FaultVersion},
		"no session":       {addrOf(socket), false, FaultSession},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			if c.want == FaultSilent {
				ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
			}
			defer cancel()
			_, err := DialQUIC(ctx, "https://"+c.at.String()+"/", QUICDialConfig{TLS: &tls.Config{InsecureSkipVerify: !c.strict}})
			if err == nil || FaultOf(err) != c.want {
				t.Errorf("%v is about %q, want %q", err, FaultOf(err), c.want)
			}
		})
	}
}

// A look-up that ends before there is a packet is no session that the server refuses.
func TestFaultOfADialThatEndsInTheLookUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := DialQUIC(ctx, "https://localhost:1/", QUICDialConfig{TLS: &tls.Config{}})
	if !errors.Is(err, context.Canceled) || FaultOf(err) != FaultSilent {
		t.Errorf("%v is about %q", err, FaultOf(err))
	}
	if _, err := DialQUIC(t.Context(), "https://localhost:70000/", QUICDialConfig{TLS: &tls.Config{}}); err == nil || FaultOf(err) != FaultConnect {
		t.Errorf("%v is about %q", err, FaultOf(err))
	}
}

func TestPathOf(t *testing.T) {
	client, _ := quicPair(t)
	p, ok := PathOf(client)
	if !ok || p.Version != "v1" || p.MTU < 1200 || p.MTU > 1452 || p.MaxDatagram < quicDatagramSize || p.MaxDatagram > p.MTU {
		t.Errorf("%+v, %v", p, ok)
	}
	a, b := Pipe()
	defer b.Close(0, "")
	defer a.Close(0, "")
	if _, ok := PathOf(a); ok {
		t.Error("a pipe has a path")
	}
}

func FuzzParseVersions(f *testing.F) {
	f.Add([]byte("\x80\x00\x00\x00\x00\x08abcdefgh\x08abcdefgh\x00\x00\x00\x01"))
	f.Add([]byte("\x80\x00\x00\x00\x00\x08abcdefgh\x08abcdefgh"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, versions, ok := parseVersions(b); ok && 4*len(versions) > len(b)-23 {
			t.Errorf("%d versions of %d bytes", len(versions), len(b))
		}
	})
}

func TestKnockQUIC(t *testing.T) {
	pc, _, stop := serveQUIC(t, "127.0.0.1:0", testTLS(t), nil)
	defer stop()
	url := func(at netip.AddrPort) string { return "https://" + at.String() }
	if !KnockQUIC(t.Context(), url(addrOf(pc)), time.Second) {
		t.Error("a server does not answer")
	}
	var size atomic.Int64
	strange := answering(t, func(pc net.PacketConn, b []byte, from net.Addr) {
		size.Store(int64(len(b)))
		pc.WriteTo([]byte("something else"), from)
	})
	closed := listenPackets(t)
	closed.Close()
	for what, at := range map[string]string{"nobody": url(addrOf(closed)), "silence": url(addrOf(listenPackets(t))), "another protocol": url(strange), "no URL": "https://:x"} {
		if KnockQUIC(t.Context(), at, 50*time.Millisecond) {
			t.Errorf("%s answers", what)
		}
	}
	if size.Load() != 1280 {
		t.Errorf("a knock of %d bytes", size.Load())
	}
}
