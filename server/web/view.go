package web

import (
	"net/http"
	"strings"

	"skein.dev/skein/ui/preview"
)

// Content security policies of bytes that nobody vouches for: nothing in them may run, load, or be in a page of others, and whatever a
// browser takes them for has an origin of its own.
const (
	bytesCSP = "sandbox; default-src 'none'; frame-ancestors 'none'"
	viewCSP  = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"
)

// viewHeaders sets the headers of bytes for a viewer of the browser, as what they are and not as what they are said to be.
func viewHeaders(h http.Header, form preview.Form, name string) {
	disposition := attachment(name)
	if form.Type != preview.SVGType { // which would be a page of its own
		disposition = "inline" + strings.TrimPrefix(disposition, "attachment")
	}
	h.Set("Content-Security-Policy", viewCSP)
	h.Set("Content-Type", form.Type)
	h.Set("Content-Disposition", disposition)
}
