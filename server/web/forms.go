package web

import (
	"bytes"
	"cmp"
	"net/http"
	"strings"

	"skein.dev/skein/server/api"
	"skein.dev/skein/server/exchange"
	"skein.dev/skein/ui/login"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// The forms of the pages, for browsers without JavaScript. Each redirects back to its page.

// do lets the API carry out the request of a form, in the name of the user. A form has no request id, so each post is a new
// request.
func (s *site) do(r *http.Request, method string, params any) error {
	_, err := s.call(r, method, params)
	return err
}

// call is do, and returns the result.
func (s *site) call(r *http.Request, method string, params any) (any, error) {
	m, err := wire.NewNotification(method, params)
	if err != nil {
		return nil, err
	}
	if replaced(m.Params) {
		return nil, wire.Errorf(wire.CodeInvalidParams, "what was sent is not UTF-8 text")
	}
	who, _ := s.Auth.Request(r)
	return s.API.Call(r.Context(), api.Asker{Principal: who, Client: wire.ClientInfo{Name: "dashboard"}, Gone: r.Context().Done()}, m)
}

// replaced reports whether encoding to JSON replaced invalid UTF-8 with U+FFFD: it escapes that one, and writes one that
// was in the text as it is.
func replaced(j []byte) bool {
	for i := 0; i < len(j); i++ {
		if j[i] != '\\' {
			continue
		}
		if bytes.HasPrefix(j[i:], []byte(`\ufffd`)) {
			return true
		}
		i++ // skip the escaped character, which may be a backslash
	}
	return false
}

func (s *site) postAdmission(w http.ResponseWriter, r *http.Request) {
	params := wire.AdmissionParams{Type: r.FormValue("type"), Closed: r.FormValue("closed") == "true", Reason: r.FormValue("reason")}
	if err := s.do(r, wire.MethodSetAdmission, params); err != nil {
		s.refuseForm(w, r, err)
		return
	}
	s.back(w, r, "/")
}

// postStop stops everything and answers when all is gone. The stop goes on if the client leaves.
func (s *site) postStop(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("confirm") != string(wire.ScopeAll) {
		s.refuseForm(w, r, wire.Errorf(wire.CodeInvalidParams, "tick the box to stop everything").WithField("confirm"))
		return
	}
	if err := s.do(r, wire.MethodStop, wire.StopParams{Scope: wire.ScopeAll}); err != nil {
		s.refuseForm(w, r, err)
		return
	}
	redirect(w, r, "/")
}

// back redirects to the page that the form was on.
func (s *site) back(w http.ResponseWriter, r *http.Request, otherwise string) {
	redirect(w, r, cmp.Or(cameFrom(r), otherwise))
}

// refuseForm shows why a form was refused.
func (s *site) refuseForm(w http.ResponseWriter, r *http.Request, err error) {
	e := wire.AsError(err)
	status, ok := formStatus[e.Code]
	if !ok {
		status = http.StatusConflict
	}
	if e.Code == wire.CodeInternal {
		s.failed(r, "a form could not be carried out", err)
	}
	if !asksForPage(r) {
		exchange.WriteJSON(w, status, map[string]*wire.Error{"error": e})
		return
	}
	v := login.RefusedView{Status: status, Title: "This was not done", Detail: words.Sentence(e.Message), Nonce: nonce(w)}
	if from := cameFrom(r); from != "" {
		v.Back, v.BackWord = from, "Back"
	}
	s.page(w, r, status, login.Refused(v))
}

var formStatus = map[wire.ErrorCode]int{
	wire.CodeInternal: http.StatusInternalServerError, wire.CodeUnavailable: http.StatusServiceUnavailable, wire.CodeOutcomeUnknown: http.StatusServiceUnavailable,
	wire.CodeNotFound: http.StatusNotFound, wire.CodeInvalidParams: http.StatusBadRequest, wire.CodeInvalidRequest: http.StatusBadRequest,
	wire.CodeTooLarge: http.StatusRequestEntityTooLarge, wire.CodeTimeout: http.StatusRequestTimeout,
}

// asksForPage reports whether a browser asks for a page, rather than a program for data.
func asksForPage(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

// withForm parses a request's form. An incomplete form is never taken for an empty one.
func (s *site) withForm(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			s.refuseForm(w, r, exchange.BodyError(err))
			return
		}
		next(w, r)
	}
}

func (s *site) logForm(r *http.Request, err error) {
	if wire.AsError(err).Code == wire.CodeInternal {
		s.failed(r, "a form could not be carried out", err)
	}
}

func formStatusOf(err error) int {
	if status, ok := formStatus[wire.AsError(err).Code]; ok {
		return status
	}
	return http.StatusConflict
}
