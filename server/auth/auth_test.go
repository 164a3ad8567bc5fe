package auth

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"skein.dev/skein/server/api"
	"skein.dev/skein/server/jet"
	"skein.dev/skein/webtransport/wire"
)

// logins keeps logins in memory: the goroutines of a store on disk would not run in the bubble's time.
type logins struct {
	mu  sync.Mutex
	all map[string]jet.Login
}

func (l *logins) PutLogin(_ context.Context, h string, v jet.Login) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all[h] = v
	return nil
}

func (l *logins) GetLogin(_ context.Context, h string) (jet.Login, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v, ok := l.all[h]
	return v, ok, nil
}

func (l *logins) DeleteLogin(_ context.Context, h string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.all, h)
	return nil
}

func testAuth() *Authenticator {
	return New("the-token", &logins{all: map[string]jet.Login{}}, slog.New(slog.DiscardHandler))
}

func TestLoginLinksExpire(t *testing.T) {
	for name, c := range map[string]struct {
		after time.Duration
		good  bool
	}{
		"at once":        {0, true},
		"just in time":   {OneTimeLifetime - time.Millisecond, true},
		"too late":       {OneTimeLifetime + time.Millisecond, false},
		"on another day": {24 * time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := testAuth()
				token := a.OneTimeToken()
				time.Sleep(c.after)
				a.OneTimeToken() // sweeps
				value, err := a.Login(t.Context(), token, "")
				if err != nil || (value != "") != c.good {
					t.Errorf("cookie %q, %v", value, err)
				}
				if again, _ := a.Login(t.Context(), token, ""); again != "" {
					t.Error("it worked twice")
				}
			})
		})
	}
}

func TestLoginsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := testAuth()
		value, err := a.Login(t.Context(), a.OneTimeToken(), "")
		if err != nil {
			t.Fatal(err)
		}
		r, _ := http.NewRequest("GET", "/", nil)
		r.AddCookie(&http.Cookie{Name: CookieName, Value: value})
		for _, c := range []struct {
			after time.Duration
			in    bool
		}{{0, true}, {loginLifetime - time.Second, true}, {2 * time.Second, false}} {
			time.Sleep(c.after)
			if _, in := a.Request(r); in != c.in {
				t.Errorf("%s later: signed in: %t", c.after, in)
			}
		}
	})
}

func TestTickets(t *testing.T) {
	for name, c := range map[string]struct {
		after time.Duration
		want  wire.ErrorCode // 0: it is valid
	}{
		"at once":        {0, 0},
		"just in time":   {wire.TicketLifetime - time.Millisecond, 0},
		"too late":       {wire.TicketLifetime + time.Millisecond, wire.CodeTicketExpired},
		"a minute":       {time.Minute, wire.CodeTicketExpired},
		"long forgotten": {wire.TicketLifetime + ticketRemembered + time.Second, wire.CodeTicketExpired},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := testAuth()
				me := api.Principal{ID: "token", Name: "cli"}
				ticket := a.Ticket(me)
				time.Sleep(c.after)
				a.Ticket(me) // sweeps
				who, err := a.Redeem(ticket)
				switch {
				case c.want == 0 && (err != nil || who != me):
					t.Errorf("%+v, %v", who, err)
				case c.want != 0 && (err == nil || wire.AsError(err).Code != c.want):
					t.Errorf("%v, want %s", err, c.want)
				}
				if c.want != 0 {
					return
				}
				if _, err := a.Redeem(ticket); err == nil || wire.AsError(err).Code != wire.CodeTicketExpired {
					t.Errorf("the second use: %v", err)
				}
			})
		})
	}
	a := testAuth()
	if _, err := a.Redeem("guess"); err == nil || wire.AsError(err).Code != wire.CodeTicketExpired {
		t.Errorf("a guess: %v", err)
	}
}

func TestTicketsAreBounded(t *testing.T) {
	a := testAuth()
	first := a.Ticket(api.Principal{ID: "token"})
	var last string
	for range 2 * maxTickets {
		last = a.Ticket(api.Principal{ID: "token"})
	}
	if len(a.tickets) > maxTickets || len(a.order) > maxTickets {
		t.Errorf("%d tickets are kept", len(a.tickets))
	}
	if _, err := a.Redeem(first); err == nil {
		t.Error("the oldest is still good")
	}
	if _, err := a.Redeem(last); err != nil {
		t.Errorf("the newest: %v", err)
	}
	if i := slices.Index(a.order, last); i < 0 {
		t.Error("the newest is not in order")
	}
}

func TestWhoIsStillSignedIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := testAuth()
		login := func() string {
			value, err := a.Login(t.Context(), a.OneTimeToken(), "")
			if err != nil {
				t.Fatal(err)
			}
			return hash(value)
		}
		is := func(id string, want bool) {
			t.Helper()
			if in, err := a.SignedIn(t.Context(), id); err != nil || in != want {
				t.Errorf("%t, %v, want %t", in, err, want)
			}
		}
		stays, leaves := login(), login()
		if err := a.Logout(t.Context(), api.Principal{ID: leaves, Name: "browser"}); err != nil {
			t.Fatal(err)
		}
		is(leaves, false)
		is("nobody", false)
		time.Sleep(loginLifetime - time.Second)
		is(stays, true)
		is(tokenID, true)
		time.Sleep(time.Minute)
		is(stays, false)
		is(tokenID, true)
	})
}
