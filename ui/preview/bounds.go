package preview

// Bounds of what is shown. The download has everything.
const (
	// HeadBytes is how many of the first bytes decide on the kind.
	HeadBytes = 4 << 10
	// MaxBytes is how many bytes of a text are read.
	MaxBytes = 1 << 20

	maxLines    = 5000
	maxLine     = 8 << 10 // bytes of one line
	maxRows     = 500     // of a table
	maxColumns  = 60
	maxCell     = 300 // characters
	maxHex      = 4096
	maxMarkdown = 128 << 10 // bytes
)
