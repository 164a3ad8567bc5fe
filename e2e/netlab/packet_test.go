package netlab

import (
	"encoding/binary"
	"net/netip"
	"testing"
)

// ipv4 makes a packet with right checksums.
func ipv4(proto byte, from, to netip.AddrPort, payload string) []byte {
	head := map[byte]int{protoTCP: 20, protoUDP: 8}[proto]
	b := make([]byte, 20+head, 20+head+len(payload))
	b[0], b[8], b[9] = 0x45, 64, proto
	copy(b[12:], from.Addr().AsSlice())
	copy(b[16:], to.Addr().AsSlice())
	binary.BigEndian.PutUint16(b[20:], from.Port())
	binary.BigEndian.PutUint16(b[22:], to.Port())
	if proto == protoUDP {
		binary.BigEndian.PutUint16(b[24:], uint16(head+len(payload)))
	}
	b = append(b, payload...)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	binary.BigEndian.PutUint16(b[10:], ^sum(b[:20], 0))
	at := 20 + map[byte]int{protoTCP: 16, protoUDP: 6}[proto]
	binary.BigEndian.PutUint16(b[at:], ^transportSum(b))
	return b
}

// sum is the ones' complement sum (RFC 1071); over a header with its checksum it is 0xffff.
func sum(b []byte, start uint32) uint16 {
	for i := 0; i < len(b); i += 2 {
		v := uint32(b[i]) << 8
		if i+1 < len(b) {
			v |= uint32(b[i+1])
		}
		start += v
	}
	for start > 0xffff {
		start = start&0xffff + start>>16
	}
	return uint16(start)
}

func transportSum(b []byte) uint16 {
	return sum(b[20:], uint32(sum(b[12:20], 0))+uint32(b[9])+uint32(len(b)-20))
}

func TestANATTranslatesAndRebinds(t *testing.T) {
	t.Parallel()
	client, server := netip.MustParseAddrPort("10.80.0.2:5000"), netip.MustParseAddrPort("10.80.0.1:443")
	for _, proto := range []byte{protoTCP, protoUDP} {
		n := newNAT(netip.MustParseAddr("10.80.1.1"))
		up := func(from netip.AddrPort) netip.AddrPort {
			t.Helper()
			b := ipv4(proto, from, server, "odd")
			p, ok := parse(b)
			if !ok {
				t.Fatal("not parsed")
			}
			n.up(p)
			if sum(b[:20], 0) != 0xffff || transportSum(b) != 0xffff || p.destination() != server {
				t.Errorf("%d: sums %x, %x, to %s", proto, sum(b[:20], 0), transportSum(b), p.destination())
			}
			return p.source()
		}
		down := func(to netip.AddrPort) (netip.AddrPort, bool) {
			t.Helper()
			b := ipv4(proto, server, to, "back")
			p, _ := parse(b)
			ok := n.down(p)
			if sum(b[:20], 0) != 0xffff || transportSum(b) != 0xffff {
				t.Errorf("%d: sums %x, %x", proto, sum(b[:20], 0), transportSum(b))
			}
			return p.destination(), ok
		}
		outer := up(client)
		if outer.Addr() != n.outer || up(client) != outer || up(netip.MustParseAddrPort("10.80.0.2:5001")) == outer {
			t.Errorf("a flow has one place: %s", outer)
		}
		if got, ok := down(outer); !ok || got != client {
			t.Errorf("back to %s", got)
		}
		if _, ok := down(netip.AddrPortFrom(outer.Addr(), 9)); ok {
			t.Error("a packet of no flow passed")
		}
		n.rebind(outer.Addr().Next())
		if _, ok := down(outer); ok {
			t.Error("the old place is still there")
		}
		moved := up(client)
		if moved.Addr() == outer.Addr() || moved.Port() == outer.Port() {
			t.Errorf("it did not move: %s", moved)
		}
		if got, ok := down(moved); !ok || got != client {
			t.Errorf("back to %s", got)
		}
	}
}

func FuzzParse(f *testing.F) {
	a, b := netip.MustParseAddrPort("10.80.0.2:5000"), netip.MustParseAddrPort("10.80.0.1:443")
	f.Add(ipv4(protoTCP, a, b, "x"))
	f.Add(ipv4(protoUDP, a, b, ""))
	f.Add([]byte{0x60})
	f.Add([]byte{0x4f, 19: 17})
	f.Fuzz(func(t *testing.T, bytes []byte) {
		p, ok := parse(bytes)
		if !ok {
			return
		}
		n := newNAT(netip.MustParseAddr("10.80.1.1"))
		from, to := p.source(), p.destination()
		n.up(p)
		if p.source().Addr() != n.outer || p.destination() != to {
			t.Fatalf("%s to %s became %s to %s", from, to, p.source(), p.destination())
		}
	})
}
