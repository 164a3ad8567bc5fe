package grep

import (
	"bytes"
	"time"
	"unicode/utf8"

	"skein.dev/skein/server/screen"
)

const (
	// MaxLine is how many bytes of a line are scanned as one piece. A longer line counts as several.
	MaxLine = 64 << 10
	// overlap is how many bytes of such a piece the next one repeats, so that a hit across the boundary is found.
	overlap = 4 << 10
)

// Place is where something stands in the output.
type Place struct {
	Seq    uint64 // of an event
	Time   time.Time
	Offset int // in the event's data
}

// Hit is a line with a hit.
type Hit struct {
	Place         // of the line's beginning
	Stream int    // whose line it is
	Text   string // of the line, as a terminal shows it
	From   int    // the hit in Text, in bytes
	To     int
}

// Scanner finds hits in output that it receives piece by piece.
type Scanner struct {
	Pattern *Pattern
	// Report is called for each hit. It returns false to end the scan.
	Report func(Hit) bool

	open [2]line // of each stream
}

// line is a line whose newline has not arrived.
type line struct {
	raw   []byte
	parts []part
	told  bool // its hit was reported
}

// part is where the part of a line that comes from one event starts.
type part struct {
	Place
	at int // in line.raw
}

// Add scans more output of a stream, 0 or 1: the data of an event from at.Offset on. If silent, it reports no hits. It
// returns the offset up to which it scanned, which is the end of the data unless Report returned false.
func (s *Scanner) Add(stream int, at Place, data []byte, silent bool) int {
	o := &s.open[stream]
	for len(data) > 0 {
		newline := bytes.IndexByte(data, '\n')
		n := newline
		if newline < 0 {
			n = len(data)
		}
		goOn := s.grow(stream, at, data[:n], silent)
		if newline >= 0 {
			goOn = s.check(stream, silent) && goOn
			o.reset()
			n++
		}
		at.Offset += n
		data = data[n:]
		if !goOn {
			break
		}
	}
	return at.Offset
}

// InLine reports whether there is a line whose newline has not arrived.
func (s *Scanner) InLine() bool { return len(s.open[0].raw)+len(s.open[1].raw) > 0 }

// Open scans the lines whose newline has not arrived. A hit in such a line is not reported again when the line continues.
// If silent, Open does not report it either.
func (s *Scanner) Open(silent bool) {
	for stream := range s.open {
		if len(s.open[stream].raw) > 0 {
			s.check(stream, silent)
		}
	}
}

// grow appends to the open line. A line that becomes too long is scanned and cut down to the overlap.
func (s *Scanner) grow(stream int, at Place, data []byte, silent bool) (goOn bool) {
	o := &s.open[stream]
	goOn = true
	if len(o.raw) == 0 { // it begins here, though it may stay empty
		o.parts = append(o.parts[:0], part{at, 0})
	}
	for len(data) > 0 {
		if last := &o.parts[len(o.parts)-1]; last.Seq != at.Seq {
			o.parts = append(o.parts, part{at, len(o.raw)})
		}
		n := min(len(data), MaxLine-len(o.raw))
		o.raw = append(o.raw, data[:n]...)
		data = data[n:]
		at.Offset += n
		if len(data) > 0 {
			goOn = s.check(stream, silent) && goOn
			o.shorten()
		}
	}
	return goOn
}

// shorten keeps only the end of a line that was scanned.
func (o *line) shorten() {
	from := len(o.raw) - overlap
	if o.told {
		from = len(o.raw)
	}
	for i := range utf8.UTFMax {
		if from-i > 0 && from < len(o.raw) && utf8.RuneStart(o.raw[from-i]) {
			from -= i
			break
		}
	}
	first := 0
	for i, p := range o.parts {
		if p.at <= from {
			first = i
		}
	}
	parts := append([]part(nil), o.parts[first:]...)
	parts[0].Offset += from - parts[0].at
	for i := range parts {
		parts[i].at = max(0, parts[i].at-from)
	}
	*o = line{raw: append(o.raw[:0], o.raw[from:]...), parts: parts}
}

func (o *line) reset() { o.raw, o.parts, o.told = o.raw[:0], o.parts[:0], false }

// check reports the open line if it has a hit that was not reported.
func (s *Scanner) check(stream int, silent bool) (goOn bool) {
	o := &s.open[stream]
	if o.told {
		return true
	}
	text := screen.Text(string(o.raw))
	from, to := s.Pattern.Find(text)
	if from < 0 {
		return true
	}
	o.told = true
	return silent || s.Report(Hit{Place: o.parts[0].Place, Stream: stream, Text: text, From: from, To: to})
}

// Around returns at most max bytes of the text around the hit, with positions in characters: the column of the hit, which
// starts at 1, and where the hit begins and ends in the excerpt, which starts at 0.
func (h Hit) Around(max int) (excerpt string, column, from, to int) {
	begin, end := window(h.Text, h.From, h.To, max)
	hit := h.Text[h.From:min(h.To, end)]
	from = utf8.RuneCountInString(h.Text[begin:h.From])
	return h.Text[begin:end], 1 + utf8.RuneCountInString(h.Text[:h.From]), from, from + utf8.RuneCountInString(hit)
}

// window returns the bounds of at most most bytes of a text with the hit in the middle. They are at the boundaries of
// characters.
func window(text string, from, to, most int) (begin, end int) {
	if len(text) <= most {
		return 0, len(text)
	}
	begin = min(from, max(0, from-(most-(to-from))/2), len(text)-most)
	begin = max(0, begin)
	end = min(len(text), begin+most)
	for begin < from && !utf8.RuneStart(text[begin]) {
		begin++
	}
	for end < len(text) && end > begin && !utf8.RuneStart(text[end]) {
		end--
	}
	return begin, end
}
