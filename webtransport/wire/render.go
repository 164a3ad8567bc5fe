package wire

import "slices"

// AgentHTML names a component of Skein's own pages that shows an agent. As with TaskHTML, the HTML is made for the scripts of the
// same server's pages.
type AgentHTML string

const (
	AgentAsRow  AgentHTML = "row"  // in the list
	AgentAsPage AgentHTML = "page" // on its own page: the parts that change
	AgentAsCell AgentHTML = "cell" // on the wall
	AgentAsPeek AgentHTML = "peek" // the last of what it shows, in its row in the list

	// AgentAsTranscript is the conversation with it, a part of which AgentRenderParams name.
	AgentAsTranscript AgentHTML = "transcript"
)

// AgentRenderParams ask for agents as they are now, as parts of a page.
type AgentRenderParams struct {
	IDs  []AgentID `json:"ids"` // 1 to MaxRender; of AgentAsPeek and AgentAsTranscript one
	HTML AgentHTML `json:"html"`

	// Of AgentAsTranscript: the entries that events after a seq have changed, or those before the entry that began at one. Without
	// both, the newest.
	After  uint64 `json:"after,omitempty"`
	Before uint64 `json:"before,omitempty"`
}

// Check refuses components that there are not, and too many agents.
func (p AgentRenderParams) Check() error {
	switch {
	case !slices.Contains([]AgentHTML{AgentAsRow, AgentAsPage, AgentAsCell, AgentAsPeek, AgentAsTranscript}, p.HTML):
		return Errorf(CodeInvalidParams, "html is row, page, cell, peek or transcript, not %q", p.HTML).WithField("html")
	case (p.HTML == AgentAsPeek || p.HTML == AgentAsTranscript) && len(p.IDs) != 1:
		return Errorf(CodeInvalidParams, "ids has %d agents: a %s is of one", len(p.IDs), p.HTML).WithField("ids")
	case (p.After > 0 || p.Before > 0) && p.HTML != AgentAsTranscript:
		return Errorf(CodeInvalidParams, "after and before are for a transcript").WithField("after")
	case p.After > 0 && p.Before > 0:
		return Errorf(CodeInvalidParams, "give after or before, not both").WithField("before")
	case len(p.IDs) == 0 || len(p.IDs) > MaxRender:
		return Errorf(CodeInvalidParams, "ids has %d agents: 1 to %d are rendered", len(p.IDs), MaxRender).WithField("ids")
	}
	return nil
}

// AgentRenderResult has the HTML of the agents that there are. Those that do not fit a message are left out: they are asked for again.
type AgentRenderResult struct {
	HTML map[AgentID]string `json:"html"`

	// Of AgentAsTranscript.
	Seq  uint64 `json:"seq,omitempty"`  // of the newest event in it
	More bool   `json:"more,omitempty"` // there are entries before it
}

// ArtifactHTML names a component of Skein's own pages that shows an artifact.
type ArtifactHTML string

const (
	ArtifactAsRow  ArtifactHTML = "row"  // in the list
	ArtifactAsItem ArtifactHTML = "item" // on the page of its agent, or of its task
)

// ArtifactRenderParams ask for artifacts as they are now, as parts of a page.
type ArtifactRenderParams struct {
	IDs  []ArtifactID `json:"ids"` // 1 to MaxRender
	HTML ArtifactHTML `json:"html"`
}

// Check refuses components that there are not, and too many artifacts.
func (p ArtifactRenderParams) Check() error {
	switch {
	case p.HTML != ArtifactAsRow && p.HTML != ArtifactAsItem:
		return Errorf(CodeInvalidParams, "html is row or item, not %q", p.HTML).WithField("html")
	case len(p.IDs) == 0 || len(p.IDs) > MaxRender:
		return Errorf(CodeInvalidParams, "ids has %d artifacts: 1 to %d are rendered", len(p.IDs), MaxRender).WithField("ids")
	}
	return nil
}

// ArtifactRenderResult has the HTML of the artifacts that there are. Those that do not fit a message are left out: they are asked
// for again.
type ArtifactRenderResult struct {
	HTML map[ArtifactID]string `json:"html"`
}

// MemoryHTML names a component of Skein's own pages that shows memory.
type MemoryHTML string

const (
	MemoryAsRow       MemoryHTML = "row"       // entries in the list of their namespace
	MemoryAsNamespace MemoryHTML = "namespace" // namespaces in the list of all
	MemoryAsSpace     MemoryHTML = "space"     // on the page of a namespace: how much it holds
	MemoryAsHits      MemoryHTML = "hits"      // what a search found
	MemoryAsPage      MemoryHTML = "page"      // on the page of an entry: the parts that change
	MemoryAsConflict  MemoryHTML = "conflict"  // on the page of an entry: what is there, and what could not be stored
)

// MemoryRenderParams ask for what memory holds now, as parts of a page.
type MemoryRenderParams struct {
	HTML      MemoryHTML `json:"html"`
	Namespace string     `json:"namespace,omitempty"` // MemoryAsHits: "" searches all
	Keys      []string   `json:"keys,omitempty"`      // MemoryAsRow, and names for MemoryAsNamespace: 1 to MaxRender
	Query     string     `json:"query,omitempty"`     // MemoryAsHits
	Key       string     `json:"key,omitempty"`       // MemoryAsPage and MemoryAsConflict

	// MemoryAsConflict: what could not be stored, as in MemoryStoreParams.
	Value       Payload `json:"value,omitzero"`
	ContentType string  `json:"content_type,omitempty"`
	TTLMS       int64   `json:"ttl,omitempty"`
	IfRevision  uint64  `json:"if_revision,omitempty"`
}

// Check refuses components that there are not, and too many rows.
func (p MemoryRenderParams) Check() error {
	switch p.HTML {
	case MemoryAsRow, MemoryAsNamespace:
		if len(p.Keys) == 0 || len(p.Keys) > MaxRender {
			return Errorf(CodeInvalidParams, "keys has %d: 1 to %d are rendered", len(p.Keys), MaxRender).WithField("keys")
		}
	case MemoryAsSpace, MemoryAsHits, MemoryAsPage, MemoryAsConflict:
	default:
		return Errorf(CodeInvalidParams, "html is row, namespace, space, hits, page or conflict, not %q", p.HTML).WithField("html")
	}
	return nil
}

// MemoryRenderResult has the rows of the keys that there are, by key, or else HTML. Rows that do not fit a message are left out:
// they are asked for again. So are a page and a conflict: the server's own pages have them.
type MemoryRenderResult struct {
	Rows map[string]string `json:"rows,omitempty"`
	HTML string            `json:"html,omitempty"`
}
