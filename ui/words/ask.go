package words

import (
	"cmp"

	"skein.dev/skein/webtransport/wire"
)

// AskMoment describes the beginning or the end of a request for permission in the timeline of its agent.
func AskMoment(a *wire.Ask) (state, title, detail string) {
	switch {
	case a.State == wire.AskPending:
		return "requires_action", "Asks for permission", Clean(a.Text)
	case a.State == wire.AskCanceled:
		return "stopped", "Permission not needed any more", Clean(a.Reason)
	}
	return "input", "Permission answered", AskAnswer(a)
}

// AskAnswer is how a question was answered, and by whom.
func AskAnswer(a *wire.Ask) string {
	if a.Answer == nil {
		return Clean(a.Reason)
	}
	said := Clean(a.Answer.Text)
	if o := a.Option(a.Answer.Option); o != nil {
		said = Clean(cmp.Or(o.Name, o.ID))
	}
	if a.Answer.By == wire.ByPolicy {
		return said + ", by " + cmp.Or(a.Answer.Rule, "the policy of its type")
	}
	return said + ", " + By(a.Answer.By)
}
