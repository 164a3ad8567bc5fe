package agent

import (
	"context"
	"io"

	"github.com/a-h/templ"
)

// pieces writes a line's text by style. It is no templ, since there every space between the pieces would count.
func pieces(l Line) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		for _, p := range l.Pieces() {
			text := templ.EscapeString(p.Text)
			if p.Class != "" {
				text = `<span class="` + p.Class + `">` + text + `</span>`
			}
			if _, err := io.WriteString(w, text); err != nil {
				return err
			}
		}
		return nil
	})
}
