package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/e2e/netlab"
	"skein.dev/skein/webtransport/doctor"
	"skein.dev/skein/webtransport/wire"
)

// serveIn runs a server on a host of the lab until stop is called.
func serveIn(t *testing.T, h *netlab.Host, exe, dir string) (stop func()) {
	t.Helper()
	cmd := h.Command(t.Context(), exe, "serve", "--data-dir", dir, "--http", "off", "--listen", h.Addr.String()+":4433", "--insecure-listen")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	stop = func() { cmd.Process.Signal(os.Interrupt); <-ended }
	kit.Eventually(t, "it serves", func() bool {
		select {
		case <-ended:
			t.Fatalf("the server in the lab ended at its start: %s", stderr.Bytes())
		default:
		}
		_, err := os.Stat(filepath.Join(dir, wire.LocalFile))
		return err == nil
	})
	return stop
}

// examineIn runs the doctor at the client's end of a lab, a server at the other.
func examineIn(t *testing.T, c netlab.Conditions, flags ...string) *doctor.Report {
	t.Helper()
	if err := netlab.Unavailable(); err != nil {
		t.Skip(err)
	}
	l, err := netlab.New(1, netlab.Both(c))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	exe, err := exec.LookPath("skein")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	defer serveIn(t, l.Server, exe, dir)()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := l.Client.Command(ctx, exe, append([]string{"--data-dir", dir, "doctor", "--json"}, flags...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var r doctor.Report
	if ee := new(exec.ExitError); err != nil && !errors.As(err, &ee) || json.Unmarshal(out, &r) != nil {
		t.Fatalf("%v\n%s\n%s", err, out, stderr.Bytes())
	}
	if code := cmd.ProcessState.ExitCode(); (code == 0) != (r.Endpoint != "") {
		t.Errorf("exit code %d, the endpoint %q", code, r.Endpoint)
	}
	return &r
}

func TestDoctorFindsUDPBlocked(t *testing.T) {
	t.Parallel()
	r := examineIn(t, netlab.Conditions{Delay: 25 * time.Millisecond, NoUDP: true})
	if c := r.Check(doctor.CheckUDP); c.Verdict != doctor.Failed || !strings.Contains(c.Found, "no answer from 10.80.0.1:4433") {
		t.Errorf("%+v", c)
	}
	if r.Endpoint != wire.WebSocket || !strings.Contains(r.Better, "UDP port 4433 outbound to 10.80.0.1") {
		t.Errorf("%s because %q: %q", r.Endpoint, r.Why, r.Better)
	}
	for _, name := range []string{doctor.CheckTCP, doctor.CheckTLS, doctor.CheckHTTP, doctor.CheckLogin, doctor.CheckWebSocket} {
		if c := r.Check(name); c.Verdict != doctor.OK && (name != doctor.CheckWebSocket || c.Verdict == doctor.Failed) { // a busy machine is as slow as a lossy link
			t.Errorf("%+v", c)
		}
	}
}

func TestDoctorFindsLossAndDistance(t *testing.T) {
	t.Parallel()
	// Loss is random: several packets of one handshake may be lost, and TCP doubles its timeout with each.
	r := examineIn(t, netlab.Conditions{Delay: 25 * time.Millisecond, Loss: 0.05}, "--timeout", "50s")
	if c := r.Check(doctor.CheckLoss); c.Verdict != doctor.Warning {
		t.Errorf("%+v", c)
	}
	if r.Endpoint == "" || len(r.Endpoints) != 2 {
		t.Fatalf("%s because %q", r.Endpoint, r.Why)
	}
	for _, d := range r.Endpoints {
		if !d.Open || d.RTTMS < 50 || d.SlowestMS <= d.RTTMS {
			t.Errorf("%+v", d)
		}
	}
	if d := r.Endpoints[0]; d.PacketsLost == 0 || d.PacketsLost*100 > 15*d.PacketsSent {
		t.Errorf("%+v", d)
	}
}

func TestDoctorFindsNobody(t *testing.T) {
	t.Parallel()
	r := examineIn(t, netlab.Conditions{Down: true})
	if c := r.Check(doctor.CheckTCP); c.Verdict != doctor.Failed || r.Endpoint != "" || !strings.Contains(r.Better, "TCP port 4433 outbound to 10.80.0.1") {
		t.Errorf("%+v, %s: %q", c, r.Endpoint, r.Better)
	}
}
