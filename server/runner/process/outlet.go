package process

import (
	"sync"
	"sync/atomic"
	"time"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// outlet serializes the calls of an agent's runner.Sink. Output comes from the readers, which block while the Sink does,
// as they should. Activities and signals come from the sampler and from Stop, which a slow Sink must not delay. So they
// are queued, and whoever calls the Sink next delivers them first. The queue is bounded because an agent gets few
// signals, and an activity replaces one that still waits.
type outlet struct {
	sink runner.Sink
	call sync.Mutex // held while sink is called
	last atomic.Int64

	mu       sync.Mutex // guards what follows; never held while sink is called
	activity wire.Activity
	notes    []note
	draining bool
	closed   bool
	wg       sync.WaitGroup
}

type note struct {
	activity wire.Activity
	signal   string
}

func (o *outlet) output(t wire.EventType, b []byte) {
	o.last.Store(time.Now().UnixNano())
	o.call.Lock()
	defer o.call.Unlock()
	o.become(wire.ActivityRunning)
	o.flush()
	o.sink(runner.Output{Stream: t, Bytes: b})
	o.last.Store(time.Now().UnixNano()) // the time that a Sink blocked does not make the agent idle
}

// become queues an activity if it is a new one.
func (o *outlet) become(a wire.Activity) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.activity == a {
		return
	}
	o.activity = a
	if n := len(o.notes); n > 0 && o.notes[n-1].activity != "" {
		o.notes[n-1].activity = a
		return
	}
	o.queue(note{activity: a})
}

// idle queues ActivityIdle unless the agent has printed after the given time.
func (o *outlet) idle(since time.Time) {
	if !o.call.TryLock() {
		return
	}
	defer o.call.Unlock()
	if o.lastOutput().Equal(since) {
		o.become(wire.ActivityIdle)
	}
}

func (o *outlet) signal(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue(note{signal: name})
}

// queue appends to the queue and makes sure that it is delivered. The caller holds mu.
func (o *outlet) queue(n note) {
	if o.closed {
		return
	}
	o.notes = append(o.notes, n)
	if !o.draining {
		o.draining = true
		o.wg.Go(o.drain)
	}
}

func (o *outlet) drain() {
	for more := true; more; {
		o.call.Lock()
		o.flush()
		o.call.Unlock()
		o.mu.Lock()
		more = len(o.notes) > 0
		o.draining = more
		o.mu.Unlock()
	}
}

// flush delivers the queue. The caller holds call.
func (o *outlet) flush() {
	for {
		o.mu.Lock()
		if len(o.notes) == 0 {
			o.notes = nil
			o.mu.Unlock()
			return
		}
		n := o.notes[0]
		o.notes = o.notes[1:]
		o.mu.Unlock()
		if n.signal != "" {
			o.sink(runner.Signal{Name: n.signal})
		} else {
			o.sink(runner.Activity{Now: n.activity})
		}
	}
}

// busy reports whether the Sink is being called at the moment.
func (o *outlet) busy() bool {
	if !o.call.TryLock() {
		return true
	}
	o.call.Unlock()
	return false
}

// close delivers the queue and ignores what comes later. When it returns, the Sink is not called any more.
func (o *outlet) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.call.Lock()
	o.flush()
	o.call.Unlock()
	o.wg.Wait()
}

func (o *outlet) lastOutput() time.Time {
	if ns := o.last.Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}
