package qmux

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
)

func TestViolations(t *testing.T) {
	params := moqParams.frame()
	small := Config{StreamWindow: 10, ConnWindow: 15, MaxStreams: 3}
	for name, test := range map[string]struct {
		code   TransportCode
		cfg    Config
		first  []*frame // nil: the parameters
		frames []*frame // in a record of their own
	}{
		"parameters not first":     {code: ProtocolViolation, first: []*frame{data(0, 0, "a"), params}},
		"parameters not first, 01": {code: ProtocolViolation, cfg: Config{Version: Draft01}, first: []*frame{{typ: typePing}, params}},
		"parameters twice":         {code: ProtocolViolation, frames: []*frame{params}},
		"bad parameters":           {code: TransportParameterError, first: []*frame{{typ: typeParams, data: []byte{0, 0}}}},
		"stream gap":               {code: ProtocolViolation, frames: []*frame{data(0, 0, "ab"), data(0, 3, "c")}},
		"stream overlap":           {code: ProtocolViolation, frames: []*frame{data(0, 0, "ab"), data(0, 1, "b")}},
		"stream starts late":       {code: ProtocolViolation, frames: []*frame{data(0, 1, "b")}},
		"stream credit":            {code: FlowControlError, cfg: small, frames: []*frame{data(0, 0, "12345678901")}},
		"connection credit":        {code: FlowControlError, cfg: small, frames: []*frame{data(0, 0, "12345678"), data(4, 0, "12345678")}},
		"stream credit by reset":   {code: FlowControlError, cfg: small, frames: []*frame{{typ: typeResetStream, value: 11}}},
		"connection by reset":      {code: FlowControlError, cfg: small, frames: []*frame{data(0, 0, "12345678"), {typ: typeResetStream, id: 4, value: 8}}},
		"stream limit":             {code: StreamLimitError, cfg: small, frames: []*frame{data(12, 0, "a")}},
		"stream limit by stop":     {code: StreamLimitError, cfg: small, frames: []*frame{{typ: typeStopSending, id: 12}}},
		"unidirectional":           {code: StreamLimitError, frames: []*frame{data(2, 0, "a")}},
		"our stream, not open":     {code: StreamStateError, frames: []*frame{data(1, 0, "a")}},
		"our stream, stopped":      {code: StreamStateError, frames: []*frame{{typ: typeStopSending, id: 1}}},
		"our stream, credit":       {code: StreamStateError, frames: []*frame{{typ: typeMaxStreamData, id: 5, value: 1}}},
		"our unidirectional":       {code: StreamStateError, frames: []*frame{{typ: typeMaxStreamData, id: 3, value: 1}}},
		"data after FIN":           {code: FinalSizeError, frames: []*frame{fin(0, 0, "a"), data(0, 1, "b")}},
		"another FIN":              {code: FinalSizeError, frames: []*frame{fin(0, 0, "ab"), fin(0, 1, "")}},
		"FIN, then a larger reset": {code: FinalSizeError, frames: []*frame{fin(0, 0, "ab"), {typ: typeResetStream, value: 3}}},
		"reset grows": {code: FinalSizeError, frames: []*frame{{typ: typeResetStreamAt, value: 3, reliable: 3},
			{typ: typeResetStream, value: 4}}},
		"RESET_STREAM_AT in 01":  {code: ProtocolViolation, cfg: Config{Version: Draft01}, frames: []*frame{{typ: typeResetStreamAt}}},
		"datagram not allowed":   {code: ProtocolViolation, cfg: Config{MaxDatagram: -1}, frames: []*frame{{typ: typeDatagram}}},
		"datagram too large":     {code: ProtocolViolation, cfg: Config{MaxDatagram: 10}, frames: []*frame{{typ: typeDatagramLen, data: make([]byte, 9)}}},
		"datagram too large, 30": {code: ProtocolViolation, cfg: Config{MaxDatagram: 10}, frames: []*frame{{typ: typeDatagram, data: make([]byte, 10)}}},
		"ping goes back":         {code: ProtocolViolation, frames: []*frame{{typ: typePing, value: 5}, {typ: typePing, value: 5}}},
		"answer to no ping":      {code: ProtocolViolation, frames: []*frame{{typ: typePong, value: 1 << 20}}},
		"record too large":       {code: FrameEncodingError, frames: []*frame{data(0, 0, string(make([]byte, MinRecord)))}},
	} {
		t.Run(name, func(t *testing.T) {
			p, s := silent(t, test.cfg)
			if test.first == nil {
				test.first = []*frame{params}
			}
			p.send(test.first...)
			p.conn.(*pipeEnd).WriteMessage(t.Context(), appendAll(test.frames)) // the first may have ended it
			if f := p.next(typeConnectionClose); TransportCode(f.code) != test.code {
				t.Errorf("the peer is told %v (%s), want %v", TransportCode(f.code), f.data, test.code)
			}
			var fault *TransportError
			<-s.Context().Done()
			if err := context.Cause(s.Context()); !errors.As(err, &fault) || fault.Code != test.code || fault.Remote {
				t.Errorf("the session ended with %v, want %v", err, test.code)
			}
		})
	}
}

func appendAll(frames []*frame) (b []byte) {
	for _, f := range frames {
		b = f.append(b)
	}
	return b
}

func TestUnknownFrame(t *testing.T) {
	p, _ := against(t, Config{})
	p.sendBytes([]byte{0x01})
	if f := p.next(typeConnectionClose); TransportCode(f.code) != FrameEncodingError || f.value != 0x01 {
		t.Errorf("%+v", f)
	}
}

func TestRemoteFault(t *testing.T) {
	p, s := against(t, Config{})
	p.send(&frame{typ: typeConnectionClose, code: 0x05, value: 0x08, data: []byte("what?")})
	<-s.Context().Done()
	var fault *TransportError
	if err := context.Cause(s.Context()); !errors.As(err, &fault) ||
		*fault != (TransportError{Code: StreamStateError, Frame: 8, Reason: "what?", Remote: true}) {
		t.Errorf("%v", err)
	}
}

// Frames that a peer may send about streams that are over, or that ask for nothing.
func TestTolerated(t *testing.T) {
	p, s := against(t, Config{})
	p.send(fin(0, 0, "a"))
	st := must(s.AcceptStream(t.Context()))(t)
	readN(t, st, 1)
	st.Close()
	if f := p.next(0x0f); f.id != 0 {
		t.Fatalf("%+v", f)
	}
	p.send(data(0, 1, "late"), &frame{typ: typeResetStream, value: 1}, &frame{typ: typeStopSending},
		&frame{typ: typeMaxStreamData, value: 1 << 40}, &frame{typ: typeStreamDataBlocked},
		&frame{typ: typePadding}, &frame{typ: typePadding}, &frame{typ: typeDataBlocked, value: 9},
		&frame{typ: typeStreamsBlockedBi, value: 9}, &frame{typ: typeStreamsBlockedUni, value: 9},
		&frame{typ: typeMaxStreamsUni, value: 9}, &frame{typ: typeMaxData, value: 1})
	p.sendBytes(nil)
	p.send(&frame{typ: typePing, value: 7})
	if f := p.next(typePong, typeConnectionClose); f.typ != typePong || f.value != 7 {
		t.Errorf("%+v: %s", f, f.data)
	}
}

// A stream opens those below it, but they are accepted when they send.
func TestStreamsOutOfOrder(t *testing.T) {
	p, s := against(t, Config{MaxStreams: 3})
	for _, id := range []uint64{8, 0, 4} {
		p.send(fin(id, 0, "x"))
		st := must(s.AcceptStream(t.Context()))(t)
		if st.ID() != id {
			t.Errorf("stream %d came, want %d", st.ID(), id)
		}
		readN(t, st, 1)
		st.Close()
	}
	// All three are over: the peer may open more than half of three again.
	for f := p.next(typeMaxStreamsBidi); f.value < 5; {
		f = p.next(typeMaxStreamsBidi)
	}
}

// Of many pings that wait to be answered, the latest is: a peer cannot make answers pile up.
func TestPingFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := against(t, Config{})
		for i := range uint64(10000) {
			p.send(&frame{typ: typePing, value: i})
		}
		synctest.Wait()
		if sent := s.Stats().BytesSent; sent > 1000 {
			t.Errorf("%d bytes were sent", sent)
		}
		for f := p.next(typePong); f.value != 9999; {
			f = p.next(typePong)
		}
	})
}

// A peer that opens, resets and stops streams cannot fill the queue of those to accept.
func TestRapidReset(t *testing.T) {
	p, _ := against(t, Config{MaxStreams: 10})
	for i := range uint64(11) {
		p.send(data(4*i, 0, "x"), &frame{typ: typeResetStream, id: 4 * i, value: 1}, &frame{typ: typeStopSending, id: 4 * i})
	}
	if f := p.next(typeConnectionClose); TransportCode(f.code) != StreamLimitError {
		t.Errorf("%v", TransportCode(f.code))
	}
}

func TestResetReturnsCredit(t *testing.T) {
	p, s := against(t, Config{StreamWindow: 100, ConnWindow: 100})
	for i := range uint64(20) {
		id := 4 * i
		switch i % 3 {
		case 0: // the tail never comes
			p.send(data(id, 0, "12345"), &frame{typ: typeResetStream, id: id, code: 9, value: 100})
		case 1: // the final size is below what came
			p.send(data(id, 0, string(make([]byte, 100))), &frame{typ: typeResetStream, id: id, code: 9, value: 0})
		case 2: // data follow the reset
			p.send(&frame{typ: typeResetStream, id: id, code: 9, value: 0}, data(id, 0, string(make([]byte, 100))))
		}
		st := must(s.AcceptStream(t.Context()))(t)
		if err := read(st); !errors.Is(err, &StreamError{9, true}) {
			t.Errorf("Read: %v", err)
		}
		st.Close()
		for f := p.next(typeMaxData); f.value != 100*(i+2); {
			f = p.next(typeMaxData)
		}
	}
}

func TestResetStreamAt(t *testing.T) {
	for name, test := range map[string]struct {
		frames []*frame
		want   string
	}{
		"all has come":          {[]*frame{data(0, 0, "abcdef"), {typ: typeResetStreamAt, code: 9, value: 6, reliable: 4}}, "abcd"},
		"some is still to come": {[]*frame{data(0, 0, "ab"), {typ: typeResetStreamAt, code: 9, value: 6, reliable: 4}, data(0, 2, "cdef")}, "abcd"},
		"in pieces": {[]*frame{{typ: typeResetStreamAt, code: 9, value: 6, reliable: 4}, data(0, 0, "a"), data(0, 1, "bc"),
			data(0, 3, "d")}, "abcd"},
		"lowered": {[]*frame{data(0, 0, "abcdef"), {typ: typeResetStreamAt, code: 9, value: 6, reliable: 4},
			{typ: typeResetStreamAt, code: 9, value: 6, reliable: 2}}, "ab"},
		"not raised": {[]*frame{data(0, 0, "abcdef"), {typ: typeResetStreamAt, code: 9, value: 6, reliable: 2},
			{typ: typeResetStreamAt, code: 9, value: 6, reliable: 4}}, "ab"},
		"reset after all": {[]*frame{data(0, 0, "abcdef"), {typ: typeResetStreamAt, code: 9, value: 6, reliable: 4},
			{typ: typeResetStream, code: 9, value: 6}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, s := against(t, Config{StreamWindow: 8, ConnWindow: 8})
			p.send(test.frames...)
			st := must(s.AcceptStream(t.Context()))(t)
			got, err := io.ReadAll(st)
			if string(got) != test.want || !errors.Is(err, &StreamError{9, true}) {
				t.Errorf("%q, %v; want %q", got, err, test.want)
			}
			if f := p.next(typeMaxData); f.value < 8+4 || f.value > 8+6 {
				t.Errorf("the connection's limit is %d", f.value)
			}
			st.Close()
			p.next(0x0f)
			if n := s.Stats().Streams; n != 0 {
				t.Errorf("%d streams are left", n)
			}
		})
	}
}

// CancelRead before the bytes promised by RESET_STREAM_AT have come: they count once.
func TestCancelReadBeforeReliableBytes(t *testing.T) {
	p, s := against(t, Config{StreamWindow: 8, ConnWindow: 8})
	p.send(data(0, 0, "ab"), &frame{typ: typeResetStreamAt, code: 9, value: 8, reliable: 6})
	st := must(s.AcceptStream(t.Context()))(t)
	st.CancelRead(3)
	p.send(data(0, 2, "cdef"))
	for f := p.next(typeMaxData); f.value != 16; {
		f = p.next(typeMaxData)
	}
	if err := read(st); !errors.Is(err, &StreamError{3, false}) {
		t.Error(err)
	}
}
