package memory

import (
	"context"
	"io"

	"github.com/a-h/templ"
	"skein.dev/skein/ui/words"
)

// marked writes a text with the words of a search marked. It is no templ for the same reason.
func marked(text, query string) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		for _, m := range words.Marked(text, query) {
			text := templ.EscapeString(m.Text)
			if m.On {
				text = "<mark>" + text + "</mark>"
			}
			if _, err := io.WriteString(w, text); err != nil {
				return err
			}
		}
		return nil
	})
}

// diffLine writes a line of a comparison; its spaces count.
func diffLine(l words.DiffLine) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		word := map[string]string{"-": `<span class="sr">Removed: </span>`, "+": `<span class="sr">Added: </span>`}[l.Op]
		_, err := io.WriteString(w, `<div class="dl" data-op="`+templ.EscapeString(l.Op)+`">`+word+`<span class="dl-text">`+templ.EscapeString(l.Text)+`</span></div>`)
		return err
	})
}
