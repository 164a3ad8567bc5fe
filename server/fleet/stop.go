package fleet

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// maxGrace bounds the grace that a stop may ask for.
const maxGrace = 10 * time.Minute

// Stop stops agents and reports on each when it is verified to be gone. A stop that has begun continues when ctx ends. Agents
// that do not exist are reported with an error; only an invalid request fails as a whole.
//
// A stop of a type, the node or all first closes admission, so that nothing starts during the stop, nor after it until
// somebody opens admission again. It cancels the tasks that the agents are working on, and those that wait for another attempt.
func (f *Fleet) Stop(ctx context.Context, by noun.Caller, s wire.StopParams) (*wire.StopResult, error) {
	if s.GraceMS != nil && (*s.GraceMS < 0 || *s.GraceMS > maxGrace.Milliseconds()) {
		return nil, noun.Bad("grace_ms", "the grace must be between 0 and %d ms", maxGrace.Milliseconds())
	}
	res := &wire.StopResult{}
	var agents []*agent
	var missing []wire.StopReport
	switch s.Scope {
	case "", wire.ScopeAgent:
		if len(s.IDs) == 0 {
			return nil, noun.Bad("ids", "name the agents to stop in ids")
		}
		agents, missing = f.named(s.IDs)
	case wire.ScopeTask:
		if len(s.Tasks) == 0 {
			return nil, noun.Bad("tasks", "name the tasks to stop in tasks")
		}
		ids, canceled, err := f.o.Work.Halt(by, s.Tasks)
		if err != nil {
			return nil, err
		}
		res.Canceled = canceled
		agents, _ = f.named(ids)
	case wire.ScopeType, wire.ScopeNode, wire.ScopeAll:
		if err := f.checkWide(s); err != nil {
			return nil, err
		}
		closing := wire.AdmissionParams{Closed: true, Reason: "stop of " + string(s.Scope)}
		if s.Scope == wire.ScopeType {
			closing.Type = s.Type
		}
		_, kept := f.beginAdmission(noun.Caller{Actor: by.Actor}, closing) // each stop closes it, a repeated one too
		defer f.wasKept(kept)                                              // that it was not is logged
		res.Closed = true
		for _, a := range f.all() {
			rec := a.record()
			if (rec.Status.Alive() || rec.LeftBehind()) && (s.Scope != wire.ScopeType || a.typ == s.Type) {
				agents = append(agents, a)
			}
		}
		res.Canceled = f.o.Work.HaltWide(by, closing.Type, idsOf(agents))
	default:
		scopes := make([]string, len(wire.StopScopes))
		for i, v := range wire.StopScopes {
			scopes[i] = string(v)
		}
		return nil, wire.Errorf(wire.CodeInvalidParams, "scope must be one of %s", strings.Join(scopes, ", ")).WithField("scope").WithSupported(scopes)
	}
	done := make(chan struct{})
	f.running.Go(func() {
		defer close(done)
		res.Reports = append(f.haltThese(by.Actor, agents, s.GraceMS), missing...)
		if res.Closed && s.Reopen {
			if _, err := f.SetAdmission(context.WithoutCancel(ctx), noun.Caller{Actor: by.Actor}, wire.AdmissionParams{Type: s.Type, Reason: "the stop is over"}); err == nil {
				res.Closed = false
			}
		}
	})
	select {
	case <-done:
		return res, nil
	case <-ctx.Done():
		return nil, wire.Errorf(wire.CodeTimeout, "the agents are still being stopped")
	}
}

func (f *Fleet) checkWide(s wire.StopParams) error {
	if _, ok := f.o.Types[s.Type]; s.Scope == wire.ScopeType && !ok {
		return wire.Errorf(wire.CodeNotFound, "there is no agent type %q", s.Type).WithField("type")
	}
	if s.Scope == wire.ScopeNode && s.Node != f.o.Node {
		return wire.Errorf(wire.CodeNotFound, "there is no node %q; this one is %q", s.Node, f.o.Node).WithField("node")
	}
	return nil
}

func idsOf(agents []*agent) []wire.AgentID {
	ids := make([]wire.AgentID, len(agents))
	for i, a := range agents {
		ids[i] = a.id
	}
	return ids
}

func (f *Fleet) named(ids []wire.AgentID) (agents []*agent, missing []wire.StopReport) {
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		a, err := f.agent(id)
		if err != nil {
			missing = append(missing, wire.StopReport{ID: id, Error: wire.AsError(err)})
			continue
		}
		agents = append(agents, a)
	}
	return agents, missing
}

// haltThese stops agents concurrently and reports on each.
func (f *Fleet) haltThese(actor string, agents []*agent, graceMS *int64) []wire.StopReport {
	reports := make([]wire.StopReport, len(agents))
	var wg sync.WaitGroup
	for i, a := range agents {
		wg.Go(func() { reports[i] = a.halt(actor, graceMS) })
	}
	wg.Wait()
	return reports
}

// haltAll stops agents. If ctx ends first, it returns no reports, and the stop continues.
func (f *Fleet) haltAll(ctx context.Context, actor string, agents []*agent) []wire.StopReport {
	done := make(chan []wire.StopReport, 1)
	go func() { done <- f.haltThese(actor, agents, nil) }()
	select {
	case reports := <-done:
		return reports
	case <-ctx.Done():
		return nil
	}
}

// Input writes to an agent's standard input.
func (f *Fleet) Input(ctx context.Context, actor string, in wire.InputParams) error {
	if in.Text != "" && in.Base64 != nil {
		return noun.Bad("text", "give text or base64, not both")
	}
	b := in.Bytes()
	if len(b) == 0 && !in.EOF && !in.Interrupt {
		return noun.Bad("text", "there is nothing to write: give text, base64, eof or interrupt")
	}
	if len(b) > wire.MaxInput {
		return wire.Errorf(wire.CodeTooLarge, "the input is longer than %d bytes; send it in parts", wire.MaxInput).WithField("text")
	}
	a, err := f.agent(in.ID)
	if err != nil {
		return err
	}
	a.mu.Lock()
	run, status, none := a.running, a.rec.Status, a.rec.NoInput
	a.mu.Unlock()
	if none {
		return wire.Errorf(wire.CodePrecondition, "agent %s has no standard input (it was spawned with no_input, or its type has stdin: none): it takes no input", in.ID).WithField("id")
	}
	if run == nil || status != wire.StatusRunning {
		return wire.Errorf(wire.CodePrecondition, "agent %s is %s: it takes no input", in.ID, status).WithField("id")
	}
	to, ok := runner.As[runner.Inputter](run)
	if !ok {
		return wire.Errorf(wire.CodePrecondition, "agent %s takes no input: agents of its kind have none", in.ID).WithField("id")
	}
	if err := a.shown(in.Question); err != nil {
		return err
	}
	if in.Replace != "" {
		return a.replacePrompt(run, actor, in)
	}
	if in.Interrupt {
		turns, ok := runner.As[runner.Interrupter](run)
		if !ok {
			return wire.Errorf(wire.CodePrecondition, "agent %s takes no prompts, so that there is no turn to interrupt", in.ID).WithField("interrupt")
		}
		if turns.Interrupt(); len(b) == 0 && !in.EOF {
			a.event(wire.EventLog, actor, wire.EventData{Text: "the turn was interrupted"})
			return nil
		}
	}
	if in.EOF && a.terminal() != nil {
		b, in.EOF = append(b, endOfFile), false // in a terminal, that is a key
	}
	// Before: the agent may go on and ask again before the writing has returned.
	replied := func() {}
	if !a.waitsFor(func(waiting) bool { return true }) { // an input is no answer to a request for permission
		replied = f.o.Work.Asked(a.id)
	}
	done := func(bool) {}
	if len(b) > 0 {
		done = f.o.Asks.Replies(a.id, actor, b)
	}
	// The event comes before the effect, so that the effects of the input follow it in the log.
	if len(b) > 0 && !a.event(wire.EventInput, actor, payload(b)) {
		done(false)
		return wire.Errorf(wire.CodePrecondition, "agent %s exited: it takes no input", in.ID).WithField("id")
	}
	begin := time.Now()
	err = to.Input(ctx, b, in.EOF)
	done(err == nil)
	if err == nil {
		replied()
		if c := a.terminal(); c != nil {
			c.answered(begin)
		}
	}
	return err
}

// Drop drops a prompt of an agent that waits for its turn, and returns its text.
func (f *Fleet) Drop(actor string, p wire.DropParams) (*wire.DropResult, error) {
	a, err := f.agent(p.ID)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	run := a.running
	a.mu.Unlock()
	if turns, ok := runner.As[runner.Interrupter](run); ok {
		if text, waited := turns.Drop(p.Prompt); waited {
			a.event(wire.EventLog, actor, wire.EventData{Text: noun.Clip("a prompt was dropped: " + text)})
			return &wire.DropResult{Text: text}, nil
		}
	}
	return nil, promptGone(p.Prompt, p.ID).WithField("prompt")
}

// replacePrompt gives a prompt that waits another text.
func (a *agent) replacePrompt(run runner.Session, actor string, in wire.InputParams) error {
	text := string(in.Bytes())
	if strings.TrimSpace(text) == "" || in.EOF || in.Interrupt {
		return noun.Bad("replace", "give the text that takes the place of the prompt, and neither eof nor interrupt")
	}
	if turns, ok := runner.As[runner.Interrupter](run); !ok || !turns.Replace(in.Replace, text) {
		return promptGone(in.Replace, a.id).WithField("replace")
	}
	a.event(wire.EventLog, actor, wire.EventData{Text: noun.Clip("a prompt that waits is now: " + text)})
	return nil
}

func promptGone(prompt string, id wire.AgentID) *wire.Error {
	return wire.Errorf(wire.CodeNotFound, "no prompt %.20q waits for agent %s: it has begun, or was dropped", prompt, id)
}

// Close stops every agent, checks once more for leftovers of agents that had ended, and waits for the last event. Nothing can
// be started any more. The caller calls End after that.
func (f *Fleet) Close(ctx context.Context) []wire.StopReport {
	f.mu.Lock()
	if !f.closed {
		f.o.Store.Drain()
	}
	f.closed = true
	f.mu.Unlock()
	agents := slices.DeleteFunc(f.all(), func(a *agent) bool { rec := a.record(); return !rec.Status.Alive() && !rec.LeftBehind() })
	res := f.haltAll(ctx, wire.ByServer, agents)
	f.running.Wait()
	return res
}

// End stores all records that are not stored yet.
func (f *Fleet) End() {
	f.stop()
	f.saving.Wait()
}
