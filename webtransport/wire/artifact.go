package wire

import "time"

// ArtifactID names one artifact for ever: "f" and twelve characters of lower-case base32.
type ArtifactID string

// Artifact is a file that was kept.
type Artifact struct {
	ID        ArtifactID    `json:"id"`
	Name      string        `json:"name"` // a file name, without folders
	MediaType string        `json:"media_type"`
	Size      int64         `json:"size"`             // bytes; -1 while an upload has not said
	SHA256    string        `json:"sha256,omitempty"` // hexadecimal, of all bytes; until it is complete what was announced, if anything
	Task      TaskID        `json:"task,omitempty"`
	Agent     AgentID       `json:"agent,omitempty"`
	Actor     string        `json:"actor,omitempty"`
	State     ArtifactState `json:"state"`
	Received  int64         `json:"received"` // bytes that are safe: where an upload goes on
	CreatedAt time.Time     `json:"created_at"`
	UpdatedAt time.Time     `json:"updated_at"`
	Request   string        `json:"request,omitempty"` // marks the request that made it
}

// ArtifactState is where an artifact stands.
type ArtifactState string

const (
	ArtifactUploading ArtifactState = "uploading"
	ArtifactComplete  ArtifactState = "complete"
)

// Limits of artifacts.
const (
	MaxArtifactSize = 64 << 30 // bytes
	MaxArtifactName = 255      // bytes
	// UploadLifetime is how long an upload that does not go on is kept.
	UploadLifetime = 24 * time.Hour
)

// Methods of the control lane.
const (
	MethodArtifactCreate = "artifact.create" // makes the record that an upload fills
	MethodArtifactGet    = "artifact.get"
	MethodArtifactList   = "artifact.list"
	MethodArtifactRender = "artifact.render"
	MethodArtifactDelete = "artifact.delete"
)

// ArtifactCreateParams announce an upload.
type ArtifactCreateParams struct {
	Name      string  `json:"name"`
	MediaType string  `json:"media_type,omitempty"` // "": by the name, else application/octet-stream
	Size      int64   `json:"size"`                 // bytes
	SHA256    string  `json:"sha256,omitempty"`     // hexadecimal, if it is known: an upload of other bytes is refused
	Task      TaskID  `json:"task,omitempty"`
	Agent     AgentID `json:"agent,omitempty"`
}

// ArtifactParams name one artifact.
type ArtifactParams struct {
	ID ArtifactID `json:"id"`
}

// ArtifactFilter chooses artifacts; an empty field does not restrict.
type ArtifactFilter struct {
	Task  TaskID  `json:"task,omitempty"`
	Agent AgentID `json:"agent,omitempty"`
	Query string  `json:"query,omitempty"` // a part of the id or the name, any case
	After string  `json:"after,omitempty"` // ArtifactListResult.Next: go on behind that page
	Limit int     `json:"limit,omitempty"` // of a page; 0: MaxPage, which is also the most
}

// ArtifactListResult is a page of the artifacts that match, newest first.
type ArtifactListResult struct {
	Artifacts []Artifact `json:"artifacts"`
	Next      string     `json:"next,omitempty"` // the After of the next page; "": this is the last one
	Total     int        `json:"total"`          // how many match, on whichever page
	Bytes     int64      `json:"bytes"`          // of all artifacts, whatever the filter
}

// Page cuts a list to what fits a message.
func (r ArtifactListResult) Page(limit int) ArtifactListResult {
	if n := PageOf(r.Artifacts, limit); n < len(r.Artifacts) {
		r.Artifacts, r.Next = r.Artifacts[:n], r.Artifacts[n-1].Cursor()
	}
	return r
}

// Cursor is the artifact's place in a list: when it was made, and its id where several were made at once.
func (a *Artifact) Cursor() string { return a.CreatedAt.UTC().Format(cursorTime) + "." + string(a.ID) }

// cursorTime orders as text as the times do.
const cursorTime = "20060102T150405.000000000"

// A bulk lane carries the bytes of one artifact.
//
// Upload (Header.Op "put"): behind the header line the client waits for the server's line, a [Bulk] whose Offset says
// where to go on, sends the raw bytes from there on, and ends its side. The server answers with a second line: a Bulk
// with Done and the artifact, whose SHA256 it computed over all bytes, or an Error. A first line with Done or an Error is
// the last: the artifact is complete already, or can't be filled now. After a reset, or without a second line, the upload
// goes on in another lane.
//
// Download (Op "get", Offset, Length): the server sends a Bulk line with the artifact, then the raw bytes from
// Header.Offset on, as many as Header.Length says or to the end, and ends its side. The client checks them against the artifact's SHA256. A first line with an Error is the
// last; after a reset the download goes on in another lane.
type Bulk struct {
	Artifact *Artifact `json:"artifact,omitempty"`
	Offset   int64     `json:"offset"`
	Done     bool      `json:"done,omitempty"`
	Error    *Error    `json:"error,omitempty"`
}

// What a bulk lane is for.
const (
	BulkPut = "put"
	BulkGet = "get"
)
