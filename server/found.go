package server

import (
	"context"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"skein.dev/skein/server/fork"
	"skein.dev/skein/webtransport/wire"
)

// cli is a coding agent that people have on their PATH, and how it is run.
type cli struct {
	name    string // of the type
	program string
	kind    wire.Kind // acp, or exec: then it needs a terminal, unless it is for tasks
	args    []string
	env     map[string]string
	task    bool // it does one task and ends: the prompt on standard input, the answer on standard output. It needs no terminal
	about   string
	// since is the first version that takes newArgs; "": it has none. They are left out for an older one, and for one that does not say.
	since   string
	newArgs []string
}

// clis are the agents that Skein knows, as they were measured to behave.
var clis = []cli{
	{name: "gemini", program: "gemini", kind: wire.KindACP, args: []string{"--acp"}, about: "Gemini CLI, by ACP"},
	{name: "opencode", program: "opencode", kind: wire.KindACP, args: []string{"acp"}, env: map[string]string{"OPENCODE_PERMISSION": `{"edit":"ask","bash":"ask"}`},
		about: "opencode, by ACP. By itself it asks for nothing; this type has it ask before edits and commands, whatever its own configuration says of these"},
	{name: "qwen", program: "qwen", kind: wire.KindACP, args: []string{"--acp"}, about: "Qwen Code, by ACP"},
	{name: "goose", program: "goose", kind: wire.KindACP, args: []string{"acp"}, about: "goose, by ACP. What it asks for has not been measured"},
	{name: "claude-acp", program: "claude-agent-acp", kind: wire.KindACP, about: "Claude Code, by ACP"},
	{name: "codex-acp", program: "codex-acp", kind: wire.KindACP,
		about: "Codex, by ACP. It has no mode that asks: in each it runs commands without asking, within its sandbox"},
	{name: "claude", program: "claude", kind: wire.KindExec, about: "Claude Code in a terminal. It does not speak ACP by itself; claude-agent-acp from npm does"},
	{name: "codex", program: "codex", kind: wire.KindExec, about: "Codex in a terminal. It does not speak ACP by itself; codex-acp from npm does", since: "0.171", newArgs: []string{"--no-daemon"}},
	{name: "aider", program: "aider", kind: wire.KindExec, about: "aider in a terminal. It does not speak ACP; what it does in a task without a person has not been measured"},
	{name: "pi", program: "pi", kind: wire.KindExec, about: "pi in a terminal. It does not speak ACP"},

	// Nobody can be asked while these run. Each has the narrowest permissions with which it changes files in its folder.
	{name: "claude-task", program: "claude", kind: wire.KindExec, task: true, args: []string{"-p", "--permission-mode", "acceptEdits"},
		about: "Claude Code for a task. Without asking, it changes files in its folder and runs commands that only read or do that; what else it wants is refused"},
	{name: "codex-task", program: "codex", kind: wire.KindExec, task: true, args: []string{"exec", "--skip-git-repo-check", "--sandbox", "workspace-write", "-"},
		about: "Codex for a task. Without asking, it runs commands in a sandbox, which can write in its folder and the folders for temporary files, and have no network"},
	{name: "copilot-task", program: "copilot", kind: wire.KindExec, task: true, args: []string{"-s", "--no-ask-user", "--allow-tool", "write"},
		about: "GitHub Copilot CLI for a task. Without asking, it changes files in its folder and runs commands that only read; what else it wants is refused"},
	{name: "gemini-task", program: "gemini", kind: wire.KindExec, task: true, args: []string{"--approval-mode", "auto_edit"}, env: map[string]string{"GEMINI_CLI_TRUST_WORKSPACE": "true"},
		about: "Gemini CLI for a task. Without asking, it changes files in its folder, which it trusts; it runs no commands"},
	{name: "opencode-task", program: "opencode", kind: wire.KindExec, task: true, args: []string{"run"},
		about: "opencode for a task. Without asking, it does what its own configuration allows: by default it changes files in its folder and runs any command. What it would ask for is refused, and ends the task, completed and with no result"},
	{name: "pi-task", program: "pi", kind: wire.KindExec, task: true, args: []string{"-p"},
		about: "pi for a task. Without asking, it changes any file and runs any command: pi has no permissions"},
	{name: "qwen-task", program: "qwen", kind: wire.KindExec, task: true, args: []string{"--approval-mode", "auto-edit"},
		about: "Qwen Code for a task. Without asking, it changes files, outside its folder, too; it runs no commands"},
}

// versionTime is how long a program may take to say its version.
const versionTime = 5 * time.Second

// findAgents returns types for the agents that are on the PATH. It starts nothing, except to ask a program for its version where that
// matters.
func findAgents(ctx context.Context) (types []wire.AgentType) {
	for _, c := range clis {
		path, err := exec.LookPath(c.program)
		if err != nil {
			continue
		}
		args := c.args
		if c.since != "" && !older(versionOf(ctx, path), c.since) {
			args = append(slices.Clone(args), c.newArgs...)
		}
		types = append(types, c.typ(append([]string{path}, args...), packageVersion(path)))
	}
	return types
}

// typ is the type of agents that are run as argv. Its description says the version of the program, unless that is "".
func (c cli) typ(argv []string, version string) wire.AgentType {
	t := wire.AgentType{Name: c.name, Kind: c.kind, Argv: argv, Env: c.env, Found: true, Description: c.about + ". Found on the PATH."}
	if version != "" {
		t.Description += " Version " + version + "."
	}
	if c.kind == wire.KindACP {
		t.Tasks, t.Permissions, t.Memory = wire.TasksPrompt, &wire.Permissions{Otherwise: wire.PermissionAsk}, sharedMemory
		return t
	}
	t.Folder = &wire.FolderPolicy{Share: new(bool)} // two of them would overwrite each other's work
	t.TTY = !c.task
	if c.task {
		t.Tasks = wire.TasksProcess
	}
	return t
}

// withFound adds types that were found to those that are configured. A configured one of the same name stays.
func withFound(types, found []wire.AgentType) []wire.AgentType {
	for _, t := range found {
		if !slices.ContainsFunc(types, func(c wire.AgentType) bool { return c.Name == t.Name }) {
			types = append(types, t)
		}
	}
	slices.SortFunc(types, func(a, b wire.AgentType) int { return strings.Compare(a.Name, b.Name) })
	return types
}

var versionNumber = regexp.MustCompile(`\d+(\.\d+)+`)

// versionOf is what a program says as its version, or "".
func versionOf(ctx context.Context, path string) string {
	ctx, cancel := context.WithTimeout(ctx, versionTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.WaitDelay = time.Second
	out, err := fork.Output(cmd)
	if err != nil {
		return ""
	}
	return versionNumber.FindString(string(out))
}

// older reports whether a version is older than another one, or not known.
func older(version, than string) bool {
	if version == "" {
		return true
	}
	numbers := func(s string) (n []int) {
		for part := range strings.SplitSeq(s, ".") {
			i, _ := strconv.Atoi(part)
			n = append(n, i)
		}
		return n
	}
	return slices.Compare(numbers(version), numbers(than)) < 0
}
