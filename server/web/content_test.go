package web

import (
	"mime"
	"strings"
	"testing"
)

// FuzzAttachment checks that the header is one line and has the full name, whatever the artifact is called.
func FuzzAttachment(f *testing.F) {
	for _, name := range []string{"report.pdf", `a"b.txt`, "März.html", "a;b=c", "100%.csv", `back\slash`, "日本語.txt", "a b'c"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if name == "" {
			return
		}
		h := attachment(name)
		if strings.ContainsFunc(h, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
			t.Fatalf("%q is no header", h)
		}
		disposition, params, err := mime.ParseMediaType(h)
		if err != nil || disposition != "attachment" || params["filename"] != name {
			t.Fatalf("%q became %q: %q, %v", name, h, params, err)
		}
	})
}
