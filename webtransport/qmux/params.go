package qmux

import "time"

// params are the transport parameters (RFC 9000, section 18; RFC 9221, section 3; draft-ietf-quic-qmux, section 5).
// "Local" and "remote" are seen from the side that sends them.
type params struct {
	maxIdleTimeout                uint64 // milliseconds; 0: none
	maxData                       uint64
	bidiLocalWindow               uint64 // of streams that the sender opens
	bidiRemoteWindow              uint64 // of streams that the receiver opens
	uniWindow                     uint64
	maxStreamsBidi, maxStreamsUni uint64
	maxDatagramFrame, maxRecord   uint64 // bytes; of a datagram with its header, 0: none is accepted
	resetStreamAt                 bool   // RESET_STREAM_AT is accepted
}

const (
	paramMaxRecord     = 0x0571c59429cd0845
	paramResetStreamAt = 0x1d
)

type integerParam struct {
	id    uint64
	value *uint64
}

// integers returns the parameters that are a single varint, in the order in which they are sent.
func (p *params) integers() [9]integerParam {
	return [9]integerParam{
		{0x01, &p.maxIdleTimeout}, {0x04, &p.maxData}, {0x05, &p.bidiLocalWindow}, {0x06, &p.bidiRemoteWindow},
		{0x07, &p.uniWindow}, {0x08, &p.maxStreamsBidi}, {0x09, &p.maxStreamsUni}, {0x20, &p.maxDatagramFrame},
		{paramMaxRecord, &p.maxRecord},
	}
}

// append appends the parameters. Zero values are the defaults and are left out.
func (p *params) append(b []byte) []byte {
	for _, i := range p.integers() {
		if *i.value != 0 {
			b = appendVarint(b, i.id)
			b = appendVarint(b, uint64(varintLen(*i.value)))
			b = appendVarint(b, *i.value)
		}
	}
	if p.resetStreamAt {
		b = append(b, paramResetStreamAt, 0)
	}
	return b
}

// frame returns the frame that starts a session.
func (p *params) frame() *frame { return &frame{typ: typeParams, data: p.append(nil)} }

func parseParams(b []byte) (p params, err error) {
	p.maxRecord = MinRecord
	seen := make(map[uint64]bool, 10)
	for len(b) > 0 {
		var id, n uint64
		ok := true
		if id, b, ok = parseVarint(b); ok {
			n, b, ok = parseVarint(b)
		}
		if !ok || n > uint64(len(b)) {
			return p, badParam("the parameters are cut short")
		}
		if err := p.set(id, b[:n], seen); err != nil {
			return p, err
		}
		b = b[n:]
	}
	return p, p.check()
}

// set handles one parameter. Unknown parameters are ignored and may repeat. Known ones are recorded in seen.
func (p *params) set(id uint64, value []byte, seen map[uint64]bool) error {
	if forbiddenParam(id) {
		return badParam("parameter %#x does not belong to QMux", id)
	}
	field := p.field(id)
	if field == nil && id != paramResetStreamAt {
		return nil
	}
	if seen[id] {
		return badParam("parameter %#x comes twice", id)
	}
	seen[id] = true
	if field == nil {
		p.resetStreamAt = true
		if len(value) > 0 {
			return badParam("reset_stream_at has a value")
		}
		return nil
	}
	v, rest, ok := parseVarint(value)
	if !ok || len(rest) > 0 {
		return badParam("parameter %#x is no integer", id)
	}
	*field = v
	return nil
}

func (p *params) field(id uint64) *uint64 {
	for _, i := range p.integers() {
		if i.id == id {
			return i.value
		}
	}
	return nil
}

// forbiddenParam reports the parameters of RFC 9000 that make sense only with packets (draft, section 5.1).
func forbiddenParam(id uint64) bool {
	return id == 0x00 || id == 0x02 || id == 0x03 || 0x0a <= id && id <= 0x10
}

func (p *params) check() error {
	if p.maxRecord < MinRecord {
		return badParam("max_record_size %d is below %d", p.maxRecord, MinRecord)
	}
	if max(p.maxStreamsBidi, p.maxStreamsUni) > maxStreamCount {
		return badParam("a limit of streams is out of range")
	}
	return nil
}

func badParam(format string, args ...any) error {
	return fault(TransportParameterError, typeParams, format, args...)
}

// params returns what this side declares. It accepts no unidirectional streams, so it gives no credit for them.
func (c Config) params() params {
	return params{
		maxIdleTimeout:   uint64(c.IdleTimeout / time.Millisecond),
		maxData:          c.ConnWindow,
		bidiLocalWindow:  c.StreamWindow,
		bidiRemoteWindow: c.StreamWindow,
		maxStreamsBidi:   c.MaxStreams,
		maxDatagramFrame: uint64(c.MaxDatagram),
		maxRecord:        uint64(c.MaxRecord),
		resetStreamAt:    c.Version == Draft02,
	}
}
