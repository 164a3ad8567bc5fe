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
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"skein.dev/skein/e2e/netlab"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

const labAgents = 100

// labScript prints some 256 bytes ten times a second, with a number, no two agents in lockstep.
var labScript = "wait 1ms..100ms\nrepeat forever\nsay ${i} " + strings.Repeat("x", 250) + "\nwait 100ms\nend"

// labJob is what the client in the lab does, on its standard input.
type labJob struct {
	Do        string // of labJobs
	Dir       string
	Transport string
	NoMasking bool
	Warm      time.Duration // before it counts
	Count     time.Duration
	Stops     int             // of doStop; rounds of doFirst
	Conns     int             // of doDownload
	Streams   int             // of doCritical
	Size      int64           // of doUpload
	Artifact  wire.ArtifactID // of doCritical and doDownload
}

// labJobs give what the client prints, as JSON.
var labJobs = map[string]func(context.Context, *client.Client, labJob) (any, error){
	doFollow:   followFleet,
	doStop:     stopEach,
	doCritical: pingBeside,
	doUpload:   uploadOne,
	doDownload: downloadOne,
}

const (
	doFollow   = "follow"
	doStop     = "stop"
	doCritical = "critical"
	doUpload   = "upload"
	doDownload = "download"
	doFirst    = "first" // dials itself
)

// labReport is what it found, on its standard output.
type labReport struct {
	Ages []time.Duration // of events when they came, by the one clock of this machine
	Gaps int             // lines that are not the next one of their agent: some were lost, or came twice

	Copies uint64 // packets that the server sent twice
}

// whole is an error where something was lost or came twice.
func (r labReport) whole() error {
	if r.Gaps > 0 {
		return fmt.Errorf("at %d messages some were lost or came twice", r.Gaps)
	}
	return nil
}

// lossy gives the case of 100 agents' events over a bad link, for Skein and for its peers.
func lossy(c netlab.Conditions) func(*benchRun, string) (result, error) {
	return func(b *benchRun, transport string) (r result, err error) {
		if err := netlab.Unavailable(); err != nil {
			return r, skipCase{err}
		}
		for _, p := range labPeers {
			if p.name == transport {
				return b.followPeer(p, c)
			}
		}
		// The bare figure of WebTransport is without loss masking, that of WebSocket over TCP BBR in place of cubic.
		other := labSetup{conditions: c, masking: transport == client.WebSocket, bbr: transport == client.WebSocket}
		theirs, err := b.lab(transport, other)
		if err != nil {
			return r, err
		}
		ours, err := b.lab(transport, labSetup{conditions: c, masking: true})
		if err != nil {
			return r, err
		}
		r = percentiles(ours.Ages, time.Millisecond)
		r.Bare = percentiles(theirs.Ages, time.Millisecond).P99
		r.Ratio = r.P99 / r.Bare
		return r, errors.Join(ours.whole(), theirs.whole())
	}
}

type labSetup struct {
	conditions netlab.Conditions
	masking    bool
	bbr        bool // TCP's congestion control, in place of cubic
}

// newLab makes a link with the same fate for all that run over it, and sets TCP's congestion control.
func newLab(c netlab.Conditions, control string) (*netlab.Lab, error) {
	l, err := netlab.New(1, netlab.Both(c))
	if err != nil {
		return nil, err
	}
	for _, h := range []*netlab.Host{l.Server, l.Client} {
		if err := h.TCP(control); err != nil {
			l.Close()
			return nil, skipCase{fmt.Errorf("this kernel has no TCP %s: %w", control, err)}
		}
	}
	return l, nil
}

// labTimes are how long a client in the lab warms up, and how long it counts.
func (b *benchRun) labTimes() (warm, count time.Duration) {
	return time.Duration(b.n(8)) * time.Second, time.Duration(b.n(20)) * time.Second
}

// lab follows the agents' events over a link.
func (b *benchRun) lab(transport string, s labSetup) (rep labReport, err error) {
	l, err := b.serveLab(s)
	if err != nil {
		return rep, err
	}
	defer l.close()
	warm, count := b.labTimes()
	return rep, l.client(b.ctx, l.Client, labJob{Do: doFollow, Transport: transport, Warm: warm, Count: count}, &rep)
}

// labServer is a server at one end of a link.
type labServer struct {
	*netlab.Lab
	setup     labSetup
	self, dir string // this program, which is the client
	stop      func()
}

// serveLab makes a link and runs a server at its end. Close it.
func (b *benchRun) serveLab(s labSetup) (l *labServer, err error) {
	l = &labServer{setup: s, stop: func() {}}
	if l.self, err = os.Executable(); err != nil {
		return nil, err
	}
	control := "cubic"
	if s.bbr {
		control = "bbr"
	}
	if l.Lab, err = newLab(s.conditions, control); err != nil {
		return nil, err
	}
	if l.dir, err = os.MkdirTemp("", "skein-lab-"); err == nil {
		var stop func()
		if stop, err = serveIn(b.ctx, l.Server, b.o.skein, l.dir, fmt.Sprintf("--loss-masking=%v", s.masking)); err == nil {
			l.stop = stop
			return l, nil
		}
	}
	l.close()
	return nil, err
}

func (l *labServer) close() {
	l.stop()
	l.Lab.Close()
	os.RemoveAll(l.dir)
}

// client runs a client on a host, which may be the server's own, and reads its report.
func (l *labServer) client(ctx context.Context, at *netlab.Host, job labJob, rep any) error {
	job.Dir, job.NoMasking = l.dir, !l.setup.masking
	in, err := json.Marshal(job)
	if err != nil {
		return err
	}
	cmd := at.Command(ctx, l.self, labCommand().Name())
	cmd.Stdin, cmd.Stderr = strings.NewReader(string(in)), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("the client in the lab: %w", err)
	}
	return json.Unmarshal(out, rep)
}

// serveIn runs a server on a host of the lab until stop is called.
func serveIn(ctx context.Context, h *netlab.Host, skein, dir string, args ...string) (stop func(), err error) {
	cmd := h.Command(ctx, skein, append([]string{"serve", "--data-dir", filepath.Join(dir), "--http", "off", "--listen", h.Addr.String() + ":4433",
		"--insecure-listen", "--log-format", "json"}, args...)...)
	log, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	return startInLab(cmd, log, `"msg":"serving"`)
}

// startInLab starts a server of the lab, waits until its output has a line with ready, and gives what ends it.
func startInLab(cmd *exec.Cmd, output io.Reader, ready string) (stop func(), err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for this process, which ends it in order
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the server in the lab: %w", err)
	}
	stop = func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	}
	var said []string
	for sc := bufio.NewScanner(output); sc.Scan(); {
		if strings.Contains(sc.Text(), ready) {
			go io.Copy(io.Discard, output)
			return stop, nil
		}
		said = append(said, sc.Text())
	}
	stop()
	return nil, fmt.Errorf("the server in the lab ended at its start: %s", strings.Join(said, "\n"))
}

// labCommand is the process at the client's end.
func labCommand() *cobra.Command {
	return &cobra.Command{
		Use: "lab", Short: "Be the client of a case over a link, for run", Args: cobra.NoArgs, Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return labClient(cmd) },
	}
}

func labClient(cmd *cobra.Command) error {
	var job labJob
	if err := json.NewDecoder(cmd.InOrStdin()).Decode(&job); err != nil {
		return err
	}
	o, err := client.FindLocal(job.Dir)
	if err != nil {
		return err
	}
	o.Transport, o.Name, o.NoMasking, o.NoStatus = job.Transport, "bench", job.NoMasking, true
	o.Connections = job.Conns
	if job.Do == doFirst {
		rep, err := firstSpawns(cmd.Context(), o, job)
		if err != nil {
			return err
		}
		return json.NewEncoder(cmd.OutOrStdout()).Encode(rep)
	}
	do, ok := labJobs[job.Do]
	if !ok {
		return fmt.Errorf("the job %q is none", job.Do)
	}
	c, err := client.Dial(cmd.Context(), o)
	if err != nil {
		return err
	}
	defer c.Close()
	rep, err := do(cmd.Context(), c, job)
	if err != nil {
		return err
	}
	return json.NewEncoder(cmd.OutOrStdout()).Encode(rep)
}

func followFleet(ctx context.Context, c *client.Client, job labJob) (any, error) {
	res, err := c.Spawn(ctx, wire.SpawnParams{Type: "scripted", Name: "lab", Script: labScript, Count: labAgents})
	if err != nil {
		return nil, err
	}
	rep, err := followAll(ctx, c, res.Agents, job)
	if err != nil {
		return nil, err
	}
	n, err := c.Network(ctx)
	if err == nil && n.Mask != nil {
		rep.Copies = n.Mask.Repeated
	}
	return rep, err
}

// followAll reads the events of agents, each on a lane of its own.
func followAll(ctx context.Context, c *client.Client, agents []wire.Agent, job labJob) (rep labReport, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var counts atomic.Bool
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, a := range agents {
		all.Go(func() {
			next := 0
			for e, err := range c.Events(ctx, a.ID, client.EventOptions{Follow: true}) {
				now := time.Now()
				if err != nil {
					if ctx.Err() == nil {
						cancel(err)
					}
					return
				}
				if e.Type != wire.EventStdout {
					continue
				}
				mu.Lock()
				for line := range strings.Lines(e.Data.Text) {
					number, _, _ := strings.Cut(line, " ")
					n, err := strconv.Atoi(number)
					if err != nil || next > 0 && n != next {
						rep.Gaps++
					}
					next = n + 1
				}
				if counts.Load() {
					rep.Ages = append(rep.Ages, now.Sub(e.Time))
				}
				mu.Unlock()
			}
		})
	}
	time.Sleep(job.Warm)
	counts.Store(true)
	time.Sleep(job.Count)
	cancel(errDone)
	all.Wait()
	if err := context.Cause(ctx); !errors.Is(err, errDone) {
		return rep, err
	}
	if len(rep.Ages) < len(agents) { // a link that is worse than its load gives few, and old ones
		return rep, fmt.Errorf("%d events came of %d agents", len(rep.Ages), len(agents))
	}
	return rep, nil
}

var errDone = errors.New("done")

// skipCase is why a case can't run here.
type skipCase struct{ error }
