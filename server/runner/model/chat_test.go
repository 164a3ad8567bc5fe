package model

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// TestAnAnswerInManyPartsIsNotCopiedWithEach counts what 5,000 parts allocate. A copy of the answer for each would be more than a gigabyte.
func TestAnAnswerInManyPartsIsNotCopiedWithEach(t *testing.T) {
	const parts = 5_000
	word := strings.Repeat("x", 100)
	for name, form := range map[string]string{
		"text":      `{"choices":[{"delta":{"content":"%s"}}]}`,
		"arguments": `{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"arguments":"%s"}}]}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			event := fmt.Appendf(nil, form, word)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			a := answer{limit: maxAnswer}
			for range parts {
				if err := a.event(event, deaf{}); err != nil {
					t.Fatal(err)
				}
			}
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > 100<<20 {
				t.Errorf("%d bytes were allocated for an answer of %d", n, parts*len(word))
			}
		})
	}
}
