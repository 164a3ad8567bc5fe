package wire

import "time"

// ArtifactID identifies an artifact and is never reused: "f" and twelve characters of lower-case base32.
type ArtifactID string

// Artifact is a file that is kept.
type Artifact struct {
	ID        ArtifactID    `json:"id"`
	Name      string        `json:"name"` // a file name, without folders
	MediaType string        `json:"media_type"`
	Size      int64         `json:"size"`             // bytes; -1 while it is unknown, during an upload
	SHA256    string        `json:"sha256,omitempty"` // hexadecimal, of all bytes; during an upload, the announced one, if any
	Task      TaskID        `json:"task,omitempty"`
	Agent     AgentID       `json:"agent,omitempty"`
	Actor     string        `json:"actor,omitempty"`
	State     ArtifactState `json:"state"`
	Received  int64         `json:"received"` // how many bytes are stored; an upload continues there
	CreatedAt time.Time     `json:"created_at"`
	UpdatedAt time.Time     `json:"updated_at"`
	Request   string        `json:"request,omitempty"` // idempotency key of the request that made it
}

// ArtifactState is the state of an artifact.
type ArtifactState string

const (
	ArtifactUploading ArtifactState = "uploading"
	ArtifactComplete  ArtifactState = "complete"
)

// Limits of artifacts.
const (
	MaxArtifactSize = 64 << 30 // bytes
	MaxArtifactName = 255      // bytes
	// UploadLifetime is how long an interrupted upload is kept.
	UploadLifetime = 24 * time.Hour
)

// Methods of the control lane.
const (
	MethodArtifactCreate = "artifact.create" // makes the record of an artifact to be uploaded
	MethodArtifactGet    = "artifact.get"
	MethodArtifactList   = "artifact.list"
	MethodArtifactRead   = "artifact.read" // some bytes, in the reply
	MethodArtifactRender = "artifact.render"
	MethodArtifactDelete = "artifact.delete"
)

// ArtifactCreateParams announce an upload.
type ArtifactCreateParams struct {
	Name      string  `json:"name"`
	MediaType string  `json:"media_type,omitempty"` // "": by the name, or else application/octet-stream
	Size      int64   `json:"size"`                 // bytes; -1 if it is unknown
	SHA256    string  `json:"sha256,omitempty"`     // hexadecimal, if it is known; an upload of other bytes is refused
	Task      TaskID  `json:"task,omitempty"`
	Agent     AgentID `json:"agent,omitempty"`
}

// ArtifactParams name one artifact.
type ArtifactParams struct {
	ID ArtifactID `json:"id"`
}

// Bounds of artifact.read, in bytes.
const (
	DefaultArtifactPart = 64 << 10
	MaxArtifactPart     = 256 << 10
)

// ArtifactReadParams ask for some bytes of an artifact.
type ArtifactReadParams struct {
	ID     ArtifactID `json:"id"`
	Offset int64      `json:"offset,omitempty"` // of the first byte
	Length int        `json:"length,omitempty"` // bytes, at most MaxArtifactPart; 0: DefaultArtifactPart
}

// ArtifactPart is some bytes of an artifact: Text if they are UTF-8, which ends with a whole character, or Base64.
type ArtifactPart struct {
	Artifact Artifact `json:"artifact"`
	Offset   int64    `json:"offset"`
	Text     string   `json:"text,omitempty"`
	Base64   []byte   `json:"base64,omitempty"`
	Next     *int64   `json:"next,omitempty"` // the offset of what follows; nil: nothing does
}

// ArtifactFilter chooses artifacts; an empty field does not restrict.
type ArtifactFilter struct {
	Task  TaskID  `json:"task,omitempty"`
	Agent AgentID `json:"agent,omitempty"`
	Query string  `json:"query,omitempty"` // a part of the id or the name, in any case
	After string  `json:"after,omitempty"` // ArtifactListResult.Next of the previous page
	Limit int     `json:"limit,omitempty"` // of a page; 0: MaxPage, which is also the maximum
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

// Cursor returns the position of the artifact in a list: when it was made, and its id, for artifacts made at the same time.
func (a *Artifact) Cursor() string { return a.CreatedAt.UTC().Format(cursorTime) + "." + string(a.ID) }

// cursorTime is a format of times whose texts sort as the times do.
const cursorTime = "20060102T150405.000000000"

// Bulk is a line that the server sends on a bulk lane, which carries the bytes of one artifact.
//
// For an upload (Header.Op is BulkPut), the client waits after the header line for the first line of the server, whose Offset
// says where to continue. It sends the raw bytes from there on and ends its side. The server answers with a second line,
// which has Done and the artifact, with the SHA256 that it computed over all bytes, or an Error. If the first line has Done
// or an Error, it is the only one: the artifact is already complete, or can't be uploaded now. After a reset, or if there is
// no second line, the client continues the upload on another lane.
//
// For a download (Header.Op is BulkGet), the server sends a line with the artifact, then the raw bytes from Header.Offset on,
// either Header.Length of them or all up to the end, and ends its side. The client checks them against the SHA256 of the
// artifact. If the first line has an Error, nothing follows. After a reset, the client continues the download on another
// lane.
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
