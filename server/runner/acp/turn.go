package acp

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// run opens a session and carries out prompts, one at a time, until the process ends.
func (s *session) run() {
	if err := s.begin(); err != nil {
		if s.ctx.Err() == nil {
			s.fail("%s", err)
		}
		return
	}
	for {
		s.tell(runner.Activity{Now: wire.ActivityIdle})
		p := s.next()
		if p == nil {
			return
		}
		s.showQueue()
		s.tell(runner.Activity{Now: wire.ActivityRunning})
		s.turn(p)
		s.does("") // whatever its plan says
	}
}

// next waits for a prompt. It returns nil when the process has ended, or is to end because there will be no more.
func (s *session) next() *prompt {
	for {
		s.mu.Lock()
		if len(s.queue) > 0 && !s.paused {
			p := s.queue[0]
			s.queue, s.now = s.queue[1:], p
			s.mu.Unlock()
			return p
		}
		over := s.eof && len(s.queue) == 0
		s.mu.Unlock()
		if over {
			s.conn.close()
			return nil
		}
		select {
		case <-s.work:
		case <-s.ctx.Done():
			return nil
		}
	}
}

func (s *session) wake() {
	select {
	case s.work <- struct{}{}:
	default:
	}
}

// turn gives the agent a prompt and waits for the answer.
func (s *session) turn(p *prompt) {
	var r promptResult
	var err error
	answered := func(context.Context, any) error { return nil }
	s.mu.Lock()
	if !p.canceled {
		p.sent = true
		answered, err = s.conn.begin("session/prompt", promptParams{SessionID: s.id, Prompt: []contentText{{"text", p.text}}}, nil)
	}
	s.mu.Unlock()
	if err == nil {
		err = answered(s.ctx, &r)
	}
	s.withdraw("the turn is over")
	s.mu.Lock()
	s.now = nil
	answer, canceled := p.answer.String(), p.canceled
	spent := s.bill.turn(&r)
	clear(s.tools)
	s.called, s.size = nil, 0
	s.mu.Unlock()
	problem := ""
	if s.ctx.Err() == nil {
		s.tell(runner.Spent{Spent: spent})
	}
	switch {
	case s.ctx.Err() != nil:
		return // the end of the agent is the end of its tasks
	case err != nil:
		problem = "the prompt failed: " + err.Error()
	case r.StopReason == "cancelled" || canceled:
		problem = "it was canceled"
	case r.StopReason == "refusal":
		problem = "the agent refuses to go on"
	case r.StopReason == "max_tokens":
		problem = "the answer is longer than the agent may make it (max_tokens)"
	case r.StopReason == "max_turn_requests":
		problem = "the agent has asked its model as often as it may in a turn (max_turn_requests)"
	}
	s.note(problem)
	switch {
	case p.task == "":
	case problem != "":
		s.tell(runner.Failed(p.task, problem, false))
	default:
		s.tell(runner.Completed(p.task, []byte(answer)))
	}
}

// enqueue adds a prompt behind the others; after an interruption, before them.
func (s *session) enqueue(p *prompt) error {
	defer s.showQueue()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ctx.Err() != nil || s.stopped:
		return runner.ExitedError(0, len(p.text))
	case s.eof:
		return wire.Errorf(wire.CodePrecondition, "the agent ends after the prompts that it has: its input was closed")
	case len(s.queue) >= wire.MaxPrompts:
		return wire.Errorf(wire.CodeExhausted, "%d prompts wait for the agent already", wire.MaxPrompts)
	}
	s.prompts++
	p.id = fmt.Sprintf("p%d", s.prompts)
	if s.jumps && p.task == "" {
		s.queue, s.jumps = slices.Insert(s.queue, 0, p), false
	} else {
		s.queue = append(s.queue, p)
	}
	s.wake()
	return nil
}

// showQueue shows the prompts that wait.
func (s *session) showQueue() {
	s.telling.Lock()
	defer s.telling.Unlock()
	s.mu.Lock()
	waiting := make([]wire.Prompt, len(s.queue))
	for i, p := range s.queue {
		waiting[i] = wire.Prompt{ID: p.id, Text: wire.Payload{Text: p.text}.Cut(wire.MaxPromptText).Text, Task: p.task}
	}
	same := slices.Equal(waiting, s.shown)
	s.shown = waiting
	s.mu.Unlock()
	if !same {
		s.sink(runner.Waiting{Prompts: waiting})
	}
}

// Drop implements runner.Interrupter. The prompt of a task is canceled with its task.
func (s *session) Drop(id string) (text string, waited bool) {
	defer s.showQueue()
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.queue, func(p *prompt) bool { return p.id == id && p.task == "" })
	if i < 0 {
		return "", false
	}
	text = s.queue[i].text
	s.queue = slices.Delete(s.queue, i, i+1)
	return text, true
}

// promptText is what is written as a prompt.
func promptText(b []byte) string {
	return strings.ToValidUTF8(strings.TrimRight(string(b), "\r\n"), "�")
}

// Replace implements runner.Interrupter.
func (s *session) Replace(id, text string) (waited bool) {
	defer s.showQueue()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.queue {
		if p.id == id && p.task == "" {
			p.text = promptText([]byte(text))
			return true
		}
	}
	return false
}

// Input implements runner.Inputter: a text is a prompt, which waits for its turn. With eof, the agent ends after the last one.
func (s *session) Input(_ context.Context, b []byte, eof bool) error {
	if text := promptText(b); strings.TrimSpace(text) != "" {
		if err := s.enqueue(&prompt{text: text}); err != nil {
			return err
		}
	}
	if eof {
		s.mu.Lock()
		s.eof = true
		s.mu.Unlock()
		s.wake()
	}
	return nil
}

// Pause implements runner.Pauser.
func (s *session) Pause(on bool) {
	s.mu.Lock()
	s.paused = on
	s.mu.Unlock()
	s.wake()
}

// Interrupt implements runner.Interrupter.
func (s *session) Interrupt() bool {
	s.mu.Lock()
	s.jumps = true
	s.mu.Unlock()
	return s.cancel("the turn was interrupted")
}

// Deliver implements runner.Doer.
func (s *session) Deliver(_ context.Context, t *wire.Task) error {
	text := strings.ToValidUTF8(string(t.Input.Bytes()), "�")
	return s.enqueue(&prompt{text: cmp.Or(text, t.Name), task: t.ID})
}

// Cancel implements runner.Doer.
func (s *session) Cancel(_ context.Context, id wire.TaskID) error {
	s.mu.Lock()
	i := slices.IndexFunc(s.queue, func(p *prompt) bool { return p.task == id })
	if i >= 0 {
		s.queue = slices.Delete(s.queue, i, i+1)
	}
	current := s.now != nil && s.now.task == id
	s.mu.Unlock()
	switch {
	case i >= 0:
		s.showQueue()
		return s.tell(runner.Failed(id, "it was canceled before the agent began", false))
	case current:
		s.cancel("the task was canceled")
	}
	return nil
}

// cancel cancels the turn, if there is one. Agents end it only when every permission that they wait for was answered.
func (s *session) cancel(why string) bool {
	s.mu.Lock()
	p := s.now
	again := p == nil || p.canceled
	if p != nil {
		p.canceled = true
	}
	sent := p != nil && p.sent
	s.mu.Unlock()
	if again {
		return p != nil
	}
	if !sent {
		return true
	}
	s.withdraw(why)
	s.mu.Lock()
	ended := s.now != p // its cancel would be that of the next turn
	if !ended {
		s.conn.notify("session/cancel", sessionParams{SessionID: s.id})
	}
	s.mu.Unlock()
	if ended {
		return true
	}
	time.AfterFunc(cancelTimeout, func() {
		s.mu.Lock()
		stuck := s.now == p
		s.mu.Unlock()
		if stuck && s.ctx.Err() == nil {
			s.log("it has not ended the turn that was canceled %s ago; a stop ends the agent", cancelTimeout)
		}
	})
	return true
}

// request implements peer.
func (s *session) request(m *message) {
	if m.Method == "session/request_permission" {
		s.permission(m)
		return
	}
	s.conn.reply(m.ID, nil, &rpcError{Code: codeMethodNotFound, Message: "Method not found: " + wire.Cut(m.Method, 100)})
}

// notice implements peer.
func (s *session) notice(m *message) {
	switch m.Method {
	case "session/update":
		var p struct {
			Update json.RawMessage `json:"update"`
		}
		if json.Unmarshal(m.Params, &p) == nil && len(p.Update) > 0 {
			s.updated(p.Update)
		}
	case "$/cancel_request":
		var p struct {
			ID json.RawMessage `json:"requestId"`
		}
		if json.Unmarshal(m.Params, &p) == nil {
			s.revoke(p.ID)
		}
	}
}

// text implements peer.
func (s *session) text(line []byte, whole bool) {
	for len(line) > 0 || whole {
		n := min(len(line), wire.MaxOutput-1)
		if n < len(line) {
			n -= runner.Unfinished(line[:n])
		}
		piece := slices.Clone(line[:n])
		if line = line[n:]; len(line) == 0 && whole {
			piece, whole = append(piece, '\n'), false
		}
		s.tell(runner.Output{Stream: wire.EventStderr, Bytes: piece})
	}
}

// odd implements peer.
func (s *session) odd(format string, args ...any) { s.log(format, args...) }
