// Package scripted runs agents as small deterministic scripts inside Skein, for demonstrations and tests.
//
// # Locks
//
// None is taken while another is held, and none is held while a Sink is called.
//
//	Kind.mu    which agents run
//	input.mu   the standard input of a script
//	work.mu    its tasks
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

// killTime is how long after the grace a stop waits for a script whose Sink blocks.
const killTime = 2 * time.Second

// Kind runs agents as scripts inside Skein. They are real agents for demonstrations and tests, and cost one goroutine
// each. The zero value works.
type Kind struct {
	wg sync.WaitGroup

	mu     sync.Mutex // guards what follows
	live   map[*session]struct{}
	closed bool
	last   parsed
}

// parsed keeps the last script, because the agents of a batch share one.
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

// Detect implements runner.Kind. A script needs nothing of the machine.
func (r *Kind) Detect(runner.Launch) (string, error) { return "", nil }

// Start runs l.Script, or Demo if that is empty. Its error is a *wire.Error: one about the script, or one with
// CodeSpawnFailed.
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

// Close kills the agents that run and returns when their Sinks have received the rest of their output.
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
	rand       *rand.Rand // nil until it is needed
	reply      string
	taken      taken
	inputEnded bool // an echo has seen the end
	loops      []loop
	buf        []byte
	exit       wire.Exit // read by others after done
}

type loop struct{ left, i int } // left counts down; it is negative if the loop runs forever

func (s *session) run() {
	s.sink(runner.Activity{Now: wire.ActivityRunning})
	s.exit = s.play()
	s.in.end()
	s.owner.mu.Lock()
	delete(s.owner.live, s)
	s.owner.mu.Unlock()
	close(s.done)
}

// play runs the script until it exits.
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
		if s.dropped() { // the task was canceled, so the script returns to its take
			pc, s.loops = s.taken.pc, s.loops[:s.taken.loops]
		}
	}
	if !open(s.stopped) { // the stop came during the last statement
		return s.wasStopped()
	}
	return exitCode(0)
}

// again continues at the first step of a repeat, or after its end if it is over.
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

// do executes a statement other than repeat and end. It returns the exit if the statement ends the script.
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

// read waits for a line. If the input has ended, the script ends with the code.
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
	if s.inputEnded { // otherwise a repeat around it would spin
		exit := exitCode(0)
		return &exit
	}
	for {
		line, ok := s.line()
		if c := s.work.canceled(); c != nil && !open(c) { // play abandons the task
			return nil
		}
		if !ok { // on a stop, play ends the script
			s.inputEnded = open(s.stopped)
			return nil
		}
		s.print(wire.EventStdout, append(append(s.buf[:0], line...), '\n'))
	}
}

// line waits for a line of input. On a stop it returns early and ok is false.
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

// resume reports that the script runs again. If it is to stop, its last activity stays what it was.
func (s *session) resume() {
	if open(s.stopped) {
		s.sink(runner.Activity{Now: wire.ActivityRunning})
	}
}

// binary repeats the bytes from 0xff down to 0x80. No two bytes in this order are valid UTF-8.
func (s *session) binary(n int) {
	pattern := make([]byte, min(n, wire.MaxOutput))
	for i := range pattern {
		pattern[i] = 0xff - byte(i%128)
	}
	for ; n > 0 && open(s.stopped); n -= min(n, len(pattern)) {
		s.print(wire.EventStdout, pattern[:min(n, len(pattern))])
	}
}

// print sends bytes to the sink in pieces that it accepts.
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

// expand replaces the variables. The result is valid until the next call.
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

// Stop implements runner.Session. A script has no processes that could be left. If the Sink blocks, the script ends when
// the Sink returns; Stop waits for that only for the grace and killTime.
func (s *session) Stop(ctx context.Context, grace time.Duration) (forced bool, leftovers []wire.Leftover) {
	s.stopOnce.Do(func() { close(s.stopped) })
	due := time.AfterFunc(max(0, grace), s.kill) // also kills after ctx has ended
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

// open reports whether a channel on which nothing is sent is still open.
func open(c <-chan struct{}) bool {
	select {
	case <-c:
		return false
	default:
		return true
	}
}
