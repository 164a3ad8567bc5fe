package fleet

import (
	"bytes"
	"unicode/utf8"

	"skein.dev/skein/webtransport/wire"
)

// payload returns b as text if possible. It does not retain b.
func payload(b []byte) wire.EventData {
	if !utf8.Valid(b) {
		return wire.EventData{Base64: bytes.Clone(b)}
	}
	p := wire.Payload{Text: string(b)}.Compact()
	return wire.EventData{Text: p.Text, Base64: p.Base64}
}

// sizeOf is how many bytes an event's texts have that an agent may make long.
func sizeOf(d *wire.EventData) int {
	n := len(d.Text) + len(d.Base64)
	if d.Ask == nil {
		return n
	}
	n += len(d.Ask.Text)
	if t := d.Ask.Tool; t != nil {
		n += len(t.Command)
		for _, p := range t.Paths {
			n += len(p)
		}
		for _, c := range t.Diffs {
			n += len(c.Path) + len(c.New)
			if c.Old != nil {
				n += len(*c.Old)
			}
		}
	}
	return n
}
