// Package auth knows who asks: it decides whether a request, or a session, is somebody's whom the server lets in.
//
// A program signs in with the token of the data folder, which it sends with each request. A browser opens a login URL, which
// holds a one-time token (OneTimeToken); Login trades that for the value of a cookie, of which the store keeps the hash. Request
// checks either of them and gives the principal of an HTTP request. Sessions carry no header: POST /connect hands out
// tickets (Ticket), and the first message of a session spends one (Redeem). An agent has a token of its own (AgentToken). Logout ends a login, with the tickets that it has.
//
// # Locks
//
// There is one, Authenticator.mu, which guards the one-time tokens, the tickets and the logins that ended a moment ago. It is not
// held while the store is read or written.
package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"skein.dev/skein/server/api"
	"skein.dev/skein/server/jet"
	"skein.dev/skein/webtransport/wire"
)

// CookieName is the name of the cookie that keeps a browser signed in.
const CookieName = "skein_login"

// tokenID is the principal of whoever has the token.
const tokenID = "token"

const (
	loginLifetime    = 30 * 24 * time.Hour
	OneTimeLifetime  = 15 * time.Minute // of a login URL
	maxTickets       = 10_000           // beyond it the oldest go
	ticketRemembered = 5 * time.Minute  // an expired ticket is told apart from an unknown one this long
)

// Logins keeps who signed in.
type Logins interface {
	PutLogin(ctx context.Context, hash string, l jet.Login) error
	GetLogin(ctx context.Context, hash string) (jet.Login, bool, error)
	DeleteLogin(ctx context.Context, hash string) error
}

// Authenticator knows the token, the logins and the tickets of a server.
type Authenticator struct {
	// static
	token  string
	logins Logins
	log    *slog.Logger
	agents [32]byte // signs the tokens of agents

	mu      sync.Mutex
	oneTime map[string]time.Time // hash of a login token → when it ends
	over    map[string]time.Time // a login that was signed out → when, for as long as a hello may be on its way
	tickets map[string]ticket
	order   []string // of tickets, oldest first
}

type ticket struct {
	who     api.Principal
	expires time.Time
}

// New makes an authenticator that knows the token of the data folder and the logins that were kept.
func New(token string, logins Logins, log *slog.Logger) *Authenticator {
	a := &Authenticator{token: token, logins: logins, log: log, oneTime: map[string]time.Time{}, over: map[string]time.Time{}, tickets: map[string]ticket{}}
	rand.Read(a.agents[:])
	return a
}

func hash(secret string) string {
	h := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(h[:])
}

// Bearer returns the token of a request, if it has one. The name of the scheme may be in either case (RFC 9110, section 11.1).
func Bearer(r *http.Request) (token string, ok bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimLeft(token, " "), ok && strings.EqualFold(scheme, "Bearer")
}

// Request says who sent a request: by bearer token, or by cookie.
func (a *Authenticator) Request(r *http.Request) (api.Principal, bool) {
	if b, ok := Bearer(r); ok {
		return api.Principal{ID: tokenID, Name: "cli"}, subtle.ConstantTimeCompare([]byte(b), []byte(a.token)) == 1
	}
	c, err := r.Cookie(CookieName)
	if err != nil || c.Value == "" {
		return api.Principal{}, false
	}
	h := hash(c.Value)
	l, ok, err := a.logins.GetLogin(r.Context(), h)
	if err != nil {
		if r.Context().Err() == nil { // else the browser left
			a.log.Error("a login could not be checked", "err", err)
		}
		return api.Principal{}, false
	}
	return api.Principal{ID: h, Name: "browser"}, ok && time.Now().Before(l.Expires)
}

// SignedIn reports whether a principal that Request returned is still one.
func (a *Authenticator) SignedIn(ctx context.Context, id string) (bool, error) {
	if id == tokenID {
		return true, nil
	}
	l, ok, err := a.logins.GetLogin(ctx, id)
	return ok && time.Now().Before(l.Expires), err
}

// OneTimeToken makes a token for one login URL.
func (a *Authenticator) OneTimeToken() string {
	t := rand.Text()
	a.mu.Lock()
	defer a.mu.Unlock()
	for h, end := range a.oneTime {
		if time.Now().After(end) {
			delete(a.oneTime, h)
		}
	}
	a.oneTime[hash(t)] = time.Now().Add(OneTimeLifetime)
	return t
}

// LoginURL makes a URL that signs one browser in to the server at base.
func (a *Authenticator) LoginURL(base string) string {
	return base + "/login?token=" + a.OneTimeToken()
}

// Login trades a one-time token for a cookie's value; "" when the token is no good.
func (a *Authenticator) Login(ctx context.Context, token, userAgent string) (string, error) {
	h := hash(token)
	a.mu.Lock()
	end, ok := a.oneTime[h]
	delete(a.oneTime, h)
	a.mu.Unlock()
	if !ok || time.Now().After(end) {
		return "", nil
	}
	value := rand.Text() + rand.Text()
	now := time.Now().UTC()
	return value, a.logins.PutLogin(ctx, hash(value), jet.Login{Created: now, Expires: now.Add(loginLifetime), Agent: userAgent})
}

// Cookie is the cookie that keeps a browser signed in below path; an empty value signs it out.
func Cookie(value, path string, secure bool) *http.Cookie {
	c := &http.Cookie{Name: CookieName, Value: value, Path: path, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: secure, MaxAge: int(loginLifetime.Seconds())}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

// Ticket makes a ticket that opens one session.
func (a *Authenticator) Ticket(who api.Principal) string {
	return a.TicketUntil(who, time.Now().Add(wire.TicketLifetime))
}

// TicketUntil makes a ticket that is good until a time of the caller's.
func (a *Authenticator) TicketUntil(who api.Principal, expires time.Time) string {
	t := rand.Text()
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.order) > 0 && (len(a.order) >= maxTickets || now.After(a.tickets[a.order[0]].expires.Add(ticketRemembered))) {
		delete(a.tickets, a.order[0])
		a.order = a.order[1:]
	}
	a.tickets[t] = ticket{who: who, expires: expires}
	a.order = append(a.order, t)
	return t
}

// Logout ends a browser's login and what it made.
func (a *Authenticator) Logout(ctx context.Context, who api.Principal) error {
	if err := a.logins.DeleteLogin(ctx, who.ID); err != nil {
		return err
	}
	a.Revoke(who)
	return nil
}

// Revoke ends what a login made: its tickets are good no more, and a session that one of them opens now is told by Revoked.
func (a *Authenticator) Revoke(who api.Principal) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, at := range a.over {
		if time.Since(at) > ticketRemembered {
			delete(a.over, id)
		}
	}
	a.over[who.ID] = time.Now()
	for t, k := range a.tickets {
		if k.who.ID == who.ID {
			a.tickets[t] = ticket{expires: k.expires}
		}
	}
}

// Revoked reports whether a login was signed out a moment ago.
func (a *Authenticator) Revoked(who api.Principal) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.over[who.ID]
	return ok
}

// Redeem uses a ticket up. Its error is a *wire.Error with the close code's meaning. A ticket that is no good
// can't be told from one that was made before a restart, so the error never says more than that another one is needed. A client
// that is refused for good learns that from /connect.
func (a *Authenticator) Redeem(t string) (api.Principal, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k, ok := a.tickets[t]
	switch {
	case t == "":
		return api.Principal{}, wire.Errorf(wire.CodeUnauthorized, "hello has no ticket: fetch /connect for one")
	case !ok:
		return api.Principal{}, wire.Errorf(wire.CodeTicketExpired, "the ticket is unknown: it was used long ago, or the server has restarted since: fetch /connect for a fresh one")
	case k.who.ID == "":
		return api.Principal{}, wire.Errorf(wire.CodeTicketExpired, "the ticket was used before: fetch /connect for a fresh one")
	}
	if time.Now().After(k.expires) {
		return api.Principal{}, wire.Errorf(wire.CodeTicketExpired, "the ticket is older than %s: fetch /connect for a fresh one", wire.TicketLifetime)
	}
	a.tickets[t] = ticket{expires: k.expires} // used
	return k.who, nil
}
