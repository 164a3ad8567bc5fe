package netlab

import (
	"encoding/binary"
	"net/netip"
)

const (
	protoTCP = 6
	protoUDP = 17
)

// packet is an IPv4 packet with a TCP or UDP header, as far as a NAT reads it.
type packet struct {
	bytes []byte
	at    int // of the header behind IP's
	proto byte
}

// parse reads a packet; ok is false for all that a NAT does not translate: another protocol, a fragment, half a header.
func parse(b []byte) (p packet, ok bool) {
	if len(b) < 20 || b[0]>>4 != 4 {
		return p, false
	}
	p = packet{bytes: b, at: int(b[0]&0xf) * 4, proto: b[9]}
	least := map[byte]int{protoTCP: 20, protoUDP: 8}[p.proto]
	fragment := binary.BigEndian.Uint16(b[6:])&0x3fff != 0
	return p, least > 0 && !fragment && p.at >= 20 && len(b) >= p.at+least
}

func (p packet) source() netip.AddrPort      { return p.end(12, p.at) }
func (p packet) destination() netip.AddrPort { return p.end(16, p.at+2) }

func (p packet) end(addr, port int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(p.bytes[addr:])), binary.BigEndian.Uint16(p.bytes[port:]))
}

func (p packet) setSource(a netip.AddrPort)      { p.setEnd(12, p.at, a) }
func (p packet) setDestination(a netip.AddrPort) { p.setEnd(16, p.at+2, a) }

// setEnd writes an address and a port, and mends the checksums by the difference (RFC 1624).
func (p packet) setEnd(addr, port int, a netip.AddrPort) {
	ip := a.Addr().As4()
	sum, may := p.at+16, true
	if p.proto == protoUDP {
		sum = p.at + 6
		may = binary.BigEndian.Uint16(p.bytes[sum:]) != 0 // 0: the sender made none
	}
	put := func(at int, v uint16, isIP bool) {
		old := binary.BigEndian.Uint16(p.bytes[at:])
		binary.BigEndian.PutUint16(p.bytes[at:], v)
		if isIP {
			mend(p.bytes[10:], old, v)
		}
		if may {
			mend(p.bytes[sum:], old, v)
		}
	}
	put(addr, binary.BigEndian.Uint16(ip[:]), true)
	put(addr+2, binary.BigEndian.Uint16(ip[2:]), true)
	put(port, a.Port(), false)
	if may && p.proto == protoUDP && binary.BigEndian.Uint16(p.bytes[sum:]) == 0 {
		binary.BigEndian.PutUint16(p.bytes[sum:], 0xffff)
	}
}

func mend(sum []byte, before, after uint16) {
	v := uint32(^binary.BigEndian.Uint16(sum)) + uint32(^before) + uint32(after)
	v = v&0xffff + v>>16
	v = v&0xffff + v>>16
	binary.BigEndian.PutUint16(sum, ^uint16(v))
}

// nat gives each flow of the client a port of its own at the outer address, as a home router does.
type nat struct {
	outer netip.Addr
	next  uint16
	out   map[flow]uint16
	in    map[flow]netip.AddrPort // by the outer port, with an empty address
}

type flow struct {
	proto  byte
	client netip.AddrPort
}

const firstPort = 20000

func newNAT(outer netip.Addr) *nat {
	return &nat{outer: outer, next: firstPort, out: map[flow]uint16{}, in: map[flow]netip.AddrPort{}}
}

// rebind forgets every flow, and goes on at another address if there is one: the next packet of a flow comes from
// somewhere else, and what is sent to the old place goes nowhere.
func (n *nat) rebind(outer netip.Addr) {
	clear(n.out)
	clear(n.in)
	n.outer = outer
}

// up translates a packet of the client.
func (n *nat) up(p packet) {
	f := flow{p.proto, p.source()}
	port, ok := n.out[f]
	if !ok {
		if n.next++; n.next < firstPort {
			n.next = firstPort
		}
		port = n.next
		n.out[f] = port
		n.in[flow{p.proto, netip.AddrPortFrom(netip.Addr{}, port)}] = f.client
	}
	p.setSource(netip.AddrPortFrom(n.outer, port))
}

// down translates a packet to the client, and says false to one that belongs to no flow.
func (n *nat) down(p packet) bool {
	d := p.destination()
	client, ok := n.in[flow{p.proto, netip.AddrPortFrom(netip.Addr{}, d.Port())}]
	if !ok || d.Addr() != n.outer {
		return false
	}
	p.setDestination(client)
	return true
}
