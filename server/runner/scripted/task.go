package scripted

import (
	"context"
	"sync"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// taken is the task that a script works on.
type taken struct {
	job
	pc    int // the step of the take
	loops int // how many loops are open there
}

// job is a task that was delivered to a script.
type job struct {
	id    wire.TaskID
	input string
	stop  chan struct{} // closed when the task is canceled
}

// work has the tasks of a script: the one that it works on and those that it has not taken yet.
type work struct {
	news chan struct{} // has a value when there may be a task to take

	mu    sync.Mutex // guards what follows
	now   job
	queue []job
}

// Deliver implements runner.Doer. The script takes the task at its next take.
func (s *session) Deliver(_ context.Context, t *wire.Task) error {
	if !open(s.done) {
		return runner.ExitedError(0, len(t.Input.Bytes()))
	}
	s.work.mu.Lock()
	s.work.queue = append(s.work.queue, job{t.ID, string(t.Input.Bytes()), make(chan struct{})})
	s.work.mu.Unlock()
	select {
	case s.work.news <- struct{}{}:
	default:
	}
	return nil
}

// Cancel implements runner.Doer. A task that was not taken yet is abandoned when it is.
func (s *session) Cancel(_ context.Context, id wire.TaskID) error {
	s.work.mu.Lock()
	defer s.work.mu.Unlock()
	for _, j := range append(s.work.queue[:len(s.work.queue):len(s.work.queue)], s.work.now) {
		if j.id == id && open(j.stop) {
			close(j.stop)
		}
	}
	return nil
}

// next takes the oldest task.
func (w *work) next() (job, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		return job{}, false
	}
	w.now = w.queue[0]
	w.queue = w.queue[1:]
	return w.now, true
}

// canceled returns a channel that is closed when the current task is canceled, or nil if there is none.
func (w *work) canceled() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now.stop
}

func (w *work) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = job{}
}

// take waits for a task. It ignores lines of input.
func (s *session) take() *wire.Exit {
	s.sink(runner.Activity{Now: wire.ActivityIdle})
	for {
		if !open(s.stopped) {
			exit := s.wasStopped()
			return &exit
		}
		if j, ok := s.work.next(); ok {
			s.taken.job, s.reply = j, ""
			s.resume()
			return nil
		}
		_, ok, more := s.in.line()
		switch {
		case more != nil:
		case !ok:
			exit := exitCode(0)
			return &exit
		default:
			continue
		}
		select {
		case <-more:
		case <-s.work.news:
		case <-s.stopped:
		}
	}
}

// dropped reports whether the current task was canceled, and abandons it if so.
func (s *session) dropped() bool {
	c := s.work.canceled()
	if c == nil || open(c) {
		return false
	}
	s.work.end()
	s.sink(runner.Failed(s.taken.id, "canceled", false))
	s.taken.job = job{}
	return true
}

// answer reports something about the current task. Without one it does nothing.
func (s *session) answer(st *step) {
	if s.taken.id == "" {
		return
	}
	text := string(s.expand(st.text, s.index()))
	switch st.word {
	case wordProgress:
		s.sink(runner.Update{Task: s.taken.id, Text: text})
		return
	case wordResult:
		s.sink(runner.Completed(s.taken.id, []byte(text)))
	default:
		s.sink(runner.Failed(s.taken.id, text, st.word == wordBusy))
	}
	s.work.end()
	s.taken.id = ""
}
