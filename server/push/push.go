// Package push tells browsers of the questions that wait, by Web Push: also while no page of Skein is open in them.
//
// A browser subscribes with its vendor's push service and gives the server what it got there: a URL, to which messages are posted, and
// the keys that encrypt them, so that the push service can't read them. The server signs what it posts with a key of its own (VAPID).
//
//	Asked ── for each subscription ──> a box ── run ──> deliver ── courier ──> the push service ──> the browser's service worker
//
//	RFC 8030  how messages are posted: TTL, Urgency, Topic (courier.go)
//	RFC 8291  how they are encrypted (encrypt.go)
//	RFC 8292  how the server says who it is (key.go)
//
// Nothing is sent unless a browser has subscribed. What a message says is looked up when it is sent, so a question that was answered
// meanwhile is not told. Each subscription has a box of at most MaxWaiting questions; beyond that the oldest is dropped, since every
// message says how many wait. Sending bounds how many messages are under way.
//
// # Locks
//
// In the order in which they are taken:
//
//	book.saving   while the file is written
//	Push.mu       the boxes; nothing outside the package is called with it held
//
// The lock in onceFound is held while the key is read or made.
package push

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// Bounds of a Push.
const (
	MaxSubscriptions = 100
	MaxWaiting       = 16 // questions of a subscription
	Sending          = 4  // messages at a time
	MaxAttempts      = 10 // of a message; with the pauses between them, some 20 minutes
)

// Options configure a Push. Dir, Asks and SignedIn are required.
type Options struct {
	Dir     string // keeps the key and the subscriptions
	Subject string // a mailto: or https: URL, by which push services find who sends; "": the origin of the page that subscribed
	// Private allows push services at addresses that are not public.
	Private bool
	// Asks returns the questions that wait, the oldest first.
	Asks func() []wire.Ask
	// SignedIn reports whether a principal may still answer questions.
	SignedIn func(ctx context.Context, who string) (bool, error)
	Logger   *slog.Logger // nil: none

	// Of tests; nil: the network, and the system's certificates.
	dial  func(ctx context.Context, network, address string) (net.Conn, error)
	roots *x509.CertPool
}

// Push sends the messages. A nil Push sends none, and takes no subscriptions.
type Push struct {
	// static after New
	o       Options
	log     *slog.Logger
	key     func() (*ecdsa.PrivateKey, error)
	courier *courier
	book    book
	ctx     context.Context // ends when Close is called
	end     context.CancelFunc
	kicked  chan struct{} // capacity 1: something is to do
	ended   chan struct{} // closed when run has returned

	sending sync.WaitGroup

	mu     sync.Mutex
	boxes  map[string]*box // by the subscription's id
	gone   []string        // the ids that push services have ended, the oldest first
	active int             // messages under way
	dirty  bool            // whether results were not saved yet
}

// box is what a subscription is to be told.
type box struct {
	sub     Subscription
	waiting []wire.AskID // the oldest first
	due     time.Time    // when the next may be sent
	attempt int          // of the first of those that wait
	busy    bool
}

// New reads the subscriptions, and sends nothing before Asked is called. The caller must Close it.
func New(o Options) (*Push, error) {
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	p := &Push{o: o, log: o.Logger, courier: newCourier(o), book: book{path: filepath.Join(o.Dir, "subscriptions.json")}, boxes: map[string]*box{},
		kicked: make(chan struct{}, 1), ended: make(chan struct{})}
	p.key = onceFound(func() (*ecdsa.PrivateKey, error) { return openKey(filepath.Join(o.Dir, "key.pem")) })
	kept, err := p.book.read()
	if err != nil {
		return nil, err
	}
	for _, s := range kept.Subscriptions {
		p.boxes[s.ID] = &box{sub: s}
	}
	p.gone = kept.Gone
	p.ctx, p.end = context.WithCancel(context.Background())
	go p.run()
	return p, nil
}

// onceFound calls f until it succeeds, and then returns what it returned.
func onceFound[T any](f func() (T, error)) func() (T, error) {
	var mu sync.Mutex
	var found bool
	var v T
	return func() (_ T, err error) {
		mu.Lock()
		defer mu.Unlock()
		if !found {
			v, err = f()
			found = err == nil
		}
		return v, err
	}
}

// PublicKey is the server's key, which a browser subscribes with: a point on P-256, uncompressed, as base64url. The first call makes
// the key.
func (p *Push) PublicKey() (string, error) {
	if p == nil {
		return "", errOff
	}
	k, err := p.key()
	if err != nil {
		return "", err
	}
	return publicKey(k)
}

// Asked tells the browsers of a question, soon. It does not block.
func (p *Push) Asked(a wire.Ask) {
	if p == nil {
		return
	}
	p.mu.Lock()
	for _, b := range p.boxes {
		if len(b.waiting) == MaxWaiting {
			b.waiting = slices.Delete(b.waiting, 0, 1)
			b.attempt = 0
		}
		b.waiting = append(b.waiting, a.ID)
	}
	p.mu.Unlock()
	p.kick()
}

func (p *Push) kick() {
	select {
	case p.kicked <- struct{}{}:
	default:
	}
}

// Close ends what is being sent, waits for its end, and saves the results.
func (p *Push) Close() {
	if p == nil {
		return
	}
	p.end()
	<-p.ended
	p.courier.close()
}
