package memory

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/a-h/templ"
	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// As templs these would be three times as much code in the binary.

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

// age writes how long ago something was. The script goes on with it.
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

// writer writes who wrote: an agent's name leads to it.
func writer(who string, names map[string]string) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		href := ""
		if id := words.WriterAgent(who); id != "" {
			href = attribute("href", string(frame.Link(ctx, words.AgentURL(id))))
		}
		_, err := io.WriteString(w, `<a class="writer" data-f="writer"`+href+`>`+templ.EscapeString(words.WriterWord(who, names))+`</a>`)
		return err
	})
}

// usage writes a number, and how much of its limit it is.
func usage(name, text string, n, limit int64, of string) templ.Component {
	bar := ""
	if used(n, limit) {
		bar = `<svg class="usage-bar" viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true"><rect data-f="` + name + `-bar" width="` + share(n, limit) + `" height="1"></rect></svg>`
	}
	return templ.Raw(`<span class="quota"><span class="usage-text num"><span data-f="` + name + `">` + templ.EscapeString(text) + `</span> <span class="usage-limit" data-f="` + name +
		`-limit">` + templ.EscapeString(of) + `</span></span> ` + bar + `</span>`)
}

// used reports whether so much of a limit is used that a bar shows it: a hundredth.
func used(n, limit int64) bool { return limit > 0 && n >= (limit+99)/100 }

// spaceSum writes how much a namespace holds.
func spaceSum(ns wire.MemoryNamespace) templ.Component {
	return templ.Raw(`<p class="page-sub" id="summary">` + words.Count(ns.Keys, "key", "keys") + ", " + words.Bytes(ns.Bytes) + `</p>`)
}
