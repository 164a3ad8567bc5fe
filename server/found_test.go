package server

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

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
		if !f.Found || f.Description == "" || f.TTY == (f.Kind == wire.KindACP) || (f.Permissions != nil) != (f.Kind == wire.KindACP) {
			t.Errorf("%+v", f)
		}
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	if len(found) != 3 || !slices.Equal(argv["gemini"], []string{at("gemini"), "--acp"}) || !slices.Equal(argv["claude"], []string{at("claude")}) || !slices.Equal(argv["codex"], []string{at("codex")}) {
		t.Errorf("found are %v", argv)
	}
	for said, want := range map[string]bool{"echo codex-cli 0.171.0": true, "echo 1.0": true, "echo 0.170.9": false, "echo none": false, "exit 1": false} {
		program("codex", said)
		found := findAgents(t.Context())
		if got := slices.Contains(found[len(found)-1].Argv, "--no-daemon"); got != want {
			t.Errorf("%s: its command is %v", said, found[len(found)-1].Argv)
		}
	}
	ours := []wire.AgentType{{Name: "gemini", Kind: wire.KindExec}, {Name: "shell"}}
	all := withFound(ours, found)
	if len(all) != 4 || all[2].Name != "gemini" || all[2].Found || all[3].Name != "shell" {
		t.Errorf("with ours they are %+v", all)
	}
}
