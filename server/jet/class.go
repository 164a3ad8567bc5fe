package jet

import "skein.dev/skein/webtransport/wire"

// class is a kind of events that are counted and dropped together. It is the last token of a subject.
type class int

const (
	lifecycle class = iota
	output
	classes // the number of classes
)

var classTokens = [classes]string{"e", "o"}

func classOf(t wire.EventType) class {
	if t.WithOutput() {
		return output
	}
	return lifecycle
}

// classesOf returns the classes that a choice of events includes.
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
