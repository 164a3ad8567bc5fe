package jet

import (
	"strings"
	"testing"
)

func TestTokens(t *testing.T) {
	for name, token := range map[string]string{
		"plain-Name_1/2": "plain-Name_1/2", "a.b": "a=2Eb", "a b:@*>": "a=20b=3A=40=2A=3E", "..": "=2E=2E", "=": "=3D", "é": "=C3=A9", "\x00": "=00",
	} {
		if got := encodeToken(name); got != token {
			t.Errorf("%q becomes %q, want %q", name, got, token)
		}
	}
	for _, bad := range []string{"", "=", "=2", "a=", "=2e", "=GG", "=41", "a.b", "a b", "é", "*", "=3D="} {
		if name, err := decodeToken(bad); err == nil {
			t.Errorf("%q is read as %q", bad, name)
		}
	}
}

func FuzzToken(f *testing.F) {
	for _, s := range []string{"a", "notes/today", "a.b c", "=2E", "=2e", "é*>", "\xff\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if s != "" {
			token := encodeToken(s)
			if strings.ContainsAny(token, ". *>\t\r\n") || strings.IndexFunc(token, func(r rune) bool { return r < 0x21 || r > 0x7e }) >= 0 {
				t.Fatalf("%q becomes %q, which is no token", s, token)
			}
			if back, err := decodeToken(token); err != nil || back != s {
				t.Fatalf("%q becomes %q, which is read as %q, %v", s, token, back, err)
			}
		}
		if name, err := decodeToken(s); err == nil && encodeToken(name) != s {
			t.Fatalf("%q is read as %q, whose token is %q", s, name, encodeToken(name))
		}
	})
}
