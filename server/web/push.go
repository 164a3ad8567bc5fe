package web

import (
	"io"
	"net/http"

	"skein.dev/skein/server/exchange"
	"skein.dev/skein/server/push"
	"skein.dev/skein/static"
)

// pushForms lets browsers subscribe to messages about questions. They are used by the script of the inbox and by the service worker, and
// answer with JSON.
type pushForms struct{ *site }

func (s pushForms) routes(in *http.ServeMux) {
	in.HandleFunc("GET /push", s.state)
	in.HandleFunc("POST /push", s.subscribe)
	in.HandleFunc("POST /push/remove", s.withForm(s.remove))
	in.HandleFunc("POST /push/test", s.withForm(s.test))
	in.HandleFunc("GET /sw.js", s.worker)
}

// worker serves the service worker. It controls the pages below the folder that it is served from, which is the base path.
func (s pushForms) worker(w http.ResponseWriter, r *http.Request) {
	f, ok := static.Find("sw.js")
	if !ok {
		s.noPage(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	sendFile(w, r, f)
}

// pushState is what a browser needs to subscribe.
type pushState struct {
	Off           bool          `json:"off,omitempty"` // by the configuration
	Key           string        `json:"key,omitempty"` // the server's, as base64url
	Subscriptions []push.Record `json:"subscriptions"` // of all browsers: there is one user
}

func (s pushForms) state(w http.ResponseWriter, r *http.Request) {
	v := pushState{Off: s.Push == nil, Subscriptions: s.Push.List()}
	if !v.Off {
		key, err := s.Push.PublicKey()
		if err != nil {
			s.refuseForm(w, r, err)
			return
		}
		v.Key = key
	}
	exchange.WriteJSON(w, http.StatusOK, v)
}

func (s pushForms) subscribe(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.refuseForm(w, r, exchange.BodyError(err))
		return
	}
	who, _ := s.Auth.Request(r)
	rec, err := s.Push.Subscribe(r.Context(), body, push.Browser{Who: who.ID, UserAgent: r.UserAgent(), Origin: r.Header.Get("Origin")})
	s.answerPush(w, r, rec, err)
}

func (s pushForms) remove(w http.ResponseWriter, r *http.Request) {
	if err := s.Push.Unsubscribe(r.PostForm.Get("id")); err != nil {
		s.refuseForm(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// test sends a message now, and answers when the push service has taken or refused it.
func (s pushForms) test(w http.ResponseWriter, r *http.Request) {
	rec, err := s.Push.Test(r.PostForm.Get("id"))
	s.answerPush(w, r, rec, err)
}

func (s pushForms) answerPush(w http.ResponseWriter, r *http.Request, rec push.Record, err error) {
	if err != nil {
		s.refuseForm(w, r, err)
		return
	}
	exchange.WriteJSON(w, http.StatusOK, rec)
}
