package process

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(helperEnv) != "":
		helper()
		return
	case os.Getenv(hiddenEnv) != "":
		hiddenHelper()
		return
	case os.Getenv(terminalEnv) != "":
		terminalHelper()
		return
	case os.Getenv(selfEnv) != "":
		selfHelper()
		return
	case os.Getenv(hidepidEnv) != "":
		hidepidHelper()
		return
	}
	goleak.VerifyTestMain(m)
}

// patience bounds every wait for an effect; only a failing test comes near it.
const patience = kit.Patience

// record has a sink that keeps everything, and lets tests wait for it.
type record struct {
	t  testing.TB
	mu sync.Mutex
	on chan struct{} // closed and replaced with every call

	out      map[wire.EventType]*bytes.Buffer
	pieces   []piece
	log      []string // activities and signals, in order
	calls    int
	inCall   bool
	blockOut chan struct{} // Output waits for it, if set
}

type piece struct {
	t wire.EventType
	b string
}

func newRecord(t testing.TB) *record {
	return &record{t: t, on: make(chan struct{}), out: map[wire.EventType]*bytes.Buffer{wire.EventStdout: {}, wire.EventStderr: {}, wire.EventTTY: {}}}
}

// take checks that calls do not overlap, and wakes waiting tests.
func (r *record) take(do func()) {
	r.mu.Lock()
	if r.inCall {
		r.t.Error("the Sink was called by two at once")
	}
	r.inCall = true
	block := r.blockOut
	r.mu.Unlock()
	if block != nil {
		<-block
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	do()
	r.calls++
	r.inCall = false
	close(r.on)
	r.on = make(chan struct{})
}

func (r *record) sink(e runner.Event) error {
	switch e := e.(type) {
	case runner.Output:
		if len(e.Bytes) == 0 || len(e.Bytes) > wire.MaxOutput {
			r.t.Errorf("Output of %d bytes", len(e.Bytes))
		}
		r.take(func() {
			r.out[e.Stream].Write(e.Bytes)
			r.pieces = append(r.pieces, piece{e.Stream, string(e.Bytes)})
		})
	case runner.Activity:
		r.take(func() { r.log = append(r.log, string(e.Now)) })
	case runner.Signal:
		r.take(func() { r.log = append(r.log, e.Name) })
	default:
		r.t.Errorf("a process told %T", e)
	}
	return nil
}

// until waits for a condition on the recorded calls.
func (r *record) until(what string, cond func() bool) {
	r.t.Helper()
	timeout := time.After(patience)
	for {
		r.mu.Lock()
		ok, on := cond(), r.on
		r.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-on:
		case <-timeout:
			r.t.Fatalf("no %s; stdout %q, stderr %q, log %q", what, r.text(wire.EventStdout), r.text(wire.EventStderr), r.history())
		}
	}
}

func (r *record) untilOut(text string) {
	r.t.Helper()
	r.until("output "+text, func() bool { return strings.Contains(r.out[wire.EventStdout].String(), text) })
}

func (r *record) untilLog(entry string) {
	r.t.Helper()
	r.until("entry "+entry, func() bool {
		for _, e := range r.log {
			if e == entry {
				return true
			}
		}
		return false
	})
}

func (r *record) text(t wire.EventType) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out[t].String()
}

func (r *record) history() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.log...)
}

func (r *record) parts() []piece {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]piece(nil), r.pieces...)
}

var agents struct {
	sync.Mutex
	n int
}

// nextAgent returns an id that no other test and no other run of the tests uses.
func nextAgent() wire.AgentID {
	agents.Lock()
	defer agents.Unlock()
	agents.n++
	return wire.AgentID(fmt.Sprintf("a%d-%d", os.Getpid(), agents.n))
}

func code(t testing.TB, err error) wire.ErrorCode {
	t.Helper()
	e, ok := err.(*wire.Error)
	if !ok {
		t.Fatalf("error %v is a %T, not a *wire.Error", err, err)
	}
	return e.Code
}
