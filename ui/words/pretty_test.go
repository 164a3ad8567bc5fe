package words

import (
	"strings"
	"testing"
)

func TestPretty(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		` {"b":1.0,"a":["\"],[",{}]} `: "{\n  \"b\": 1.0,\n  \"a\": [\n    \"\\\"],[\",\n    {}\n  ]\n}",
		`[]`:                           "[]",
	} {
		if got, ok := Pretty(text); !ok || got != want {
			t.Errorf("%s becomes %v %s", text, ok, got)
		}
	}
	for _, text := range []string{"", "1", `"a"`, "{", "[1,]"} {
		if got, ok := Pretty(text); ok || got != text {
			t.Errorf("%s becomes %v %s", text, ok, got)
		}
	}
}

// 9,000 levels with 100,000 values in the innermost would become 1.8 GB.
func TestPrettyOfADeepTextStaysShort(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("[", 9000) + strings.Repeat("1,", 100_000) + "1" + strings.Repeat("]", 9000)
	if got, ok := Pretty(text); !ok || got != text {
		t.Errorf("ok %v, %d bytes become %d", ok, len(text), len(got))
	}
	flat := "[" + strings.Repeat("1,", 100_000) + "1]"
	if got, ok := Pretty(flat); !ok || strings.Count(got, "\n") != 100_002 {
		t.Errorf("a long one that is not deep: ok %v, %d bytes", ok, len(got))
	}
}
