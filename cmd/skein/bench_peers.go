package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"skein.dev/skein/e2e/netlab"
	"skein.dev/skein/webtransport/client"
)

// labPeer is what one would use in place of Skein. Its server and its client are skein-peers, a program of its own.
type labPeer struct {
	name    string // in the table, and for --transport
	kind    string // for skein-peers
	control string // TCP's congestion control
}

var labPeers = []labPeer{
	{"websocket+json cubic", "websocket", "cubic"},
	{"websocket+json bbr", "websocket", "bbr"},
	{"centrifuge", "centrifuge", "cubic"},
	{"http/2", "http2", "cubic"},
	{"webtransport-go", "webtransport-go", "cubic"},
}

// skeinTransports are those that every case runs over.
var skeinTransports = []string{client.WebTransport, client.WebSocket}

// transports are those of the case; one in the lab, which has the round trip in its name, runs the peers as well.
func (c benchCase) transports() []string {
	if strings.Contains(c.name, "RTT") {
		return slices.Concat(skeinTransports, peerNames())
	}
	return skeinTransports
}

func peerNames() (names []string) {
	for _, p := range labPeers {
		names = append(names, p.name)
	}
	return names
}

// checkTransport refuses what is no transport of any case.
func checkTransport(name string) error {
	allowed := slices.Concat([]string{client.Auto}, skeinTransports, peerNames())
	if !slices.Contains(allowed, name) {
		return usageError{fmt.Errorf("--transport %q: allowed are %q", name, allowed)}
	}
	return nil
}

// peersProgram finds skein-peers: --peers, or beside this program.
func peersProgram(path string) (string, error) {
	if path != "" {
		return exec.LookPath(path)
	}
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	path, err = exec.LookPath(filepath.Join(filepath.Dir(exe), "skein-peers"))
	if err != nil {
		return "", fmt.Errorf("%w; build ./cmd/skein-peers, or say where it is with --peers", err)
	}
	return path, nil
}

// labPeer runs a peer's server and client at the two ends of a link, as lab does Skein's.
func (b *benchRun) labPeer(p labPeer, c netlab.Conditions) (r result, err error) {
	program, err := peersProgram(b.o.peers)
	if err != nil {
		return r, skipCase{err}
	}
	l, err := newLab(c, p.control)
	if err != nil {
		return r, err
	}
	defer l.Close()
	addr := l.Server.Addr.String() + ":4433"
	srv := l.Server.Command(b.ctx, program, "serve", "--kind", p.kind, "--listen", addr)
	srv.Stderr = os.Stderr
	out, err := srv.StdoutPipe()
	if err != nil {
		return r, err
	}
	stop, err := startInLab(srv, out, "serving "+addr)
	if err != nil {
		return r, err
	}
	defer stop()
	warm, count := b.labTimes()
	cmd := l.Client.Command(b.ctx, program, "follow", "--kind", p.kind, "--addr", addr, "--warm", warm.String(), "--count", count.String())
	cmd.Stderr = os.Stderr
	found, err := cmd.Output()
	if err != nil {
		return r, fmt.Errorf("the client in the lab: %w", err)
	}
	var rep labReport
	if err := json.Unmarshal(found, &rep); err != nil {
		return r, err
	}
	return percentiles(rep.Ages, time.Millisecond), rep.whole()
}
