package qmux

import (
	"encoding/binary"
	"math/bits"
)

// maxVarint is the largest integer that a varint holds.
const maxVarint = 1<<62 - 1

// varintLen returns the number of bytes that v takes: 1, 2, 4 or 8.
func varintLen(v uint64) int {
	switch n := bits.Len64(v); {
	case n <= 6:
		return 1
	case n <= 14:
		return 2
	case n <= 30:
		return 4
	}
	return 8
}

// appendVarint appends v in its shortest form. v must be at most maxVarint.
func appendVarint(b []byte, v uint64) []byte {
	switch varintLen(v) {
	case 1:
		return append(b, byte(v))
	case 2:
		return binary.BigEndian.AppendUint16(b, uint16(v)|1<<14)
	case 4:
		return binary.BigEndian.AppendUint32(b, uint32(v)|2<<30)
	}
	return binary.BigEndian.AppendUint64(b, v|3<<62)
}

// parseVarint parses a varint of any length, whether it is the shortest one or not. ok is false if b ends within it.
func parseVarint(b []byte) (v uint64, rest []byte, ok bool) {
	if len(b) == 0 {
		return 0, b, false
	}
	n := 1 << (b[0] >> 6)
	if len(b) < n {
		return 0, b, false
	}
	v = uint64(b[0] & 0x3f)
	for _, c := range b[1:n] {
		v = v<<8 | uint64(c)
	}
	return v, b[n:], true
}
