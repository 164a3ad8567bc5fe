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
}

// add takes further output and returns the last line, or "" if the output shows none.
func (l *lastLines) add(t wire.EventType, b []byte) string {
	open := &l.open[0]
	if t == wire.EventStderr {
		open = &l.open[1]
	}
	head, rest, ended := bytes.Cut(b, []byte{'\n'})
	first := shown(*open, head)
	if !ended {
		*open = first.State()
		return first.Brief(wire.MaxLastLine)
	}
	*open = ""
	tail := rest[bytes.LastIndexByte(rest, '\n')+1:]
	if len(tail) > 0 {
		last := shown("", tail)
		*open = last.State()
		if s := last.Brief(wire.MaxLastLine); s != "" {
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
