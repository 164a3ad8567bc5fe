package control

import (
	"context"
	"slices"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// Admission says whether agents may be spawned and tasks started.
func (p *Plane) Admission() wire.Admission {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.admission
}

// closedFor says why no agent of a type may be spawned and no task started on one; "": both may be.
func (p *Plane) closedFor(typ string) string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.closedForLocked(typ)
}

// closedForLocked needs mu.
func (p *Plane) closedForLocked(typ string) string {
	switch {
	case p.closed:
		return "the server stops"
	case p.admission.Closed:
		return "admission is closed"
	case slices.Contains(p.admission.Types, typ):
		return "admission is closed for " + typ
	}
	return ""
}

// SetAdmission opens or closes admission. It holds from now on, and over restarts.
func (p *Plane) SetAdmission(ctx context.Context, by Caller, params wire.AdmissionParams) (*wire.Admission, error) {
	if _, ok := p.types[params.Type]; params.Type != "" && !ok {
		return nil, wire.Errorf(wire.CodeNotFound, "there is no agent type %q", params.Type).WithField("type")
	}
	now := time.Now().UTC()
	p.mu.Lock()
	a := p.admission
	a.Types = slices.DeleteFunc(slices.Clone(a.Types), func(t string) bool { return t == params.Type || params.Type == "" && !params.Closed })
	switch {
	case params.Type == "":
		a.Closed = params.Closed
	case params.Closed:
		a.Types = append(a.Types, params.Type)
		slices.Sort(a.Types)
	}
	a.Since, a.Actor, a.Reason = &now, by.Actor, clip(params.Reason)
	p.admission = a
	p.admitted = p.change.Add(1)
	p.mu.Unlock()
	p.log.Info("admission changed", "closed", a.Closed, "types", a.Types, "actor", by.Actor)
	p.Tasks.kick()
	// A stop must not wait for a store that does not answer: admission is closed already.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if err := p.o.Store.PutAdmission(ctx, a); err != nil {
		p.log.Error("admission could not be stored: a restart forgets it", "err", err)
		return &a, wire.Errorf(wire.CodeUnavailable, "admission is changed, but could not be stored: a restart would forget it")
	}
	return &a, nil
}
