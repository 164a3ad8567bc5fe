package fleet

import (
	"context"
	"slices"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// Admission says whether agents may be spawned and tasks started.
func (f *Fleet) Admission() wire.Admission {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.admission
}

// closedFor returns why no agent of a type may be spawned and no task started on one, or "" if they may.
func (f *Fleet) closedFor(typ string) string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.closedForLocked(typ)
}

// closedForLocked is closedFor for a caller that holds mu.
func (f *Fleet) closedForLocked(typ string) string {
	switch {
	case f.closed:
		return "the server is stopping"
	case f.admission.Closed:
		return "admission is closed"
	case slices.Contains(f.admission.Types, typ):
		return "admission is closed for " + typ
	}
	return ""
}

const (
	maxChanges = 200 // bounds Fleet.changes
	storeAgain = time.Second
)

// SetAdmission opens or closes admission, at once and over restarts. A repeated request gets the answer of the first one, even
// if others have changed admission since.
func (f *Fleet) SetAdmission(_ context.Context, by noun.Caller, params wire.AdmissionParams) (*wire.Admission, error) {
	if _, ok := f.o.Types[params.Type]; params.Type != "" && !ok {
		return nil, wire.Errorf(wire.CodeNotFound, "there is no agent type %q", params.Type).WithField("type")
	}
	a, kept := f.beginAdmission(by, params)
	if !f.wasKept(kept) {
		return a, wire.Errorf(wire.CodeUnavailable, "admission is changed, but the store does not answer: until it does, a restart may forget it")
	}
	return a, nil
}

// beginAdmission makes a change that takes effect at once and is stored later, because a stop must not wait for a store that
// does not answer.
func (f *Fleet) beginAdmission(by noun.Caller, params wire.AdmissionParams) (a *wire.Admission, kept <-chan struct{}) {
	a, fresh := f.changeAdmission(by, params)
	if fresh {
		f.log.Info("admission changed", "closed", a.Closed, "types", a.Types, "actor", by.Actor)
		f.o.Work.Kick()
	}
	return a, f.keepAdmission()
}

// wasKept waits until a change is on the disk. It returns false if the store does not answer in time.
func (f *Fleet) wasKept(kept <-chan struct{}) bool {
	select {
	case <-kept:
		return true
	case <-time.After(f.o.StoreTimeout):
		return false
	}
}

// changeAdmission makes the change. It returns false if the same request made it before.
func (f *Fleet) changeAdmission(by noun.Caller, params wire.AdmissionParams) (_ *wire.Admission, fresh bool) {
	now := time.Now().UTC()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.changes {
		if by.Request != "" && a.Request == by.Request {
			return &a, false
		}
	}
	a := f.admission
	a.Types = slices.DeleteFunc(slices.Clone(a.Types), func(t string) bool { return t == params.Type || params.Type == "" && !params.Closed })
	switch {
	case params.Type == "":
		a.Closed = params.Closed
	case params.Closed:
		a.Types = append(a.Types, params.Type)
		slices.Sort(a.Types)
	}
	a.Since, a.Actor, a.Reason, a.Request = &now, by.Actor, noun.Clip(params.Reason), by.Request
	f.admission = a
	f.feed.admitted()
	f.changes = slices.DeleteFunc(append([]wire.Admission{a}, f.changes...), func(a wire.Admission) bool { return a.Since == nil || now.Sub(*a.Since) > noun.KeepRequests })
	f.changes = f.changes[:min(len(f.changes), maxChanges)]
	return &a, true
}

// keepAdmission stores the changes of admission, however long that takes. kept is closed when the newest one is on the disk.
func (f *Fleet) keepAdmission() (kept <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	done := make(chan struct{})
	f.keepers = append(f.keepers, done)
	if len(f.keepers) == 1 {
		if !f.closed {
			f.running.Add(1)
		}
		go f.storeAdmission(!f.closed)
	}
	return done
}

// storeAdmission stores the changes until nobody waits for that. counted says that Close waits for it.
func (f *Fleet) storeAdmission(counted bool) {
	if counted {
		defer f.running.Done()
	}
	for {
		f.mu.RLock()
		changes, waiting := f.changes, len(f.keepers)
		f.mu.RUnlock()
		ctx, cancel := context.WithTimeout(context.Background(), f.o.StoreTimeout)
		err := f.o.Store.PutAdmission(ctx, changes)
		cancel()
		if err != nil {
			f.log.Error("admission could not be stored: until it is, a restart forgets the change", "err", err)
			select {
			case <-time.After(storeAgain):
				continue
			case <-f.o.Closing.Done():
			}
		}
		f.mu.Lock()
		if err == nil {
			for _, done := range f.keepers[:waiting] {
				close(done)
			}
		}
		f.keepers = f.keepers[waiting:]
		more := len(f.keepers) > 0
		f.mu.Unlock()
		if !more {
			return
		}
	}
}
