package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"skein.dev/skein/e2e/netlab"
	"skein.dev/skein/webtransport/wire"
)

// rtt50 is the delay of each way of a round trip of 50 ms.
const rtt50 = 25 * time.Millisecond

// labName is the hidden command that is the client in the lab.
const labName = "lab"

// labJob is what the client in the lab does, on its standard input.
type labJob struct {
	Do        string // of labJobs
	Dir       string
	Transport string
	NoMasking bool
	Warm      time.Duration // before it counts
	Count     time.Duration
	Stops     int             // of doStop; rounds of doFirst; keys of doType
	Conns     int             // of doDownload
	Streams   int             // of doCritical
	Size      int64           // of doUpload
	Artifact  wire.ArtifactID // of doCritical and doDownload
}

const (
	doFollow   = "follow"
	doStop     = "stop"
	doCritical = "critical"
	doUpload   = "upload"
	doDownload = "download"
	doType     = "type"
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
	cmd := at.Command(ctx, l.self, labName)
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

// skipCase is why a case can't run here.
type skipCase struct{ error }
