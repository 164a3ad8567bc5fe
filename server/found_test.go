package server

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"skein.dev/skein/server/web"
	"skein.dev/skein/webtransport/wire"
)

func TestAgentsOnThePath(t *testing.T) {
	dir := t.TempDir()
	program := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	if found := findAgents(t.Context()); len(found) > 0 {
		t.Errorf("on an empty path: %+v", found)
	}
	started := filepath.Join(dir, "started")
	program("gemini", "touch "+started)
	program("claude", "touch "+started)
	program("codex", "echo codex-cli 0.99.1")
	found := findAgents(t.Context())
	if _, err := os.Stat(started); err == nil {
		t.Error("an agent was started")
	}
	argv := map[string][]string{}
	for _, f := range found {
		argv[f.Name] = f.Argv
		if !f.Found || f.Description == "" || f.TTY != (f.Tasks == wire.TasksNone) || (f.Permissions != nil) != (f.Kind == wire.KindACP) {
			t.Errorf("%+v", f)
		}
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	if len(found) != 6 || !slices.Equal(argv["gemini"], []string{at("gemini"), "--acp"}) || !slices.Equal(argv["claude"], []string{at("claude")}) || !slices.Equal(argv["codex"], []string{at("codex")}) {
		t.Errorf("found are %v", argv)
	}
	for said, want := range map[string]bool{"echo codex-cli 0.171.0": true, "echo 1.0": true, "echo 0.170.9": false, "echo none": false, "exit 1": false} {
		program("codex", said)
		found := findAgents(t.Context())
		codex := found[slices.IndexFunc(found, func(f wire.AgentType) bool { return f.Name == "codex" })]
		if got := slices.Contains(codex.Argv, "--no-daemon"); got != want {
			t.Errorf("%s: its command is %v", said, codex.Argv)
		}
	}
	ours := []wire.AgentType{{Name: "gemini", Kind: wire.KindExec}, {Name: "shell"}}
	all := withFound(ours, found)
	if len(all) != 7 || all[4].Name != "gemini" || all[4].Found || all[6].Name != "shell" {
		t.Errorf("with ours they are %+v", all)
	}
}

// The version of a program from npm is that of its package, wherever the link to it is, and the program is not started for it.
func TestTheVersionOfAPackage(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", filepath.Join(dir, "bin"))
	for file, text := range map[string]string{
		"lib/node_modules/@a/b/package.json":          `{"name": "@a/b", "version": "1.2.3-beta.1", "bin": {"gemini": "dist/index.js"}}`,
		"lib/node_modules/@a/b/dist/package.json":     `{"type": "module"}`,
		"lib/node_modules/@a/b/dist/index.js":         "#!/bin/sh\ntouch " + filepath.Join(dir, "started") + "\n",
		"bin/qwen":                                    "#!/bin/sh\n",
		"bin/pi":                                      "#!/bin/sh\n",
		"lib/node_modules/without/dist/program/aider": "#!/bin/sh\n",
		"lib/node_modules/without/dist/package.json":  "no JSON",
		"lib/node_modules/without/package.json":       `{"version": "<b>x</b>", "bin": "x"}`,
		"lib/package.json":                            `{"version": "8.8.8", "bin": "another"}`,
	} {
		file = filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"gemini": "@a/b/dist/index.js", "aider": "without/dist/program/aider"} {
		if err := os.Symlink(filepath.Join(dir, "lib/node_modules", to), filepath.Join(dir, "bin", link)); err != nil {
			t.Fatal(err)
		}
	}
	said := map[string]string{}
	for _, f := range findAgents(t.Context()) {
		_, said[f.Name], _ = strings.Cut(f.Description, "Found on the PATH.")
	}
	for name, want := range map[string]string{"gemini": " Version 1.2.3.", "qwen": "", "pi": "", "aider": ""} {
		if said[name] != want {
			t.Errorf("the description of %s ends with %q, not %q", name, said[name], want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "started")); err == nil {
		t.Error("it was started")
	}
}

// Whoever has no agent is told of each that Skein would find.
func TestEveryAgentThatIsLookedForIsKnown(t *testing.T) {
	for _, c := range clis {
		if !slices.ContainsFunc(knownAgents(), func(k web.Known) bool { return strings.Contains(k.Get, c.program) }) {
			t.Errorf("nobody is told how to get %s", c.program)
		}
	}
}

func TestAgentsOnThePathForOneTask(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	for _, name := range []string{"claude", "codex", "copilot", "gemini", "opencode", "pi", "qwen", "goose", "aider"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho 2.0\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string][]string{
		"claude-task":   {"claude", "-p", "--permission-mode", "acceptEdits"},
		"codex-task":    {"codex", "exec", "--skip-git-repo-check", "--sandbox", "workspace-write", "-"},
		"copilot-task":  {"copilot", "-s", "--no-ask-user", "--allow-tool", "write"},
		"gemini-task":   {"gemini", "--approval-mode", "auto_edit"},
		"opencode-task": {"opencode", "run"},
		"pi-task":       {"pi", "-p"},
		"qwen-task":     {"qwen", "--approval-mode", "auto-edit"},
	}
	for _, f := range findAgents(t.Context()) {
		if asks := f.Env["OPENCODE_PERMISSION"] != ""; asks != (f.Name == "opencode") {
			t.Errorf("the variables of %s are %v", f.Name, f.Env)
		}
		argv, is := want[f.Name]
		delete(want, f.Name)
		if (f.Tasks == wire.TasksProcess) != is {
			t.Errorf("%s takes tasks by %q", f.Name, f.Tasks)
		}
		if !is {
			continue
		}
		argv[0] = filepath.Join(dir, argv[0])
		if !slices.Equal(f.Argv, argv) {
			t.Errorf("the command of %s is %v, not %v", f.Name, f.Argv, argv)
		}
		if f.Kind != wire.KindExec || f.TTY || f.Permissions != nil || f.Folder == nil || f.Folder.Share == nil || *f.Folder.Share {
			t.Errorf("%s is %+v", f.Name, f)
		}
		if !strings.Contains(f.Description, "Without asking, it ") {
			t.Errorf("the description of %s does not say what it does without asking: %s", f.Name, f.Description)
		}
		if trusts := f.Env["GEMINI_CLI_TRUST_WORKSPACE"] == "true"; trusts != (f.Name == "gemini-task") {
			t.Errorf("the variables of %s are %v", f.Name, f.Env)
		}
	}
	if len(want) > 0 {
		t.Errorf("not found are %v", want)
	}
}
