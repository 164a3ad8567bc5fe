package server

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"skein.dev/skein/server/api"
	"skein.dev/skein/server/jet"
	"skein.dev/skein/ui/frame"
	"skein.dev/skein/webtransport/wire"
)

const (
	cookieName       = "skein_login"
	loginLifetime    = 30 * 24 * time.Hour
	oneTimeLifetime  = 15 * time.Minute // of a login URL
	maxTickets       = 10_000           // beyond it the oldest go
	ticketRemembered = 5 * time.Minute  // an expired ticket is told apart from an unknown one this long
)

// principal is who asks.
type principal = api.Principal

// Logins keeps who signed in.
type Logins interface {
	PutLogin(ctx context.Context, hash string, l jet.Login) error
	GetLogin(ctx context.Context, hash string) (jet.Login, bool, error)
	DeleteLogin(ctx context.Context, hash string) error
}

// auth decides who may do anything at all.
type auth struct {
	// static
	token  string
	logins Logins
	log    *slog.Logger

	mu      sync.Mutex
	oneTime map[string]time.Time // hash of a login token → when it ends
	over    map[string]time.Time // a login that was signed out → when, for as long as a hello may be on its way
	tickets map[string]ticket
	order   []string // of tickets, oldest first
}

type ticket struct {
	who     principal
	expires time.Time
}

func newAuth(token string, logins Logins, log *slog.Logger) *auth {
	return &auth{token: token, logins: logins, log: log, oneTime: map[string]time.Time{}, over: map[string]time.Time{}, tickets: map[string]ticket{}}
}

func hash(secret string) string {
	h := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(h[:])
}

// request says who sent a request: by bearer token, or by cookie.
func (a *auth) request(r *http.Request) (principal, bool) {
	if b, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return principal{ID: "token", Name: "cli"}, subtle.ConstantTimeCompare([]byte(b), []byte(a.token)) == 1
	}
	c, err := r.Cookie(cookieName)
	if err != nil || c.Value == "" {
		return principal{}, false
	}
	h := hash(c.Value)
	l, ok, err := a.logins.GetLogin(r.Context(), h)
	if err != nil {
		if r.Context().Err() == nil { // else the browser left
			a.log.Error("a login could not be checked", "err", err)
		}
		return principal{}, false
	}
	return principal{ID: h, Name: "browser"}, ok && time.Now().Before(l.Expires)
}

// oneTimeToken makes a token for one login URL.
func (a *auth) oneTimeToken() string {
	t := rand.Text()
	a.mu.Lock()
	defer a.mu.Unlock()
	for h, end := range a.oneTime {
		if time.Now().After(end) {
			delete(a.oneTime, h)
		}
	}
	a.oneTime[hash(t)] = time.Now().Add(oneTimeLifetime)
	return t
}

// login trades a one-time token for a cookie's value; "" when the token is no good.
func (a *auth) login(ctx context.Context, token, userAgent string) (string, error) {
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

func loginCookie(r *http.Request, value string) *http.Cookie {
	c := &http.Cookie{Name: cookieName, Value: value, Path: frame.At(r.Context(), "/"), HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: encrypted(r), MaxAge: int(loginLifetime.Seconds())}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

// encrypted reports whether the browser's connection is: this server's, or that of a proxy before it, by its word. A
// cookie's flag is all that hangs on it, and only the one who asks gets that cookie, so that anybody's word will do.
func encrypted(r *http.Request) bool {
	return r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

const (
	nextCookieName = "skein_next"
	maxNext        = 2000 // bytes of a path that is worth remembering
)

// rememberNext keeps the page that a stranger asked for: whoever signs in with that browser soon is led there.
func rememberNext(w http.ResponseWriter, r *http.Request) {
	next := localPath(r.URL.RequestURI())
	if r.Method != http.MethodGet || next == "" || next == "/" || len(next) > maxNext {
		return
	}
	http.SetCookie(w, nextCookie(r, url.QueryEscape(next), int(oneTimeLifetime.Seconds())))
}

// takeNext gives what rememberNext kept, and forgets it; "": nothing.
func takeNext(w http.ResponseWriter, r *http.Request) string {
	c, err := r.Cookie(nextCookieName)
	if err != nil {
		return ""
	}
	http.SetCookie(w, nextCookie(r, "", -1))
	next, _ := url.QueryUnescape(c.Value)
	return localPath(next)
}

func nextCookie(r *http.Request, value string, maxAge int) *http.Cookie {
	return &http.Cookie{Name: nextCookieName, Value: value, Path: frame.At(r.Context(), "/"), HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: encrypted(r), MaxAge: maxAge}
}

// ticket makes a ticket that opens one session.
func (a *auth) ticket(who principal) string {
	t := rand.Text()
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.order) > 0 && (len(a.order) >= maxTickets || now.After(a.tickets[a.order[0]].expires.Add(ticketRemembered))) {
		delete(a.tickets, a.order[0])
		a.order = a.order[1:]
	}
	a.tickets[t] = ticket{who: who, expires: now.Add(wire.TicketLifetime)}
	a.order = append(a.order, t)
	return t
}

// revoke ends what a login made: its tickets are good no more, and a session that one of them opens now is told by revoked.
func (a *auth) revoke(who principal) {
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

// revoked reports whether a login was signed out a moment ago.
func (a *auth) revoked(who principal) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.over[who.ID]
	return ok
}

// redeem uses a ticket up. Its error is a *wire.Error with the close code's meaning. A ticket that is no good is not known
// from one of the time before a restart, so it never means more than that another is needed: who is refused for good
// learns it from /connect.
func (a *auth) redeem(t string) (principal, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k, ok := a.tickets[t]
	switch {
	case t == "":
		return principal{}, wire.Errorf(wire.CodeUnauthorized, "hello has no ticket: fetch /connect for one")
	case !ok:
		return principal{}, wire.Errorf(wire.CodeTicketExpired, "the ticket is unknown: it was used long ago, or the server has restarted since: fetch /connect for a fresh one")
	case k.who.ID == "":
		return principal{}, wire.Errorf(wire.CodeTicketExpired, "the ticket was used before: fetch /connect for a fresh one")
	}
	if time.Now().After(k.expires) {
		return principal{}, wire.Errorf(wire.CodeTicketExpired, "the ticket is older than %s: fetch /connect for a fresh one", wire.TicketLifetime)
	}
	a.tickets[t] = ticket{expires: k.expires} // used
	return k.who, nil
}
