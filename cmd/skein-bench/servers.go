package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"skein.dev/skein/webtransport/bare"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// benchRun is a server in a process of its own, and the bare peers in another.
type benchRun struct {
	ctx   context.Context
	o     benchOptions
	dir   string
	srv   *exec.Cmd
	peer  *exec.Cmd
	bares barePeers
}

// benchConfig is the configuration of the server that is measured: without bulk's bound, for transfers would measure that.
const benchConfig = "lanes: {bulk: none}\n"

func newBench(ctx context.Context, o benchOptions) (*benchRun, error) {
	return newBenchWith(ctx, o, benchConfig)
}

// newBenchWith starts a server with a configuration of its own.
func newBenchWith(ctx context.Context, o benchOptions, yaml string) (_ *benchRun, err error) {
	b := &benchRun{ctx: ctx, o: o}
	if b.dir, err = os.MkdirTemp("", "skein-bench-"); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(b.dir, "bench.yaml")
	if err := os.WriteFile(config, []byte(yaml), 0o600); err != nil {
		return b, err
	}
	b.srv = exec.Command(o.skein, "serve", "--data-dir", b.dir, "--config", config, "--http", "localhost:0", "--listen", "localhost:0", "--log-format", "json", "--keep-exited", "100000")
	b.peer = exec.Command(self, bareCommand().Name())
	for _, c := range []*exec.Cmd{b.srv, b.peer} {
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for this process, which ends them in order
	}
	line := func(c *exec.Cmd, out io.Reader) (string, error) {
		if err := c.Start(); err != nil {
			return "", err
		}
		sc := bufio.NewScanner(out)
		for sc.Scan() {
			if strings.Contains(sc.Text(), `"QUIC"`) || strings.Contains(sc.Text(), `"msg":"serving"`) {
				go io.Copy(io.Discard, out)
				return sc.Text(), nil
			}
		}
		return "", errors.New("the process ended at its start")
	}
	srvOut, _ := b.srv.StderrPipe()
	peerOut, _ := b.peer.StdoutPipe()
	if _, err := line(b.srv, srvOut); err != nil {
		return b, fmt.Errorf("start the server: %w", err)
	}
	l, err := line(b.peer, peerOut)
	if err != nil {
		return b, fmt.Errorf("start the bare peers: %w", err)
	}
	return b, json.Unmarshal([]byte(l), &b.bares)
}

func (b *benchRun) close() {
	for _, c := range []*exec.Cmd{b.srv, b.peer} {
		if c != nil && c.Process != nil {
			c.Process.Signal(os.Interrupt)
			c.Wait()
		}
	}
	os.RemoveAll(b.dir)
}

func (b *benchRun) n(rounds int) int { return max(1, int(float64(rounds)*b.o.scale)) }

func (b *benchRun) dial(transport string, change ...func(*client.Options)) (*client.Client, error) {
	o, err := client.FindLocal(b.dir)
	if err != nil {
		return nil, err
	}
	// TLS on both sides of the comparison: the WebSocket endpoint beside WebTransport's, not the plain one of the loopback.
	raw, err := os.ReadFile(filepath.Join(b.dir, wire.LocalFile))
	if err != nil {
		return nil, err
	}
	var l wire.Local
	if err := json.Unmarshal(raw, &l); err != nil {
		return nil, err
	}
	o.URL, o.Transport, o.Name, o.NoStatus = l.HTTPS, transport, "bench", true
	for _, f := range change {
		f(&o)
	}
	return client.Dial(b.ctx, o)
}

func (b *benchRun) dialBare(transport string) (bare.Conn, error) {
	if transport == client.WebTransport {
		return bare.DialQUIC(b.ctx, b.bares.QUIC)
	}
	return bare.DialWebSocket(b.ctx, b.bares.WS)
}

type benchOptions struct {
	scale     float64
	transport string
	only      string
	json      bool
	skein     string // path of the program that is measured
}
