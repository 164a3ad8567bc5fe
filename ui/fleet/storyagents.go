package fleet

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

func does(summary, line string) func(*wire.Agent) {
	return func(a *wire.Agent) { a.Summary, a.LastLine = summary, line }
}

func said(line string) func(*wire.Agent) { return func(a *wire.Agent) { a.LastLine = line } }

// StoryAgents has one agent in each state that a person can meet.
func StoryAgents() []wire.Agent {
	return []wire.Agent{
		storyAgent(0, "reviewer-1", "coder", wire.StatusRunning, func(a *wire.Agent) {
			a.Activity, a.Question, a.LastLine = wire.ActivityRequiresAction, "Delete the 14 unused migrations in db/migrations, or keep them?", "waiting for an answer"
			a.AskedAt, a.Labels = frame.StoryAgo(12*time.Minute), map[string]string{"team": "store"}
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
		storyAgent(4, "crawler", "shell", wire.StatusRunning, does("Reading the guide, chapter 3 of 14", "GET https://example.org/docs/guide/chapter-3 200 in 212 ms")),
		storyAgent(5, "planner", "coder", wire.StatusRunning, func(a *wire.Agent) { a.Activity, a.LastLine = wire.ActivityIdle, "ready" }),
		storyAgent(6, "tests-backend", "shell", wire.StatusRunning, said("\x1b[32mok\x1b[0m  example.org/store  4.211s")),
		storyAgent(7, "demo-1", "scripted", wire.StatusRunning, func(a *wire.Agent) { a.Kind, a.Process = wire.KindScripted, nil }),
		storyAgent(8, "demo-2", "scripted", wire.StatusStarting, nil),
		storyAgent(9, "demo-3", "scripted", wire.StatusPending, nil),
		storyAgent(10, "build", "shell", wire.StatusStopping, said("linking")),
		storyAgent(11, "docs", "coder", wire.StatusExited, func(a *wire.Agent) {
			ended(wire.ReasonCompleted, wire.Exit{}, 40*time.Minute)(a)
			a.Summary, a.LastLine = "Writing the manual", "wrote 12 pages"
		}),
		storyAgent(12, "scratch", "shell", wire.StatusExited, func(a *wire.Agent) {
			ended(wire.ReasonStopped, wire.Exit{Code: -1, Signal: "SIGTERM"}, 3*time.Hour)(a)
		}),
		storyAgent(13, "a name that somebody typed without thinking about how wide a column of a table might be", "coder", wire.StatusRunning,
			does(strings.Repeat("a summary as long as one may be ", 6), strings.Repeat("a line that does not end ", 9))),
		storyAgent(14, "edge", "shell", wire.StatusLost, nil),
	}
}

// StoryBadged has agents of which there is more to say than their status.
func StoryBadged() []wire.Agent {
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

// StoryForTasks has processes that were started for tasks.
func StoryForTasks() []wire.Agent {
	return []wire.Agent{
		storyAgent(30, "resize-1", "coder", wire.StatusRunning, func(a *wire.Agent) { a.ForTask, a.LastLine = "t9e3779b9kqp", "12 of 40 pictures" }),
		storyAgent(31, "resize-2", "coder", wire.StatusExited, func(a *wire.Agent) {
			ended(wire.ReasonFailed, wire.Exit{Code: 2}, time.Minute)(a)
			a.ForTask = "t0123456789ab"
		}),
	}
}

// StoryTypes are types of the stories' agents.
func StoryTypes() []wire.AgentType {
	return []wire.AgentType{
		{Name: "scripted", Kind: wire.KindScripted, Description: "A deterministic agent, driven by a script of lines, delays, exits and crashes.", Builtin: true, Running: 3, StopGraceMS: 5000},
		{Name: "shell", Kind: wire.KindExec, Description: "Runs the command that you give it.", Builtin: true, Running: 2, StopGraceMS: 5000},
		{Name: "coder", Kind: wire.KindExec, Argv: []string{"coder", "--headless"}, Description: "Works on one repository.", MaxInstances: 4, Running: 4, Tasks: wire.TasksLines, MaxTasks: 4, StopGraceMS: 10000},
	}
}
