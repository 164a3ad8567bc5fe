package vt

// modes are the modes of a terminal (xterm's ctlseqs, "DEC Private Mode Set").
type modes struct {
	insert  bool // ANSI 4, IRM
	newline bool // ANSI 20, LNM

	cursorKeys bool // 1, DECCKM
	inverse    bool // 5, DECSCNM
	origin     bool // 6, DECOM
	wrap       bool // 7, DECAWM
	blinks     bool // 12: the cursor
	hidden     bool // 25, DECTCEM: the cursor; the mode is its opposite
	keypad     bool // 66, DECNKM
	mouse      int  // 9, 1000, 1002 or 1003: which events of the mouse are reported; 0: none
	focus      bool // 1004
	encoding   int  // 1006 or 1016: how those of the mouse are; 0: in the oldest way
	paste      bool // 2004: what is pasted is marked
	sync       bool // 2026: what is written shows when the mode ends

	kitty [2]kitty // of the primary and the alternate screen
}

var defaultModes = modes{wrap: true}

// flags are the modes that are on or off and have no other effect.
func (m *modes) flag(n int) *bool {
	switch n {
	case 1:
		return &m.cursorKeys
	case 5:
		return &m.inverse
	case 7:
		return &m.wrap
	case 12:
		return &m.blinks
	case 66:
		return &m.keypad
	case 1004:
		return &m.focus
	case 2004:
		return &m.paste
	case 2026:
		return &m.sync
	}
	return nil
}

func when(on bool, n int) int {
	if on {
		return n
	}
	return 0
}

// kitty is the keyboard mode of one screen (the kitty keyboard protocol). Its flags are bits; the stack has those that were pushed away.
type kitty struct {
	flags int
	stack []int
}

// kittyFlags are the flags that viewers can do: to disambiguate escape codes (static/app/terminal/keyboard.js).
const kittyFlags = 1

// initial returns a mode as it is after a reset.
func initial(n int) bool {
	m := defaultModes
	return *m.flag(n)
}
