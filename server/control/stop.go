package control

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// maxGrace bounds the grace that a stop may ask for.
const maxGrace = 10 * time.Minute

// Stop ends agents and reports on each once it is verified to be gone. What was begun is carried out even when ctx
// ends. Agents that do not exist are reported with an error; only a request that makes no sense fails.
func (p *Plane) Stop(ctx context.Context, actor string, s wire.StopParams) (*wire.StopResult, error) {
	agents, missing, err := p.scope(&s)
	if err != nil {
		return nil, err
	}
	reports := make([]wire.StopReport, len(agents), len(agents)+len(missing))
	var wg sync.WaitGroup
	for i, a := range agents {
		wg.Go(func() { reports[i] = a.halt(actor, s.GraceMS) })
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		return nil, wire.Errorf(wire.CodeTimeout, "the agents are still being stopped")
	}
	return &wire.StopResult{Reports: append(reports, missing...)}, nil
}

// scope finds the agents that a stop is about. For a scope wider than agents, those that ended already are left out.
func (p *Plane) scope(s *wire.StopParams) (agents []*agent, missing []wire.StopReport, err error) {
	if s.GraceMS != nil && (*s.GraceMS < 0 || *s.GraceMS > maxGrace.Milliseconds()) {
		return nil, nil, bad("grace_ms", "the grace must be between 0 and %d ms", maxGrace.Milliseconds())
	}
	switch s.Scope {
	case "", wire.ScopeAgent:
		if len(s.IDs) == 0 {
			return nil, nil, bad("ids", "name the agents to stop in ids")
		}
		for _, id := range slices.Compact(slices.Sorted(slices.Values(s.IDs))) {
			a, err := p.agent(id)
			if err != nil {
				missing = append(missing, wire.StopReport{ID: id, Error: wire.AsError(err)})
				continue
			}
			agents = append(agents, a)
		}
		return agents, missing, nil
	case wire.ScopeType:
		if _, ok := p.types[s.Type]; !ok {
			return nil, nil, wire.Errorf(wire.CodeNotFound, "there is no agent type %q", s.Type).WithField("type")
		}
	case wire.ScopeAll:
	default:
		scopes := []string{string(wire.ScopeAgent), string(wire.ScopeType), string(wire.ScopeAll)}
		return nil, nil, wire.Errorf(wire.CodeInvalidParams, "scope must be one of %s", strings.Join(scopes, ", ")).WithField("scope").WithSupported(scopes)
	}
	for _, a := range p.all() {
		if rec := a.record(); rec.Status.Alive() && (s.Scope == wire.ScopeAll || rec.Type == s.Type) {
			agents = append(agents, a)
		}
	}
	return agents, nil, nil
}

// halt stops one agent and reports on it when its end is in the log.
func (a *agent) halt(actor string, graceMS *int64) wire.StopReport {
	begin := time.Now()
	asked := false
	rec := a.update(true, func(rec *wire.Agent) {
		if !rec.Status.Alive() {
			return
		}
		asked = rec.Desired != wire.DesiredStop
		rec.Desired = wire.DesiredStop
		if rec.Status == wire.StatusRunning {
			rec.Status, rec.Activity, rec.Question = wire.StatusStopping, wire.ActivityNone, ""
		}
	})
	if !rec.Status.Alive() {
		return reportOn(rec, begin, wire.StopReport{Already: true})
	}
	if asked {
		a.p.saves.later(a)
		a.event(wire.EventStopping, actor, wire.EventData{})
	}
	<-a.started
	a.mu.Lock()
	run := a.running
	a.mu.Unlock()
	var rep wire.StopReport
	if run != nil {
		grace := a.p.types[rec.Type].StopGrace()
		if _, ok := a.p.types[rec.Type]; !ok {
			grace = DefaultStopGrace
		}
		if graceMS != nil {
			grace = time.Duration(*graceMS) * time.Millisecond
		}
		rep.Forced, rep.Leftovers = run.Stop(context.Background(), grace)
	}
	<-a.ended
	if len(rep.Leftovers) > 0 {
		a.p.log.Error("processes outlived SIGKILL", "agent", a.id, "processes", rep.Leftovers)
		a.keepLeftovers(rep.Leftovers)
	}
	return reportOn(a.record(), begin, rep)
}

func reportOn(rec wire.Agent, begin time.Time, rep wire.StopReport) wire.StopReport {
	rep.ID, rep.Status, rep.Reason, rep.TookMS = rec.ID, rec.Status, rec.Reason, time.Since(begin).Milliseconds()
	return rep
}

// keepLeftovers writes into the record what outlived a stop, so that everybody sees it.
func (a *agent) keepLeftovers(left []wire.Process) {
	a.update(true, func(rec *wire.Agent) {
		var exit wire.Exit
		if rec.Exit != nil {
			exit = *rec.Exit
		}
		exit.Leftovers = left
		rec.Exit = &exit
	})
	a.p.saves.later(a)
}

// Input writes to an agent's standard input.
func (p *Plane) Input(ctx context.Context, actor string, in wire.InputParams) error {
	if in.Text != "" && in.Base64 != nil {
		return bad("text", "give text or base64, not both")
	}
	b := in.Bytes()
	if len(b) == 0 && !in.EOF {
		return bad("text", "there is nothing to write: give text, base64 or eof")
	}
	if len(b) > wire.MaxInput {
		return wire.Errorf(wire.CodeTooLarge, "the input is longer than %d bytes; send it in parts", wire.MaxInput).WithField("text")
	}
	a, err := p.agent(in.ID)
	if err != nil {
		return err
	}
	a.mu.Lock()
	run, status := a.running, a.rec.Status
	a.mu.Unlock()
	if run == nil || status != wire.StatusRunning {
		return wire.Errorf(wire.CodePrecondition, "agent %s is %s: it takes no input", in.ID, status).WithField("id")
	}
	// First the event, then the effect: what the input brings about stands behind it in the log.
	if len(b) > 0 && !a.event(wire.EventInput, actor, payload(b)) {
		return wire.Errorf(wire.CodePrecondition, "agent %s exited: it takes no input", in.ID).WithField("id")
	}
	return run.Input(ctx, b, in.EOF)
}
