package frame

import (
	"time"

	"github.com/a-h/templ"

	"skein.dev/skein/ui/words"
)

// Tick marks a cell that changes by itself. The page's script writes it each second: data-tick says how, data-at of when.
func Tick(how string, at time.Time) templ.Attributes {
	return templ.Attributes{"data-tick": how, "data-at": words.Iso(at)}
}
