package webtransport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/quic-go/quic-go"

	"skein.dev/skein/webtransport/mask"
)

// Migrator is a session that can move to another local address.
type Migrator interface {
	// Migrate opens a path from a new socket and moves the connection to it when the server has answered there (RFC 9000,
	// section 9). Until then, and if that fails, nothing changes.
	Migrate(ctx context.Context) error
}

func (s *quicSession) Migrate(ctx context.Context) error {
	if s.paths == nil {
		return errors.New("webtransport: a server's connection follows its client")
	}
	s.paths.moving.Lock()
	defer s.paths.moving.Unlock()
	t, pc, err := s.paths.open()
	if err != nil {
		return err
	}
	path, err := s.conn.AddPath(t)
	if err == nil {
		if err = path.Probe(ctx); err == nil {
			err = path.Switch()
		}
	}
	if err != nil {
		return fmt.Errorf("move to another socket: %w", err)
	}
	flow := watch(pc, s.conn, s.paths.server)
	s.flow.Swap(flow).Stop()
	context.AfterFunc(s.conn.Context(), flow.Stop)
	return nil
}

// maxPaths bounds the sockets of one connection, each of which stays open until the connection ends.
const maxPaths = 16

var errTooManyPaths = fmt.Errorf("webtransport: the connection moved %d times already", maxPaths-1)

// paths has the sockets that a client's connection has used.
type paths struct {
	mask MaskConfig
	to   net.Addr // the same for all sockets

	moving sync.Mutex // one migration at a time

	mu      sync.Mutex
	ended   bool
	sockets []socket
}

type socket struct {
	t  *quic.Transport
	pc *mask.Conn
}

// server returns the address of the server. RemoteAddr of quic-go must not be called while a connection migrates.
func (p *paths) server() net.Addr { return p.to }

func (p *paths) open() (*quic.Transport, *mask.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return nil, nil, net.ErrClosed
	}
	if len(p.sockets) == maxPaths {
		return nil, nil, errTooManyPaths
	}
	udp, err := net.ListenUDP("udp", nil)
	if err != nil {
		return nil, nil, err
	}
	pc := mask.New(udp, p.mask)
	t := &quic.Transport{Conn: pc}
	p.sockets = append(p.sockets, socket{t, pc})
	return t, pc, nil
}

func (p *paths) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	for _, s := range p.sockets {
		s.t.Close()
		s.pc.Close()
	}
	p.sockets = nil
}
