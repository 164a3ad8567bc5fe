package runner

import (
	"bytes"
	"encoding/json"
	"slices"
	"sync"

	"skein.dev/skein/webtransport/wire"
)

// This file is how a script takes tasks: it speaks the line protocol (docs/agents.md) like any other agent.

// taken is the task that a script is at.
type taken struct {
	id, input string
	pc        int // of the take
	loops     int // open there
}

// work is the task that a script is at, as those see it who cancel it.
type work struct {
	mu    sync.Mutex
	task  string
	stop  chan struct{} // closed when task is canceled; nil: there is none
	early []string      // canceled before they were taken, the newest earlyCancels
}

const earlyCancels = 16

// taskLine is what a script understands of a line.
type taskLine struct {
	Method string `json:"method"`
	Params struct {
		Task  string `json:"task"`
		Input string `json:"input"`
	} `json:"params"`
}

var taskMarker = []byte(`{"jsonrpc"`)

// cancels reports whether b cancels a task, and does it.
func (w *work) cancels(b []byte) bool {
	b = bytes.TrimLeft(b, "\n")
	if !bytes.HasPrefix(b, taskMarker) {
		return false
	}
	var l taskLine
	if json.Unmarshal(b, &l) != nil || l.Method != "task.cancel" {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stop == nil || w.task != l.Params.Task {
		w.early = append(w.early, l.Params.Task)
		w.early = w.early[max(0, len(w.early)-earlyCancels):]
		return true
	}
	select {
	case <-w.stop:
	default:
		close(w.stop)
	}
	return true
}

// canceled is closed when the task at hand is canceled; nil when there is none.
func (w *work) canceled() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stop
}

func (w *work) begin(task string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.task, w.stop = task, make(chan struct{})
	if slices.Contains(w.early, task) {
		close(w.stop)
	}
}

func (w *work) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.task, w.stop = "", nil
}

// take waits for a task. Other lines are read over.
func (s *scripted) take() *wire.Exit {
	s.sink.Activity(wire.ActivityIdle, "")
	for {
		if exit := s.read(0); exit != nil {
			return exit
		}
		var l taskLine
		if json.Unmarshal([]byte(s.reply), &l) != nil || l.Method != "task.run" {
			continue
		}
		s.taken.id, s.taken.input, s.reply = l.Params.Task, l.Params.Input, ""
		s.work.begin(l.Params.Task)
		s.resume()
		return nil
	}
}

// dropped reports whether the task at hand was canceled, and lets go of it.
func (s *scripted) dropped() bool {
	c := s.work.canceled()
	if c == nil || open(c) {
		return false
	}
	s.work.end()
	s.tell("task.error", map[string]any{"task": s.taken.id, "message": "canceled"})
	s.taken.id, s.taken.input = "", ""
	return true
}

// answer says something of the task at hand. Without one it says nothing.
func (s *scripted) answer(st *step) {
	if s.taken.id == "" {
		return
	}
	text := string(s.expand(st.text, s.index()))
	switch st.word {
	case wordProgress:
		s.tell("task.progress", map[string]any{"task": s.taken.id, "text": text})
		return
	case wordResult:
		s.tell("task.result", map[string]any{"task": s.taken.id, "output": text})
	default:
		s.tell("task.error", map[string]any{"task": s.taken.id, "message": text, "retryable": st.word == wordBusy})
	}
	s.work.end()
	s.taken.id = ""
}

func (s *scripted) tell(method string, params any) {
	m, err := wire.NewNotification(method, params)
	if err == nil {
		var line []byte
		if line, err = wire.AppendLine(nil, m); err == nil {
			s.print(wire.EventStdout, line)
		}
	}
}
