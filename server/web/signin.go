package web

import (
	"cmp"
	"net/http"
	"net/url"

	"skein.dev/skein/server/auth"
	"skein.dev/skein/server/exchange"
	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/login"
	"skein.dev/skein/webtransport/wire"
)

// signIn signs browsers in and out.
type signIn struct{ *site }

func (s signIn) loginPage(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Query().Get("token")
	if token == "" && r.URL.Query().Has("out") && asksForPage(r) {
		v := login.RefusedView{Status: http.StatusUnauthorized, Title: "You are signed out", Detail: "To come back, run this command where Skein runs, and open the URL that it prints:", Nonce: nonce(w)}
		s.page(w, r, v.Status, login.Refused(v))
		return
	}
	if token == "" {
		s.refuse(w, r, http.StatusUnauthorized, "")
		return
	}
	uncompressed(w) // the page has a secret, and text from the URL
	s.page(w, r, http.StatusOK, login.Login(login.LoginView{Token: token, Next: localPath(r.URL.Query().Get("next")), Nonce: nonce(w)}))
}

func (s signIn) login(w http.ResponseWriter, r *http.Request) {
	value, err := s.Auth.Login(r.Context(), r.FormValue("token"), wire.Cut(r.UserAgent(), 200))
	switch {
	case err != nil:
		s.failed(r, "a login could not be stored", err)
		s.refuse(w, r, http.StatusInternalServerError, "The login could not be stored; the server's log says why.")
	case value == "":
		s.refuse(w, r, http.StatusForbidden, "This login link was used before, or is older than "+auth.OneTimeLifetime.String()+". Get another one:")
	default:
		http.SetCookie(w, auth.Cookie(value, frame.At(r.Context(), "/"), encrypted(r)))
		remembered := takeNext(w, r)
		redirect(w, r, cmp.Or(localPath(r.FormValue("next")), remembered, "/"))
	}
}

// loginToken makes a login URL, for `skein login`. A browser's cookie is not enough, since a browser with a cookie is
// signed in already.
func (s signIn) loginToken(w http.ResponseWriter, r *http.Request) {
	if who, _ := s.Auth.Request(r); who.Name != "cli" {
		s.refuse(w, r, http.StatusForbidden, "Login links are made by `skein login`.")
		return
	}
	exchange.WriteJSON(w, http.StatusOK, map[string]any{"url": s.Auth.LoginURL(s.URL), "expires_ms": auth.OneTimeLifetime.Milliseconds()})
}

func (s signIn) logout(w http.ResponseWriter, r *http.Request) {
	who, _ := s.Auth.Request(r)
	if who.Name != "browser" {
		s.refuse(w, r, http.StatusForbidden, "A token has no login to end; remove the file token from the data folder to make another.")
		return
	}
	if err := s.Auth.Logout(r.Context(), who); err != nil {
		s.failed(r, "a login could not be revoked", err)
		s.refuse(w, r, http.StatusInternalServerError, "The login could not be revoked; the server's log says why.")
		return
	}
	if err := s.Push.SignedOut(who.ID); err != nil {
		s.failed(r, "a browser that signed out is still subscribed", err)
	}
	s.Sessions.SignOut(who)
	http.SetCookie(w, auth.Cookie("", frame.At(r.Context(), "/"), encrypted(r)))
	redirect(w, r, "/login?out")
}

const (
	NextCookieName = "skein_next"
	maxNext        = 2000 // the longest path that is remembered, in bytes
)

// rememberNext remembers the page that a browser without a login asked for, so that it is redirected there after signing in.
func rememberNext(w http.ResponseWriter, r *http.Request) {
	next := localPath(r.URL.RequestURI())
	if r.Method != http.MethodGet || next == "" || next == "/" || len(next) > maxNext {
		return
	}
	http.SetCookie(w, nextCookie(r, url.QueryEscape(next), int(auth.OneTimeLifetime.Seconds())))
}

// takeNext returns what rememberNext kept and forgets it. It returns "" if there is nothing.
func takeNext(w http.ResponseWriter, r *http.Request) string {
	c, err := r.Cookie(NextCookieName)
	if err != nil {
		return ""
	}
	http.SetCookie(w, nextCookie(r, "", -1))
	next, _ := url.QueryUnescape(c.Value)
	return localPath(next)
}

func nextCookie(r *http.Request, value string, maxAge int) *http.Cookie {
	return &http.Cookie{Name: NextCookieName, Value: value, Path: frame.At(r.Context(), "/"), HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: encrypted(r), MaxAge: maxAge}
}
