package frame

import "slices"

// key is a line of the keyboard's help.
type key struct {
	Keys []string
	Does string
}

func keysFor(script string) []key {
	common := []key{{[]string{"Ctrl", "k"}, "Find anything (on a Mac: Cmd)"}, {[]string{"Ctrl", "Shift", "."}, "Stop everything: asks first"}, {[]string{"g"}, "Go to whoever has waited for you longest"}, {[]string{"?"}, "Show these keys"}, {[]string{"Esc"}, "Close, clear or leave a field"}}
	if script == "agent.js" {
		return append([]key{
			{[]string{"/"}, "Search the output"},
			{[]string{"n", "N"}, "Next and previous match"},
			{[]string{"f"}, "Follow or pause the output"},
			{[]string{"i"}, "Write to the agent"},
			{[]string{"s"}, "Stop the agent"},
			{[]string{"t"}, "Show or hide times"},
			{[]string{"w"}, "Wrap long lines"},
			{[]string{"v"}, "Conversation or output, of one that converses"},
			{[]string{"1–9"}, "Choose that option of the request that has the focus"},
			{[]string{"u"}, "Back to the fleet"},
		}, common...)
	}
	if keys := memoryKeys[script]; keys != nil {
		return append(slices.Clone(keys), common...)
	}
	if script == "inbox.js" {
		return append([]key{
			{[]string{"j", "k"}, "Next and previous question (arrows too)"},
			{[]string{"1–9"}, "Choose that option"},
			{[]string{"Enter"}, "Write an answer"},
			{[]string{"o"}, "Open the agent"},
		}, common...)
	}
	if script == "schedules.js" {
		return append([]key{
			{[]string{"j", "k"}, "Next and previous schedule (arrows too)"},
			{[]string{"Enter"}, "Open the schedule"},
			{[]string{"r"}, "Run it now"},
			{[]string{"p"}, "Pause or resume it"},
			{[]string{"e"}, "Edit it"},
			{[]string{"d"}, "Delete it: asks first"},
			{[]string{"n"}, "New schedule"},
			{[]string{"u"}, "Back to all schedules"},
		}, common...)
	}
	if script == "network.js" || script == "usage.js" || script == "changes.js" {
		return common
	}
	if script == "wall.js" {
		return append([]key{
			{[]string{"←", "→", "↑", "↓"}, "From cell to cell (h, j, k, l too)"},
			{[]string{"Enter"}, "Open the agent"},
			{[]string{"a"}, "Answer the agent that asks"},
			{[]string{"s"}, "Stop the agent"},
			{[]string{"−", "+"}, "Smaller and larger cells"},
			{[]string{"/"}, "Filter"},
			{[]string{"u"}, "Back to the fleet, with this filter"},
		}, common...)
	}
	if script == "history.js" {
		return append([]key{
			{[]string{"p", "Space"}, "Play, pause"},
			{[]string{"←", "→"}, "Ten seconds earlier, later; a minute with Shift"},
			{[]string{"Page Down", "Page Up"}, "Ten minutes earlier, later"},
			{[]string{"u"}, "To the wall"},
		}, common...)
	}
	if keys := taskKeys[script]; keys != nil {
		return append(slices.Clone(keys), common...)
	}
	return append([]key{
		{[]string{"j", "k"}, "Next and previous agent (arrows too)"},
		{[]string{"Enter"}, "Open the agent"},
		{[]string{"Space"}, "Look into the agent, and write to it: its last lines, or its screen"},
		{[]string{"a"}, "Answer the agent that asks"},
		{[]string{"x"}, "Select the agent; with Shift, a range"},
		{[]string{"s"}, "Stop the agent, or those selected"},
		{[]string{"n"}, "Spawn agents"},
		{[]string{"v"}, "Saved views"},
		{[]string{"w"}, "Show these agents, or those selected, on the wall"},
		{[]string{"/"}, "Filter"},
	}, common...)
}

var taskKeys = map[string][]key{
	"tasks.js": {
		{[]string{"j", "k"}, "Next and previous task (arrows too)"},
		{[]string{"h", "l"}, "On the board: the column to the left and right"},
		{[]string{"Enter"}, "Open the task"},
		{[]string{"x"}, "Select the task; with Shift, a range"},
		{[]string{"c"}, "Cancel the task, or those selected"},
		{[]string{"r"}, "Retry the task, or those selected"},
		{[]string{"n"}, "New task"},
		{[]string{"b"}, "Queue or board"},
		{[]string{"/"}, "Filter"},
	},
	"task.js": {
		{[]string{"c"}, "Cancel the task"},
		{[]string{"s"}, "Stop the task"},
		{[]string{"r"}, "Retry the task"},
		{[]string{"n"}, "Submit it again"},
		{[]string{"u"}, "Up: to its parent, or to all tasks"},
	},
}

var memoryKeys = map[string][]key{
	"memory.js": {
		{[]string{"j", "k"}, "Next and previous namespace (arrows too)"},
		{[]string{"Enter"}, "Open the namespace"},
		{[]string{"n"}, "New entry"},
		{[]string{"/"}, "Search"},
	},
	"space.js": {
		{[]string{"j", "k"}, "Next and previous key (arrows too)"},
		{[]string{"Enter"}, "Open the entry"},
		{[]string{"n"}, "New entry"},
		{[]string{"/"}, "Filter by the beginning of the key"},
		{[]string{"w"}, "Search for words"},
		{[]string{"u"}, "Back to the namespaces"},
	},
	"entry.js": {
		{[]string{"e"}, "Edit the value"},
		{[]string{"d"}, "Delete the entry"},
		{[]string{"u"}, "Back to the namespace"},
	},
	"artifact.js": {
		{[]string{"j", "k"}, "Next and previous artifact of the list (] and [ too)"},
		{[]string{"d"}, "Delete the artifact: asks first"},
		{[]string{"u"}, "Back to the list (Esc too)"},
	},
	"artifacts.js": {
		{[]string{"j", "k"}, "Next and previous artifact (arrows too)"},
		{[]string{"Enter"}, "Open the artifact"},
		{[]string{"d"}, "Delete the artifact"},
		{[]string{"n"}, "Upload files"},
		{[]string{"/"}, "Filter"},
	},
}
