package ui

import (
	"fmt"
	"strings"
	"time"

	"skein.dev/skein/ui/frame"
	"skein.dev/skein/webtransport/wire"
)

// The stories' sample data: an agent in every state, with the text that breaks layouts.

func storyAgent(i int, name, kind string, status wire.Status, edit func(*wire.Agent)) wire.Agent {
	a := wire.Agent{
		ID: wire.AgentID(fmt.Sprintf("a%012s", strings.ToLower(fmt.Sprintf("%x", 0x9e3779b9*(i+7))))), Num: uint32(i + 1), Name: name, Type: kind,
		Kind: wire.KindExec, Node: "workstation", Generation: 1, Desired: wire.DesiredRun, Status: status,
		CreatedAt: frame.StoryNow.Add(-time.Duration(i*i*37+12) * time.Second), Rev: 1,
	}
	if status == wire.StatusRunning {
		a.Activity = wire.ActivityRunning
		a.StartedAt, a.LastHeartbeat = frame.StoryAgo(time.Minute), frame.StoryAgo(time.Second)
		a.Process = &wire.Process{PID: 41000 + i, Group: 41000 + i, StartTime: 1}
		a.Usage = wire.Usage{CPU: float64(i%7) * 0.137, RSS: int64(i+1) * 7 << 20, Processes: 1 + i%3}
	}
	if edit != nil {
		edit(&a)
	}
	return a
}

func ended(reason wire.Reason, exit wire.Exit, d time.Duration) func(*wire.Agent) {
	return func(a *wire.Agent) { a.Reason, a.Exit, a.ExitedAt = reason, &exit, frame.StoryAgo(d) }
}

func said(line string) func(*wire.Agent) { return func(a *wire.Agent) { a.LastLine = line } }

// storyAgents has one agent in each state that a person can meet.
func storyAgents() []wire.Agent {
	return []wire.Agent{
		storyAgent(0, "reviewer-1", "coder", wire.StatusRunning, func(a *wire.Agent) {
			a.Activity, a.Question, a.LastLine = wire.ActivityRequiresAction, "Delete the 14 unused migrations in db/migrations, or keep them?", "waiting for an answer"
		}),
		storyAgent(1, "indexer", "shell", wire.StatusExited, func(a *wire.Agent) {
			ended(wire.ReasonFailed, wire.Exit{Code: -1, Signal: "SIGKILL", Leftovers: []wire.Leftover{{Process: wire.Process{PID: 5113}, Name: "redis-server", User: "ada"}, {Process: wire.Process{PID: 5120}}}}, 3*time.Minute)(a)
			a.LastLine = "worker 3 still holds the lock"
		}),
		storyAgent(2, "nightly-eval", "coder", wire.StatusExited, func(a *wire.Agent) {
			ended(wire.ReasonFailed, wire.Exit{Code: 1, Message: "assertion failed: expected 42 results, got 41"}, 11*time.Minute)(a)
			a.LastLine = "Error: expected 42 results, got 41"
		}),
		storyAgent(3, "gpu-box-worker", "coder", wire.StatusUnknown, said("step 1180/4000 loss 0.412")),
		storyAgent(4, "crawler", "shell", wire.StatusRunning, said("GET https://example.org/docs/guide/chapter-3 200 in 212 ms")),
		storyAgent(5, "planner", "coder", wire.StatusRunning, func(a *wire.Agent) { a.Activity, a.LastLine = wire.ActivityIdle, "ready" }),
		storyAgent(6, "tests-backend", "shell", wire.StatusRunning, said("\x1b[32mok\x1b[0m  example.org/store  4.211s")),
		storyAgent(7, "demo-1", "scripted", wire.StatusRunning, func(a *wire.Agent) { a.Kind, a.Process = wire.KindScripted, nil }),
		storyAgent(8, "demo-2", "scripted", wire.StatusStarting, nil),
		storyAgent(9, "demo-3", "scripted", wire.StatusPending, nil),
		storyAgent(10, "build", "shell", wire.StatusStopping, said("linking")),
		storyAgent(11, "docs", "coder", wire.StatusExited, func(a *wire.Agent) {
			ended(wire.ReasonCompleted, wire.Exit{}, 40*time.Minute)(a)
			a.LastLine = "wrote 12 pages"
		}),
		storyAgent(12, "scratch", "shell", wire.StatusExited, func(a *wire.Agent) {
			ended(wire.ReasonStopped, wire.Exit{Code: -1, Signal: "SIGTERM"}, 3*time.Hour)(a)
		}),
		storyAgent(13, "a name that somebody typed without thinking about how wide a column of a table might be", "coder", wire.StatusRunning,
			said(strings.Repeat("a line that does not end ", 9))),
		storyAgent(14, "edge", "shell", wire.StatusLost, nil),
	}
}

// storyBadged has agents of which there is more to say than their status.
func storyBadged() []wire.Agent {
	soon := frame.StoryNow.Add(12 * time.Second)
	return []wire.Agent{
		storyAgent(20, "summarizer", "coder", wire.StatusRunning, func(a *wire.Agent) {
			a.Tasks, a.Done, a.LastLine = []wire.TaskID{"t9e3779b9kqp", "t0123456789ab"}, 12, "page 3 of 9"
		}),
		storyAgent(21, "waiter", "coder", wire.StatusRunning, func(a *wire.Agent) { a.Activity = wire.ActivityIdle }),
		storyAgent(22, "stuck", "coder", wire.StatusRunning, func(a *wire.Agent) {
			a.Stalled, a.StalledSince, a.Tasks, a.Restarts = true, frame.StoryAgo(4*time.Minute), []wire.TaskID{"t9e3779b9kqp"}, 1
		}),
		storyAgent(28, "held", "coder", wire.StatusRunning, func(a *wire.Agent) { a.Suspended = true }),
		storyAgent(23, "silent", "coder", wire.StatusUnknown, func(a *wire.Agent) { a.LastHeartbeat = frame.StoryAgo(70 * time.Second) }),
		storyAgent(24, "flaky", "coder", wire.StatusPending, func(a *wire.Agent) { a.RestartAt, a.Restarts, a.Exit = &soon, 2, &wire.Exit{Code: 1} }),
		storyAgent(25, "looping", "coder", wire.StatusPending, func(a *wire.Agent) {
			a.RestartAt, a.Restarts, a.CrashLoop, a.Exit = &soon, 5, true, &wire.Exit{Code: 1, Message: "the licence has run out"}
		}),
	}
}

// storyTurns are events of work and health.
func storyTurns() []wire.Event {
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

func storyTypes() []wire.AgentType {
	return []wire.AgentType{
		{Name: "scripted", Kind: wire.KindScripted, Description: "A deterministic agent, driven by a script of lines, delays, exits and crashes.", Builtin: true, Running: 3, StopGraceMS: 5000},
		{Name: "shell", Kind: wire.KindExec, Description: "Runs the command that you give it.", Builtin: true, Running: 2, StopGraceMS: 5000},
		{Name: "coder", Kind: wire.KindExec, Argv: []string{"coder", "--headless"}, Description: "Works on one repository.", MaxInstances: 4, Running: 4, Tasks: wire.TasksLines, MaxTasks: 4, StopGraceMS: 10000},
	}
}

func storyEvents() []wire.Event {
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
