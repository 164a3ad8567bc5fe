package transcript

import (
	"regexp"
	"strings"
	"testing"

	"skein.dev/skein/webtransport/wire"
)

// seqs are the entries that a view has.
func seqs(v View) string {
	all := []string{}
	for _, m := range regexp.MustCompile(`data-seq="(\d+)"`).FindAllStringSubmatch(v.HTML, -1) {
		all = append(all, m[1])
	}
	return strings.Join(all, " ")
}

func TestParts(t *testing.T) {
	l := logOf(said(
		chunk("user_message_chunk", "do it"),
		`{"sessionUpdate":"tool_call","toolCallId":"c","title":"ls","status":"in_progress"}`,
		chunk("agent_message_chunk", "well"),
		`{"sessionUpdate":"tool_call_update","toolCallId":"c","status":"completed"}`,
		chunk("agent_message_chunk", ", done"),
	))
	ctx := t.Context()
	if v := l.Newest(ctx); seqs(v) != "10 20 30" || v.Seq != 50 || v.First != 10 || v.More {
		t.Errorf("newest: %q, %+v", seqs(v), v)
	}
	for after, want := range map[uint64]string{50: "", 40: "30", 30: "20 30", 10: "10 20 30"} {
		if v := l.After(ctx, after); seqs(v) != want || v.Seq != 50 {
			t.Errorf("after %d: %q, up to %d", after, seqs(v), v.Seq)
		}
	}
	for before, want := range map[uint64]string{10: "", 20: "10", 25: "10 20", 30: "10 20", 99: "10 20 30"} {
		if v, ok := l.Before(ctx, before); seqs(v) != want || ok != (want != "") {
			t.Errorf("before %d: %q, %v", before, seqs(v), ok)
		}
	}
	if v := l.Newest(ctx); !strings.Contains(v.HTML, "well, done") || !strings.Contains(v.HTML, `data-state="completed"`) {
		t.Errorf("it was rendered before: %s", v.HTML)
	}
	for i := range 2 * MaxShown {
		l.Add(wire.Event{Seq: uint64(100 + i), Type: wire.EventLog, Data: wire.EventData{Text: "a note"}})
	}
	if v := l.Newest(ctx); strings.Count(v.HTML, "<li class=\"turn\"") != MaxShown || !v.More || v.First != 100+MaxShown {
		t.Errorf("of many: %d, from %d, more: %v", strings.Count(v.HTML, "<li class=\"turn\""), v.First, v.More)
	}
	long := chunk("agent_message_chunk", strings.Repeat("**word** ", 6000))
	for i := range 20 {
		l.Add(wire.Event{Seq: uint64(1000 + 2*i), Type: wire.EventUpdate, Data: wire.EventData{Text: long}})
		l.Add(wire.Event{Seq: uint64(1001 + 2*i), Type: wire.EventLog, Data: wire.EventData{Text: "a note"}})
	}
	if v := l.Newest(ctx); len(v.HTML) > MaxHTML || len(v.HTML) < MaxHTML/2 || !v.More {
		t.Errorf("of long ones: %d bytes, more: %v", len(v.HTML), v.More)
	}
}

// TestWhatAnAgentSaysIsText renders what would be something else in a page.
func TestWhatAnAgentSaysIsText(t *testing.T) {
	evil := `<img src=x onerror=alert(1)><script>alert(1)</script>[x](javascript:alert(1)) ![y](https://example.org/y.png)`
	ask := wire.Ask{ID: "q", Kind: wire.AskPermission, Text: evil, State: wire.AskPending}
	events := said(
		chunk("user_message_chunk", evil), chunk("agent_message_chunk", evil), chunk("agent_thought_chunk", evil),
		strings.ReplaceAll(`{"sessionUpdate":"tool_call","toolCallId":"c","title":"E","kind":"edit","status":"failed","rawInput":{"command":"E"},"locations":[{"path":"E"}],"content":[{"type":"diff","path":"E","newText":"E"},{"type":"content","content":{"type":"text","text":"E"}},{"type":"content","content":{"type":"image","uri":"E"}}]}`, "E", evil),
		strings.ReplaceAll(`{"sessionUpdate":"plan","entries":[{"content":"E"}]}`, "E", evil),
		strings.ReplaceAll(`{"sessionUpdate":"current_mode_update","currentModeId":"E"}`, "E", evil),
	)
	events = append(events, wire.Event{Seq: 100, Type: wire.EventAsk, Data: wire.EventData{Ask: &ask}}, wire.Event{Seq: 101, Type: wire.EventTask, Data: wire.EventData{Task: wire.TaskID(evil), Text: evil}},
		wire.Event{Seq: 102, Type: wire.EventInput, Actor: evil, Data: wire.EventData{Text: evil}})
	html := logOf(events).Newest(t.Context()).HTML
	if n := strings.Count(html, "&lt;script&gt;"); n < 9 {
		t.Errorf("it is shown %d times: %s", n, html)
	}
	for _, bad := range []string{"<script", "<img", `href="javascript`, `src="https`} {
		if strings.Contains(html, bad) {
			t.Errorf("%q is in the page: %s", bad, html)
		}
	}
}

func FuzzUpdate(f *testing.F) {
	for _, e := range StoryEvents() {
		f.Add(e.Data.Text, e.Data.Text)
	}
	f.Add(`{"sessionUpdate":"tool_call","toolCallId":"c","content":[{"type":"diff","oldText":"a","newText":null},{"type":"content","content":{"type":"resource","resource":{"uri":5}}},[]]}`, `{"sessionUpdate":"plan","entries":{}}`)
	f.Fuzz(func(t *testing.T, first, second string) {
		l := logOf(said(first, second))
		v := l.Newest(t.Context())
		for _, n := range l.entries {
			if n.Seq > n.Last || n.size() > maxSize {
				t.Errorf("%+v", n)
			}
		}
		if l.Last() != 20 || strings.Contains(v.HTML, "<script") {
			t.Errorf("%s", v.HTML)
		}
	})
}
