package soak

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"sync"
	"syscall"
	"time"

	"skein.dev/skein/e2e/netlab"
	"skein.dev/skein/server"
	"skein.dev/skein/webtransport/client"
)

const (
	addrVar    = "SKEIN_SOAK_ADDR"
	configFile = "skein.yaml"

	httpPort, tlsPort, metricsPort = 4480, 4433, 9480

	// delay of the link, each way.
	delay = 10 * time.Millisecond
)

// serve is the server, until SIGTERM or the end of its standard input.
func serve() error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	dir := os.Getenv(dirVar)
	s, err := server.New(ctx, server.Options{
		DataDir: filepath.Join(dir, "data"), ConfigFile: filepath.Join(dir, configFile), Node: "soak",
		HTTP: fmt.Sprintf("0.0.0.0:%d", httpPort), Listen: fmt.Sprintf("%s:%d", os.Getenv(addrVar), tlsPort), InsecureListen: true,
		MetricsListen: fmt.Sprintf("127.0.0.1:%d", metricsPort),
		KeepExited:    200, KeepTasks: 1000, MaxEventBytes: 16 << 20, // so that it soon forgets as much as it learns
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Ready:  func(server.Addresses) { fmt.Println("ready") },
	})
	if err != nil {
		return err
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	context.AfterFunc(ctx, func() { writeHeap(filepath.Join(dir, "heap.pprof")) })
	return s.Run(ctx)
}

// writeHeap says what the memory is used for, for go tool pprof.
func writeHeap(path string) {
	f, err := os.Create(path)
	if err == nil {
		runtime.GC()
		err = errors.Join(pprof.WriteHeapProfile(f), f.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// world is a server at one end of a link and its clients at the other. The test is outside, and asks the server by a way
// around the link.
type world struct {
	*netlab.Lab
	ctx             context.Context // ends whatever still runs, so that the test ends
	dir, url, token string
	log             *os.File // of all processes
	server          *process
	witness         *client.Client
	close           []func() // last first
}

func newWorld(ctx context.Context, dir string) (_ *world, err error) {
	w := &world{ctx: ctx, dir: dir}
	defer func() {
		if err != nil {
			w.Close()
		}
	}()
	if _, err := writeConfig(dir); err != nil {
		return nil, err
	}
	if w.log, err = os.Create(filepath.Join(dir, "log.txt")); err != nil {
		return nil, err
	}
	w.close = append(w.close, func() { w.log.Close() })
	if w.Lab, err = netlab.New(1, netlab.Both(netlab.Conditions{Delay: delay})); err != nil {
		return nil, err
	}
	w.close = append(w.close, w.Lab.Close)
	w.url = fmt.Sprintf("http://%s:%d", w.Server.Addr, httpPort)
	model, err := w.start(w.Server, "model")
	if err != nil {
		return nil, err
	}
	w.close = append(w.close, model.kill)
	if err := w.serve(ctx); err != nil {
		return nil, err
	}
	w.close = append(w.close, func() { w.server.kill() })
	if w.token, err = client.ReadToken(filepath.Join(dir, "data")); err != nil {
		return nil, err
	}
	return w, w.goAround(ctx)
}

// Close ends all that is in the world.
func (w *world) Close() {
	for i := len(w.close) - 1; i >= 0; i-- {
		w.close[i]()
	}
}

// process is one of this binary, in a role.
type process struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	wait func() error // waits for its end
}

func (w *world) start(h *netlab.Host, role string, env ...string) (p *process, err error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p = &process{cmd: h.Command(w.ctx, exe)}
	p.cmd.Env = append(append(os.Environ(), roleVar+"="+role, dirVar+"="+w.dir), env...)
	p.cmd.Stderr = w.log
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	p.wait = sync.OnceValue(func() error {
		io.Copy(io.Discard, p.out)
		return p.cmd.Wait()
	})
	return p, p.cmd.Start()
}

// kill ends the process at once, as a crash would.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.wait()
}

// end asks the process to end, and waits.
func (p *process) end() error {
	p.cmd.Process.Signal(syscall.SIGTERM)
	p.in.Close()
	return p.wait()
}

// serve starts the server.
func (w *world) serve(ctx context.Context) (err error) {
	if w.server, err = w.start(w.Server, "server", addrVar+"="+w.Server.Addr.String()); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { w.server.cmd.Process.Kill() })
	defer stop()
	if line, err := w.server.out.ReadString('\n'); err != nil || line != "ready\n" {
		return fmt.Errorf("the server does not serve: %q, %w", line, err)
	}
	return nil
}

// restart ends the server, by a signal or as a crash does, and starts it again.
func (w *world) restart(ctx context.Context, crash bool) error {
	if crash {
		w.server.kill()
	} else if err := w.server.end(); err != nil {
		return fmt.Errorf("the server was asked to end: %w", err)
	}
	return w.serve(ctx)
}

// goAround connects the witness.
func (w *world) goAround(ctx context.Context) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.close = append(w.close, func() { ln.Close() })
	go func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			go w.carry(near)
		}
	}()
	w.witness, err = client.Dial(ctx, client.Options{URL: "http://" + ln.Addr().String(), Token: w.token, Transport: client.WebSocket, Name: "witness", NoStatus: true})
	if err != nil {
		return fmt.Errorf("the way around the link: %w", err)
	}
	w.close = append(w.close, func() { w.witness.Close() })
	return nil
}

// carry takes a connection to the server, around the link.
func (w *world) carry(near net.Conn) {
	defer near.Close()
	far, err := w.inside(httpPort)
	if err != nil {
		return
	}
	defer far.Close()
	go func() {
		io.Copy(far, near)
		far.Close()
	}()
	io.Copy(near, far)
}

// inside connects to a port at the server's end.
func (w *world) inside(port int) (c net.Conn, err error) {
	err = w.Server.Do(func() (err error) {
		c, err = net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), 5*time.Second)
		return err
	})
	return c, err
}

// fault is what happens to the clients' network.
type fault struct {
	name    string
	happens func(ctx context.Context, w *world) error
}

var faults = []fault{
	{"the clients' address changes", func(_ context.Context, w *world) error { return w.MoveClient() }},
	{"no link for 8 s", during(8*time.Second, netlab.Conditions{Down: true})},
	{"5 % loss for 20 s", during(20*time.Second, netlab.Conditions{Loss: 0.05})},
	{"UDP is blocked for 30 s", during(30*time.Second, netlab.Conditions{NoUDP: true})},
	{"the NAT rebinds", func(_ context.Context, w *world) error { w.NAT(true); return nil }},
	{"20 % reordered for 10 s", during(10*time.Second, netlab.Conditions{Reorder: 0.2})},
	{"2 Mbit/s for 20 s", during(20*time.Second, netlab.Conditions{Rate: 2e6})},
}

// during gives the link other conditions for some time.
func during(d time.Duration, c netlab.Conditions) func(context.Context, *world) error {
	return func(ctx context.Context, w *world) error {
		good := w.Conditions()
		defer w.Set(good)
		c.Delay = delay
		w.Set(netlab.Both(c))
		return pause(ctx, d)
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
