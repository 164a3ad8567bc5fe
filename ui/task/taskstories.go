package task

import (
	"fmt"
	"strings"
	"time"

	"skein.dev/skein/ui/frame"
	"skein.dev/skein/webtransport/wire"
)

// The stories' tasks: one in every state that a person can meet, with the text that breaks layouts.

func storyTask(i int, name, typ string, state wire.TaskState, edit func(*wire.Task)) wire.Task {
	t := wire.Task{
		ID: wire.TaskID(fmt.Sprintf("t%012s", strings.ToLower(fmt.Sprintf("%x", 0x9e3779b9*(i+3))))), Num: uint64(i + 1), State: state, Actor: "dashboard",
		TaskSpec:  wire.TaskSpec{Name: name, Type: typ, Queue: wire.DefaultQueue, Priority: wire.PriorityNormal, Input: wire.Payload{Text: "the input of " + name}, Retry: wire.Retry{Max: 3}},
		CreatedAt: frame.StoryNow.Add(-time.Duration(i*i*11+40) * time.Second), LastTry: 3,
	}
	if state != wire.TaskSubmitted && state != wire.TaskRejected {
		t.Attempt = 1
		t.Runs = []wire.Run{{Attempt: 1, Agent: "a000000000abc", AgentName: typ + "-1", StartedAt: *frame.StoryAgo(30 * time.Second)}}
	}
	if state.Terminal() {
		t.EndedAt = frame.StoryAgo(time.Duration(i*i) * time.Second)
	}
	if edit != nil {
		edit(&t)
	}
	return t
}

func StoryTasks() []wire.Task {
	waiting := func(place int, why string) func(*wire.Task) {
		return func(t *wire.Task) { t.Position, t.Waiting = place, why }
	}
	asking := func(place int, why string, agents ...wire.AgentID) func(*wire.Task) {
		return func(t *wire.Task) { t.Position, t.Waiting, t.Asking = place, why, agents }
	}
	fan := storyTask(5, "five geese", "", wire.TaskWorking, func(t *wire.Task) {
		t.Attempt, t.Runs, t.LastTry = 0, nil, 1
		t.Orchestration = &wire.Orchestration{Mode: wire.AggregateAll, Children: 5, Completed: 2, Failed: 1}
	})
	tasks := []wire.Task{
		storyTask(0, "which way", "coder", wire.TaskInputRequired, nil),
		storyTask(1, "fix the build", "coder", wire.TaskWorking, func(t *wire.Task) {
			t.Priority = wire.PriorityCritical
			t.Progress = []wire.Progress{{Time: *frame.StoryAgo(20 * time.Second), Text: "reading 412 files"}, {Time: *frame.StoryAgo(4 * time.Second), Text: "running the tests", Fraction: 0.62}}
		}),
		storyTask(2, "a name that somebody typed without thinking about how wide a column of a table might be", "coder", wire.TaskWorking, func(t *wire.Task) {
			t.Attempt = 2
			t.Progress = []wire.Progress{{Time: *frame.StoryAgo(4 * time.Second), Text: strings.Repeat("a step that takes its time ", 6)}}
		}),
		storyTask(3, "review", "", wire.TaskSubmitted, func(t *wire.Task) {
			t.Capabilities, t.Priority = []string{"code", "review"}, wire.PriorityHigh
			waiting(1, "3 of 3 coder busy")(t)
		}),
		storyTask(4, "write the docs", "coder", wire.TaskSubmitted, asking(1, "2 of 3 coder wait for your answer, 1 busy", "a000000000abc", "a000000000abd")),
		fan,
		storyTask(6, "translate", "coder", wire.TaskSubmitted, func(t *wire.Task) {
			t.Priority = wire.PriorityLow
			asking(2, "coder-1 waits for your answer", "a000000000abc")(t)
		}),
		storyTask(7, "publish", "shell", wire.TaskSubmitted, waiting(0, "for 2 of 3 tasks: fix the build, write the docs")),
		storyTask(8, "crawl", "shell", wire.TaskSubmitted, func(t *wire.Task) {
			at := frame.StoryNow.Add(7 * time.Second)
			t.NotBefore, t.Attempt, t.Failure, t.Message = &at, 1, wire.FailAgentLost, "its agent ended: killed by SIGKILL"
			t.Runs = []wire.Run{{Attempt: 1, Agent: "a000000000abc", AgentName: "shell-4", StartedAt: *frame.StoryAgo(time.Minute), EndedAt: frame.StoryAgo(3 * time.Second), Failure: wire.FailAgentLost, Message: "its agent ended: killed by SIGKILL"}}
		}),
		storyTask(9, "count words", "shell", wire.TaskCompleted, func(t *wire.Task) { t.Result = &wire.Payload{Text: "  412 words\n"} }),
		storyTask(10, "render", "shell", wire.TaskCompleted, func(t *wire.Task) {
			t.Result = &wire.Payload{Base64: []byte{0x89, 'P', 'N', 'G', 0x0d, 0x0a}, Size: 48213}
		}),
		storyTask(11, "find the goose", "worker", wire.TaskFailed, func(t *wire.Task) {
			t.Failure, t.Message = wire.FailAgentError, "there is no such goose: <script>alert(1)</script>"
		}),
		storyTask(12, "poison", "worker", wire.TaskFailed, func(t *wire.Task) {
			t.Failure, t.Message, t.DeadLetter, t.Attempt = wire.FailHeartbeat, "no sign of life for more than 5000 ms", true, 3
		}),
		storyTask(13, "not needed", "coder", wire.TaskCanceled, func(t *wire.Task) { t.Message = "canceled by dashboard" }),
		storyTask(14, "for one who left", "coder", wire.TaskRejected, func(t *wire.Task) {
			t.Failure, t.Message = wire.FailAgentLost, "it was for agent a000000000abc, which is gone"
		}),
	}
	for i, state := range []wire.TaskState{wire.TaskCompleted, wire.TaskFailed, wire.TaskCompleted, wire.TaskWorking, wire.TaskSubmitted} {
		tasks = append(tasks, storyTask(20+i, fmt.Sprintf("five geese %d", i+1), "worker", state, func(t *wire.Task) {
			t.Parent, t.Index = fan.ID, &i
			if state.Terminal() {
				t.Ordinal = []int{2, 1, 3}[i]
			}
			switch state {
			case wire.TaskCompleted:
				t.Result = &wire.Payload{Text: "{\"goose\": \"greylag\"}"}
			case wire.TaskFailed:
				t.Failure, t.Message = wire.FailAgentError, "there is no such goose"
			case wire.TaskSubmitted:
				t.Position, t.Waiting = 1, "4 of 4 worker busy"
			}
		}))
	}
	return tasks
}

// storyUnnamed are tasks without a name: one with a command, and one that has nothing but its id.
func storyUnnamed() []wire.Task {
	return []wire.Task{
		storyTask(31, "", "shell", wire.TaskWorking, func(t *wire.Task) {
			t.Argv, t.Input = []string{"git", "log", "--format=%h %s", "--since=2 days ago"}, wire.Payload{}
		}),
		storyTask(32, "", "", wire.TaskSubmitted, func(t *wire.Task) { t.Agent, t.Input = "a000000000abc", wire.Payload{} }),
	}
}

// StoryView is the page of a story's task, with those below it.
func StoryView(id wire.TaskID) TaskView {
	var own wire.Task
	var below []wire.Task
	for _, t := range StoryTasks() {
		switch {
		case t.ID == id:
			own = t
		case t.Parent == id:
			below = append(below, t)
		}
	}
	return NewTaskView(StoryFrame(), own, nil, below, StoryTakers())
}

func StoryFrame() frame.Frame {
	return frame.Frame{Node: "workstation", Version: "dev", Now: frame.StoryNow, Assets: func(name string) string { return "/static/" + name }}
}

// StoryTakers are types that take tasks, each in another way.
func StoryTakers() []wire.AgentType {
	return []wire.AgentType{
		{Name: "coder", Kind: wire.KindExec, Tasks: wire.TasksLines, Description: "Works on one repository.", MaxInstances: 3, Running: 3, Capabilities: []string{"code", "review"}},
		{Name: "shell", Kind: wire.KindExec, Tasks: wire.TasksProcess, Description: "Runs the command that you give it.", Running: 1, Closed: true},
		{Name: "worker", Kind: wire.KindScripted, Tasks: wire.TasksLines, Description: "Gives its input back.", Capabilities: []string{"demo"}},
	}
}

// StoryRetried is a task with everything that a timeline can have.
func StoryRetried() wire.Task {
	t := storyTask(30, "retried", "coder", wire.TaskFailed, nil)
	t.Attempt, t.DeadLetter, t.Failure, t.Message, t.EndedAt = 3, true, wire.FailTransient, "try me later", frame.StoryAgo(10*time.Second)
	t.Runs = []wire.Run{
		{Attempt: 1, Agent: "a000000000abc", AgentName: "coder-1", StartedAt: *frame.StoryAgo(10 * time.Minute), EndedAt: frame.StoryAgo(8 * time.Minute), Failure: wire.FailAgentLost, Message: "its agent ended: killed by SIGKILL"},
		{Attempt: 2, Agent: "a000000000abd", AgentName: "coder-2", StartedAt: *frame.StoryAgo(7 * time.Minute), EndedAt: frame.StoryAgo(3 * time.Minute), Failure: wire.FailRunTimeout},
		{Attempt: 3, Agent: "a000000000abe", AgentName: "coder-3", StartedAt: *frame.StoryAgo(2 * time.Minute), EndedAt: frame.StoryAgo(10 * time.Second), Failure: wire.FailTransient, Message: "try me later"},
	}
	t.Progress = []wire.Progress{{Time: *frame.StoryAgo(90 * time.Second), Text: "half of it", Fraction: 0.5}, {Time: *frame.StoryAgo(80 * time.Second), Fraction: 0.75}}
	t.Late = []wire.Late{{Time: *frame.StoryAgo(5 * time.Second), Attempt: 1, Agent: "a000000000abc", Text: "here it is, after all"}, {Time: *frame.StoryAgo(4 * time.Second), Attempt: 2, Agent: "a000000000abd", Failed: true, Text: "canceled"}}
	return t
}

func storyRetrying() wire.Task { return StoryTasks()[8] }
