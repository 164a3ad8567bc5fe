package qmux

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCutReason(t *testing.T) {
	for name, test := range map[string]struct{ reason, want string }{
		"short":             {"bye", "bye"},
		"as long as it may": {strings.Repeat("x", MaxCloseReason), strings.Repeat("x", MaxCloseReason)},
		"too long":          {strings.Repeat("x", MaxCloseReason+1), strings.Repeat("x", MaxCloseReason)},
		"within a rune":     {strings.Repeat("x", MaxCloseReason-1) + "é", strings.Repeat("x", MaxCloseReason-1)},
		"not UTF-8":         {"a\xffb", "ab"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := cutReason(test.reason); got != test.want || !utf8.ValidString(got) {
				t.Errorf("%d bytes, want %d", len(got), len(test.want))
			}
		})
	}
}

func TestErrors(t *testing.T) {
	for want, err := range map[string]error{
		"session closed by the peer with code 3000: restart":  &CloseError{3000, "restart", true},
		"session closed by this side with code 0":             &CloseError{},
		"stream cancelled by the peer with code 7":            &StreamError{7, true},
		"qmux: PROTOCOL_VIOLATION, found by this side: twice": &TransportError{Code: ProtocolViolation, Reason: "twice"},
		"qmux: transport error 0x1, found by the peer: oops":  &TransportError{Code: 1, Reason: "oops", Remote: true},
	} {
		if err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
	wrapped := fmt.Errorf("read: %w", &StreamError{7, true})
	if !errors.Is(wrapped, &StreamError{7, true}) || errors.Is(wrapped, &StreamError{7, false}) || errors.Is(wrapped, &StreamError{8, true}) {
		t.Error("StreamError.Is")
	}
}
