package faults

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"skein.dev/skein/e2e/netlab"
	"skein.dev/skein/server"
	"skein.dev/skein/webtransport/client"
)

const (
	dirVar  = "SKEIN_FAULTS_DIR"
	addrVar = "SKEIN_FAULTS_ADDR"

	httpPort, tlsPort = 4480, 4433
)

// serve is the server of a lab, until its standard input ends. It prints a URL that signs a browser in, once.
func serve() error {
	o := server.Options{DataDir: os.Getenv(dirVar), HTTP: fmt.Sprintf("0.0.0.0:%d", httpPort), Listen: fmt.Sprintf("%s:%d", os.Getenv(addrVar), tlsPort),
		InsecureListen: true, Node: "lab", Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Ready: func(a server.Addresses) { fmt.Println(a.Login) }}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, err := server.New(ctx, o)
	if err != nil {
		return err
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return s.Run(ctx)
}

// lab is a link with a server at one end and the clients at the other. Faults happen in it one after the other.
type lab struct {
	*netlab.Lab
	dir, url, token string
	witness         *client.Client   // reaches the server by a way around the link
	peers           map[string]*peer // by the client that they have
	processes       []*process
	close           []func() error // last first
}

// newLab makes one. Its files go to dir.
func newLab(ctx context.Context, dir string, withChromium bool) (_ *lab, err error) {
	l := &lab{dir: dir, peers: map[string]*peer{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if l.Lab, err = netlab.New(1, netlab.Both(netlab.Conditions{Delay: delay})); err != nil {
		return nil, err
	}
	l.close = append(l.close, func() error { l.Lab.Close(); return nil })
	login, err := l.serve(ctx)
	if err != nil {
		return nil, err
	}
	if err := l.goAround(ctx); err != nil {
		return nil, err
	}
	cmd, err := role(ctx, l.Client, "client")
	if err != nil {
		return nil, err
	}
	if err := l.addPeer("Go", cmd); err != nil || !withChromium {
		return l, err
	}
	return l, l.addPeer("Chromium", l.Client.Command(ctx, "node", "chromium.js", l.url, login.Query().Get("token")))
}

// Close ends all that is in the lab, in order.
func (l *lab) Close() (err error) {
	for len(l.close) > 0 {
		last := len(l.close) - 1
		err = errors.Join(err, l.close[last]())
		l.close = l.close[:last]
	}
	return err
}

// role makes a process of this binary on a host.
func role(ctx context.Context, h *netlab.Host, name string, env ...string) (*exec.Cmd, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := h.Command(ctx, exe)
	cmd.Env = append(append(os.Environ(), roleVar+"="+name), env...)
	return cmd, nil
}

// process is one in a lab. It ends when its standard input does.
type process struct {
	name string
	in   io.WriteCloser
	out  io.Reader

	mu   sync.Mutex
	said strings.Builder // to its standard error, since it was last asked
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.Write(b)
}

// saying gives what it said since the last time.
func (p *process) saying() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.said.Reset()
	return p.said.String()
}

func (l *lab) start(name string, cmd *exec.Cmd) (p *process, err error) {
	p = &process{name: name}
	cmd.Stderr = p
	cmd.WaitDelay = 5 * time.Second
	if p.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if p.out, err = cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	l.processes = append(l.processes, p)
	l.close = append(l.close, func() error {
		p.in.Close()
		late := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		defer late.Stop()
		io.Copy(io.Discard, p.out)
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("%s: %w: %s", name, err, p.saying())
		}
		return nil
	})
	return p, nil
}

func (l *lab) serve(ctx context.Context) (login *url.URL, err error) {
	cmd, err := role(ctx, l.Server, "server", dirVar+"="+l.dir, addrVar+"="+l.Server.Addr.String())
	if err != nil {
		return nil, err
	}
	p, err := l.start("the server", cmd)
	if err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(p.out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("the server does not serve: %w", err)
	}
	l.url = fmt.Sprintf("http://%s:%d", l.Server.Addr, httpPort)
	if l.token, err = client.ReadToken(l.dir); err != nil {
		return nil, err
	}
	return url.Parse(strings.TrimSpace(line))
}

// goAround connects the witness.
func (l *lab) goAround(ctx context.Context) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			var far net.Conn
			if err := l.Server.Do(func() (err error) {
				far, err = net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", httpPort))
				return err
			}); err != nil {
				near.Close()
				continue
			}
			for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
				all.Go(func() {
					io.Copy(way[0], way[1])
					way[0].Close()
					way[1].Close()
				})
			}
		}
	})
	l.close = append(l.close, func() error { ln.Close(); all.Wait(); return nil })
	l.witness, err = client.Dial(ctx, client.Options{URL: "http://" + ln.Addr().String(), Token: l.token, Transport: client.WebSocket, Name: "witness", NoStatus: true})
	if err != nil {
		return fmt.Errorf("the way around the link: %w", err)
	}
	l.close = append(l.close, l.witness.Close)
	return nil
}

// addPeer starts a process with cells of a client.
func (l *lab) addPeer(client string, cmd *exec.Cmd) error {
	proc, err := l.start(client, cmd)
	if err != nil {
		return err
	}
	p := &peer{process: proc, client: client, input: json.NewEncoder(proc.in), ended: make(chan struct{}), news: make(chan struct{}), cells: map[string]*watched{}}
	go p.read()
	l.close = append(l.close, func() error { // before the process is waited for
		proc.in.Close()
		<-p.ended
		return p.wrong
	})
	l.peers[client] = p
	return nil
}
