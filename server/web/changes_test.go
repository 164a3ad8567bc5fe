package web

import (
	"net/url"
	"strings"
	"testing"

	"skein.dev/skein/webtransport/wire"
)

// What is quoted from a file must not press keys in the terminal of an agent: Ctrl+O runs a line in bash, Ctrl+C interrupts.
func TestACommentPressesNoKeys(t *testing.T) {
	t.Parallel()
	got := comment(&wire.Agent{TTY: &wire.DefaultSize}, url.Values{"path": {"a.sh"}, "line": {"1"}, "code": {"x\x0f\x03\x1b[201~rm -rf ~\x0f"}}, "why?")
	if strings.ContainsAny(strings.TrimSuffix(got, "\r"), "\x00\x03\x0f\x1b") {
		t.Errorf("it presses keys: %q", got)
	}
}
