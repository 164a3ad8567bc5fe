package webtransport

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/quic-go/quic-go"
)

// probeSizes are the UDP payloads of a probe in bytes: the least that a path must pass for QUIC (RFC 9000, section 14),
// the size of the first packets of DialQUIC, and the largest size that it ever sends.
var probeSizes = []int{1200, 1280, 1452}

const (
	// probeVersion is a version that nobody supports (RFC 9000, section 15).
	probeVersion = 0x1a2a3a4a
	// probeWait is the time between the first two rounds of packets. It doubles with each round.
	probeWait = 250 * time.Millisecond
	// probeMore is how many rounds follow the first reply, for sizes that were only lost.
	probeMore = 2
)

// ErrNotQUIC is returned by ProbeQUIC if another protocol answers.
var ErrNotQUIC = errors.New("what answers does not speak QUIC")

// Probe is the result of ProbeQUIC.
type Probe struct {
	RTT      time.Duration // of the fastest reply
	Versions []uint32      // that the server supports
	Size     int           // the largest UDP payload that reached it, of 1200, 1280 and 1452 bytes
}

// ProbeQUIC asks an address which versions of QUIC it supports, without a handshake (RFC 8999, section 6). It connects
// the socket, so that a refusal by ICMP is reported as syscall.ECONNREFUSED. If there is no reply, it waits until ctx
// ends.
func ProbeQUIC(ctx context.Context, to netip.AddrPort) (Probe, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", to.String())
	if err != nil {
		return Probe{}, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	p := newProber(conn, probeSizes)
	more, wait := probeMore, probeWait
	for round := byte(0); ; round++ {
		if err := p.round(round, wait); err != nil && p.answer.Size == 0 {
			if ctx.Err() != nil {
				err = ctx.Err()
				if p.strange {
					err = ErrNotQUIC
				}
			}
			return Probe{}, fmt.Errorf("ask %s for its versions of QUIC: %w", to, err)
		}
		if p.answer.Size > 0 {
			if more--; more < 0 || p.answer.Size == probeSizes[len(probeSizes)-1] || ctx.Err() != nil {
				return p.answer, nil
			}
			continue
		}
		wait *= 2
	}
}

// KnockQUIC asks the host of an https URL for its versions of QUIC with one packet, which is as large as the first ones
// of DialQUIC. It reports whether a reply arrived within wait.
func KnockQUIC(ctx context.Context, url string, wait time.Duration) bool {
	host, err := hostPort(url)
	if err != nil {
		return false
	}
	to, err := resolve(ctx, host)
	if err != nil {
		return false
	}
	conn, err := net.DialUDP("udp", nil, to)
	if err != nil {
		return false
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	p := newProber(conn, probeSizes[1:2])
	return p.round(0, wait) == nil && p.answer.Size > 0
}

// prober is the state of one ProbeQUIC or KnockQUIC.
type prober struct {
	conn    net.Conn
	sizes   []int
	id      [8]byte // of this probe; the last two bytes are round and size
	sent    [256]time.Time
	answer  Probe
	strange bool // something other than a reply was received
}

func newProber(conn net.Conn, sizes []int) *prober {
	p := &prober{conn: conn, sizes: sizes}
	rand.Read(p.id[:6])
	return p
}

// round sends a packet of each size. It reads replies until the time is over or the largest packet was answered.
func (p *prober) round(n byte, wait time.Duration) error {
	p.sent[n] = time.Now()
	for i, size := range p.sizes {
		b := binary.BigEndian.AppendUint32([]byte{0xc0}, probeVersion)
		id := p.id
		id[6], id[7] = n, byte(i)
		b = append(append(b, 8), id[:]...)
		b = append(append(b, 8), id[:]...)
		if _, err := p.conn.Write(append(b, make([]byte, size-len(b))...)); err != nil && !errors.Is(err, syscall.EMSGSIZE) {
			return err
		}
	}
	p.conn.SetReadDeadline(p.sent[n].Add(wait))
	buf := make([]byte, 2048)
	for {
		got, err := p.conn.Read(buf)
		if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
			return nil
		}
		if err != nil {
			return err
		}
		if id, versions, ok := parseVersions(buf[:got]); ok && id[6] <= n && int(id[7]) < len(p.sizes) && [6]byte(id[:6]) == [6]byte(p.id[:6]) {
			p.take(id, versions)
			if p.answer.Size == p.sizes[len(p.sizes)-1] {
				return nil
			}
			continue
		}
		p.strange = true
	}
}

func (p *prober) take(id [8]byte, versions []uint32) {
	rtt := time.Since(p.sent[id[6]])
	if p.answer.Size == 0 || rtt < p.answer.RTT {
		p.answer.RTT = rtt
	}
	p.answer.Versions = versions
	p.answer.Size = max(p.answer.Size, p.sizes[id[7]])
}

// parseVersions parses a Version Negotiation packet (RFC 8999, section 6) that answers one of the probe's ids. It leaves
// out versions that are reserved to exercise version negotiation.
func parseVersions(b []byte) (id [8]byte, versions []uint32, ok bool) {
	if len(b) < 7+2*len(id) || b[0]&0x80 == 0 || binary.BigEndian.Uint32(b[1:]) != 0 || b[5] != 8 || b[14] != 8 {
		return id, nil, false
	}
	copy(id[:], b[6:])
	rest := b[23:]
	if len(rest) == 0 || len(rest)%4 != 0 {
		return id, nil, false
	}
	for v := range slices.Chunk(rest, 4) {
		if n := binary.BigEndian.Uint32(v); n&0x0f0f0f0f != 0x0a0a0a0a {
			versions = append(versions, n)
		}
	}
	return id, versions, true
}

// Path is what a QUIC session knows of its path to the peer.
type Path struct {
	Version     string // version of QUIC, such as "v1"
	MTU         int    // the largest UDP payload that is known to pass, which is discovered in the first round trips
	MaxDatagram int    // the largest payload of a datagram at the moment, in bytes; 0: the peer accepts none
}

// quicFraming is how many bytes quic-go leaves free in a packet with a datagram frame, apart from the header of the
// frame.
const quicFraming = 1 + 20 + 16

// PathOf returns the path of a session, and false if the session does not use QUIC.
func PathOf(s Session) (Path, bool) {
	q, ok := s.(*quicSession)
	if !ok {
		return Path{}, false
	}
	st := q.conn.ConnectionState()
	p := Path{Version: st.Version.String()}
	var tooLarge *quic.DatagramTooLargeError
	if st.SupportsDatagrams.Remote && errors.As(q.conn.SendDatagram(make([]byte, 64<<10)), &tooLarge) { // never sent
		p.MTU = int(tooLarge.MaxDatagramPayloadSize) + quicFraming
		p.MaxDatagram = int(tooLarge.MaxDatagramPayloadSize) - 1 // the session's id
	}
	return p, true
}
