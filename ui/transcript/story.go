package transcript

import (
	"time"

	"skein.dev/skein/ui/frame"
	"skein.dev/skein/webtransport/wire"
)

// StoryEvents are a conversation that has everything, with the texts that break layouts.
func StoryEvents() []wire.Event {
	var out []wire.Event
	add := func(t wire.EventType, d wire.EventData) {
		n := len(out)
		e := wire.Event{Seq: uint64(n + 1), Time: frame.StoryNow.Add(time.Duration(n-60) * 4 * time.Second), Type: t, Subject: "a9e3779b9kqp", Data: d}
		if t == wire.EventInput {
			e.Actor = "ada"
		}
		out = append(out, e)
	}
	says := func(update string) { add(wire.EventUpdate, wire.EventData{Text: update}) }
	add(wire.EventInput, wire.EventData{Text: "The test TestResume fails since yesterday: find out why, and mend it.\nDon’t touch the store.\n"})
	says(`{"sessionUpdate":"agent_thought_chunk","content":{"type":"text","text":"**Looking at the test**\n\nThe count is off by one, so perhaps a frame is counted "}}`)
	says(`{"sessionUpdate":"agent_thought_chunk","content":{"type":"text","text":"twice when a session resumes."}}`)
	says(`{"sessionUpdate":"plan","entries":[{"content":"Read the failing test","status":"completed"},{"content":"Mend the count","status":"in_progress"},{"content":"Run all tests","status":"pending"}]}`)
	says(`{"sessionUpdate":"tool_call","toolCallId":"1","title":"Read resume_test.go","kind":"read","status":"completed","locations":[{"path":"resume_test.go","line":41}],"content":[{"type":"content","content":{"type":"text","text":"` + "```go\\nif got := resumed(); got != 42 {\\n\\tt.Errorf(\\\"got %d, want 42\\\", got)\\n}\\n```" + `"}}]}`)
	says(`{"sessionUpdate":"tool_call","toolCallId":"2","title":"go test ./server -run TestResume -count=1 -v | grep -v 'level=INFO' | tail -n 40 | sort | uniq","kind":"execute","status":"pending","rawInput":{"command":"go test ./server -run TestResume -count=1 -v | tail -n 40"}}`)
	ask := wire.Ask{ID: "q1", Kind: wire.AskPermission, Text: "go test ./server", State: wire.AskPending, Options: []wire.AskOption{{ID: "yes", Name: "Allow", Kind: "allow_once"}}}
	add(wire.EventAsk, wire.EventData{Ask: &ask})
	answered := ask
	answered.State, answered.Answer = wire.AskResolved, &wire.AskAnswer{Option: "yes", By: "ada"}
	add(wire.EventAnswer, wire.EventData{Ask: &answered})
	says(`{"sessionUpdate":"tool_call_update","toolCallId":"2","status":"failed","content":[{"type":"content","content":{"type":"text","text":"` + "```console\\n--- FAIL: TestResume (0.04s)\\n    resume_test.go:41: got 43, want 42\\nFAIL\\n```" + `"}}]}`)
	says(`{"sessionUpdate":"tool_call","toolCallId":"3","title":"Edit server/session/resume.go","kind":"edit","status":"in_progress","locations":[{"path":"server/session/resume.go"}]}`)
	says(`{"sessionUpdate":"tool_call_update","toolCallId":"3","status":"completed","content":[{"type":"diff","path":"server/session/resume.go","oldText":"func (s *session) resumed() int {\n\tn := 0\n\tfor _, f := range s.frames {\n\t\tn++\n\t}\n\treturn n + 1\n}\n","newText":"func (s *session) resumed() int {\n\treturn len(s.frames)\n}\n"},{"type":"diff","path":"NOTES.md","newText":"Frames are counted once.\n"},{"type":"content","content":{"type":"image","mimeType":"image/png","data":"AAAA"}}]}`)
	says(`{"sessionUpdate":"tool_call","toolCallId":"4","title":"look_up","kind":"other","status":"in_progress","rawInput":{"query":"frames that are counted twice","limit":10}}`)
	add(wire.EventTask, wire.EventData{Task: "t9e3779b9kqp", State: wire.TaskWorking, Text: "summarize the log"})
	says(`{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"The loop counted the frames and **added one more**. Now:\n\n| | before | now |\n|---|---:|---:|\n| frames | 43 | 42 |\n\n- ` + "`resumed` is the length\\n- <script>alert(1)</script> stays text\\n\\n```go\\nreturn len(s.frames)\\n```\\n" + `"}}`)
	says(`{"sessionUpdate":"current_mode_update","currentModeId":"accept-edits"}`)
	add(wire.EventActivity, wire.EventData{Activity: wire.ActivityIdle})
	return out
}

// StoryLog is the conversation of StoryEvents.
func StoryLog() *Log {
	var l Log
	for _, e := range StoryEvents() {
		l.Add(e)
	}
	return &l
}
