package doctor_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/doctor"
	"skein.dev/skein/webtransport/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait for something that must happen.
const patience = kit.Patience

// node is a server that runs.
type node struct {
	dir   string
	addrs server.Addresses
	token string
}

// serve runs a server until the test ends.
func serve(t *testing.T, change ...func(*server.Options)) *node {
	t.Helper()
	o := server.Options{DataDir: t.TempDir(), HTTP: "localhost:0", Listen: "localhost:0", Node: "test", Version: "test",
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	for _, f := range change {
		f(&o)
	}
	ready := make(chan server.Addresses, 1)
	o.Ready = func(a server.Addresses) { ready <- a }
	s, err := server.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	n := &node{dir: o.DataDir}
	select {
	case n.addrs = <-ready:
	case err := <-ended:
		ended <- nil
		t.Fatalf("Run: %v", err)
	}
	if n.token, err = client.ReadToken(o.DataDir); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *node) options() client.Options { return client.Options{URL: n.addrs.HTTP, Token: n.token} }

// dial connects a client until the test ends.
func dial(t *testing.T, n *node) *client.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := client.Dial(ctx, n.options())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func port(t *testing.T, url string) int {
	t.Helper()
	var p int
	if _, err := fmt.Sscanf(url[strings.LastIndexByte(url, ':'):], ":%d", &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// wellInTime is what a diagnosis has that is not about time. Some of its steps wait for a share of it.
const wellInTime = 30 * time.Second

// examine gives a report within a time.
func examine(t *testing.T, within time.Duration, o client.Options) *doctor.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	o.Version = "this"
	r, err := doctor.Examine(ctx, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range r.Checks {
		names = append(names, c.Name)
		if bad := c.Verdict == doctor.Failed || c.Verdict == doctor.Warning; c.Found == "" || bad != (c.Means != "" && c.Do != "") {
			t.Errorf("half a check: %+v", c)
		}
	}
	if !slices.Equal(names, doctor.Checks) {
		t.Errorf("checks %q", names)
	}
	if (r.Endpoint == "") != !slices.ContainsFunc(r.Endpoints, func(d doctor.Endpoint) bool { return d.Open }) && o.Transport == "" {
		t.Errorf("the endpoint is %q of %+v", r.Endpoint, r.Endpoints)
	}
	return r
}

func endpointOf(r *doctor.Report, tr wire.Transport) doctor.Endpoint {
	for _, d := range r.Endpoints {
		if d.Transport == tr {
			return d
		}
	}
	return doctor.Endpoint{}
}

// timed are the checks that warn of a slow way, and so of a slow machine, too.
var timed = []string{doctor.CheckName, doctor.CheckWebSocket, doctor.CheckLoss}

// judged checks verdicts, given as NAME=VERDICT.
func judged(t *testing.T, r *doctor.Report, want string) {
	t.Helper()
	for w := range strings.FieldsSeq(want) {
		name, verdict, _ := strings.Cut(w, "=")
		if c := r.Check(name); string(c.Verdict) != verdict && (verdict != "ok" || c.Verdict != doctor.Warning || !slices.Contains(timed, name)) {
			t.Errorf("%+v, want %s", c, verdict)
		}
	}
}
