package frame

import (
	"strings"

	"github.com/a-h/templ"

	"skein.dev/skein/ui/words"
)

// Diff shows what differs between two texts. It is no templ, for its spaces count.
func Diff(lines []words.DiffLine) templ.Component {
	said := map[string]string{"-": `<span class="sr">Removed: </span>`, "+": `<span class="sr">Added: </span>`}
	var b strings.Builder
	b.WriteString(`<div class="diff" data-f="diff" tabindex="0" role="group" aria-label="Changes">`)
	for _, l := range lines {
		b.WriteString(`<div class="dl" data-op="` + templ.EscapeString(l.Op) + `">` + said[l.Op] + `<span class="dl-text">` + templ.EscapeString(l.Text) + `</span></div>`)
	}
	b.WriteString(`</div>`)
	return templ.Raw(b.String())
}
