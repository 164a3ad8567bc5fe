package push

import (
	"encoding/json"
	"slices"
	"time"

	"skein.dev/skein/webtransport/wire"
)

const (
	// lifetime is how long push services keep a message for a browser that is not running.
	lifetime = 24 * time.Hour
	maxName  = 80  // bytes
	maxText  = 300 // bytes
	maxIDs   = 40  // of the questions that wait, so that the browser removes what it shows of others
)

// Message is what a browser gets, as JSON.
type Message struct {
	Kind    MessageKind  `json:"kind"`
	ID      wire.AskID   `json:"id,omitempty"`
	Name    string       `json:"name,omitempty"` // the agent's
	Text    string       `json:"text,omitempty"` // what it asks, cut
	Waiting int          `json:"waiting"`
	All     []wire.AskID `json:"all,omitempty"` // those that wait; none if they are too many
}

// MessageKind is what a message is about.
type MessageKind string

const (
	KindAsk   MessageKind = "ask"
	KindTest  MessageKind = "test"
	KindLogin MessageKind = "login" // the browser's login has ended, and it gets no more messages
)

// run starts the deliveries that are due, until Close.
func (p *Push) run() {
	defer close(p.ended)
	defer p.save()
	defer p.sending.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		wait := p.start(time.Now())
		timer.Reset(wait)
		select {
		case <-p.ctx.Done():
			return
		case <-p.kicked:
		case <-timer.C:
		}
	}
}

// idle is how long run sleeps when it has nothing to do.
const idle = 24 * time.Hour

// start begins what is due, and returns how long to wait for the next.
func (p *Push) start(now time.Time) (wait time.Duration) {
	for {
		b, wait, rest := p.next(now)
		if rest {
			p.save()
		}
		if b == nil {
			return wait
		}
		p.sending.Go(func() { p.deliver(b) })
	}
}

// next takes the box that is due first. Without one, it returns how long to wait, and whether results are to be saved meanwhile.
func (p *Push) next(now time.Time) (first *box, wait time.Duration, rest bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.boxes {
		if !b.busy && len(b.waiting) > 0 && (first == nil || b.due.Before(first.due)) {
			first = b
		}
	}
	switch {
	case first == nil || p.active == Sending:
		return nil, idle, p.active == 0 && p.dirty
	case first.due.After(now):
		return nil, first.due.Sub(now), p.active == 0 && p.dirty
	}
	first.busy = true
	p.active++
	return first, 0, false
}

// deliver sends the first message of a box that is busy.
func (p *Push) deliver(b *box) {
	defer p.kick()
	p.mu.Lock()
	s, id := b.sub, b.waiting[0]
	p.mu.Unlock()
	m, ttl, waits := p.message(id)
	if !waits {
		p.settle(b, id, func() { b.attempt = 0 })
		return
	}
	in, err := p.o.SignedIn(p.ctx, s.Who)
	if err != nil {
		p.settle(b, id, func() {
			p.failed(b, id, outcome{again: true, why: "the browser's login could not be checked: " + err.Error()})
		})
		return
	}
	if !in {
		m, ttl = Message{Kind: KindLogin}, lifetime
	}
	out := p.send(&s, m, ttl)
	p.settle(b, id, func() {
		p.judged(b, id, out)
		if !in && !out.again {
			p.forget(b)
		}
	})
}

// message makes that of a question. waits is false if it waits no more.
func (p *Push) message(id wire.AskID) (m Message, ttl time.Duration, waits bool) {
	all := p.o.Asks()
	i := slices.IndexFunc(all, func(a wire.Ask) bool { return a.ID == id })
	if i < 0 {
		return m, 0, false
	}
	a := all[i]
	m = Message{Kind: KindAsk, ID: id, Name: clean(a.Name, maxName), Text: clean(a.Text, maxText), Waiting: len(all)}
	if len(all) <= maxIDs {
		for _, each := range all {
			m.All = append(m.All, each.ID)
		}
	}
	ttl = lifetime
	if a.Expires != nil {
		ttl = max(min(ttl, time.Until(*a.Expires)), time.Second)
	}
	return m, ttl, true
}

func (p *Push) send(s *Subscription, m Message, ttl time.Duration) outcome {
	key, err := p.key()
	if err != nil {
		return outcome{why: err.Error()}
	}
	plain, err := json.Marshal(m)
	if err != nil {
		return outcome{why: err.Error()}
	}
	return p.courier.post(p.ctx, key, s, plain, ttl)
}

// settle notes, in done, how the delivery of a question ended. It is not told again unless done puts it back.
func (p *Push) settle(b *box, id wire.AskID, done func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b.busy = false
	p.active--
	b.waiting = slices.DeleteFunc(b.waiting, func(each wire.AskID) bool { return each == id })
	if p.ctx.Err() == nil {
		done()
	}
}

// judged notes how a message went. The caller holds mu.
func (p *Push) judged(b *box, id wire.AskID, out outcome) {
	switch {
	case out.sent:
		now := time.Now().UTC()
		b.sub.Sent, b.sub.Failed, b.sub.Failure = &now, nil, ""
		b.attempt, p.dirty = 0, true
	case out.gone:
		p.log.Info("a push service has ended a browser's subscription", "service", b.sub.Service, "browser", b.sub.Browser)
		p.forget(b)
		p.gone = append(p.gone, b.sub.ID)
		p.gone = p.gone[max(0, len(p.gone)-MaxSubscriptions):]
	default:
		p.failed(b, id, out)
	}
}

// failed notes a failure, and puts the question back if it may be told later. The caller holds mu.
func (p *Push) failed(b *box, id wire.AskID, out outcome) {
	now := time.Now().UTC()
	b.sub.Failed, b.sub.Failure, p.dirty = &now, out.why, true
	b.attempt++
	b.due = now.Add(pause(b.attempt, out.after))
	if out.again && b.attempt < MaxAttempts {
		b.waiting = slices.Insert(b.waiting, 0, id)
		b.waiting = b.waiting[max(0, len(b.waiting)-MaxWaiting):]
		return
	}
	p.log.Warn("a browser could not be told of a question", "service", b.sub.Service, "browser", b.sub.Browser, "ask", id, "attempts", b.attempt, "err", out.why)
	b.attempt = 0
}

// forget removes a subscription. The caller holds mu.
func (p *Push) forget(b *box) {
	if p.boxes[b.sub.ID] == b {
		delete(p.boxes, b.sub.ID)
	}
	p.dirty = true
}
