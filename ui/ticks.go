package ui

import (
	"time"

	"github.com/a-h/templ"

	"skein.dev/skein/ui/words"
)

// What follows marks the cells that change by themselves. The page's script writes them each second: data-tick says how, data-at
// of when.

func tick(how string, at time.Time) templ.Attributes {
	return templ.Attributes{"data-tick": how, "data-at": words.Iso(at)}
}
