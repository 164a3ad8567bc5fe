package ui

import (
	"encoding/json"
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
	for _, c := range table.Admission {
		if got := frame.AdmissionText(c.a); got != c.text {
			t.Errorf("%+v says %q, want %q", c.a, got, c.text)
		}
		if got := frame.AdmissionWho(c.a, table.Now); got != c.who {
			t.Errorf("%+v is by %q, want %q", c.a, got, c.who)
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
