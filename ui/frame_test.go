package ui

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/ui/frame"
	"skein.dev/skein/webtransport/wire"
)

func TestAdmissionText(t *testing.T) {
	var table struct {
		Now       time.Time
		Admission []admissionCase
	}
	readTable(t, "tasks.json", &table)
	tags := regexp.MustCompile(`<[^>]*>`)
	for _, c := range table.Admission {
		var b strings.Builder
		if err := frame.Admission(c.a, table.Now).Render(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		html := b.String()
		_, html, _ = strings.Cut(html, "<b>")
		what, html, _ := strings.Cut(html, "</b>")
		who, _, _ := strings.Cut(html, "</p>")
		if who = strings.TrimSpace(tags.ReplaceAllString(who, "")); what != c.text || who != c.who {
			t.Errorf("%+v says %q, %q, want %q, %q", c.a, what, who, c.text, c.who)
		}
		if hidden := strings.Contains(b.String(), " hidden"); hidden != (c.text == "") {
			t.Errorf("%+v: hidden %v", c.a, hidden)
		}
	}
}

// admissionCase is [admission, text, who] in the table.
type admissionCase struct {
	a         wire.Admission
	text, who string
}

func (c *admissionCase) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&c.a, &c.text, &c.who})
}
