package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// peer is a process with cells of one client, as the test sees it.
type peer struct {
	*process
	client string
	input  *json.Encoder
	ended  chan struct{} // closed when it makes no more reports
	wrong  error         // with its reports, once ended

	mu    sync.Mutex
	news  chan struct{} // closed and replaced with each report
	cells map[string]*watched
}

// read takes reports until the process ends.
func (p *peer) read() {
	defer close(p.ended)
	for dec := json.NewDecoder(p.out); ; {
		var r report
		if err := dec.Decode(&r); err == io.EOF {
			return
		} else if err != nil {
			p.wrong = fmt.Errorf("a report of %s: %w", p.client, err)
			return
		}
		p.mu.Lock()
		if c := p.cells[r.Cell]; c != nil {
			c.take(r)
		}
		close(p.news)
		p.news = make(chan struct{})
		p.mu.Unlock()
	}
}

func (p *peer) send(t testing.TB, c command) {
	t.Helper()
	if err := p.input.Encode(c); err != nil {
		t.Fatalf("%s: %v", p.client, err)
	}
}

// begin begins a cell, which takes some time.
func (p *peer) begin(t testing.TB, l *lab, f fault, transport string) *watched {
	t.Helper()
	name := strings.ToLower(strings.NewReplacer(" ", "-", "'", "", "%", "percent", "/", "-", ",", "").Replace(fmt.Sprintf("%s-%s-%s", f.name, p.client, transport)))
	c := &watched{peer: p, job: job{Cell: name, URL: l.url, Token: l.token, Transport: transport,
		Inputs: filepath.Join(l.dir, name+".inputs"), Spawns: filepath.Join(l.dir, name+".spawns")}}
	p.mu.Lock()
	p.cells[name] = c
	p.mu.Unlock()
	p.send(t, command{Begin: &c.job})
	return c
}

// watched is a cell as its reports tell.
type watched struct {
	peer *peer
	job  job

	// guarded by peer.mu
	ready  *ready
	at     at
	over   time.Time // when it came to the transport that it is on
	sent   *sent
	took   []float64
	events map[wire.AgentID][]seen
	errors []string
}

func (c *watched) take(r report) {
	switch {
	case r.Ready != nil:
		c.ready = r.Ready
	case r.At != nil:
		if r.At.Transport != c.at.Transport {
			c.over = time.Now()
		}
		c.at = *r.At
	case r.Sent != nil:
		c.sent = r.Sent
	case r.Took != nil:
		c.took = r.Took
	case r.Events != nil:
		c.events = r.Events
	case r.Error != "":
		c.errors = append(c.errors, r.Error)
	}
}

// until waits for reports that make f true. f is called with peer.mu held.
func (c *watched) until(t testing.TB, what string, f func() bool) {
	t.Helper()
	late := time.After(patience)
	for {
		c.peer.mu.Lock()
		ok, news, wrong, now := f(), c.peer.news, c.errors, c.at
		c.peer.mu.Unlock()
		if len(wrong) > 0 {
			t.Fatalf("%s, before %s: %s", c.job.Cell, what, strings.Join(wrong, "; "))
		}
		if ok {
			return
		}
		select {
		case <-news:
		case <-c.peer.ended:
			t.Fatalf("%s: its process ended before %s", c.job.Cell, what)
		case <-late:
			t.Fatalf("%s: not within %s: %s; it is at %+v", c.job.Cell, patience, what, now)
		}
	}
}

// marks are where its counters are now.
func (c *watched) marks(t *testing.T, witness *client.Client) map[wire.AgentID]uint64 {
	t.Helper()
	marks := map[wire.AgentID]uint64{}
	for _, id := range c.ready.Counters {
		a, err := witness.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		marks[id] = a.LastSeq
	}
	return marks
}

// end ends its agents: the sink when it has read all, and the counters. Those that it spawned end by themselves.
func (c *watched) end(t testing.TB, witness *client.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := witness.Input(ctx, wire.InputParams{ID: c.ready.Sink, EOF: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := witness.Stop(ctx, wire.StopParams{IDs: c.ready.Counters}); err != nil {
		t.Fatal(err)
	}
	for busy := true; busy; {
		list, err := witness.List(ctx, wire.Filter{Query: c.job.Cell + "-s"}) // the sink, and the spawned ones
		if err == nil {
			err = pause(ctx, 20*time.Millisecond)
		}
		if err != nil {
			t.Fatal(err)
		}
		busy = slices.ContainsFunc(list.Agents, func(a wire.Agent) bool { return a.Status != wire.StatusExited })
	}
}
