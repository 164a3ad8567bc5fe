package words

import (
	"cmp"
	"strconv"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// AskMoment describes the beginning or the end of a request in the timeline of its agent.
func AskMoment(a *wire.Ask) (state, title, detail string) {
	switch {
	case a.Kind == wire.AskQuestion && a.State == wire.AskPending:
		return "requires_action", "Asks", Clean(a.Text)
	case a.Kind == wire.AskQuestion && a.State == wire.AskCanceled:
		return "stopped", "No answer is needed any more", Clean(a.Reason)
	case a.Kind == wire.AskQuestion:
		return "input", "Answered", AskAnswer(a)
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

// AsksInWords reports whether what is written to an agent that needs an answer is one: to one that converses, a text would be another
// prompt, and one that dials in may ask several questions at the same time.
func AsksInWords(a *wire.Agent) bool { return !a.Kind.Converses() && a.Kind != wire.KindRemote }

// AskWant is what an agent waits for, after its name, or what several do.
func AskWant(a *wire.Ask, many bool) string {
	s := "s" // of the verb
	if many {
		s = ""
	}
	switch {
	case a.Kind == wire.AskQuestion:
		return "ask" + s
	case a.Kind == wire.AskTerminal:
		return "wait" + s + " in a terminal"
	case a.Tool != nil && toolVerbs[a.Tool.Kind] != "":
		return "want" + s + " to " + toolVerbs[a.Tool.Kind]
	}
	return "ask" + s + " for permission"
}

var toolVerbs = map[string]string{
	"read": "read", "edit": "edit", "delete": "delete", "move": "move", "search": "search", "execute": "run", "think": "think", "fetch": "fetch",
	"switch_mode": "change the mode",
}

// AskEnd is the word for how a question ended.
func AskEnd(a *wire.Ask) string {
	switch {
	case a.State == wire.AskExpired:
		return "Nobody answered in time"
	case a.State == wire.AskCanceled:
		return "Not needed any more"
	case a.Answer != nil && a.Answer.By == wire.ByPolicy:
		return "Answered by policy"
	}
	return "Answered"
}

// AskLine is what a question was about, in one line.
func AskLine(a *wire.Ask) string {
	if a.Tool != nil && a.Tool.Command != "" {
		return Clean(a.Tool.Command)
	}
	return Clean(a.Text)
}

// Expires says when a question ends that nobody answers.
func Expires(at, now time.Time) string {
	if !at.After(now) {
		return "expires now"
	}
	return "expires in " + Span(at.Sub(now)+999*time.Millisecond)
}

// WaitingTitle puts the number of questions before the title of a tab.
func WaitingTitle(n int, title string) string {
	if n == 0 {
		return title
	}
	return "(" + strconv.Itoa(n) + ") " + title
}
