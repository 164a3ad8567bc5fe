package server

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"skein.dev/skein/webtransport/wire"
)

// fileFolder is where the agents of a type work, in the configuration: a word, or a mapping.
type fileFolder struct {
	Mode  string   `yaml:"mode"`
	Base  string   `yaml:"base"`
	Copy  []string `yaml:"copy"`
	Share *bool    `yaml:"share"`
}

const folderForm = "shared, fresh or worktree, or a mapping such as {mode: worktree, base: main, copy: [.env], share: false}"

// UnmarshalYAML implements yaml.InterfaceUnmarshaler.
func (f *fileFolder) UnmarshalYAML(read func(any) error) error {
	if read(&f.Mode) == nil {
		return nil
	}
	f.Mode = ""
	type mapping fileFolder
	return read((*mapping)(f))
}

// folder reads where agents work; problem says what is wrong with it.
func folder(f *fileFolder, cwd string) (p *wire.FolderPolicy, problem string) {
	p = &wire.FolderPolicy{Mode: wire.FolderMode(f.Mode), Base: f.Base, Copy: f.Copy, Share: f.Share}
	tree := p.Mode == wire.FolderWorktree
	switch {
	case p.Mode != "" && !slices.Contains(wire.FolderModes, p.Mode):
		return nil, fmt.Sprintf("%q is no way to give an agent a folder; allowed are shared, fresh, worktree", f.Mode)
	case p.Mode == wire.FolderFresh && cwd != "":
		return nil, "a fresh folder is a new one: it does not go with cwd"
	case p.Share != nil && (tree || p.Mode == wire.FolderFresh):
		return nil, "share goes with shared folders: an agent has a fresh one and a worktree for itself"
	case p.Base != "" && !tree:
		return nil, "base is where a worktree begins: it goes with mode: worktree"
	case len(p.Copy) > 0 && !tree:
		return nil, "copy is for what git does not bring into a worktree: it goes with mode: worktree"
	case len(p.Base) > 200 || len(p.Copy) > 50:
		return nil, "base has at most 200 bytes, and copy 50 patterns"
	}
	for _, pattern := range p.Copy {
		if _, err := path.Match(pattern, ""); err != nil || !fs.ValidPath(pattern) || pattern == "." || strings.HasPrefix(pattern+"/", ".git/") {
			return nil, fmt.Sprintf("copy: %q is no pattern of a path within the repository, such as .env or config/*.local", pattern)
		}
	}
	return p, ""
}
