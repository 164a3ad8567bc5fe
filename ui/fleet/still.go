package fleet

import (
	"time"

	"github.com/a-h/templ"

	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// Still is an agent without what its page writes itself, from the record: the cells that change all the time. What is the same
// without them is rendered the same.
func Still(a wire.Agent) wire.Agent {
	a.Usage, a.Summary, a.LastLine, a.LastSeq, a.Rev = wire.Usage{}, "", "", 0, 0
	if a.Status != wire.StatusUnknown { // which has been without a heartbeat since the last one
		a.LastHeartbeat = nil
	}
	return a
}

// AgeTick is of how long an agent has been there, or how long ago it ended.
func AgeTick(a *wire.Agent) templ.Attributes {
	if a.ExitedAt != nil {
		return frame.Tick("ago", *a.ExitedAt)
	}
	return frame.Tick("span", a.CreatedAt)
}

// waits stands before how long a question has waited.
const waits = "waits "

func waitTick(since time.Time) templ.Attributes {
	a := frame.Tick("span", since)
	a["data-before"] = waits
	return a
}

// badgeTick is of a badge whose text goes on by itself; nil for others.
func badgeTick(b words.Badge) templ.Attributes {
	var a templ.Attributes
	switch {
	case b.Since != nil:
		a = frame.Tick("span", *b.Since)
	case b.Until != nil:
		a = frame.Tick("left", *b.Until)
		a["data-then"] = words.StartsNow
	default:
		return nil
	}
	a["data-before"] = b.Before
	return a
}
