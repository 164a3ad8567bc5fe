package memory

import (
	"github.com/a-h/templ"
	"skein.dev/skein/webtransport/wire"
)

// SpaceFragment has the parts of the page of a namespace that say how much it holds.
func SpaceFragment(ns wire.MemoryNamespace) templ.Component {
	return templ.Join(spaceSum(ns), spaceUse(ns))
}

// EntryFragment has the parts of the page of an entry that change; of a conflict, what shows both.
func EntryFragment(v EntryView) templ.Component {
	if v.Conflict != nil {
		return conflict(v.Conflict, v.Writers, v.Now)
	}
	return templ.Join(entryFacts(v), gone(v), valuePanel(v), versions(v))
}
