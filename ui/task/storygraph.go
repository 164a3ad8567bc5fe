package task

import (
	"fmt"

	"skein.dev/skein/webtransport/wire"
)

// storyTied makes a task that depends on others.
func storyTied(i int, name string, state wire.TaskState, after ...string) wire.Task {
	return storyTask(i, name, "coder", state, func(t *wire.Task) { t.ID, t.DependsOn = wire.TaskID("t"+name), after })
}

// storyGraph is a release: it builds, checks in several ways, and publishes, in every state.
func storyGraph() GraphView {
	tasks := []wire.Task{
		storyTied(0, "checkout", wire.TaskCompleted),
		storyTied(1, "build", wire.TaskCompleted, "tcheckout"),
		storyTied(2, "docs", wire.TaskWorking, "tcheckout"),
		storyTied(3, "unit tests", wire.TaskFailed, "tbuild"),
		storyTied(4, "a name that somebody typed without thinking", wire.TaskInputRequired, "tbuild"),
		storyTied(5, "fuzz", wire.TaskWorking, "tbuild", "tgone"),
		storyTied(6, "report", wire.TaskCanceled, "tunit tests"),
		storyTied(7, "publish", wire.TaskSubmitted, "ta name that somebody typed without thinking", "tfuzz", "tdocs", "tcheckout"),
		storyTied(8, "tell everybody", wire.TaskSubmitted, "tpublish"),
	}
	return NewGraphView("tpublish", tasks, nil, 0, false)
}

// storyCrowd is a fan of 58 tasks between two, with more that have no place.
func storyCrowd() GraphView {
	tasks := []wire.Task{storyTied(0, "split", wire.TaskCompleted)}
	var parts []string
	for i := range 58 {
		tasks = append(tasks, storyTied(i+1, fmt.Sprintf("part %d", i+1), []wire.TaskState{wire.TaskCompleted, wire.TaskWorking, wire.TaskSubmitted}[i/20], "tsplit"))
		parts = append(parts, fmt.Sprintf("tpart %d", i+1))
	}
	tasks = append(tasks, storyTied(60, "merge", wire.TaskSubmitted, append(parts, "tpart 59", "tpart 60")...))
	left := []wire.Task{storyTied(61, "part 59", wire.TaskSubmitted), storyTied(62, "part 60", wire.TaskSubmitted)}
	return NewGraphView("tmerge", tasks, left, 840, true)
}
