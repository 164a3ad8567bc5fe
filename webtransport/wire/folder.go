package wire

// FolderMode says where an agent works.
type FolderMode string

const (
	FolderShared   FolderMode = "shared"   // in a folder that is there already
	FolderFresh    FolderMode = "fresh"    // in a new, empty folder of its own
	FolderWorktree FolderMode = "worktree" // in a git worktree of its own, on a branch of its own
)

// FolderModes are all of them.
var FolderModes = []FolderMode{FolderShared, FolderFresh, FolderWorktree}

// FolderPolicy says where the agents of a type work.
type FolderPolicy struct {
	Mode  FolderMode `json:"mode,omitempty"`  // empty: shared if there is a folder, otherwise fresh
	Base  string     `json:"base,omitempty"`  // of worktrees: a branch or a commit; empty: what the repository has checked out
	Copy  []string   `json:"copy,omitempty"`  // patterns of files that git does not have, which each worktree gets a copy of
	Share *bool      `json:"share,omitempty"` // whether others may work in the folder of such an agent; nil: as for its kind
}

// FolderState says what became of the worktree of an agent that has ended.
type FolderState string

const (
	FolderUsed    FolderState = ""
	FolderKept    FolderState = "kept"    // it has changes, or commits that no other branch has
	FolderRemoved FolderState = "removed" // it had nothing, or what it had was discarded
)

// Folder is where an agent works. What is about git is empty where git is not looked for.
type Folder struct {
	Mode   FolderMode  `json:"mode"`
	Share  bool        `json:"share,omitempty"`   // others may work in it
	Repo   string      `json:"repo,omitempty"`    // the folder of the repository that a worktree was made of
	Top    string      `json:"top,omitempty"`     // the topmost folder of what git has checked out
	GitDir string      `json:"git_dir,omitempty"` // where git keeps what it knows of a worktree
	Branch string      `json:"branch,omitempty"`  // that a worktree was made with
	Base   string      `json:"base,omitempty"`    // the id of the commit that the work began at
	From   string      `json:"from,omitempty"`    // the branch that Base was the end of
	State  FolderState `json:"state,omitempty"`
}

// Diffable reports whether the changes in the folder can be shown.
func (f *Folder) Diffable() bool { return f != nil && f.Base != "" && f.State != FolderRemoved }

// Kept reports whether it is a worktree whose agent has ended, and that has work.
func (f *Folder) Kept() bool { return f != nil && f.State == FolderKept }
