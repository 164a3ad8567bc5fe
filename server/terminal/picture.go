package terminal

import "skein.dev/skein/webtransport/wire"

// Picture returns what the terminal shows, of at most so many rows and columns, unless the version of its screen is still the one that is
// given. The last rows that are written are shown.
func (t *Terminal) Picture(rows, cols int, version uint64) (p wire.Picture, now uint64, changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now = t.screen.Version()
	if now == version {
		return p, now, false
	}
	width, _ := t.screen.Size()
	p = wire.Picture{Kind: wire.PictureScreen, Cols: min(width, cols)}
	for _, pieces := range t.screen.Pieces(rows, cols) {
		row := &wire.PictureRow{}
		for _, piece := range pieces {
			row.Pieces = append(row.Pieces, wire.Piece(piece))
		}
		p.Rows = append(p.Rows, row)
	}
	return p, now, true
}
