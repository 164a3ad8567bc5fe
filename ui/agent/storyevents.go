package agent

import (
	"fmt"
	"time"

	"skein.dev/skein/ui/frame"
	"skein.dev/skein/webtransport/wire"
)

// StoryTurns are events of work and health.
func StoryTurns() []wire.Event {
	var out []wire.Event
	for i, e := range []wire.Event{
		{Type: wire.EventTask, Data: wire.EventData{Task: "t9e3779b9kqp", State: wire.TaskWorking, Text: "summarize the log"}},
		{Type: wire.EventLog, Data: wire.EventData{Text: "bad line: there is no message \"hello\""}},
		{Type: wire.EventHealth, Data: wire.EventData{Text: "stalled: no output for 40s"}},
		{Type: wire.EventHealth, Data: wire.EventData{Text: "it goes on"}},
		{Type: wire.EventTask, Data: wire.EventData{Task: "t9e3779b9kqp", State: wire.TaskFailed, Text: "the disk is full"}},
		{Type: wire.EventHealth, Data: wire.EventData{Text: "lost: no sign of life for 3s; it is killed"}},
		{Type: wire.EventCrashed, Data: wire.EventData{Exit: &wire.Exit{Code: 1}, Text: "it starts again in 2s"}},
	} {
		e.Seq, e.Time = uint64(i+1), frame.StoryNow.Add(time.Duration(i-10)*9*time.Second)
		out = append(out, e)
	}
	return out
}

// StoryEvents are what an agent printed, with the text that breaks layouts, and what happened to it.
func StoryEvents() []wire.Event {
	id := wire.AgentID("a9e3779b9kqp")
	var out []wire.Event
	add := func(t wire.EventType, d wire.EventData) {
		n := len(out)
		out = append(out, wire.Event{Seq: uint64(n*3 + 11), Time: frame.StoryNow.Add(time.Duration(n-40) * 7 * time.Second), Type: t, Subject: id, Actor: map[bool]string{true: "dashboard"}[n == 0], Data: d})
	}
	text := func(t wire.EventType, s string) { add(t, wire.EventData{Text: s}) }
	text(wire.EventSpawned, "")
	add(wire.EventStarted, wire.EventData{Process: &wire.Process{PID: 41006, Group: 41006}})
	text(wire.EventStdout, "\x1b[1m== RUN\x1b[0m   TestStore\n\x1b[32m--- PASS\x1b[0m: TestStore (0.42s)\n\x1b[1m== RUN\x1b[0m   TestResume\n")
	text(wire.EventStderr, "warning: the cache folder is not writable\n")
	text(wire.EventStdout, "    resume_test.go:41: \x1b[31mgot 41, want 42\x1b[0m\n\x1b[31m--- FAIL\x1b[0m: TestResume (1.10s)\n\x1b[42m PASS \x1b[0m \x1b[41;1m FAIL \x1b[0m \x1b[2mdim\x1b[0m \x1b[3mitalic\x1b[0m \x1b[4munder\x1b[0m \x1b[38;5;208m256\x1b[0m \x1b[38;2;120;80;250mtrue\x1b[0m \x1b[7minverse\x1b[0m\n")
	text(wire.EventStdout, "progress  10%\rprogress  60%\rprogress 100%\n")
	add(wire.EventStdout, wire.EventData{Base64: []byte{0x89, 'P', 'N', 'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, 'I', 'H', 'D', 'R', 0, 0}})
	add(wire.EventActivity, wire.EventData{Activity: wire.ActivityRequiresAction, Text: "Update the expected value to 41?"})
	text(wire.EventStdout, "Update the expected value to 41? ")
	text(wire.EventInput, "no, find out why one is missing\n")
	for c := range 16 {
		text(wire.EventStdout, fmt.Sprintf("\x1b[%dmcolour %2d\x1b[0m  \x1b[%dm ground \x1b[0m <script>alert(1)</script>\n", 30+c%8+c/8*60, c, 40+c%8+c/8*60))
	}
	text(wire.EventStopping, "")
	text(wire.EventSignal, "SIGTERM")
	text(wire.EventStdout, "last words without a newline")
	return out
}
