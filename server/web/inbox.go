package web

import (
	"net/http"

	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/inbox"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// inboxPages serves the page of the questions of agents, and its form.
type inboxPages struct{ *site }

func (s inboxPages) inboxPage(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, inbox.Refused{})
}

func (s inboxPages) show(w http.ResponseWriter, r *http.Request, status int, refused inbox.Refused) {
	all, err := s.Plane.Asks.List(r.Context(), wire.AskListParams{All: true})
	if err != nil {
		return // the client has left
	}
	v := inbox.View{Frame: s.frame(r), Refused: refused}
	v.Waiting = frame.Waiting{Count: all.Pending, Position: all.Position}
	v.Asks, v.Ended = all.Asks[:all.Pending], all.Asks[all.Pending:]
	s.page(w, r, status, inbox.Inbox(v))
}

// postAnswer answers the questions of a card, which all have the same prompt.
func (s inboxPages) postAnswer(w http.ResponseWriter, r *http.Request) {
	refused := inbox.Refused{Text: r.PostForm.Get("text")}
	status := http.StatusOK
	for _, id := range r.PostForm["ask"] {
		p := wire.AskAnswerParams{ID: wire.AskID(id), Prompt: r.PostForm.Get("prompt"), Option: r.PostForm.Get("option"), Text: refused.Text}
		err := s.do(r, wire.MethodAskAnswer, p)
		if err == nil {
			continue
		}
		a, gone := s.Plane.Asks.Get(p.ID)
		if gone != nil {
			s.refuseForm(w, r, err)
			return
		}
		s.logForm(r, err)
		status, refused.Why = formStatusOf(err), words.Sentence(wire.AsError(err).Message)
		refused.Asks = append(refused.Asks, *a)
	}
	switch {
	case len(r.PostForm["ask"]) == 0:
		s.refuseForm(w, r, wire.Errorf(wire.CodeInvalidParams, "say which question is answered").WithField("ask"))
	case len(refused.Asks) == 0:
		s.back(w, r, "/inbox")
	default:
		s.show(w, r, status, refused)
	}
}
