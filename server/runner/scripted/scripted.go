// Package scripted runs agents as small deterministic scripts inside Skein, for demonstrations and tests.
package scripted

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// killTime is how long a script's sink may hold it up behind the grace.
const killTime = 2 * time.Second

// Kind runs agents as scripts inside Skein: a real runtime, for demonstrations and tests, that costs a goroutine
// an agent. The zero value works.
type Kind struct {
	wg sync.WaitGroup

	mu     sync.Mutex // guards what follows
	live   map[*session]struct{}
	closed bool
	last   parsed
}

// parsed keeps the last script, since a batch of agents shares one.
type parsed struct {
	text   string
	script Script
}

// Capabilities of scripts.
var Capabilities = runner.Capabilities{Script: true, Tasks: []wire.TaskMode{wire.TasksLines}}

// Capabilities implements runner.Kind.
func (r *Kind) Capabilities() runner.Capabilities { return Capabilities }

// Check implements runner.Kind.
func (r *Kind) Check(l runner.Launch) error {
	if len(l.Argv) > 0 {
		return wire.Errorf(wire.CodeInvalidParams, "it runs a script, it takes no command").WithField("argv")
	}
	if _, err := r.script(l.Script); err != nil {
		return wire.AsError(err).WithField("script")
	}
	return nil
}

// Detect implements runner.Kind: a script needs nothing of the machine.
func (r *Kind) Detect(runner.Launch) (string, error) { return "", nil }

// Start runs l.Script, or Demo. Its error is a *wire.Error: the script's own, or CodeSpawnFailed.
func (r *Kind) Start(ctx context.Context, l runner.Launch, sink runner.Sink) (runner.Session, error) {
	if ctx.Err() != nil {
		return nil, runner.SpawnError("the start was called off")
	}
	script, err := r.script(l.Script)
	if err != nil {
		return nil, err
	}
	s := &session{owner: r, script: script, sink: sink, in: newInput(), agent: l.Agent, work: work{news: make(chan struct{}, 1)},
		stopped: make(chan struct{}), killed: make(chan struct{}), done: make(chan struct{})}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, runner.SpawnError("Skein is stopping")
	}
	if r.live == nil {
		r.live = map[*session]struct{}{}
	}
	r.live[s] = struct{}{}
	r.wg.Go(s.run)
	return s, nil
}

func (r *Kind) script(text string) (Script, error) {
	if text == "" {
		text = Demo
	}
	r.mu.Lock()
	last := r.last
	r.mu.Unlock()
	if last.text == text {
		return last.script, nil
	}
	script, err := ParseScript(text)
	if err == nil {
		r.mu.Lock()
		r.last = parsed{text, script}
		r.mu.Unlock()
	}
	return script, err
}

// Close kills the agents that still run, and returns when their Sinks have taken the last of their output.
func (r *Kind) Close() {
	r.mu.Lock()
	r.closed = true
	for s := range r.live {
		s.kill()
	}
	r.mu.Unlock()
	r.wg.Wait()
}

// session is one agent that runs a script.
type session struct {
	// static after construction
	owner   *Kind
	agent   wire.AgentID
	script  Script
	sink    runner.Sink
	in      *input
	stopped chan struct{} // closed by Stop
	killed  chan struct{} // closed by Stop after the grace, or by Close
	done    chan struct{}

	stopOnce, killOnce sync.Once
	hanging            atomic.Bool
	forced             atomic.Bool
	work               work

	// owned by run
	rand       *rand.Rand // nil until a time is drawn
	reply      string
	taken      taken
	inputEnded bool // an echo saw it
	loops      []loop
	buf        []byte
	exit       wire.Exit // read by others after done
}

type loop struct{ left, i int } // left counts down; forever stays below 0

func (s *session) run() {
	s.sink(runner.Activity{Now: wire.ActivityRunning})
	s.exit = s.play()
	s.in.end()
	s.owner.mu.Lock()
	delete(s.owner.live, s)
	s.owner.mu.Unlock()
	close(s.done)
}

// play runs the script to its exit.
func (s *session) play() wire.Exit {
	for pc := 0; pc < len(s.script.steps); {
		if !open(s.stopped) {
			return s.wasStopped()
		}
		st := &s.script.steps[pc]
		pc++
		switch st.word {
		case wordRepeat:
			s.loops = append(s.loops, loop{left: st.count - 1, i: 1})
		case wordEnd:
			pc = s.again(st, pc)
		case wordExit:
			return exitCode(st.count)
		case wordCrash:
			return wire.Exit{Code: -1, Message: string(s.expand(st.text, s.index()))}
		case wordHang:
			s.hanging.Store(true)
			<-s.killed
			return s.wasStopped()
		case wordTake:
			s.taken = taken{pc: pc - 1, loops: len(s.loops)}
			if exit := s.take(); exit != nil {
				return *exit
			}
		default:
			if exit := s.do(st); exit != nil {
				return *exit
			}
		}
		if s.dropped() { // the task was canceled: back to where it was taken
			pc, s.loops = s.taken.pc, s.loops[:s.taken.loops]
		}
	}
	if !open(s.stopped) { // within the last statement
		return s.wasStopped()
	}
	return exitCode(0)
}

// again goes back to a repeat's first step, or on behind its end.
func (s *session) again(st *step, next int) int {
	l := &s.loops[len(s.loops)-1]
	if l.left == 0 {
		s.loops = s.loops[:len(s.loops)-1]
		return next
	}
	if l.left > 0 {
		l.left--
	}
	l.i++
	return st.jump
}

// do runs a statement that goes on to the next one, or ends the script.
func (s *session) do(st *step) *wire.Exit {
	switch st.word {
	case wordSay:
		s.print(wire.EventStdout, append(s.expand(st.text, s.index()), '\n'))
	case wordWarn:
		s.print(wire.EventStderr, append(s.expand(st.text, s.index()), '\n'))
	case wordWait:
		s.wait(st)
	case wordIdle:
		s.sink(runner.Activity{Now: wire.ActivityIdle})
		s.wait(st)
		s.resume()
	case wordFlood:
		for i := 1; i <= st.count && open(s.stopped); i++ {
			s.print(wire.EventStdout, append(s.expand(st.text, i), '\n'))
		}
	case wordBinary:
		s.binary(st.count)
	case wordAsk:
		return s.ask(st)
	case wordRead:
		return s.read(0)
	case wordEcho:
		return s.echo()
	case wordProgress, wordResult, wordError, wordBusy:
		s.answer(st)
	}
	return nil
}

func (s *session) ask(st *step) *wire.Exit {
	question := s.expand(st.text, s.index())
	if len(question) > runner.MaxQuestion {
		question = question[:runner.MaxQuestion-runner.Unfinished(question[:runner.MaxQuestion])]
	}
	s.sink(runner.Ask{Text: string(question)})
	exit := s.read(1)
	if exit != nil && exit.Code == 1 {
		exit.Message = "the input ended before the question was answered"
	}
	if exit == nil {
		s.resume()
	}
	return exit
}

// read waits for a line; at the input's end, the script ends with the code.
func (s *session) read(code int) *wire.Exit {
	line, ok := s.line()
	if !open(s.stopped) {
		exit := s.wasStopped()
		return &exit
	}
	if !ok {
		exit := exitCode(code)
		return &exit
	}
	s.reply = line
	return nil
}

func (s *session) echo() *wire.Exit {
	if s.inputEnded { // else a repeat around it would spin
		exit := exitCode(0)
		return &exit
	}
	for {
		line, ok := s.line()
		if c := s.work.canceled(); c != nil && !open(c) { // play lets go of the task
			return nil
		}
		if !ok { // play sees a stop
			s.inputEnded = open(s.stopped)
			return nil
		}
		s.print(wire.EventStdout, append(append(s.buf[:0], line...), '\n'))
	}
}

// line waits for a line of input; it returns early, not ok, on a stop.
func (s *session) line() (string, bool) {
	for {
		line, ok, more := s.in.line()
		if more == nil {
			return line, ok
		}
		select {
		case <-more:
		case <-s.stopped:
			return "", false
		case <-s.work.canceled():
			return "", true
		}
	}
}

func (s *session) wait(st *step) {
	if s.rand == nil {
		h := fnv.New64a()
		h.Write([]byte(s.agent))
		s.rand = rand.New(rand.NewPCG(h.Sum64(), 0))
	}
	timer := time.NewTimer(st.draw(s.rand))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.stopped:
	case <-s.work.canceled():
	}
}

// resume says that it runs again, unless it is to stop: its last word then stays what it was doing.
func (s *session) resume() {
	if open(s.stopped) {
		s.sink(runner.Activity{Now: wire.ActivityRunning})
	}
}

// binary counts down from 0xff to 0x80, over and over: no two of these bytes in this order are UTF-8.
func (s *session) binary(n int) {
	pattern := make([]byte, min(n, wire.MaxOutput))
	for i := range pattern {
		pattern[i] = 0xff - byte(i%128)
	}
	for ; n > 0 && open(s.stopped); n -= min(n, len(pattern)) {
		s.print(wire.EventStdout, pattern[:min(n, len(pattern))])
	}
}

// print hands bytes to the sink in pieces that it takes.
func (s *session) print(t wire.EventType, b []byte) {
	for len(b) > 0 {
		n := len(b)
		if n > wire.MaxOutput {
			n = wire.MaxOutput - runner.Unfinished(b[:wire.MaxOutput])
		}
		s.sink(runner.Output{Stream: t, Bytes: b[:n]})
		b = b[n:]
	}
}

// expand fills in the variables. What it returns is good until the next call.
func (s *session) expand(t template, i int) []byte {
	s.buf = t.append(s.buf[:0], values{s.reply, s.taken.input, string(s.taken.id), i})
	return s.buf
}

func (s *session) index() int {
	if n := len(s.loops); n > 0 {
		return s.loops[n-1].i
	}
	return 0
}

func (s *session) wasStopped() wire.Exit {
	if s.hanging.Load() {
		return wire.Exit{Code: -1, Message: "killed, since it ignored the stop"}
	}
	return wire.Exit{Code: -1, Message: "stopped"}
}

func exitCode(code int) wire.Exit {
	return wire.Exit{Code: code, Message: fmt.Sprintf("exit status %d", code)}
}

// Stop implements runner.Session. Nothing can be left over. A script that waits for its Sink has ended once the Sink returns;
// Stop waits for that no longer than the grace and killTime.
func (s *session) Stop(ctx context.Context, grace time.Duration) (forced bool, leftovers []wire.Leftover) {
	s.stopOnce.Do(func() { close(s.stopped) })
	due := time.AfterFunc(max(0, grace), s.kill) // kills also when ctx ended before
	if s.ended(ctx, max(0, grace)+killTime) {
		due.Stop()
	}
	return s.forced.Load(), nil
}

func (s *session) kill() {
	s.stopOnce.Do(func() { close(s.stopped) })
	s.killOnce.Do(func() {
		s.forced.Store(s.hanging.Load() && open(s.done))
		close(s.killed)
	})
}

func (s *session) ended(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-s.done:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// Done implements runner.Session.
func (s *session) Done() <-chan struct{} { return s.done }

// Exit implements runner.Session.
func (s *session) Exit() wire.Exit {
	if open(s.done) {
		return wire.Exit{}
	}
	return s.exit
}

// Input implements runner.Inputter.
func (s *session) Input(ctx context.Context, b []byte, eof bool) error {
	return s.in.write(ctx, b, eof)
}

// open reports whether a channel that only ever gets closed still is not.
func open(c <-chan struct{}) bool {
	select {
	case <-c:
		return false
	default:
		return true
	}
}
