package qmux

import "bytes"

// Frame types (draft-ietf-quic-qmux, sections 4 and 13; RFC 9000, section 19; RFC 9221, section 4).
const (
	typePadding           = 0x00
	typeResetStream       = 0x04
	typeStopSending       = 0x05
	typeStream            = 0x08 // to 0x0f
	typeMaxData           = 0x10
	typeMaxStreamData     = 0x11
	typeMaxStreamsBidi    = 0x12
	typeMaxStreamsUni     = 0x13
	typeDataBlocked       = 0x14
	typeStreamDataBlocked = 0x15
	typeStreamsBlockedBi  = 0x16
	typeStreamsBlockedUni = 0x17
	typeConnectionClose   = 0x1c
	typeApplicationClose  = 0x1d
	typeResetStreamAt     = 0x24
	typeDatagram          = 0x30
	typeDatagramLen       = 0x31
	typePing              = 0x348c67529ef8c7bd
	typePong              = 0x348c67529ef8c7be
	typeParams            = 0x3f5153300d0a0d0a
)

// The bits of a STREAM frame's type.
const (
	streamFin = 0x01
	streamLen = 0x02
	streamOff = 0x04
)

// frame is a frame of any type. The type says which fields it has; the others are zero.
type frame struct {
	typ      uint64
	id       uint64 // of a stream
	code     uint64 // an error code
	value    uint64 // an offset, final size, limit, sequence number, or the type of the offending frame
	reliable uint64 // RESET_STREAM_AT: bytes that are delivered in spite of the reset
	data     []byte // a payload or a reason; in a parsed frame it aliases the record
}

// A frame's layout names its fields in order: i(d), c(ode), v(alue), r(eliable), d(ata after its length), and e, data
// to the end of the record.
var layouts = map[uint64]string{
	typeResetStream: "icv", typeStopSending: "ic", typeResetStreamAt: "icvr",
	typeMaxData: "v", typeMaxStreamData: "iv", typeMaxStreamsBidi: "v", typeMaxStreamsUni: "v",
	typeDataBlocked: "v", typeStreamDataBlocked: "iv", typeStreamsBlockedBi: "v", typeStreamsBlockedUni: "v",
	typeConnectionClose: "cvd", typeApplicationClose: "cd",
	typeDatagram: "e", typeDatagramLen: "d",
	typePing: "v", typePong: "v", typeParams: "d",
}

func layout(typ uint64) (string, bool) {
	if typ == typePadding {
		return "", true
	}
	if typ&^7 == typeStream {
		return [...]string{"ie", "id", "ive", "ivd"}[typ>>1&3], true
	}
	l, ok := layouts[typ]
	return l, ok
}

// append appends the frame in its shortest form.
func (f *frame) append(b []byte) []byte {
	b = appendVarint(b, f.typ)
	fields, _ := layout(f.typ)
	for _, field := range fields {
		switch field {
		case 'd':
			b = append(appendVarint(b, uint64(len(f.data))), f.data...)
		case 'e':
			b = append(b, f.data...)
		default:
			b = appendVarint(b, *f.integer(field))
		}
	}
	return b
}

func (f *frame) integer(field rune) *uint64 {
	switch field {
	case 'i':
		return &f.id
	case 'c':
		return &f.code
	case 'r':
		return &f.reliable
	}
	return &f.value
}

// parseFrame parses the first frame of a record. It does not allocate.
func parseFrame(b []byte) (f frame, rest []byte, err error) {
	typ, rest, ok := parseVarint(b)
	if !ok {
		return f, b, fault(FrameEncodingError, 0, "a record ends within a frame's type")
	}
	fields, known := layout(typ)
	if !known {
		return f, b, fault(FrameEncodingError, typ, "frame type %#x is unknown or forbidden", typ)
	}
	f.typ = typ
	for _, field := range fields {
		if rest, ok = f.parseField(field, rest); !ok {
			return f, b, fault(FrameEncodingError, typ, "a record ends within a frame of type %#x", typ)
		}
	}
	return f, rest, f.check()
}

func (f *frame) parseField(field rune, b []byte) (rest []byte, ok bool) {
	switch field {
	case 'e':
		f.data = b
		return nil, true
	case 'd':
		n, rest, ok := parseVarint(b)
		if !ok || n > uint64(len(rest)) {
			return b, false
		}
		f.data = rest[:n:n]
		return rest[n:], true
	}
	*f.integer(field), b, ok = parseVarint(b)
	return b, ok
}

// maxStreamCount bounds a number of streams. The ids of more streams would not fit into varints (RFC 9000, section
// 19.11).
const maxStreamCount = 1 << 60

// check returns an error for values that frames of a type must not have.
func (f *frame) check() error {
	switch f.typ {
	case typeMaxStreamsBidi, typeMaxStreamsUni, typeStreamsBlockedBi, typeStreamsBlockedUni:
		if f.value > maxStreamCount {
			return fault(FrameEncodingError, f.typ, "a limit of %d streams is out of range", f.value)
		}
	case typeResetStreamAt:
		if f.reliable > f.value {
			return fault(FrameEncodingError, f.typ, "reliable size %d exceeds final size %d", f.reliable, f.value)
		}
	default:
		if f.isStream() && f.value+uint64(len(f.data)) > maxVarint {
			return fault(FrameEncodingError, f.typ, "a stream's offset is out of range")
		}
	}
	return nil
}

func (f *frame) isStream() bool { return f.typ&^7 == typeStream }

// appendStreamHeader appends a STREAM frame with offset and length, up to its data.
func appendStreamHeader(b []byte, id, offset uint64, n int, fin bool) []byte {
	typ := byte(typeStream | streamOff | streamLen)
	if fin {
		typ |= streamFin
	}
	b = append(b, typ)
	b = appendVarint(b, id)
	b = appendVarint(b, offset)
	return appendVarint(b, uint64(n))
}

// retain returns bytes of a record that can be kept after it was handled. It copies them unless they are the larger part
// of the record, because otherwise a few bytes that nobody reads would hold the memory of the whole record.
func retain(data []byte, size int) []byte {
	if 2*len(data) > size {
		return data[:len(data):len(data)]
	}
	return bytes.Clone(data)
}
