package wire

import "fmt"

// Size is the size of a terminal, in cells of one character.
type Size struct {
	Cols uint16 `json:"cols"`
	Rows uint16 `json:"rows"`
}

// Sizes of terminals.
const (
	MaxCols, MaxRows = 1000, 500
)

// DefaultSize is that of a terminal whose viewers have not said theirs.
var DefaultSize = Size{Cols: 80, Rows: 24}

// Valid reports whether a terminal can have this size.
func (s Size) Valid() bool { return s.Cols > 0 && s.Cols <= MaxCols && s.Rows > 0 && s.Rows <= MaxRows }

func (s Size) String() string { return fmt.Sprintf("%d×%d", s.Cols, s.Rows) }
