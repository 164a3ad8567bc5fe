package jet

// The streams of the store, and the subjects of their messages. The buckets, which are streams too, stand with what they hold.
const (
	logStream  = "LOG"
	logSubject = "log."
	// oldStream is the event log of versions up to 0.1.0: one subject an agent, and the stream's own bound.
	oldStream = "EVENTS"

	answerStream  = "ANSWERS"
	answerSubject = "ans."

	memoryStream  = "MEMORY"
	memorySubject = "mem."
	purgedSubject = memorySubject + "purged"

	markStream  = "MARKS"
	markSubject = "mark.memory"
)
