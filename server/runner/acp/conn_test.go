package acp

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func itoa(n int) string { return strconv.Itoa(n) }

// ear notes what a conn hears.
type ear struct{ said []string }

func (e *ear) request(m *message) { e.said = append(e.said, "request "+m.Method) }
func (e *ear) notice(m *message)  { e.said = append(e.said, "notice "+m.Method) }
func (e *ear) text(line []byte, whole bool) {
	e.said = append(e.said, fmt.Sprintf("text %s %v", line, whole))
}
func (e *ear) odd(format string, args ...any) { e.said = append(e.said, fmt.Sprintf(format, args...)) }

func TestLinesInPieces(t *testing.T) {
	t.Parallel()
	in := "{\"jsonrpc\":\"2.0\",\"method\":\"a\"}\r\n\n  {\"id\":7,\"method\":\"b\"}\nhello {\n{not json\n{\"id\":null,\"method\":\"c\"}\n{\"id\":\"x\",\"result\":1}\n{}\n[1]\n"
	want := []string{"notice a", "request b", "text hello { true", "text {not json true", "notice c", `the agent answers a request that nobody made: "x"`, "text {} true", "text [1] true"}
	for _, size := range []int{1, 3, 7, 1000} {
		e := &ear{}
		c := newConn(e)
		for piece := range slices.Chunk([]byte(in), size) {
			c.hear(piece)
		}
		got := strings.Join(e.said, "|")
		if size < 1000 { // text may come in pieces
			if !strings.Contains(got, "notice a|request b|text ") || !strings.HasSuffix(got, " true") || !strings.Contains(got, `nobody made: "x"`) {
				t.Errorf("in pieces of %d: %s", size, got)
			}
		} else if !slices.Equal(e.said, want) {
			t.Errorf("in pieces of %d:\n%q, want\n%q", size, e.said, want)
		}
	}
}

func TestALineThatIsTooLong(t *testing.T) {
	t.Parallel()
	e := &ear{}
	c := newConn(e)
	c.hear([]byte(`{"method":"`))
	block := bytes.Repeat([]byte("x"), 1<<20)
	for range maxLine >> 20 {
		c.hear(block)
	}
	c.hear([]byte("\"}\n{\"method\":\"a\"}\n"))
	if len(e.said) != 2 || !strings.Contains(e.said[0], "longer than") || e.said[1] != "notice a" {
		t.Errorf("it says %.200q", e.said)
	}
}

func FuzzHear(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"method":"session/request_permission","params":{"toolCall":{"toolCallId":"x"},"options":[{"optionId":"a"}]}}`+"\n"), 3)
	f.Add([]byte(`{"method":"session/update","params":{"update":{"sessionUpdate":"tool_call","toolCallId":"x","content":[{"type":"diff"}]}}}`+"\n{"), 1)
	f.Add([]byte("\n\r\n{}{}\n\xff\n"), 2)
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		one := &ear{}
		c := newConn(one)
		c.hear(b)
		many := &ear{}
		c = newConn(many)
		for piece := range slices.Chunk(b, max(1, size%64)) {
			c.hear(piece)
		}
		messages := func(said []string) (n int) {
			for _, s := range said {
				if !strings.HasPrefix(s, "text ") {
					n++
				}
			}
			return n
		}
		if messages(one.said) != messages(many.said) {
			t.Errorf("in one piece %q, in many %q", one.said, many.said)
		}
	})
}
