package control

import (
	"context"
	"slices"
	"time"

	"skein.dev/skein/server/noun"
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

const (
	maxChanges = 200 // bounds Plane.changes
	storeAgain = time.Second
)

// SetAdmission opens or closes admission. It holds from now on, and over restarts. A request that was carried out is
// answered as it was then: others may have changed admission since.
func (p *Plane) SetAdmission(_ context.Context, by noun.Caller, params wire.AdmissionParams) (*wire.Admission, error) {
	if _, ok := p.types[params.Type]; params.Type != "" && !ok {
		return nil, wire.Errorf(wire.CodeNotFound, "there is no agent type %q", params.Type).WithField("type")
	}
	a, kept := p.beginAdmission(by, params)
	if !p.wasKept(kept) {
		return a, wire.Errorf(wire.CodeUnavailable, "admission is changed, but the store does not answer: until it does, a restart may forget it")
	}
	return a, nil
}

// beginAdmission makes a change that holds from now on: a stop waits for no store that does not answer.
func (p *Plane) beginAdmission(by noun.Caller, params wire.AdmissionParams) (a *wire.Admission, kept <-chan struct{}) {
	a, fresh := p.changeAdmission(by, params)
	if fresh {
		p.log.Info("admission changed", "closed", a.Closed, "types", a.Types, "actor", by.Actor)
		p.Tasks.Kick()
	}
	return a, p.keepAdmission()
}

// wasKept waits until a change is on the disk; false: the store does not answer.
func (p *Plane) wasKept(kept <-chan struct{}) bool {
	select {
	case <-kept:
		return true
	case <-time.After(p.o.StoreTimeout):
		return false
	}
}

// changeAdmission makes the change; false: its request had made it before.
func (p *Plane) changeAdmission(by noun.Caller, params wire.AdmissionParams) (_ *wire.Admission, fresh bool) {
	now := time.Now().UTC()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.changes {
		if by.Request != "" && a.Request == by.Request {
			return &a, false
		}
	}
	a := p.admission
	a.Types = slices.DeleteFunc(slices.Clone(a.Types), func(t string) bool { return t == params.Type || params.Type == "" && !params.Closed })
	switch {
	case params.Type == "":
		a.Closed = params.Closed
	case params.Closed:
		a.Types = append(a.Types, params.Type)
		slices.Sort(a.Types)
	}
	a.Since, a.Actor, a.Reason, a.Request = &now, by.Actor, noun.Clip(params.Reason), by.Request
	p.admission = a
	p.admitted = p.change.Add(1)
	p.changes = slices.DeleteFunc(append([]wire.Admission{a}, p.changes...), func(a wire.Admission) bool { return a.Since == nil || now.Sub(*a.Since) > noun.KeepRequests })
	p.changes = p.changes[:min(len(p.changes), maxChanges)]
	return &a, true
}

// keepAdmission stores the changes of admission, for as long as it takes: kept is closed when the newest one is on the disk.
func (p *Plane) keepAdmission() (kept <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	done := make(chan struct{})
	p.keepers = append(p.keepers, done)
	if len(p.keepers) == 1 {
		if !p.closed {
			p.running.Add(1)
		}
		go p.storeAdmission(!p.closed)
	}
	return done
}

// storeAdmission stores until nobody waits. counted: Close waits for it; otherwise only who asked does.
func (p *Plane) storeAdmission(counted bool) {
	if counted {
		defer p.running.Done()
	}
	for {
		p.mu.RLock()
		changes, waiting := p.changes, len(p.keepers)
		p.mu.RUnlock()
		ctx, cancel := context.WithTimeout(context.Background(), p.o.StoreTimeout)
		err := p.o.Store.PutAdmission(ctx, changes)
		cancel()
		if err != nil {
			p.log.Error("admission could not be stored: until it is, a restart forgets the change", "err", err)
			select {
			case <-time.After(storeAgain):
				continue
			case <-p.closing:
			}
		}
		p.mu.Lock()
		if err == nil {
			for _, done := range p.keepers[:waiting] {
				close(done)
			}
		}
		p.keepers = p.keepers[waiting:]
		more := len(p.keepers) > 0
		p.mu.Unlock()
		if !more {
			return
		}
	}
}
