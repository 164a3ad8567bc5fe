package soak

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"skein.dev/skein/e2e/netlab"
)

const (
	lengthVar  = "SKEIN_SOAK"         // how long, such as 1h
	agentsVar  = "SKEIN_SOAK_AGENTS"  // how many
	resultsVar = "SKEIN_SOAK_RESULTS" // a folder for the samples and the log; without it they are removed

	restarts = 6
	// growing is the least length of the last epoch for which growth means something.
	growing = 25 * time.Minute
	// usual is the least length for which everything must have been done at least once.
	usual = 3 * time.Minute
)

func TestSoak(t *testing.T) {
	if err := netlab.Unavailable(); err != nil {
		t.Skipf("SKIPPED: no soak: %v", err)
	}
	length, err := time.ParseDuration(cmp.Or(os.Getenv(lengthVar), "3m"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if to := os.Getenv(resultsVar); to != "" {
		dir = to
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), length+30*time.Minute)
	defer cancel()
	w, err := newWorld(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	id, err := os.ReadFile(filepath.Join(dir, "data", "instance"))
	if err != nil {
		t.Fatal(err)
	}
	s := &soak{T: t, judge: &judge{world: w, instance: strings.TrimSpace(string(id)), since: map[string]time.Time{}, told: map[string]bool{}}, begun: time.Now(), length: length}
	s.judge.wrong = s.isWrong
	s.run(ctx)
}

// soak is one that runs.
type soak struct {
	*testing.T
	*judge
	begun  time.Time
	length time.Duration
	load   *process

	mu      sync.Mutex
	faults  map[string]int
	epoch   int
	clients news // the newest of what they use
	counts  map[string]int
	samples []sample
	busy    sync.Mutex // held while the server is restarted
}

func (s *soak) isWrong(format string, args ...any) {
	s.Errorf("at %v: %s", time.Since(s.begun).Round(time.Second), fmt.Sprintf(format, args...))
}

func (s *soak) run(ctx context.Context) {
	var err error
	if s.load, err = s.start(s.Client, "load", urlVar+"="+s.url, tokenVar+"="+s.token, sizeVar+"="+cmp.Or(os.Getenv(agentsVar), "200")); err != nil {
		s.Fatal(err)
	}
	defer s.load.kill()
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		s.hear()
	}()
	working, stop := context.WithDeadline(ctx, s.begun.Add(s.length*19/20))
	defer stop()
	var all sync.WaitGroup
	for _, f := range []func(context.Context) error{s.breakNetwork, s.restartServer, s.keepLooking, s.keepSampling} {
		all.Go(func() {
			if err := f(working); err != nil && working.Err() == nil {
				s.Error(err)
				stop()
			}
		})
	}
	all.Wait()
	s.load.in.Close() // it waits for what is under way, and ends
	select {
	case <-heard:
	case <-ctx.Done():
		s.Error("the clients do not end")
		<-heard // the end of ctx ends them
	}
	if err := s.load.wait(); err != nil {
		s.Errorf("the clients: %v", err)
	}
	s.look(ctx)
	if err := s.stopAll(ctx); err != nil {
		s.Errorf("stop everything: %v", err)
	}
	if err := s.server.end(); err != nil {
		s.Errorf("the end of the server: %v", err)
	}
	s.conclude()
}

// hear takes what the clients say.
func (s *soak) hear() {
	for dec := json.NewDecoder(s.load.out); ; {
		var n news
		if dec.Decode(&n) != nil {
			return
		}
		s.mu.Lock()
		switch {
		case n.Wrong != "":
			s.isWrong("%s", n.Wrong)
		case n.Counts != nil:
			s.counts = n.Counts
		default:
			s.clients = n
		}
		s.mu.Unlock()
	}
}

// breakNetwork makes one fault after the other.
func (s *soak) breakNetwork(ctx context.Context) error {
	s.faults = map[string]int{}
	s.NAT(false)
	for i := 0; pause(ctx, max(15*time.Second, s.length/120)) == nil; i++ {
		f := faults[i%len(faults)]
		s.Logf("at %v: %s", time.Since(s.begun).Round(time.Second), f.name)
		if err := f.happens(ctx, s.world); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		s.faults[f.name]++
	}
	return nil
}

// restartServer restarts the server in the first half, in turns by a signal and as after a crash.
func (s *soak) restartServer(ctx context.Context) error {
	for i := range restarts {
		if err := pause(ctx, s.length/2/(restarts+1)); err != nil {
			return err
		}
		crash := i%2 == 1
		s.busy.Lock()
		begun := time.Now()
		err := s.restart(ctx, crash)
		s.epoch++
		s.busy.Unlock()
		s.Logf("at %v: the server was restarted (crash: %v) in %v", time.Since(s.begun).Round(time.Second), crash, time.Since(begun).Round(time.Millisecond))
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *soak) keepLooking(ctx context.Context) error {
	for pause(ctx, 10*time.Second) == nil {
		s.look(ctx)
	}
	return nil
}

func (s *soak) keepSampling(ctx context.Context) error {
	for pause(ctx, max(2*time.Second, s.length/240)) == nil {
		s.busy.Lock()
		s.mu.Lock()
		clients := s.clients
		s.mu.Unlock()
		one, err := s.sample(ctx, time.Since(s.begun), s.epoch, clients)
		s.busy.Unlock()
		if err != nil {
			return fmt.Errorf("a sample: %w", err)
		}
		s.samples = append(s.samples, one)
	}
	return nil
}

// conclude says what was done, and what has grown.
func (s *soak) conclude() {
	n, twice, err := once(s.dir)
	if err != nil {
		s.Error(err)
	}
	for _, what := range twice {
		s.Errorf("done twice: %s", what)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%v, at most %d agents at the same time, %d starts of the server; %d things done once, %d twice\n\n", s.length, s.most, s.epoch+1, n, len(twice))
	for _, counts := range []map[string]int{s.faults, s.counts} {
		for _, what := range slices.Sorted(maps.Keys(counts)) {
			fmt.Fprintf(&b, "%7d  %s\n", counts[what], what)
		}
		b.WriteString("\n")
	}
	if s.length >= usual {
		for _, what := range undone(s.counts) {
			s.Errorf("never done: %s", what)
		}
	}
	if len(s.samples) > 0 {
		table, grown := growth(s.samples)
		b.WriteString(table)
		if s.length/2 >= growing {
			for _, g := range grown {
				s.Error(g)
			}
		}
		if err := write(filepath.Join(s.dir, "samples.tsv"), s.samples); err != nil {
			s.Error(err)
		}
	}
	s.Log("\n" + b.String())
}
