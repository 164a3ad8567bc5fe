package model

import (
	"bytes"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

type deaf struct{}

func (deaf) message(string)                {}
func (deaf) thought(string)                {}
func (deaf) retries(string, time.Duration) {}

// FuzzAnswer reads what an endpoint sends, at once and a byte at a time: it comes to the same.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("data: {\"choices\":[{\"delta\":{\"content\":\"a\",\"tool_calls\":[{\"index\":0,\"id\":\"x\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"))
	f.Add([]byte(": c\r\n\r\ndata\r\ndata:\r\n\r\nevent: x\n\n"))
	f.Add([]byte("data: {\"error\":{\"message\":\"no\"}}\n\n"))
	f.Add([]byte("data: {\"choices\":[{\"message\":{\"tool_calls\":[{\"function\":{\"arguments\":{\"a\":1}}},{\"index\":-1}]}}]}\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		at, by := answer{limit: maxAnswer}, answer{limit: maxAnswer}
		first := readEvents(bytes.NewReader(b), func(data []byte) error { return at.event(data, deaf{}) })
		second := readEvents(iotest.OneByteReader(bytes.NewReader(b)), func(data []byte) error { return by.event(data, deaf{}) })
		at.joined()
		by.joined()
		if (first == nil) != (second == nil) || at.Content != by.Content || len(at.ToolCalls) != len(by.ToolCalls) || at.finish != by.finish {
			t.Errorf("%v %+v, a byte at a time %v %+v", first, at, second, by)
		}
		if len(at.ToolCalls) > maxToolCalls || at.size > maxAnswer+maxEvent {
			t.Errorf("%d calls, %d bytes", len(at.ToolCalls), at.size)
		}
	})
}

func TestCommandLines(t *testing.T) {
	for want, argv := range map[string][]string{
		"go test ./...":             {"go", "test", "./..."},
		"echo 'a b' '' 'it'\\''s'":  {"echo", "a b", "", "it's"},
		"make 'x;y' '$(z)' '|' '*'": {"make", "x;y", "$(z)", "|", "*"},
	} {
		if got := commandLine(argv); got != want {
			t.Errorf("%q is written %s", argv, got)
		}
	}
}

func TestWhatACommandPrintsIsCutInTheMiddle(t *testing.T) {
	if got := ends(strings.Repeat("a", maxResult) + strings.Repeat("b", maxResult)); len(got) > maxResult+200 || !strings.Contains(got, "65536 bytes are left out") || !strings.HasSuffix(got, "bb") {
		t.Errorf("%d bytes", len(got))
	}
}
