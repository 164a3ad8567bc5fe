package fleet

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"

	"skein.dev/skein/webtransport/wire"
)

// Start is what an empty fleet says of the coding agents of the server's machine.
type Start struct {
	Looked bool    // whether the server has looked for coding agents
	Known  []Known // those that it looks for
	Folder string  // the folder that agents work in unless another is chosen; "": each has a new one
}

// Known is a coding agent that Skein knows how to run.
type Known struct {
	Name string
	Get  string // the command that installs it, or where it comes from
	Cmd  bool   // Get is a command
}

// starter is an agent that an empty fleet offers to spawn.
type starter struct {
	Word, Detail string
	Params       wire.SpawnParams
}

var starters = []starter{
	{"Scripted demo", "One agent that prints, waits and ends by itself. Needs nothing installed.",
		wire.SpawnParams{Type: "scripted", Name: "demo"}},
	{"Five demos", "A small fleet, to see the list move and to try stopping several at once.",
		wire.SpawnParams{Type: "scripted", Name: "demo", Count: 5}},
	{"Shell command", "A real process that counts to thirty, one line a second.",
		wire.SpawnParams{Type: "shell", Name: "counter", Argv: []string{"sh", "-c", `for i in $(seq 1 30); do echo "line $i"; sleep 1; done`}}},
}

// startersFor are those whose types exist.
func startersFor(types []wire.AgentType) []starter {
	var out []starter
	for _, s := range starters {
		if slices.ContainsFunc(types, func(t wire.AgentType) bool { return t.Name == s.Params.Type }) {
			out = append(out, s)
		}
	}
	return out
}

// ready are the types whose agents a person can start and talk to with nothing more to say: coding agents, those that were found and
// those that were configured, and models. Types for one task are not among them: their agents wait for the task on standard input.
func ready(types []wire.AgentType) []wire.AgentType {
	return slices.DeleteFunc(slices.Clone(types), func(t wire.AgentType) bool {
		prompted := t.Kind == wire.KindACP || t.Kind == wire.KindOpenAI
		terminal := t.Kind == wire.KindExec && t.TTY && len(t.Argv) > 0
		return t.Builtin || t.Tasks == wire.TasksProcess || !prompted && !terminal
	})
}

// how says how an agent of a type is worked with, and where it comes from.
func how(t wire.AgentType) string {
	s := "Takes prompts"
	if t.Kind == wire.KindExec {
		s = "In a terminal"
	}
	if len(t.Argv) > 0 && filepath.IsAbs(t.Argv[0]) {
		s += " · " + t.Argv[0]
	}
	if t.Cwd != "" {
		s += " · works in " + t.Cwd
	}
	return s
}

// about is what a type says of itself, without what the page says anyway.
func about(t wire.AgentType) string {
	return strings.TrimSpace(strings.Replace(cmp.Or(t.Description, "Configured in skein.yaml."), "Found on the PATH.", "", 1))
}
