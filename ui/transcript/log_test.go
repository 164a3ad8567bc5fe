package transcript

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// said makes events of updates, in order.
func said(updates ...string) (events []wire.Event) {
	for i, u := range updates {
		events = append(events, wire.Event{Seq: uint64(10 * (i + 1)), Time: time.Unix(int64(i), 0), Type: wire.EventUpdate, Data: wire.EventData{Text: u}})
	}
	return events
}

func logOf(events []wire.Event) *Log {
	var l Log
	for _, e := range events {
		l.Add(e)
	}
	return &l
}

// brief writes entries down.
func brief(l *Log) string {
	var b strings.Builder
	for _, n := range l.entries {
		fmt.Fprintf(&b, "%s %d-%d", n.Kind, n.Seq, n.Last)
		if n.Open {
			b.WriteString(" open")
		}
		if n.Text != "" {
			fmt.Fprintf(&b, " %q", n.Text)
		}
		if n.Detail != "" {
			fmt.Fprintf(&b, " (%s)", n.Detail)
		}
		if c := n.Call; c != nil {
			fmt.Fprintf(&b, " %s %q %s in=%q paths=%v texts=%q others=%q", c.Kind, c.Title, c.State, c.Input, c.Paths, c.Texts, c.Others)
			for _, d := range c.Diffs {
				fmt.Fprintf(&b, " diff %s new=%v +%d -%d", d.Path, d.New, d.Added, d.Removed)
			}
		}
		for _, s := range n.Plan {
			fmt.Fprintf(&b, " [%s %s]", s.State, s.Text)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func chunk(kind, text string) string {
	b, _ := json.Marshal(map[string]any{"sessionUpdate": kind, "content": map[string]string{"type": "text", "text": text}})
	return string(b)
}

func TestAConversation(t *testing.T) {
	for name, c := range map[string]struct {
		events []wire.Event
		want   string
	}{
		"pieces of a message are one": {said(chunk("agent_message_chunk", "\n Hel"), chunk("agent_message_chunk", "lo "), chunk("agent_message_chunk", "")), `agent 10-20 open "Hello "`},
		"a thought is another":        {said(chunk("agent_thought_chunk", "hm"), chunk("agent_message_chunk", "yes")), "thought 10-20 \"hm\"\nagent 20-20 open \"yes\""},
		"messages by their ids": {said(`{"sessionUpdate":"agent_message_chunk","messageId":"1","content":{"type":"text","text":"a"}}`, `{"sessionUpdate":"agent_message_chunk","messageId":"2","content":{"type":"text","text":"b"}}`),
			"agent 10-20 \"a\"\nagent 20-20 open \"b\""},
		"a message without text is none":    {said(chunk("agent_message_chunk", " \n")), ""},
		"what is no text is named":          {said(`{"sessionUpdate":"agent_message_chunk","content":{"type":"image","mimeType":"image/png","data":"AAAA"}}`), `agent 10-10 open "[Image, image/png]"`},
		"what was said before":              {said(chunk("user_message_chunk", "do it"), chunk("agent_message_chunk", "done")), "user 10-20 \"do it\"\nagent 20-20 open \"done\""},
		"escape sequences are left out":     {said(chunk("agent_message_chunk", "\x1b[31mred\x1b[0m\x07 one\ntwo")), `agent 10-10 open "red one\ntwo"`},
		"what is no update":                 {said("", "x", "[]", `"plan"`, "{}", `{"sessionUpdate":5}`, `{"sessionUpdate":"new_kind","content":{}}`, `{"sessionUpdate":"usage_update","used":5}`), ""},
		"a note":                            {said(`{"sessionUpdate":"_skein/note","text":"it was canceled"}`), `note 10-10 "It was canceled"`},
		"a plan takes the place of another": {said(`{"sessionUpdate":"plan","entries":[{"content":"a","status":"pending"},5,{"content":"b","status":"odd"}]}`, `{"sessionUpdate":"plan","entries":[{"content":"a","status":"completed"}]}`), "plan 10-20 [completed a]"},
		"a call, and what it has changed": {said(
			`{"sessionUpdate":"tool_call","toolCallId":"c","title":"Edit a","kind":"edit","status":"pending","rawInput":{"path":"a"},"locations":[{"path":"a"},{"path":"a"},{"line":5}]}`,
			chunk("agent_message_chunk", "meanwhile"),
			`{"sessionUpdate":"tool_call_update","toolCallId":"c","status":"completed","content":[{"type":"diff","path":"a","oldText":"1\n2\n","newText":"1\n3\n"},{"type":"diff","path":"b","newText":"x\n"},{"type":"content","content":{"type":"text","text":"\nok\n"}},{"type":"content","content":{"type":"audio","mimeType":"audio/wav"}},7]}`),
			`tool 10-30 edit "Edit a" completed in="{\n  \"path\": \"a\"\n}" paths=[a] texts=["ok"] others=["Audio, audio/wav"] diff a new=false +1 -1 diff b new=true +1 -0` + "\nagent 20-20 open \"meanwhile\""},
		"a command": {said(`{"sessionUpdate":"tool_call","toolCallId":"c","kind":"execute","rawInput":{"command":["sh","-c","a b"]}}`), `tool 10-10 execute "" pending in="sh -c 'a b'" paths=[] texts=[] others=[]`},
		"a call in a form of its own": {said(`{"sessionUpdate":"tool_call","toolCallId":"c","title":5,"kind":"magic","status":"odd","rawInput":"x","content":"text","locations":{"path":"a"}}`),
			`tool 10-10 other "" pending in="\"x\"" paths=[] texts=[] others=[]`},
		"an update of a call that was not seen": {said(`{"sessionUpdate":"tool_call_update","toolCallId":"c","status":"failed"}`), `tool 10-10 other "" failed in="" paths=[] texts=[] others=[]`},
		"calls without an id are several":       {said(`{"sessionUpdate":"tool_call","title":"a"}`, `{"sessionUpdate":"tool_call","title":"b"}`), "tool 10-10 other \"a\" pending in=\"\" paths=[] texts=[] others=[]\ntool 20-20 other \"b\" pending in=\"\" paths=[] texts=[] others=[]"},
	} {
		if got := strings.TrimSuffix(brief(logOf(c.events)), "\n"); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

func TestWhatHappensIsInTheConversation(t *testing.T) {
	ask := wire.Ask{ID: "q", Kind: wire.AskPermission, Text: "rm -r x", State: wire.AskPending, Options: []wire.AskOption{{ID: "y", Name: "Allow"}}}
	done := ask
	done.State, done.Answer = wire.AskResolved, &wire.AskAnswer{Option: "y", By: "ada"}
	var events []wire.Event
	for i, e := range []wire.Event{
		{Type: wire.EventInput, Actor: "ada", Data: wire.EventData{Text: "do it\nnow\n"}},
		{Type: wire.EventInput, Data: wire.EventData{Base64: []byte{0xff}}},
		{Type: wire.EventStdout, Data: wire.EventData{Text: "as text"}},
		{Type: wire.EventAsk, Data: wire.EventData{Ask: &ask}},
		{Type: wire.EventUpdate, Data: wire.EventData{Text: chunk("agent_message_chunk", "well")}},
		{Type: wire.EventAnswer, Data: wire.EventData{Ask: &done}},
		{Type: wire.EventActivity, Data: wire.EventData{Activity: wire.ActivityIdle}},
		{Type: wire.EventUpdate, Data: wire.EventData{Text: chunk("agent_message_chunk", "and")}},
		{Type: wire.EventTask, Data: wire.EventData{Task: "t1", State: wire.TaskWorking, Text: "sum"}},
		{Type: wire.EventUpdate, Data: wire.EventData{Text: `{"sessionUpdate":"tool_call","toolCallId":"c","title":"ls","status":"in_progress"}`}, Dropped: &wire.Dropped{}},
		{Type: wire.EventExited, Data: wire.EventData{Reason: wire.ReasonFailed, Exit: &wire.Exit{Code: 3}}},
	} {
		e.Seq = uint64(i + 1)
		events = append(events, e)
	}
	want := `user 1-1 "do it\nnow"
ask 4-6 "Permission answered" (rm -r x — Allow, by ada)
agent 5-7 "well"
agent 8-9 "and"
note 9-9 "Task started" (sum)
gap 10-10 "A part of the conversation is no longer there: the log was full."
tool 10-11 other "ls" failed in="" paths=[] texts=[] others=[]
end 11-11 "Failed" (Exit code 3)
`
	if got := brief(logOf(events)); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestAConversationIsBounded(t *testing.T) {
	var l Log
	seq := uint64(0)
	add := func(u string) {
		seq++
		l.Add(wire.Event{Seq: seq, Type: wire.EventUpdate, Data: wire.EventData{Text: u}})
	}
	for range 40 {
		add(chunk("agent_message_chunk", strings.Repeat("ä", 10<<10)))
	}
	if n := l.latest(); len(n.Text) > maxText || !n.Cut || !strings.HasSuffix(n.Text, "ä") {
		t.Errorf("a message of %d bytes, cut: %v", len(n.Text), n.Cut)
	}
	long, _ := json.Marshal(strings.Repeat("```sh\n"+strings.Repeat("a line\n", 20_000), 1))
	add(`{"sessionUpdate":"tool_call","toolCallId":"t","content":[{"type":"content","content":{"type":"text","text":` + string(long) + `}},{"type":"content","content":{"type":"text","text":"more"}}]}`)
	if c := l.latest().Call; !c.Cut || strings.Count(c.Texts[0], "\n") > maxToolText+1 || !strings.HasSuffix(c.Texts[0], "\n```") {
		t.Errorf("a text of %d bytes that ends with %q, cut: %v", len(c.Texts[0]), c.Texts[0][len(c.Texts[0])-20:], c.Cut)
	}
	diff := func(n int) string {
		text, _ := json.Marshal(strings.Repeat("a line of a file\n", n))
		return `{"type":"diff","path":"f","newText":` + string(text) + `}`
	}
	add(`{"sessionUpdate":"tool_call","toolCallId":"d","content":[` + diff(200) + `,` + diff(5000) + `]}`)
	if c := l.latest().Call; len(c.Diffs[0].Rows)+len(c.Diffs[1].Rows) != maxRows || c.Diffs[1].Added != 5000 || c.Diffs[1].More != 4900 {
		t.Errorf("%d and %d rows, +%d, %d more", len(c.Diffs[0].Rows), len(c.Diffs[1].Rows), c.Diffs[1].Added, c.Diffs[1].More)
	}
	for i := range 3 * maxEntries {
		add(fmt.Sprintf(`{"sessionUpdate":"tool_call","toolCallId":"%d","title":"x","content":[%s]}`, i, diff(300)))
	}
	size := 0
	for _, n := range l.entries {
		size += n.size()
	}
	if len(l.entries) > maxEntries || len(l.calls) > len(l.entries) || size != l.size || size > maxSize || !l.dropped {
		t.Errorf("%d entries, %d calls, %d bytes of which %d were counted", len(l.entries), len(l.calls), size, l.size)
	}
}

// TestNearbyLines compares files: what has changed is shown with three lines around it.
func TestNearbyLines(t *testing.T) {
	file := func(changed ...int) string {
		lines := []string{}
		for i := range 30 {
			lines = append(lines, fmt.Sprint("line ", i))
		}
		for _, i := range changed {
			lines[i] = "other"
		}
		return strings.Join(lines, "\n")
	}
	old := file()
	d := diffOf(&block{Path: "f", OldText: &old, NewText: file(2, 6, 20, 29)}, maxRows)
	ops := ""
	for _, r := range d.Rows {
		ops += string(rune(r.Op))
	}
	if want := "  -+   -+   @   -+   @   -+"; ops != want {
		t.Errorf("%q, want %q", ops, want)
	}
}
