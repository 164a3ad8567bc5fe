package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

const (
	urlVar, tokenVar, sizeVar = "SKEIN_SOAK_URL", "SKEIN_SOAK_TOKEN", "SKEIN_SOAK_SIZE"

	// patience is how long one thing may take, whatever the network and the server do meanwhile.
	patience = 5 * time.Minute
	// label marks what is the load's.
	label = "soak"
)

// news is what the load says, a line of JSON each.
type news struct {
	Wrong  string         `json:"wrong,omitempty"`  // what may not be
	Counts map[string]int `json:"counts,omitempty"` // at the end: what was done, by its name
	Heap   uint64         `json:"heap,omitempty"`   // of the clients, bytes in use after a collection
	Gos    int            `json:"gos,omitempty"`    // their goroutines
}

// loader is the clients' process.
type loader struct {
	size    int
	clients []*client.Client // over every transport
	all     sync.WaitGroup

	mu     sync.Mutex
	out    *json.Encoder
	counts map[string]int
	alive  map[string][]wire.AgentID // as last listed, by group
	seen   []map[wire.AgentID]bool   // by client: who is alive, as its watch says
	tasks  map[wire.TaskID]string    // those under way, with what each must return
}

// load keeps the fleet at its number and at work until its standard input ends. Then it waits for what is under way.
func load() error {
	size, err := strconv.Atoi(os.Getenv(sizeVar))
	if err != nil {
		return err
	}
	l := &loader{size: size, out: json.NewEncoder(os.Stdout), counts: map[string]int{}, alive: map[string][]wire.AgentID{}, tasks: map[wire.TaskID]string{}}
	if err := l.dial(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	rest, end := context.WithCancel(context.Background()) // what goes on until the work is done
	for i, c := range l.clients {
		l.all.Go(func() { l.watch(rest, i, c) })
	}
	l.all.Go(func() { l.answer(rest) })
	l.all.Go(func() { l.hearTasks(rest) })
	l.all.Go(func() { l.measure(rest) })
	l.serveTasks(rest)
	var work sync.WaitGroup
	for _, f := range []func(context.Context){l.populate, l.churn, l.submit, l.prompt, l.follow, l.remember, l.exchange} {
		work.Go(func() { f(ctx) })
	}
	for i := range typists {
		work.Go(func() { l.typeAt(ctx, i) })
	}
	work.Wait()
	l.drain()
	end()
	l.all.Wait()
	for _, c := range l.clients {
		c.Close()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Encode(news{Counts: l.counts})
}

func (l *loader) dial() error {
	for i, transport := range []string{client.Auto, client.WebTransport, client.WebSocket, client.Auto} {
		c, err := client.Dial(context.Background(), client.Options{URL: os.Getenv(urlVar), Token: os.Getenv(tokenVar), Transport: transport,
			Name: fmt.Sprintf("load %d", i), Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			return err
		}
		l.clients = append(l.clients, c)
		l.seen = append(l.seen, map[wire.AgentID]bool{})
	}
	return nil
}

// any is one of the clients.
func (l *loader) any() *client.Client { return l.clients[rand.IntN(len(l.clients))] }

func (l *loader) count(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[what]++
}

func (l *loader) wrong(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out.Encode(news{Wrong: fmt.Sprintf(format, args...)})
}

// every calls f until ctx ends, with a pause in between. Each call has patience.
func every(ctx context.Context, d time.Duration, f func(context.Context)) {
	for pause(ctx, d) == nil {
		one, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		f(one)
		cancel()
	}
}

// tried counts a call that may fail because the server ends, or what it is for has ended. It must not take longer than patience.
func (l *loader) tried(what string, err error) bool {
	switch {
	case err == nil:
		l.count(what)
	case errors.Is(err, context.DeadlineExceeded):
		l.wrong("%s: no answer within %v", what, patience)
	default:
		l.count(what + ": " + reason(err))
	}
	return err == nil
}

func reason(err error) string {
	var e *wire.Error
	if errors.As(err, &e) {
		return fmt.Sprintf("error %d", e.Code)
	}
	return "no connection"
}

// list returns all agents that are alive.
func list(ctx context.Context, c *client.Client) (all []wire.Agent, _ error) {
	f := wire.Filter{Status: []wire.Status{wire.StatusPending, wire.StatusStarting, wire.StatusRunning, wire.StatusStopping, wire.StatusUnknown}}
	for {
		r, err := c.List(ctx, f)
		if err != nil {
			return nil, err
		}
		all = append(all, r.Agents...)
		if f.After = r.Next; r.Next == 0 {
			return all, nil
		}
	}
}

// populate spawns what a group lacks.
func (l *loader) populate(ctx context.Context) {
	every(ctx, 3*time.Second, func(ctx context.Context) {
		c := l.any()
		all, err := list(ctx, c)
		if !l.tried("list", err) {
			return
		}
		alive := map[string][]wire.AgentID{}
		for _, a := range all {
			alive[a.Type] = append(alive[a.Type], a.ID)
		}
		l.mu.Lock()
		l.alive = maps.Clone(alive)
		l.mu.Unlock()
		for _, g := range groups {
			if lacks := g.size(l.size) - len(alive[g.name]); g.alive && lacks > 0 {
				_, err := c.Spawn(ctx, wire.SpawnParams{Type: g.name, Count: lacks, Labels: map[string]string{label: g.name}})
				l.tried("spawn", err)
			}
		}
	})
}

// one picks an agent of a group; "": it has none.
func (l *loader) one(group string) wire.AgentID { return l.pick(group, 1, 0) }

// pick picks one for the i-th of n that want different ones.
func (l *loader) pick(group string, n, i int) wire.AgentID {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.alive[group]
	if mine := (len(all) + n - 1 - i) / n; mine > 0 {
		return all[i+n*rand.IntN(mine)]
	}
	return ""
}

// churn stops agents, one after the other, and looks at the reports.
func (l *loader) churn(ctx context.Context) {
	churning := slices.DeleteFunc(slices.Clone(groups), func(g group) bool { return !g.churn })
	every(ctx, 4*time.Second, func(ctx context.Context) {
		g := churning[rand.IntN(len(churning))]
		id := l.one(g.name)
		if id == "" {
			return
		}
		r, err := l.any().Stop(ctx, wire.StopParams{IDs: []wire.AgentID{id}})
		if !l.tried("stop", err) {
			return
		}
		for _, p := range r.Reports {
			if !p.Well() && (p.Error == nil || p.Error.Code != wire.CodeNotFound) { // it is forgotten: it ended with the server before this one
				l.wrong("stop %s %s: %+v", g.name, id, p)
			}
		}
	})
}

// watch keeps what a client is told of the fleet.
func (l *loader) watch(ctx context.Context, i int, c *client.Client) {
	for change, err := range c.Watch(ctx) {
		if err != nil {
			if ctx.Err() == nil {
				l.wrong("the watch of client %d ended: %v", i, err)
			}
			return
		}
		l.mu.Lock()
		if change.Reset {
			clear(l.seen[i])
		}
		for _, a := range change.Agents {
			if a.Status.Alive() {
				l.seen[i][a.ID] = true
			} else {
				delete(l.seen[i], a.ID)
			}
		}
		for _, id := range change.Removed {
			delete(l.seen[i], id)
		}
		l.counts["changes seen"] += len(change.Agents)
		l.mu.Unlock()
	}
}

// drain waits until all tasks have ended, and each client has heard of every agent that is alive.
func (l *loader) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if !until(ctx, func() bool { return l.underWay() == 0 }) {
		l.mu.Lock()
		left := slices.Collect(maps.Keys(l.tasks))
		l.mu.Unlock()
		for _, id := range left {
			t, err := l.clients[0].TaskGet(context.Background(), id)
			if err != nil {
				l.wrong("task %s has not ended: %v", id, err)
			} else {
				l.wrong("task %s of type %s has not ended: %s, attempt %d, %s", id, t.Type, t.State, t.Attempt, t.Waiting)
			}
		}
	}
	var differ string
	if !until(ctx, func() bool { differ = l.differ(ctx); return differ == "" }) {
		l.wrong("what clients see of the fleet is not what it is: %s", differ)
	}
}

// differ says which client sees another fleet than there is; "": none.
func (l *loader) differ(ctx context.Context) string {
	all, err := list(ctx, l.clients[0])
	if err != nil {
		return err.Error()
	}
	want := map[wire.AgentID]bool{}
	for _, a := range all {
		if a.Status.Alive() {
			want[a.ID] = true
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, seen := range l.seen {
		if !maps.Equal(seen, want) {
			return fmt.Sprintf("client %d sees %d agents of %d", i, len(seen), len(want))
		}
	}
	return ""
}

// until asks again and again; false: not before ctx ended.
func until(ctx context.Context, ok func() bool) bool {
	for !ok() {
		if pause(ctx, 500*time.Millisecond) != nil {
			return false
		}
	}
	return true
}

// measure reports what the clients use.
func (l *loader) measure(ctx context.Context) {
	for pause(ctx, 10*time.Second) == nil {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		l.mu.Lock()
		l.out.Encode(news{Heap: m.HeapInuse, Gos: runtime.NumGoroutine()})
		l.mu.Unlock()
	}
}
