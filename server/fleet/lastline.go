package fleet

import (
	"bytes"

	"skein.dev/skein/server/screen"
	"skein.dev/skein/webtransport/wire"
)

// lastLines finds the last line of an agent's output that is not blank, as a terminal shows it now: a progress bar that
// never prints a newline counts in its newest state. Standard output and error are lines of their own.
type lastLines struct {
	// open is the unfinished line of each stream, as output that produces the same line, of at most wire.MaxLastLine columns.
	open [2]string
	// warned is the last one of standard error, of at most wire.MaxLastLine columns; "": it has none.
	warned string
}

// add takes further output and returns the last line, or "" if the output shows none.
func (l *lastLines) add(t wire.EventType, b []byte) string {
	if t != wire.EventStderr {
		return last(&l.open[0], b)
	}
	line := last(&l.open[1], b)
	if line != "" {
		l.warned = line
	}
	return line
}

// last adds output to the unfinished line of its stream, and returns the last line that is not blank.
func last(open *string, b []byte) string {
	head, rest, ended := bytes.Cut(b, []byte{'\n'})
	first := shown(*open, head)
	if !ended {
		*open = first.State()
		return first.Brief(wire.MaxLastLine)
	}
	*open = ""
	tail := rest[bytes.LastIndexByte(rest, '\n')+1:]
	if len(tail) > 0 {
		end := shown("", tail)
		*open = end.State()
		if s := end.Brief(wire.MaxLastLine); s != "" {
			return s
		}
	}
	for rest = rest[:len(rest)-len(tail)]; len(rest) > 0; {
		rest = rest[:len(rest)-1] // its newline
		from := bytes.LastIndexByte(rest, '\n') + 1
		if s := shown("", rest[from:]).Brief(wire.MaxLastLine); s != "" {
			return s
		}
		rest = rest[:from]
	}
	return first.Brief(wire.MaxLastLine)
}

// shown is a line after further output.
func shown(state string, b []byte) *screen.Line {
	l := &screen.Line{Max: wire.MaxLastLine}
	l.Write(state)
	l.Write(string(b))
	return l
}

// failed reports whether a process ended as one does that has failed.
func failed(e wire.Exit) bool { return e.Code != 0 || e.Signal != "" }
