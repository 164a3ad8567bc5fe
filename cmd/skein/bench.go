package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"skein.dev/skein/e2e/netlab"
	"skein.dev/skein/server"
	"skein.dev/skein/webtransport/bare"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// result is one line of the table.
type result struct {
	Case      string  `json:"case"`
	Transport string  `json:"transport"`
	Unit      string  `json:"unit"`
	P50       float64 `json:"p50,omitempty"`
	P99       float64 `json:"p99,omitempty"`
	Value     float64 `json:"value,omitempty"`
	Bare      float64 `json:"bare,omitempty"`  // the same with the bare library
	Ratio     float64 `json:"ratio,omitempty"` // ours to bare
	Target    string  `json:"target,omitempty"`
	Met       *bool   `json:"met,omitempty"` // nil: no target, or nothing to compare with
	Note      string  `json:"note,omitempty"`

	more []result // further lines that the same run gave, with case and unit
}

type benchReport struct {
	Date    time.Time `json:"date"`
	Version string    `json:"version"`
	Go      string    `json:"go"`
	Machine string    `json:"machine"`
	Results []result  `json:"results"`
}

type benchOptions struct {
	scale     float64
	transport string
	only      string
	peers     string // path of skein-peers; "": beside this program
}

func benchCommand(g *global) *cobra.Command {
	var o benchOptions
	var barePeer, inLab bool
	c := &cobra.Command{
		Use: "bench", Short: "Measure this build on this machine, over both transports", Args: cobra.NoArgs,
		Long: `Measure this build on this machine: a server of its own on loopback, in a process of its own, and one client. Where the
bare libraries (webtransport-go, coder/websocket) can do the same, they are measured in the same run, and the ratio is
what counts: the machine's own speed drops out of it.

Over a bad link, which needs root, what one would use in place of Skein runs beside it, as lines of their own: a WebSocket
with JSON over TCP cubic and BBR, centrifuge, HTTP/2 and webtransport-go. The program skein-peers is needed for that. Further
cases over a link stop agents, ask beside downloads, download beside a TCP stream, and share a full link with one.

Where the design set a target, the last column says whether this run met it. What a case measures stands below the table
where its columns don't say it. Lost bytes, gaps and refusals are errors, and no figures.`,
		Example: `  skein bench
  skein bench --only spawn --transport websocket
  skein bench --only '1 % loss' --transport centrifuge
  skein bench --json > bench.json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case barePeer:
				return serveBare(cmd)
			case inLab:
				return labClient(cmd)
			}
			return bench(cmd, g, o)
		},
	}
	c.Flags().Float64Var(&o.scale, "scale", 1, "how many rounds, times the default")
	c.Flags().StringVar(&o.only, "only", "", "only cases whose name contains this")
	c.Flags().StringVar(&o.peers, "peers", "", "the program skein-peers; default: the one beside this program")
	c.Flags().BoolVar(&barePeer, "bare-peer", false, "serve the bare libraries' echo")
	c.Flags().BoolVar(&inLab, "lab-client", false, "be the client of a case in the lab")
	c.Flags().MarkHidden("bare-peer")
	c.Flags().MarkHidden("lab-client")
	return c
}

func bench(cmd *cobra.Command, g *global, o benchOptions) error {
	if err := checkTransport(g.transport); err != nil {
		return err
	}
	o.transport = g.transport
	b, err := newBench(cmd.Context(), o)
	if err != nil {
		return err
	}
	defer b.close()
	rep := benchReport{Date: time.Now().UTC().Truncate(time.Second), Version: version, Go: runtime.Version(),
		Machine: fmt.Sprintf("%d cores, %s", runtime.NumCPU(), cpuModel())}
	for _, bc := range benchCases {
		if !strings.Contains(bc.name, o.only) {
			continue
		}
		for _, t := range bc.transports() {
			if g.transport != client.Auto && g.transport != t {
				continue
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%s, %s …\n", bc.name, t)
			r, err := runCase(cmd.Context(), b, bc, t)
			var skipped skipCase
			if errors.As(err, &skipped) {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s, %s is left out: %s\n", bc.name, t, skipped)
				continue
			}
			if err != nil {
				return fmt.Errorf("%s over %s: %w", bc.name, t, err)
			}
			r.Case, r.Transport, r.Unit = bc.name, t, bc.unit
			if r.Bare > 0 && r.Ratio == 0 {
				r.Ratio = cmp.Or(r.P50, r.Value) / r.Bare
			}
			for _, r := range append([]result{r}, r.more...) {
				r.Transport, r.Note = t, benchNotes[r.Case]
				rep.Results = append(rep.Results, r)
			}
		}
	}
	decideTargets(rep.Results)
	if g.json {
		return printJSON(cmd, rep)
	}
	return printBench(cmd, rep)
}

func runCase(ctx context.Context, b *benchRun, bc benchCase, transport string) (result, error) {
	if bc.fresh {
		fresh, err := newBench(ctx, b.o)
		if err != nil {
			return result{}, err
		}
		defer fresh.close()
		b = fresh
	}
	return bc.run(b, transport)
}

func printBench(cmd *cobra.Command, rep benchReport) error {
	cmd.Printf("skein %s, %s, %s, %s\n\n", rep.Version, rep.Go, rep.Machine, rep.Date.Format(time.DateOnly))
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "case\ttransport\tp50\tp99\tvalue\tunit\tbare\tratio\ttarget\tmet\t")
	num := func(f float64) string {
		switch {
		case f == 0:
			return ""
		case f < 10:
			return fmt.Sprintf("%.2f", f)
		case f < 100:
			return fmt.Sprintf("%.1f", f)
		}
		return fmt.Sprintf("%.0f", f)
	}
	met := func(m *bool) string {
		switch {
		case m == nil:
			return ""
		case *m:
			return "yes"
		}
		return "no"
	}
	for _, r := range rep.Results {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", r.Case, r.Transport, num(r.P50), num(r.P99), num(r.Value), r.Unit, num(r.Bare), num(r.Ratio), r.Target, met(r.Met))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	told := map[string]bool{}
	for _, r := range rep.Results {
		if r.Note != "" && !told[r.Case] {
			told[r.Case] = true
			cmd.Printf("\n%s: %s.\n", r.Case, r.Note)
		}
	}
	return nil
}

func cpuModel() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.SplitSeq(string(b), "\n") {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
			return strings.TrimSpace(v)
		}
	}
	return runtime.GOARCH
}

// benchRun is a server in a process of its own, and the bare peers in another.
type benchRun struct {
	ctx   context.Context
	o     benchOptions
	dir   string
	srv   *exec.Cmd
	peer  *exec.Cmd
	bares barePeers
}

// barePeers are the URLs of the process that serves the bare libraries, and Skein's sessions beside them.
type barePeers struct{ QUIC, WS, SessionQUIC, SessionWS string }

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
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(b.dir, "bench.yaml")
	if err := os.WriteFile(config, []byte(yaml), 0o600); err != nil {
		return b, err
	}
	b.srv = exec.Command(exe, "serve", "--data-dir", b.dir, "--config", config, "--http", "localhost:0", "--listen", "localhost:0", "--log-format", "json", "--keep-exited", "100000")
	b.peer = exec.Command(exe, "bench", "--bare-peer")
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

// serveBare is the process of the bare peers.
func serveBare(cmd *cobra.Command) error {
	dir, err := os.MkdirTemp("", "skein-bare-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cert, err := server.DevCertificate(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	s, err := bare.Serve(*cert)
	if err != nil {
		return err
	}
	defer s.Close()
	p, err := serveSessions(*cert)
	if err != nil {
		return err
	}
	defer p.close()
	line, err := wire.AppendLine(nil, barePeers{QUIC: s.QUIC, WS: s.WS, SessionQUIC: p.QUIC, SessionWS: p.WS})
	if err != nil {
		return err
	}
	cmd.OutOrStdout().Write(line)
	<-cmd.Context().Done()
	return nil
}

func (b *benchRun) n(rounds int) int { return max(1, int(float64(rounds)*b.o.scale)) }

func (b *benchRun) dial(transport string, change ...func(*client.Options)) (*client.Client, error) {
	o, err := client.FindLocal(b.dir)
	if err != nil {
		return nil, err
	}
	// TLS on both sides of the comparison: the WebSocket door beside WebTransport's, not the plain one of the loopback.
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

// benchCase is one line for each transport.
type benchCase struct {
	name, unit string
	fresh      bool // in a server that did nothing before
	run        func(b *benchRun, transport string) (result, error)
	over       []string // transports, and peers; nil: both of Skein's
}

// rtt50 is the delay of each way of a round trip of 50 ms.
const rtt50 = 25 * time.Millisecond

var benchCases = []benchCase{
	{name: "echo round trip", unit: "µs", run: benchEcho},
	{name: caseEcho, unit: "µs", run: benchSessionEcho},
	{name: caseBulk, unit: "MB/s", run: benchSessionBulk},
	{name: "warm spawn, scripted", unit: "ms", run: benchSpawn(wire.SpawnParams{Type: "scripted", Script: "exit 0"}, 400)},
	{name: "warm spawn, process", unit: "ms", run: benchSpawn(wire.SpawnParams{Type: "shell", Argv: []string{"/bin/true"}}, 200)},
	{name: "batch of 100, scripted", unit: "ms", run: benchBatch},
	{name: "events from 100 agents", unit: "events/s", run: benchEvents},
	{name: "memory retrieve", unit: "µs", run: benchRetrieve},
	{name: "memory store", unit: "µs", run: benchStore},
	{name: "memory retrieve, pipelined", unit: "ops/s", run: benchPipelined(60_000, retrieveOne)},
	{name: "memory store, pipelined", unit: "ops/s", run: benchPipelined(6_000, storeOne)},
	{name: "tasks through 1 agent", unit: "tasks/s", run: benchTasks(1, 1000)},
	{name: "tasks through 10 agents", unit: "tasks/s", run: benchTasks(10, 3000)},
	{name: "tasks through 100 agents", unit: "tasks/s", run: benchTasks(100, 3000)},
	{name: "fan-out of 1,000", unit: "ms", run: benchFanOut},
	{name: "emergency stop of 500 processes", unit: "ms", run: benchEmergency},
	{name: "requests beside 500 busy agents", unit: "ms", run: benchBusy},
	{name: "status of 2,000 agents, age when seen", unit: "ms", run: benchFleet},
	{name: "upload of 64 MiB", unit: "MB/s", run: benchUpload},
	{name: "download of 64 MiB", unit: "MB/s", run: benchDownload},
	{name: "critical beside 500 bulk streams", unit: "ms", fresh: true, run: benchCritical},
	{name: "100 agents' events, 50 ms RTT, 1 % loss", unit: "ms", run: lossy(netlab.Conditions{Delay: rtt50, Rate: 20e6, Queue: 250_000, Loss: 0.01}), over: withPeers},
	{name: "100 agents' events, 50 ms RTT, 5 % loss", unit: "ms", run: lossy(netlab.Conditions{Delay: rtt50, Rate: 20e6, Queue: 250_000, Loss: 0.05}), over: withPeers},
	{name: caseBursts, unit: "ms", run: lossy(netlab.Conditions{Delay: rtt50, Rate: 20e6, Queue: 250_000, Burst: netlab.Burst{Loss: 0.01, Mean: 20 * time.Millisecond}}), over: withPeers},
	{name: caseFirst, unit: "ms", run: benchFirst},
	{name: caseStop, unit: "ms", run: benchStopLossy},
	{name: caseCritical, unit: "ms", run: benchCriticalLab},
	{name: caseOneStream, unit: "Mbit/s", run: benchOneStream, over: append(slices.Clone(skeinTransports), bareWebTransport.name)},
	{name: caseCompetition, unit: "Mbit/s", run: benchCompetition, over: []string{client.WebTransport}},
	{name: "RSS of an idle session", unit: "KiB", fresh: true, run: benchSessions},
	{name: "RSS of an idle stream", unit: "KiB", fresh: true, run: benchStreams},
}

// times runs f n times and gives the percentiles, in the unit.
func times(n int, unit time.Duration, f func() error) (result, error) {
	all := make([]time.Duration, n)
	for i := range all {
		begin := time.Now()
		if err := f(); err != nil {
			return result{}, err
		}
		all[i] = time.Since(begin)
	}
	return percentiles(all, unit), nil
}

func percentiles(all []time.Duration, unit time.Duration) result {
	slices.Sort(all)
	at := func(p float64) float64 { return float64(all[int(math.Ceil(p*float64(len(all)-1)))]) / float64(unit) } // of few, p99 is the worst
	return result{P50: at(0.5), P99: at(0.99)}
}

func benchEcho(b *benchRun, transport string) (result, error) {
	c, err := b.dial(transport)
	if err != nil {
		return result{}, err
	}
	defer c.Close()
	peer, err := b.dialBare(transport)
	if err != nil {
		return result{}, err
	}
	defer peer.Close()
	msg := []byte(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{}}` + "\n")
	// Taken in turns of a few, so that the machine's moods hit both.
	var ours, bares []time.Duration
	for range b.n(150) {
		for range 20 {
			d, err := c.Ping(b.ctx)
			if err != nil {
				return result{}, err
			}
			ours = append(ours, d)
		}
		for range 20 {
			begin := time.Now()
			if err := peer.Echo(slices.Clone(msg)); err != nil {
				return result{}, err
			}
			bares = append(bares, time.Since(begin))
		}
	}
	r := percentiles(ours, time.Microsecond)
	r.Bare = percentiles(bares, time.Microsecond).P50
	return r, nil
}

func benchSpawn(p wire.SpawnParams, rounds int) func(*benchRun, string) (result, error) {
	return func(b *benchRun, transport string) (result, error) {
		c, err := b.dial(transport)
		if err != nil {
			return result{}, err
		}
		defer c.Close()
		if p.Type == "shell" {
			p.Cwd = os.TempDir()
		}
		one := func() error { _, err := c.Spawn(b.ctx, p); return err }
		for range 10 {
			if err := one(); err != nil {
				return result{}, err
			}
		}
		return times(b.n(rounds), time.Millisecond, one)
	}
}

func benchBatch(b *benchRun, transport string) (result, error) {
	c, err := b.dial(transport)
	if err != nil {
		return result{}, err
	}
	defer c.Close()
	return times(b.n(20), time.Millisecond, func() error {
		res, err := c.Spawn(b.ctx, wire.SpawnParams{Type: "scripted", Count: 100, Script: "exit 0"})
		if err == nil && len(res.Agents) != 100 {
			err = fmt.Errorf("%d of 100 agents started", len(res.Agents))
		}
		return err
	})
}

// benchEvents has 100 agents print at once, each line an event, and one client that follows each on a lane of its own.
func benchEvents(b *benchRun, transport string) (result, error) {
	c, err := b.dial(transport)
	if err != nil {
		return result{}, err
	}
	defer c.Close()
	lines := b.n(1000)
	script := fmt.Sprintf("read\nrepeat %d\nsay line ${i} of the output of an agent that prints as fast as it may\nend", lines)
	res, err := c.Spawn(b.ctx, wire.SpawnParams{Type: "scripted", Count: 100, Script: script})
	if err != nil {
		return result{}, err
	}
	var attached, done sync.WaitGroup
	ctx, fail := context.WithCancelCause(b.ctx)
	defer fail(nil)
	for _, a := range res.Agents {
		attached.Add(1)
		done.Go(func() {
			got := 0
			for e, err := range c.Events(ctx, a.ID, client.EventOptions{Follow: true, Attached: func(wire.Attached) { attached.Done() }}) {
				if err != nil {
					fail(err)
					return
				}
				if e.Type == wire.EventStdout {
					got += strings.Count(e.Data.Text, "\n")
				}
			}
			if got != lines {
				fail(fmt.Errorf("%d of %d lines arrived", got, lines))
			}
		})
	}
	attached.Wait()
	begin := time.Now()
	for _, a := range res.Agents {
		done.Go(func() {
			if err := c.Input(ctx, wire.InputParams{ID: a.ID, Text: "go\n"}); err != nil {
				fail(err)
			}
		})
	}
	done.Wait()
	took := time.Since(begin)
	if err := context.Cause(ctx); err != nil {
		return result{}, err
	}
	return result{Value: float64(100*lines) / took.Seconds()}, nil
}

const benchFile = 64 << 20 // bytes

// pattern is a file that takes no memory.
type pattern struct{}

func (pattern) ReadAt(b []byte, off int64) (int, error) {
	for i := range b {
		b[i] = byte((off + int64(i)) * 0x9e3779b1 >> 13)
	}
	return len(b), nil
}

// benchUpload sends a file until the server has it on the disk. Its SHA-256 is computed before.
func benchUpload(b *benchRun, transport string) (result, error) {
	return benchTransfer(b, transport, func(c *client.Client, p wire.ArtifactCreateParams) (*wire.Artifact, time.Duration, error) {
		begin := time.Now()
		a, err := c.Upload(b.ctx, p, pattern{}, nil)
		return a, time.Since(begin), err
	})
}

// benchDownload gets it back, and checks its SHA-256 meanwhile.
func benchDownload(b *benchRun, transport string) (result, error) {
	return benchTransfer(b, transport, func(c *client.Client, p wire.ArtifactCreateParams) (*wire.Artifact, time.Duration, error) {
		a, err := c.Upload(b.ctx, p, pattern{}, nil)
		if err != nil {
			return nil, 0, err
		}
		begin := time.Now()
		_, err = c.Download(b.ctx, a.ID, io.Discard, nil)
		return a, time.Since(begin), err
	})
}

func benchTransfer(b *benchRun, transport string, run func(*client.Client, wire.ArtifactCreateParams) (*wire.Artifact, time.Duration, error)) (r result, err error) {
	c, err := b.dial(transport)
	if err != nil {
		return r, err
	}
	defer c.Close()
	p := wire.ArtifactCreateParams{Name: "bench", Size: benchFile}
	if p.SHA256, err = client.Sum(b.ctx, io.NewSectionReader(pattern{}, 0, benchFile)); err != nil {
		return r, err
	}
	rates := make([]float64, b.n(5))
	for i := range rates {
		a, took, err := run(c, p)
		if err == nil {
			err = c.ArtifactDelete(b.ctx, a.ID)
		}
		if err != nil {
			return r, err
		}
		rates[i] = benchFile / 1e6 / took.Seconds()
	}
	r.Value = median(rates)
	return r, nil
}
