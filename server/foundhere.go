package server

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"

	"skein.dev/skein/server/web"
)

// knownAgents are the coding agents that people can have, and how they get them. Of a program that has several types it names one.
func knownAgents() []web.Known {
	return []web.Known{
		{Name: "Claude Code", Get: "npm install -g @anthropic-ai/claude-code", Cmd: true},
		{Name: "Claude Code, by ACP", Get: "npm install -g @agentclientprotocol/claude-agent-acp", Cmd: true},
		{Name: "Codex", Get: "npm install -g @openai/codex", Cmd: true},
		{Name: "Codex, by ACP", Get: "npm install -g @agentclientprotocol/codex-acp", Cmd: true},
		{Name: "Gemini CLI", Get: "npm install -g @google/gemini-cli", Cmd: true},
		{Name: "opencode", Get: "npm install -g opencode-ai", Cmd: true},
		{Name: "Qwen Code", Get: "npm install -g @qwen-code/qwen-code", Cmd: true},
		{Name: "pi", Get: "npm install -g @earendil-works/pi-coding-agent", Cmd: true},
		{Name: "aider", Get: "pipx install aider-chat", Cmd: true},
		{Name: "goose", Get: "from its project, block/goose"},
		{Name: "GitHub Copilot CLI, for tasks", Get: "npm install -g @github/copilot", Cmd: true},
	}
}

// startFolder is the folder that agents are started in unless somebody chooses another: that in which the server was started, since
// people start it where they work, or the home folder if that is the root of the file system, as for a service; "" if neither is known.
func startFolder() string {
	if dir, err := os.Getwd(); err == nil && dir != "/" {
		return dir
	}
	if home, err := os.UserHomeDir(); err == nil && home != "/" {
		return home
	}
	return ""
}

const (
	// maxPackageFile bounds the package.json that is read, in bytes.
	maxPackageFile = 1 << 20
	// maxUp is how many folders above a program its package may begin.
	maxUp = 5
)

// packageVersion is the version of a program from npm, from its package's file, so that the program need not be started; "" if it is
// not known.
func packageVersion(path string) string {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return ""
	}
	for dir, up := filepath.Dir(path), 0; up < maxUp && dir != "/"; dir, up = filepath.Dir(dir), up+1 {
		if filepath.Base(dir) == "node_modules" {
			return ""
		}
		if v, ok := readPackage(filepath.Join(dir, "package.json")); ok {
			return v
		}
	}
	return ""
}

// readPackage returns the version in a package.json that has programs. Its number alone is taken, since a page shows it.
func readPackage(file string) (version string, ok bool) {
	f, err := os.Open(file)
	if err != nil {
		return "", false
	}
	defer f.Close()
	var p struct {
		Version string
		Bin     json.RawMessage
	}
	if err := json.NewDecoder(io.LimitReader(f, maxPackageFile)).Decode(&p); err != nil || len(p.Bin) == 0 {
		return "", false
	}
	return versionNumber.FindString(p.Version), true
}
