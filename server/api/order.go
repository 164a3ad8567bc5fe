package api

import "sync"

// Order keeps requests that have the same order key in the order in which they came. Its zero value is ready.
type Order struct {
	mu   sync.Mutex
	last map[string]chan struct{} // guarded by mu: the request before the next, by order key
}

// closedChan is closed: there is nothing to wait for.
var closedChan = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// Place gives a request its place behind the one before with the same key. The request may begin when before is closed, and
// must call done when it is over.
func (o *Order) Place(key string) (before <-chan struct{}, done func()) {
	if key == "" {
		return closedChan, func() {}
	}
	mine := make(chan struct{})
	before = closedChan
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.last == nil {
		o.last = map[string]chan struct{}{}
	}
	if c := o.last[key]; c != nil {
		before = c
	}
	o.last[key] = mine
	return before, func() {
		close(mine)
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.last[key] == mine {
			delete(o.last, key)
		}
	}
}
