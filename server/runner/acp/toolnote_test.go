package acp

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"skein.dev/skein/server/runner"
	term "skein.dev/skein/server/screen"
	"skein.dev/skein/webtransport/wire"
)

// shownOf is what a terminal shows of what updates write.
func shownOf(t *testing.T, updates ...string) (raw string, lines []string) {
	t.Helper()
	h := &heard{}
	s := idle()
	s.sink = h.sink
	for _, u := range updates {
		s.updated([]byte(u))
	}
	s.tellEnd()
	raw = h.printed(wire.EventStdout)
	for line := range strings.SplitSeq(strings.TrimSuffix(raw, "\n"), "\n") {
		var l term.Line
		l.Write(line)
		lines = append(lines, strings.TrimRight(term.Strip(l.State()), " "))
	}
	return raw, lines
}

const (
	begins = `{"sessionUpdate":"tool_call","toolCallId":"a","title":"Edit it","kind":"edit","status":"pending"}`
	works  = `{"sessionUpdate":"tool_call_update","toolCallId":"a","status":"in_progress"}`
	says   = `{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"meanwhile"}}`
)

func TestAToolCallIsOneLine(t *testing.T) {
	t.Parallel()
	const done = `{"sessionUpdate":"tool_call_update","toolCallId":"a","status":"completed"}`
	const failed = `{"sessionUpdate":"tool_call_update","toolCallId":"a","status":"failed","content":[{"type":"content","content":{"type":"text","text":"no such file"}}]}`
	const renamed = `{"sessionUpdate":"tool_call_update","toolCallId":"a","title":"Edit x.go"}`
	for name, c := range map[string]struct {
		updates []string
		want    []string
	}{
		"goes on":               {[]string{begins, works}, []string{"● Edit it"}},
		"ends":                  {[]string{begins, works, done}, []string{"✓ Edit it"}},
		"fails":                 {[]string{begins, failed}, []string{"✗ Edit it: no such file"}},
		"is named":              {[]string{begins, renamed, done, done}, []string{"✓ Edit x.go"}},
		"ends after words":      {[]string{begins, says, works, renamed, done}, []string{"● Edit it", "meanwhile", "✓ Edit x.go"}},
		"two at once":           {[]string{begins, strings.Replace(begins, `"a"`, `"b"`, 1), done}, []string{"● Edit it", "● Edit it", "✓ Edit it"}},
		"is over when it comes": {[]string{strings.Replace(begins, "pending", "completed", 1), says}, []string{"✓ Edit it", "meanwhile"}},
	} {
		if _, got := shownOf(t, c.updates...); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("one that %s: %q, want %q", name, got, c.want)
		}
	}
}

func TestADiffIsShown(t *testing.T) {
	t.Parallel()
	diffs := func(old *string, now string) string {
		b, _ := json.Marshal(map[string]any{"sessionUpdate": "tool_call_update", "toolCallId": "a", "status": "completed",
			"content": []any{map[string]any{"type": "diff", "path": "x.go", "oldText": old, "newText": now}}})
		return string(b)
	}
	old := "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n"
	raw, got := shownOf(t, begins, diffs(&old, "one\n2\nthree\nfour\nfive\nsix\nseven\neight\n\tnine\x1b[31m\n"))
	want := []string{"✓ Edit it", "  x.go (+2 −1)", "      one", "    - two", "    + 2", "      three", "      four", "    …", "      seven", "      eight", "    +   nine [31m"}
	for i := range got {
		got[i] = strings.ReplaceAll(got[i], "\t", " ")
	}
	if fmt.Sprint(strings.Fields(strings.Join(got, "\n"))) != fmt.Sprint(strings.Fields(strings.Join(want, "\n"))) || len(got) != len(want) {
		t.Errorf("it shows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !strings.Contains(raw, "\x1b[31m    - two\x1b[39m\n") || !strings.Contains(raw, "\x1b[32m    + 2\x1b[39m\n") || strings.Contains(raw, "nine\x1b") {
		t.Errorf("it shows %q", raw)
	}
	_, got = shownOf(t, begins, diffs(nil, strings.Repeat("x\n", 100)))
	if len(got) != maxShownChanges+3 || got[1] != "  x.go (new, 100 lines)" || got[len(got)-1] != "    … 60 more lines" {
		t.Errorf("a long one shows %q", got)
	}
}

func TestWhatIsNoTextIsNamed(t *testing.T) {
	t.Parallel()
	for block, want := range map[string]string{
		`{"type":"image","mimeType":"image/png","data":"` + strings.Repeat("A", 8000) + `"}`:           "image/png, 6 kB",
		`{"type":"audio","mimeType":"audio/wav","data":"AAAA"}`:                                        "audio/wav, 3 bytes",
		`{"type":"resource_link","uri":"file:///x","name":"x","mimeType":"text/plain","size":2500000}`: "x, text/plain, 2 MB",
		`{"type":"resource_link","uri":"file:///x","name":"x","title":"The x"}`:                        "The x, resource_link",
		`{"type":"resource","resource":{"uri":"file:///y","mimeType":"text/x","text":"hello"}}`:        "file:///y, text/x, 5 bytes",
		`{"type":"resource","resource":{"uri":"file:///y","blob":"AAAAAAAA"}}`:                         "file:///y, resource, 6 bytes",
		`{"type":"hologram"}`: "hologram",
	} {
		_, got := shownOf(t, `{"sessionUpdate":"agent_message_chunk","content":`+block+`}`)
		if len(got) != 1 || got[0] != "["+want+"]" {
			t.Errorf("%s: %q, want %q", block[:40], got, want)
		}
		_, got = shownOf(t, begins, `{"sessionUpdate":"tool_call_update","toolCallId":"a","status":"completed","content":[{"type":"content","content":`+block+`}]}`)
		if len(got) != 2 || got[1] != "  "+want {
			t.Errorf("of a tool: %q, want %q", got, want)
		}
	}
}

// FuzzUpdate has an agent say anything: what is written ends in whole lines, and nothing of it leaves its own.
func FuzzUpdate(f *testing.F) {
	f.Add([]byte(begins), []byte(`{"sessionUpdate":"tool_call_update","toolCallId":"a","status":"completed","content":[{"type":"diff","path":"x","oldText":"a\n","newText":"b\n"}]}`))
	f.Add([]byte(says), []byte(`{"sessionUpdate":"session_info_update","title":null}`))
	f.Add([]byte(`{"sessionUpdate":"usage_update","used":1e300,"cost":{"amount":-1}}`), []byte(`{"sessionUpdate":"plan","entries":[{"content":"x"}]}`))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		h := &heard{}
		s := idle()
		s.sink = h.sink
		for _, b := range [][]byte{one, two, one} {
			s.updated(b)
		}
		s.tellEnd()
		if out := h.printed(wire.EventStdout); out != "" && !strings.HasSuffix(out, "\n") {
			t.Errorf("it ends with %q", out[max(0, len(out)-40):])
		}
		for _, o := range of[runner.Output](h) {
			if len(o.Bytes) > wire.MaxOutput {
				t.Errorf("%d bytes at once", len(o.Bytes))
			}
		}
	})
}
