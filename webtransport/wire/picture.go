package wire

import (
	"errors"
	"fmt"
	"slices"
)

// A glance lane shows what an agent shows, as a picture of a few rows, to somebody who looks at many agents at a time
// (docs/protocol.md, "The glance lane"). The server sends a PictureChange, and the next one only when the client has said
// PictureSeen: the client is never behind by more than one picture, whatever the agent prints.

// Bounds of pictures.
const (
	MaxPictureRows  = 60        // of a picture
	MaxPictureCols  = 240       // characters of a row
	MaxPictureBytes = 384 << 10 // of a picture as JSON, about; the rows after them are empty

	DefaultPictureRows = 24
	DefaultPictureCols = 120

	MaxGlances    = 256    // glance lanes of a session
	MinGlanceWait = 100    // milliseconds between two pictures, at least
	MaxGlanceWait = 60_000 // what a client can ask for, in milliseconds
)

// Messages of a glance lane. Both are notifications.
const (
	NotePicture = "picture"      // by the server: PictureChange
	NoteSeen    = "picture.seen" // by the client: PictureSeen
)

// PictureKind says what a picture shows.
type PictureKind string

const (
	PictureScreen PictureKind = "screen" // the screen of a terminal
	PictureLines  PictureKind = "lines"  // the last lines of the output, and what was written to the agent
)

// Picture is what an agent shows. Its rows are never written to, only replaced.
type Picture struct {
	Kind PictureKind   `json:"kind"`
	Cols int           `json:"cols,omitempty"` // of the terminal; 0 for lines
	Rows []*PictureRow `json:"rows"`
}

// PictureRow is a row of a picture. The zero value is an empty one.
type PictureRow struct {
	Kind   RowKind `json:"kind,omitempty"`
	Pieces []Piece `json:"pieces,omitempty"`
}

// RowKind says where a line comes from.
type RowKind string

const (
	RowOut   RowKind = ""    // standard output, a conversation, or a terminal
	RowErr   RowKind = "err" // standard error
	RowInput RowKind = "in"  // it was written to the agent
	RowBytes RowKind = "bin" // a note about bytes that are no text
)

// Piece is text of one style: classes of Skein's pages, separated by spaces.
type Piece struct {
	Class string `json:"class,omitempty"` // a-b bold, a-d dim, a-i italic, a-u underlined, a-s struck, a-v inverse, f0 to f15 colour, g0 to g15 background
	Text  string `json:"text"`
}

// PictureChange makes the picture before it the present one.
type PictureChange struct {
	Seq   uint64      `json:"seq"` // from 1, on each lane
	Whole bool        `json:"whole,omitempty"`
	Kind  PictureKind `json:"kind"`
	Cols  int         `json:"cols,omitempty"`
	Shift int         `json:"shift,omitempty"` // so many rows go at the top,
	Count int         `json:"count"`           // then it has as many rows as this: others go, or empty ones come, at the end,
	Rows  []PlacedRow `json:"rows,omitempty"`  // and then these rows are replaced
	Ended bool        `json:"ended,omitempty"` // the agent has ended: this is the last one
}

// PlacedRow is a row that has changed.
type PlacedRow struct {
	At int `json:"at"` // from 0
	PictureRow
}

// PictureSeen asks for the next picture.
type PictureSeen struct {
	Seq    uint64 `json:"seq"`               // of the last one
	WaitMS int64  `json:"wait_ms,omitempty"` // how long after the last one it comes, at the earliest
}

// Equal reports whether rows look the same.
func (r *PictureRow) Equal(o *PictureRow) bool {
	return r == o || r.Kind == o.Kind && slices.Equal(r.Pieces, o.Pieces)
}

func (r *PictureRow) empty() bool { return r.Kind == "" && len(r.Pieces) == 0 }

// Size is about how many bytes of JSON a picture is; of nil, it is 0.
func (p *Picture) Size() (n int) {
	if p != nil {
		for _, row := range p.Rows {
			n += row.size()
		}
	}
	return n
}

func (r *PictureRow) size() (n int) {
	for _, piece := range r.Pieces {
		n += 24 + len(piece.Class) + 2*len(piece.Text)
	}
	return n + 2
}

// Bound empties the rows that do not fit MaxPictureBytes.
func (p *Picture) Bound() {
	room := MaxPictureBytes
	for i, row := range p.Rows {
		if room -= row.size(); room < 0 {
			p.Rows[i] = &PictureRow{}
		}
	}
}

// To returns what makes p the picture to, with as few rows as possible. It returns false if they are the same.
func (p *Picture) To(to *Picture) (c PictureChange, changed bool) {
	c = PictureChange{Kind: to.Kind, Cols: to.Cols, Count: len(to.Rows)}
	if p.Kind != to.Kind || p.Cols != to.Cols {
		c.Whole = true
		c.Rows = (&Picture{}).rows(to, 0)
		return c, true
	}
	c.Rows = p.rows(to, 0)
	if len(c.Rows) == 0 && len(p.Rows) == len(to.Rows) {
		return c, false
	}
	for shift := 1; shift < len(p.Rows) && len(c.Rows) > 2; shift++ {
		if rows := p.rows(to, shift); len(rows) < len(c.Rows) {
			c.Rows, c.Shift = rows, shift
		}
	}
	return c, true
}

// rows are those in which the picture differs from p without its first rows.
func (p *Picture) rows(to *Picture, shift int) (out []PlacedRow) {
	for i, row := range to.Rows {
		switch {
		case i+shift < len(p.Rows):
			if p.Rows[i+shift].Equal(row) {
				continue
			}
		case row.empty():
			continue
		}
		out = append(out, PlacedRow{i, *row})
	}
	return out
}

// ErrPicture is wrapped by the errors of Apply.
var ErrPicture = errors.New("bad picture")

// Apply makes p the picture that a change describes. After an error, p is as it was.
func (p *Picture) Apply(c *PictureChange) error {
	switch {
	case c.Count < 0 || c.Count > MaxPictureRows:
		return fmt.Errorf("%w: %d rows, %d are allowed", ErrPicture, c.Count, MaxPictureRows)
	case c.Shift < 0 || !c.Whole && c.Shift > len(p.Rows):
		return fmt.Errorf("%w: %d of its %d rows go", ErrPicture, c.Shift, len(p.Rows))
	case c.Cols < 0 || c.Cols > MaxCols:
		return fmt.Errorf("%w: %d columns", ErrPicture, c.Cols)
	}
	for _, r := range c.Rows {
		if r.At < 0 || r.At >= c.Count {
			return fmt.Errorf("%w: row %d of %d", ErrPicture, r.At, c.Count)
		}
	}
	rows := make([]*PictureRow, c.Count)
	n := 0
	if !c.Whole {
		n = copy(rows, p.Rows[c.Shift:])
	}
	for i := n; i < len(rows); i++ {
		rows[i] = &PictureRow{}
	}
	for _, r := range c.Rows {
		row := r.PictureRow
		rows[r.At] = &row
	}
	*p = Picture{Kind: c.Kind, Cols: c.Cols, Rows: rows}
	return nil
}

// Wait returns how long the next picture waits, in milliseconds, within the bounds.
func (s PictureSeen) Wait() int64 { return max(MinGlanceWait, min(s.WaitMS, MaxGlanceWait)) }
