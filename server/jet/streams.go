package jet

// The streams of the store and the subjects of their messages. The names of the buckets, which are streams too, are in
// the files that use them.
const (
	logStream  = "LOG"
	logSubject = "log."
	// oldStream is the event log of versions up to 0.1.0. It has one subject per agent, and the stream itself enforces
	// the bound.
	oldStream = "EVENTS"

	answerStream  = "ANSWERS"
	answerSubject = "ans."

	memoryStream  = "MEMORY"
	memorySubject = "mem."
	purgedSubject = memorySubject + "purged"

	markStream  = "MARKS"
	markSubject = "mark.memory"
)
