package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"

	"skein.dev/skein/e2e/netlab"
	"skein.dev/skein/webtransport/client"
)

// labPeer is what one would use in place of Skein. Its server and its client are "skein-bench peers", each a process.
type labPeer struct {
	name    string // in the table, and for --transport
	kind    string // for skein-bench peers
	control string // TCP's congestion control
}

var labPeers = []labPeer{
	{"websocket+json cubic", "websocket", "cubic"},
	{"websocket+json bbr", "websocket", "bbr"},
	{"centrifuge", "centrifuge", "cubic"},
	{"http/2", "http2", "cubic"},
	bareWebTransport,
}

var bareWebTransport = labPeer{"webtransport-go", "webtransport-go", "cubic"}

// skeinTransports are those that every case runs over.
var skeinTransports = []string{client.WebTransport, client.WebSocket}

// withPeers is what the cases of the agents' events run over.
var withPeers = slices.Concat(skeinTransports, peerNames())

func isSkein(transport string) bool { return slices.Contains(skeinTransports, transport) }

func peerNames() (names []string) {
	for _, p := range labPeers {
		names = append(names, p.name)
	}
	return names
}

// checkTransport refuses what is no transport of any case.
func checkTransport(name string) error {
	allowed := slices.Concat([]string{client.Auto}, skeinTransports, peerNames(), terminals)
	if !slices.Contains(allowed, name) {
		return usageError{fmt.Errorf("--transport %q: allowed are %q", name, allowed)}
	}
	return nil
}

// followPeer has a peer do what lab has Skein do.
func (b *benchRun) followPeer(p labPeer, c netlab.Conditions) (r result, err error) {
	warm, count := b.labTimes()
	found, err := b.labPeer(p, c, "follow", "--warm", warm.String(), "--count", count.String())
	if err != nil {
		return r, err
	}
	var rep labReport
	if err := json.Unmarshal(found, &rep); err != nil {
		return r, err
	}
	return percentiles(rep.Ages, time.Millisecond), rep.whole()
}

// labPeer runs a peer's server and client at the two ends of a link of its own, and gives what the client prints.
func (b *benchRun) labPeer(p labPeer, c netlab.Conditions, args ...string) ([]byte, error) {
	l, err := newLab(c, p.control)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	peer, err := b.startPeer(p, l)
	if err != nil {
		return nil, err
	}
	defer peer.stop()
	out, err := peer.client(b.ctx, args...).Output()
	if err != nil {
		return nil, fmt.Errorf("the peer's client in the lab: %w", err)
	}
	return out, nil
}

// peerServer is a peer at the server's end of a link, beside Skein or alone.
type peerServer struct {
	labPeer
	lab        *netlab.Lab
	self, addr string // this program
	stop       func()
}

func (b *benchRun) startPeer(p labPeer, l *netlab.Lab) (*peerServer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &peerServer{labPeer: p, lab: l, self: self, addr: l.Server.Addr.String() + ":4434"}
	srv := l.Server.Command(b.ctx, self, "peers", "serve", "--kind", p.kind, "--listen", s.addr)
	srv.Stderr = os.Stderr
	out, err := srv.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.stop, err = startInLab(srv, out, "serving "+s.addr)
	return s, err
}

// client is the peer's client at the other end.
func (s *peerServer) client(ctx context.Context, args ...string) *exec.Cmd {
	cmd := s.lab.Client.Command(ctx, s.self, slices.Concat([]string{"peers"}, args, []string{"--kind", s.kind, "--addr", s.addr})...)
	cmd.Stderr = os.Stderr
	return cmd
}
