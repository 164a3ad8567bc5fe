package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// A client in the lab takes commands, a line of JSON each, and makes reports, likewise. It may hold several cells, each
// with a session of its own.

// command is one of both.
type command struct {
	Begin  *job   `json:"begin,omitempty"`
	Finish string `json:"finish,omitempty"` // the name of a cell, which sends nothing more
	Stop   *job   `json:"stop,omitempty"`   // Chromium's alone: a cell that stops agents instead
}

// job is a cell's work: it starts counters and a sink, which appends what it reads to the file Inputs, follows them all
// to their end, and until it is told to finish sends numbers to the sink and spawns agents that append their name to the
// file Spawns.
type job struct {
	Cell      string `json:"cell"`
	URL       string `json:"url"`
	Token     string `json:"token"`
	Transport string `json:"transport"`
	Inputs    string `json:"inputs"`
	Spawns    string `json:"spawns"`

	Agents []wire.AgentID `json:"agents,omitempty"` // to stop
}

// report is what a cell says: Ready once, At again and again, Sent when it has finished and all that it sent is
// answered, Events when the agents that it follows have ended. One that stops agents says Took alone.
type report struct {
	Cell   string                  `json:"cell"`
	Ready  *ready                  `json:"ready,omitempty"`
	At     *at                     `json:"at,omitempty"`
	Sent   *sent                   `json:"sent,omitempty"`
	Events map[wire.AgentID][]seen `json:"events,omitempty"`
	Took   []float64               `json:"took,omitempty"`  // each stop, from the call to its report, ms
	Error  string                  `json:"error,omitempty"` // something that the network is no excuse for
}

type ready struct {
	Counters []wire.AgentID `json:"counters"`
	Sink     wire.AgentID   `json:"sink"`
}

// at is where a cell stands.
type at struct {
	Transport wire.Transport          `json:"transport"` // empty: no session
	Seqs      map[wire.AgentID]uint64 `json:"seqs"`
}

type sent struct {
	Inputs   int                     `json:"inputs"` // the numbers from 1
	Spawned  map[string]wire.AgentID `json:"spawned"`
	GapMS    int64                   `json:"gap_ms"` // the longest time without an event
	Sessions []wire.Transport        `json:"sessions"`
}

// seen is an event as a client's user sees it.
type seen struct {
	Seq  uint64         `json:"seq"`
	Type wire.EventType `json:"type"`
	Text string         `json:"text"`
}

// What a cell does. chromium.js does the same.
const (
	counters      = 3
	counterScript = "repeat forever\nsay ${i}\nwait 100ms\nend"
	inputEvery    = 100 * time.Millisecond
	spawnEvery    = 500 * time.Millisecond
	reportEvery   = 200 * time.Millisecond
	maxUnanswered = 32 // inputs; the server may refuse those beyond wire.MaxInFlight * 3 / 4
)

// clients holds cells of the Go client.
func clients(in io.Reader, out io.Writer) error {
	var mu sync.Mutex
	enc := json.NewEncoder(out)
	tell := func(r report) {
		mu.Lock()
		defer mu.Unlock()
		enc.Encode(r)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	finish := map[string]chan struct{}{}
	for dec := json.NewDecoder(in); ; {
		var cmd command
		if err := dec.Decode(&cmd); err != nil { // the test is over
			cancel()
			all.Wait()
			return nil
		}
		if cmd.Begin == nil {
			close(finish[cmd.Finish])
			continue
		}
		c := &cell{job: *cmd.Begin, tell: func(r report) { r.Cell = cmd.Begin.Cell; tell(r) }, finish: make(chan struct{}),
			seqs: map[wire.AgentID]uint64{}, events: map[wire.AgentID][]seen{}, spawned: map[string]wire.AgentID{}}
		finish[c.job.Cell] = c.finish
		all.Go(func() {
			if err := c.run(ctx); err != nil {
				c.tell(report{Error: err.Error()})
			}
		})
	}
}

// cell is one of the Go client.
type cell struct {
	job    job
	tell   func(report)
	finish chan struct{} // closed by the command
	c      *client.Client

	mu       sync.Mutex
	seqs     map[wire.AgentID]uint64
	events   map[wire.AgentID][]seen
	spawned  map[string]wire.AgentID
	last     time.Time // an event came
	gap      time.Duration
	session  string
	sessions []wire.Transport
}

func (c *cell) run(ctx context.Context) (err error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil)).With("cell", c.job.Cell)
	c.c, err = client.Dial(ctx, client.Options{URL: c.job.URL, Token: c.job.Token, Transport: c.job.Transport, Name: c.job.Cell, Logger: log})
	if err != nil {
		return err
	}
	defer c.c.Close()
	r, err := c.start(ctx)
	if err != nil {
		return err
	}
	var following, work sync.WaitGroup
	for _, id := range append([]wire.AgentID{r.Sink}, r.Counters...) {
		following.Go(func() { c.follow(ctx, id) })
	}
	ended := make(chan struct{})
	work.Go(func() { c.report(ended) })
	c.last = time.Now()
	c.tell(report{Ready: r})
	inputs := c.send(ctx, r.Sink)
	c.mu.Lock()
	gap := max(c.gap, time.Since(c.last))
	s := sent{Inputs: inputs, Spawned: c.spawned, GapMS: gap.Milliseconds(), Sessions: c.sessions}
	c.mu.Unlock()
	c.tell(report{Sent: &s})
	following.Wait()
	close(ended)
	work.Wait()
	c.tell(report{Events: c.events})
	return ctx.Err()
}

func (c *cell) start(ctx context.Context) (*ready, error) {
	res, err := c.c.Spawn(ctx, wire.SpawnParams{Type: "scripted", Name: c.job.Cell, Script: counterScript, Count: counters})
	if err != nil {
		return nil, err
	}
	r := &ready{}
	for _, a := range res.Agents {
		r.Counters = append(r.Counters, a.ID)
	}
	res, err = c.c.Spawn(ctx, wire.SpawnParams{Type: "shell", Name: c.job.Cell + "-sink", Argv: []string{"tee", "-a", c.job.Inputs}})
	if err != nil {
		return nil, err
	}
	r.Sink = res.Agents[0].ID
	return r, nil
}

func (c *cell) follow(ctx context.Context, id wire.AgentID) {
	for e, err := range c.c.Events(ctx, id, client.EventOptions{Follow: true}) {
		if err != nil {
			c.fail(ctx, fmt.Errorf("follow %s: %w", id, err))
			return
		}
		c.mu.Lock()
		now := time.Now()
		c.gap, c.last = max(c.gap, now.Sub(c.last)), now
		c.seqs[id] = e.Seq
		c.events[id] = append(c.events[id], seen{e.Seq, e.Type, e.Data.Text})
		c.mu.Unlock()
	}
}

func (c *cell) fail(ctx context.Context, err error) {
	if ctx.Err() == nil || !errors.Is(err, ctx.Err()) {
		c.tell(report{Error: err.Error()})
	}
}

// send sends until it is told to finish, and waits for every answer.
func (c *cell) send(ctx context.Context, sink wire.AgentID) (inputs int) {
	input, spawn := time.NewTicker(inputEvery), time.NewTicker(spawnEvery)
	defer input.Stop()
	defer spawn.Stop()
	var answers sync.WaitGroup
	defer answers.Wait()
	unanswered := make(chan struct{}, maxUnanswered)
	for spawns := 1; ; {
		select {
		case <-input.C:
			select {
			case unanswered <- struct{}{}:
			default:
				continue
			}
			inputs++
			text := fmt.Sprintf("%d\n", inputs)
			answers.Go(func() {
				defer func() { <-unanswered }()
				if err := c.c.Input(ctx, wire.InputParams{ID: sink, Text: text}); err != nil {
					c.fail(ctx, fmt.Errorf("input %q: %w", text, err))
				}
			})
		case <-spawn.C:
			name := fmt.Sprintf("%s-spawn-%d", c.job.Cell, spawns)
			spawns++
			answers.Go(func() {
				res, err := c.c.Spawn(ctx, wire.SpawnParams{Type: "shell", Name: name, Argv: []string{"sh", "-c", `echo "$0" >> "$1"`, name, c.job.Spawns}})
				if err != nil {
					c.fail(ctx, fmt.Errorf("spawn %s: %w", name, err))
					return
				}
				c.mu.Lock()
				c.spawned[name] = res.Agents[0].ID
				c.mu.Unlock()
			})
		case <-c.finish:
			return inputs
		case <-ctx.Done():
			return inputs
		}
	}
}

// report says where it stands until ended is closed.
func (c *cell) report(ended <-chan struct{}) {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		a := at{Seqs: map[wire.AgentID]uint64{}}
		conn, ok := c.c.Connection()
		c.mu.Lock()
		if ok {
			a.Transport = conn.Transport
			if conn.Session != c.session {
				c.session, c.sessions = conn.Session, append(c.sessions, conn.Transport)
			}
		}
		for id, seq := range c.seqs {
			a.Seqs[id] = seq
		}
		c.mu.Unlock()
		c.tell(report{At: &a})
		select {
		case <-tick.C:
		case <-ended:
			return
		}
	}
}
