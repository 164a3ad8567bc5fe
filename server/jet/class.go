package jet

import "skein.dev/skein/webtransport/wire"

// class is what the log counts and drops together. It is the last token of a subject.
type class int

const (
	lifecycle class = iota
	output
	classes // how many there are
)

var classTokens = [classes]string{"e", "o"}

func classOf(t wire.EventType) class {
	if t.IsOutput() {
		return output
	}
	return lifecycle
}

// classesOf are the classes that a choice has.
func classesOf(w wire.Which) []class {
	switch w {
	case wire.LifecycleEvents:
		return []class{lifecycle}
	case wire.OutputEvents:
		return []class{output}
	}
	return []class{lifecycle, output}
}

func subjectOf(id wire.AgentID, c class) string {
	return logSubject + string(id) + "." + classTokens[c]
}
