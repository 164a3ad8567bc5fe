package push

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"skein.dev/skein/webtransport/wire"
)

var errOff = wire.Errorf(wire.CodePrecondition, "Web Push is turned off in the configuration")

// Browser is who subscribes, beside what its push service gave it.
type Browser struct {
	Who       string // the principal
	UserAgent string
	Origin    string // of its page
}

// Subscribe keeps a subscription, in place of the one that the browser had. A browser may send the same again at any time.
func (p *Push) Subscribe(ctx context.Context, offer []byte, by Browser) (Record, error) {
	if p == nil {
		return Record{}, errOff
	}
	o, err := ParseOffer(offer, p.o.Private)
	if err != nil {
		return Record{}, err
	}
	s := Subscription{Record: Record{ID: IDOf(o.Endpoint), Service: service(o.Endpoint), Browser: browserOf(by.UserAgent), Since: time.Now().UTC()},
		Endpoint: o.Endpoint, Key: o.Key, Auth: o.Auth, Who: by.Who}
	if strings.HasPrefix(by.Origin, "https://") && len(by.Origin) <= maxOrigin {
		s.Origin = by.Origin
	}
	if p.full(s.ID) {
		p.forgetSignedOut(ctx)
	}
	undo, err := p.add(&s, o.Replaces)
	if err != nil {
		return Record{}, err
	}
	if err := p.book.write(p.kept); err != nil {
		undo()
		return Record{}, fmt.Errorf("keep a browser's subscription: %w", err)
	}
	return s.Record, nil
}

// full reports whether there is no room for a subscription.
func (p *Push) full(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.boxes[id] == nil && len(p.boxes) >= MaxSubscriptions
}

// add keeps s in memory, and returns what takes that back.
func (p *Push) add(s *Subscription, replaces string) (undo func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old, before := p.boxes[s.ID], p.boxes[IDOf(replaces)]
	switch {
	case slices.Contains(p.gone, s.ID):
		return nil, wire.Errorf(wire.CodePrecondition, "the push service has ended this subscription: the browser must make another").WithField("endpoint")
	case old != nil:
		was := old.sub
		s.Since, s.Sent, s.Failed, s.Failure = was.Since, was.Sent, was.Failed, was.Failure
		old.sub = *s
		return func() { p.put(old, was) }, nil
	case before != nil:
		delete(p.boxes, before.sub.ID)
	case len(p.boxes) >= MaxSubscriptions:
		return nil, wire.Errorf(wire.CodePrecondition, "%d browsers are notified already, which is the limit: turn it off in one of them", MaxSubscriptions)
	}
	p.boxes[s.ID] = &box{sub: *s}
	return func() {
		p.drop(func(b *box) bool { return b.sub.ID == s.ID })
		if before != nil {
			p.put(before, before.sub)
		}
	}, nil
}

func (p *Push) put(b *box, s Subscription) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b.sub = s
	p.boxes[s.ID] = b
}

// forgetSignedOut makes room.
func (p *Push) forgetSignedOut(ctx context.Context) {
	for _, s := range p.kept().Subscriptions {
		if in, err := p.o.SignedIn(ctx, s.Who); err == nil && !in {
			p.drop(func(b *box) bool { return b.sub.ID == s.ID })
		}
	}
}

// drop removes the subscriptions that match, and reports whether there were any.
func (p *Push) drop(match func(*box) bool) (any bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, b := range p.boxes {
		if match(b) {
			any = true
			delete(p.boxes, id)
		}
	}
	return any
}

// Unsubscribe forgets a subscription, if there is one with the id.
func (p *Push) Unsubscribe(id string) error {
	if p == nil {
		return errOff
	}
	return p.without(func(b *box) bool { return b.sub.ID == id })
}

// SignedOut forgets what a principal subscribed.
func (p *Push) SignedOut(who string) error {
	if p == nil {
		return nil
	}
	return p.without(func(b *box) bool { return b.sub.Who == who })
}

func (p *Push) without(match func(*box) bool) error {
	if !p.drop(match) {
		return nil
	}
	if err := p.book.write(p.kept); err != nil {
		return fmt.Errorf("forget a browser's subscription: %w", err)
	}
	return nil
}

// List returns the subscriptions, the oldest first.
func (p *Push) List() []Record {
	all := []Record{}
	if p == nil {
		return all
	}
	for _, s := range p.kept().Subscriptions {
		all = append(all, s.Record)
	}
	return all
}

// Test sends a message to a browser, and returns what came of it: the error is what the push service answered.
func (p *Push) Test(id string) (Record, error) {
	if p == nil {
		return Record{}, errOff
	}
	p.mu.Lock()
	b := p.boxes[id]
	if b == nil {
		p.mu.Unlock()
		return Record{}, wire.Errorf(wire.CodeNotFound, "this browser is not subscribed")
	}
	s := b.sub
	p.mu.Unlock()
	out := p.send(&s, Message{Kind: KindTest, Waiting: len(p.o.Asks())}, time.Minute)
	p.mu.Lock()
	switch {
	case out.sent || out.gone:
		p.judged(b, "", out)
	default:
		now := time.Now().UTC()
		b.sub.Failed, b.sub.Failure, p.dirty = &now, out.why, true
	}
	s = b.sub
	p.mu.Unlock()
	p.kick() // saves
	if out.sent {
		return s.Record, nil
	}
	return s.Record, wire.Errorf(wire.CodeUnavailable, "%s", out.why)
}

// kept returns what is to be kept, in the order of Since.
func (p *Push) kept() kept {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := kept{Subscriptions: []Subscription{}, Gone: slices.Clone(p.gone)}
	for _, b := range p.boxes {
		k.Subscriptions = append(k.Subscriptions, b.sub)
	}
	slices.SortFunc(k.Subscriptions, func(a, b Subscription) int {
		if c := a.Since.Compare(b.Since); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return k
}

// save keeps how messages went.
func (p *Push) save() {
	p.mu.Lock()
	dirty := p.dirty
	p.dirty = false
	p.mu.Unlock()
	if !dirty {
		return
	}
	if err := p.book.write(p.kept); err != nil {
		p.log.Warn("what came of messages to browsers could not be kept", "err", err)
	}
}
