package vt

// NoteKind says what a program says about itself.
type NoteKind string

const (
	Bell         NoteKind = "bell"
	Reset        NoteKind = "reset"        // a full reset: what it said before no longer holds
	Title        NoteKind = "title"        // Text (OSC 0 and 2)
	Notification NoteKind = "notification" // Text, for a person (OSC 9, 777 and 99)
	Progress     NoteKind = "progress"     // Percent, and Failed (OSC 9;4)
	Report       NoteKind = "status"       // Status (OSC 7501)
	Prompt       NoteKind = "prompt"       // a shell shows its prompt (OSC 133;A)
)

// Note is something that a program says about itself. Its text is one line without control characters.
type Note struct {
	Kind    NoteKind
	Text    string
	Percent int // of Progress: 0 to 100; -1: none any more; -2: it works, and does not know how long
	Failed  bool
	Status  Status
}
