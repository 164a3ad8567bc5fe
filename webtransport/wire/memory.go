package wire

import (
	"slices"
	"time"
)

// MemoryEntry is a value that agents and people share.
type MemoryEntry struct {
	Namespace   string     `json:"namespace"`
	Key         string     `json:"key"`
	Value       Payload    `json:"value,omitzero"` // left out of lists
	Size        int        `json:"size"`           // of the value, in bytes
	ContentType string     `json:"content_type,omitempty"`
	Revision    uint64     `json:"revision"`         // grows over all entries; of a deleted entry, the revision of the deletion
	Previous    uint64     `json:"previous"`         // the revision before this one; 0: there was no entry
	Writer      string     `json:"writer,omitempty"` // the id of an agent, or who the client is
	CreatedAt   time.Time  `json:"created_at"`       // of the first value since there was none
	UpdatedAt   time.Time  `json:"updated_at"`
	ExpiresAt   *time.Time `json:"expires_at,omitempty"`
	Deleted     bool       `json:"deleted,omitempty"` // in watches and histories: it was deleted, or expired
}

// Limits of memory. The error of a request that exceeds one has CodeTooLarge or CodeExhausted, and names the limit.
const (
	MaxMemoryValue     = 512 << 10 // bytes of one value; larger ones are artifacts
	MaxMemoryKey       = 256       // bytes of a key: any UTF-8 without control characters
	MaxMemoryNamespace = 64        // of [a-z0-9._-]; starts with a letter or a digit
	MaxMemoryKeys      = 100_000   // in one namespace, by default
	MaxMemoryBytes     = 64 << 20  // of all values of one namespace, by default
	MaxMemoryBulk      = 500       // keys in one bulk request
	MemoryHistory      = 16        // values of a key that are kept for memory.history, including the newest
	MaxMemoryTTL       = 366 * 24 * time.Hour
)

// maxTextJSON is how long a text may become in JSON if its entry is to fit into a message.
const maxTextJSON = 1_000_000

// NewMemoryValue returns b as a value of memory. It is NewPayload, but a text that would be too long for a message, such as
// one of quotation marks alone, becomes base64.
func NewMemoryValue(b []byte) Payload {
	p := NewPayload(b)
	if p.Text != "" && jsonLen(p.Text) > maxTextJSON {
		return Payload{Base64: b}
	}
	return p
}

// EncodedLen returns an upper bound of the length of the entry in JSON, which is not much greater.
func (e *MemoryEntry) EncodedLen() int {
	const rest = 360 // names of fields, numbers, times
	n := rest + len(e.Namespace) + jsonLen(e.Key) + jsonLen(e.ContentType) + jsonLen(e.Writer)
	if e.Value.Base64 != nil {
		return n + (len(e.Value.Base64)+2)/3*4
	}
	return n + jsonLen(e.Value.Text)
}

// Methods of the memory lane. Agents have the same ones on the line protocol, except watch and namespaces.
const (
	MethodMemoryStore      = "memory.store"
	MethodMemoryRetrieve   = "memory.retrieve"
	MethodMemoryList       = "memory.list"
	MethodMemorySearch     = "memory.search"
	MethodMemoryDelete     = "memory.delete"
	MethodMemoryHistory    = "memory.history"
	MethodMemoryNamespaces = "memory.namespaces"
	MethodMemorySetMany    = "memory.set_many"
	MethodMemoryGetMany    = "memory.get_many"
	MethodMemoryWatch      = "memory.watch" // then NoteMemory until the lane ends, or MethodMemoryUnwatch
	MethodMemoryUnwatch    = "memory.unwatch"
	MethodMemoryRender     = "memory.render"
	NoteMemory             = "memory" // MemoryUpdate
)

// MemoryStoreParams set a value. IfRevision makes it a compare-and-set: the entry must have this revision, or, for 0, must not
// exist. Otherwise the error has CodeConflict, and the present entry in its data.
type MemoryStoreParams struct {
	Namespace   string  `json:"namespace"`
	Key         string  `json:"key"`
	Value       Payload `json:"value,omitzero"`
	ContentType string  `json:"content_type,omitempty"` // "": text/plain or application/octet-stream
	TTLMS       int64   `json:"ttl,omitempty"`          // milliseconds until it expires; 0: never
	IfRevision  *uint64 `json:"if_revision,omitempty"`
}

// MemoryKeyParams name an entry.
type MemoryKeyParams struct {
	Namespace  string  `json:"namespace"`
	Key        string  `json:"key"`
	IfRevision *uint64 `json:"if_revision,omitempty"` // memory.delete only
}

// MemoryDeleteResult says whether there was something to delete.
type MemoryDeleteResult struct {
	Deleted  bool   `json:"deleted"`
	Revision uint64 `json:"revision,omitempty"` // of the deletion
}

// MemoryListParams list keys, in the order of their bytes.
type MemoryListParams struct {
	Namespace string `json:"namespace"`
	Prefix    string `json:"prefix,omitempty"`
	After     string `json:"after,omitempty"`  // a key; the page starts after it
	Limit     int    `json:"limit,omitempty"`  // 0: 1000, which is also the maximum
	Values    bool   `json:"values,omitempty"` // with values, as many as fit into one message
}

// MemoryListResult is a page of keys.
type MemoryListResult struct {
	Entries []MemoryEntry `json:"entries"`
	Next    string        `json:"next,omitempty"` // the After of the next page; "": this is the last one
	Total   int           `json:"total"`          // keys with this prefix
}

// MemorySearchParams search keys and values for words.
type MemorySearchParams struct {
	Namespaces []string `json:"namespaces,omitempty"` // empty: all that the caller may read
	Query      string   `json:"query"`                // words, "phrases" and prefix*; all must occur
	Prefix     string   `json:"prefix,omitempty"`     // of the key
	Limit      int      `json:"limit,omitempty"`      // 0: 20; 100 at most
}

// MemorySearchResult has the best matches first.
type MemorySearchResult struct {
	Hits  []MemoryHit `json:"hits"`
	Total int         `json:"total"`
}

// MemoryHit is one match. Entry has no value.
type MemoryHit struct {
	Entry   MemoryEntry `json:"entry"`
	Score   float64     `json:"score"`
	Snippet string      `json:"snippet,omitempty"` // of the value, around the words
}

// MemoryHistoryParams ask for the past values of a key.
type MemoryHistoryParams struct {
	Namespace string `json:"namespace"`
	Key       string `json:"key"`
	Before    uint64 `json:"before,omitempty"` // only older revisions than this one; 0: all
}

// MemoryHistoryResult has the values of a key, the newest first, as many as fit into one message.
type MemoryHistoryResult struct {
	Entries []MemoryEntry `json:"entries"`
	Next    uint64        `json:"next,omitempty"` // the Before of the next page; 0: this is the last one
}

// MemoryNamespace describes a namespace.
type MemoryNamespace struct {
	Name     string `json:"name"`
	Keys     int    `json:"keys"`
	Bytes    int64  `json:"bytes"`
	MaxKeys  int    `json:"max_keys"`
	MaxBytes int64  `json:"max_bytes"`
	Revision uint64 `json:"revision"` // of its last change

	UpdatedAt time.Time `json:"updated_at"` // when that was
}

// MemoryNamespacesParams ask for a page of namespaces.
type MemoryNamespacesParams struct {
	After string `json:"after,omitempty"` // MemoryNamespacesResult.Next of the previous page
}

// MemoryNamespacesResult is a page of namespaces, by name.
type MemoryNamespacesResult struct {
	Namespaces []MemoryNamespace `json:"namespaces"`
	Next       string            `json:"next,omitempty"` // the After of the next page; "": this is the last one
}

// Page cuts a list, behind a name, to what fits a message.
func (r MemoryNamespacesResult) Page(after string) MemoryNamespacesResult {
	r.Namespaces = slices.DeleteFunc(r.Namespaces, func(n MemoryNamespace) bool { return after != "" && n.Name <= after })
	if n := PageOf(r.Namespaces, 0); n < len(r.Namespaces) {
		r.Namespaces, r.Next = r.Namespaces[:n], r.Namespaces[n-1].Name
	}
	return r
}

// MemorySetManyParams set several values. Each succeeds or fails by itself.
type MemorySetManyParams struct {
	Entries []MemoryStoreParams `json:"entries"` // 1 to MaxMemoryBulk
}

// MemoryGetManyParams read several values.
type MemoryGetManyParams struct {
	Keys []MemoryKeyParams `json:"keys"` // 1 to MaxMemoryBulk
}

// MemoryManyResult is the answer to both, in the order of the request.
type MemoryManyResult struct {
	Results []MemoryOne `json:"results"`
}

// MemoryOne is one of several answers: Entry or Error. The error of a value that does not fit into the message has
// CodeTooLarge.
type MemoryOne struct {
	Entry *MemoryEntry `json:"entry,omitempty"`
	Error *Error       `json:"error,omitempty"`
}

// MemoryWatchParams follow the changes of a namespace after a revision.
type MemoryWatchParams struct {
	Namespace string `json:"namespace"`
	Prefix    string `json:"prefix,omitempty"`
	After     uint64 `json:"after,omitempty"`  // MemoryUpdate.Cursor of the last update; 0: all present entries, and then the changes
	Epoch     string `json:"epoch,omitempty"`  // that After belongs to
	Values    bool   `json:"values,omitempty"` // entries come with their values
}

// MemoryWatchResult opens a watch.
type MemoryWatchResult struct {
	Watch     uint64 `json:"watch"` // identifies the watch in MemoryUpdate and for memory.unwatch
	Epoch     string `json:"epoch"`
	Recovered bool   `json:"recovered"` // every change after After follows; false: the client discards its entries, and all entries follow
}

// MemoryUpdate carries changes in the order of their revisions.
type MemoryUpdate struct {
	Watch   uint64        `json:"watch"`
	Entries []MemoryEntry `json:"entries"`
	Cursor  uint64        `json:"cursor"`
}

// MemoryUnwatchParams end a watch.
type MemoryUnwatchParams struct {
	Watch uint64 `json:"watch"`
}
