package memory

import (
	"strings"
	"time"

	"github.com/a-h/templ"
	"skein.dev/skein/ui/words"
)

// marked writes a text with the words of a search marked. It is no templ, for its spaces count.
func marked(text, query string) templ.Component {
	var b strings.Builder
	for _, m := range words.Marked(text, query) {
		if text := templ.EscapeString(m.Text); m.On {
			b.WriteString("<mark>" + text + "</mark>")
		} else {
			b.WriteString(text)
		}
	}
	return templ.Raw(b.String())
}

// diffLine writes a line of a comparison; its spaces count.
func diffLine(l words.DiffLine) templ.Component {
	word := map[string]string{"-": `<span class="sr">Removed: </span>`, "+": `<span class="sr">Added: </span>`}[l.Op]
	return templ.Raw(`<div class="dl" data-op="` + templ.EscapeString(l.Op) + `">` + word + `<span class="dl-text">` + templ.EscapeString(l.Text) + `</span></div>`)
}

// age writes how long ago something was. The script goes on with it. A templ would be three times as much code.
func age(name, class, title string, at, now time.Time) templ.Component {
	iso := words.Iso(at)
	return clock(name, class, iso, attribute("title", title)+` data-tick="ago" data-at="`+iso+`"`, words.Ago(now.Sub(at)))
}

// expiry writes when an entry expires, if ever. The script goes on with it.
func expiry(class string, at *time.Time, now time.Time) templ.Component {
	more := ` data-none`
	if at != nil {
		more = ` data-tick="left" data-before="in " data-then="now" data-at="` + words.Iso(*at) + `"`
	}
	return clock("expires", class, words.IsoOrEmpty(at), more, words.ExpiresText(at, now))
}

func clock(name, class, iso, more, text string) templ.Component {
	return templ.Raw(`<time` + attribute("class", class) + ` data-f="` + name + `" datetime="` + iso + `"` + more + `>` + templ.EscapeString(text) + `</time>`)
}

// attribute writes an attribute, unless it is empty.
func attribute(name, value string) string {
	if value == "" {
		return ""
	}
	return " " + name + `="` + templ.EscapeString(value) + `"`
}
