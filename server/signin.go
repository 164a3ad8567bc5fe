package server

import (
	"net/http"
	"net/url"
	"strings"

	"skein.dev/skein/server/auth"
	"skein.dev/skein/ui/frame"
)

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
	http.SetCookie(w, nextCookie(r, url.QueryEscape(next), int(auth.OneTimeLifetime.Seconds())))
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
