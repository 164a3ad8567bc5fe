package wire

import "time"

// FileStatus says what became of a file.
type FileStatus string

const (
	FileAdded    FileStatus = "added"
	FileModified FileStatus = "modified"
	FileDeleted  FileStatus = "deleted"
	FileRenamed  FileStatus = "renamed"
	FileRetyped  FileStatus = "retyped" // such as a file that became a link
)

// FileChange is a file that an agent has changed.
type FileChange struct {
	Path    string     `json:"path"`          // below the topmost folder
	Old     string     `json:"old,omitempty"` // of a renamed one: what it was called
	Status  FileStatus `json:"status"`
	Added   int        `json:"added,omitempty"`   // lines
	Removed int        `json:"removed,omitempty"` // lines
	Binary  bool       `json:"binary,omitempty"`  // it has no lines
	Mode    string     `json:"mode,omitempty"`    // as git writes it, such as 100755, if it has changed
}

// Commit is a commit of git.
type Commit struct {
	ID      string    `json:"id"`
	Subject string    `json:"subject"`
	Author  string    `json:"author"`
	Time    time.Time `json:"time"`
}

// ChangesParams ask what an agent has changed in its folder.
type ChangesParams struct {
	ID AgentID `json:"id"`
}

// Changes are what an agent has changed in its folder since it began. Tree identifies the contents exactly: agent.commit takes them as
// they were shown, or not at all.
type Changes struct {
	Agent   AgentID      `json:"agent"`
	Folder  Folder       `json:"folder"`
	Tree    string       `json:"tree"`             // the id of git's tree of the folder's contents
	Stamp   string       `json:"stamp"`            // another one when the folder has changed
	Base    string       `json:"base"`             // the id of the commit that they are compared with
	Branch  string       `json:"branch,omitempty"` // that is checked out now; empty: none
	Head    string       `json:"head,omitempty"`   // the id of the commit that is checked out; empty: the branch has none yet
	Files   []FileChange `json:"files"`            // by path; at most MaxChangedFiles
	Total   int          `json:"total"`            // how many there are
	Added   int          `json:"added"`            // lines, in all files
	Removed int          `json:"removed"`          // lines, in all files
	Open    bool         `json:"open"`             // something is not committed
	Commits []Commit     `json:"commits"`          // since Base, the newest first; at most MaxCommits
	Count   int          `json:"count"`            // how many there are
	Left    []LeftOut    `json:"left,omitempty"`   // what git does not know and is left out; at most MaxLeftOut
}

// LeftOut is something in the folder that is not taken for a change of the agent, with the reason.
type LeftOut struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

// Bounds of Changes and Diff.
const (
	MaxChangedFiles = 1000
	MaxCommits      = 100
	MaxLeftOut      = 20
	MaxPatch        = 256 << 10 // bytes of the patch of one file
)

// DiffParams ask for the changes in one file. Tree and Base are those of Changes; without them, it is as the folder is now.
type DiffParams struct {
	ID   AgentID `json:"id"`
	Path string  `json:"path"`
	Tree string  `json:"tree,omitempty"`
	Base string  `json:"base,omitempty"`
	// Context is how many lines around each change are wanted; 0: 3; at most 100,000.
	Context int `json:"context,omitempty"`
}

// Diff is how a file was changed.
type Diff struct {
	File  FileChange `json:"file"`
	Tree  string     `json:"tree"`
	Base  string     `json:"base"`
	Patch string     `json:"patch"`         // a unified diff as git makes it; bytes that are no UTF-8 are replaced
	Cut   bool       `json:"cut,omitempty"` // it has more than MaxPatch bytes, and ends in the middle
}

// CommitParams commit everything that an agent has changed and not committed itself.
type CommitParams struct {
	ID      AgentID `json:"id"`
	Message string  `json:"message"`
	Tree    string  `json:"tree,omitempty"` // of Changes: if the folder has changed since, nothing is committed; empty: whatever it has now
}

// CommitResult is what was committed.
type CommitResult struct {
	Commit Commit `json:"commit"`
	Branch string `json:"branch,omitempty"`
}

// DiscardParams undo what an agent has changed in its worktree: files, or everything, its commits too.
type DiscardParams struct {
	ID    AgentID  `json:"id"`
	Paths []string `json:"paths,omitempty"` // of Changes; none: everything
	Tree  string   `json:"tree,omitempty"`  // as in CommitParams
	// Force discards what Changes.Left names, too, which can't be brought back. Without it, nothing is discarded if there is any.
	Force bool `json:"force,omitempty"`
}

// DiscardResult says what the folder had: Saved is the id of a commit with all of it, which git keeps for a while (two weeks, unless it is
// configured otherwise).
type DiscardResult struct {
	Saved  string `json:"saved"`
	Folder Folder `json:"folder"`
}
