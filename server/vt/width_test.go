package vt

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the pages' table of wide characters")

const widths = "../../static/app/terminal/wide.js"

// TestThePagesWidthsAreFresh compares the pages' table of wide characters with the server's.
func TestThePagesWidthsAreFresh(t *testing.T) {
	var ranges []string
	from := rune(-1)
	for r := rune(0); r <= 0x40000; r++ {
		switch wide := width(r) == 2; {
		case wide && from < 0:
			from = r
		case !wide && from >= 0:
			ranges = append(ranges, fmt.Sprintf("%x-%x", from, r-1))
			from = -1
		}
	}
	text := "// Made from server/vt/width.go by make generate. Do not edit.\n\n/** The code points that take two columns, as ranges in hexadecimal. */\nexport const WIDE =\n  '" +
		strings.Join(ranges, " ") + "'\n"
	if *update {
		if err := os.WriteFile(widths, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(widths); err != nil || string(got) != text {
		t.Errorf("%s is not what the server has (%v): run make generate", widths, err)
	}
}
