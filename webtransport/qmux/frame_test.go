package qmux

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"
)

// moqHello is the first message of @moq/qmux 0.3.3 with its defaults.
const moqHello = "ff5153300d0a0d0a37010480007530040480100000050480040000060480040000070480040000080240640902406420027ffec571c59429cd0845027ffe1d00"

var moqParams = params{
	maxIdleTimeout: 30000, maxData: 1 << 20, bidiLocalWindow: 1 << 18, bidiRemoteWindow: 1 << 18, uniWindow: 1 << 18,
	maxStreamsBidi: 100, maxStreamsUni: 100, maxDatagramFrame: MinRecord, maxRecord: MinRecord, resetStreamAt: true,
}

func TestParamsByteForByte(t *testing.T) {
	if got := hex.EncodeToString(moqParams.frame().append(nil)); got != moqHello {
		t.Errorf("encoded\n%s, want\n%s", got, moqHello)
	}
	b, _ := hex.DecodeString(moqHello)
	f, rest, err := parseFrame(b)
	if err != nil || len(rest) > 0 || f.typ != typeParams {
		t.Fatalf("%#x, %d bytes left, %v", f.typ, len(rest), err)
	}
	if got, err := parseParams(f.data); err != nil || got != moqParams {
		t.Errorf("parsed %+v, %v", got, err)
	}
}

func TestParamsRefused(t *testing.T) {
	integer := func(id, v uint64) []byte {
		b := appendVarint(nil, id)
		return appendVarint(appendVarint(b, uint64(varintLen(v))), v)
	}
	for name, b := range map[string][]byte{
		"id cut short":           {0x40},
		"value cut short":        {0x01, 0x02, 0x40},
		"value not an integer":   {0x01, 0x00},
		"value with a tail":      {0x01, 0x02, 0x01, 0x01},
		"twice":                  slices.Concat(integer(1, 5), integer(1, 5)),
		"reset_stream_at valued": {0x1d, 0x01, 0x00},
		"connection id":          {0x00, 0x00},
		"ack delay exponent":     integer(0x0a, 3),
		"retry source id":        {0x10, 0x00},
		"record too small":       integer(paramMaxRecord, MinRecord-1),
		"too many streams":       integer(0x08, maxStreamCount+1),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseParams(b)
			var fault *TransportError
			if !errors.As(err, &fault) || fault.Code != TransportParameterError {
				t.Errorf("%v", err)
			}
		})
	}
	unknown := slices.Concat(integer(0x1234, 7), integer(0x1234, 8), integer(0x04, 9))
	if p, err := parseParams(unknown); err != nil || p.maxData != 9 || p.maxRecord != MinRecord {
		t.Errorf("unknown parameters: %+v, %v", p, err)
	}
}

func TestVarint(t *testing.T) {
	// The examples of RFC 9000, appendix A.1, and the edges.
	for text, want := range map[string]uint64{
		"c2197c5eff14e88c": 151288809941952652, "9d7f3e7d": 494878333, "7bbd": 15293, "25": 37, "4025": 37,
		"3f": 63, "4040": 64, "7fff": 16383, "80004000": 16384, "bfffffff": 1<<30 - 1, "c000000040000000": 1 << 30,
		"ffffffffffffffff": maxVarint,
	} {
		b, _ := hex.DecodeString(text)
		v, rest, ok := parseVarint(append(b, 0xaa))
		if !ok || v != want || !bytes.Equal(rest, []byte{0xaa}) {
			t.Errorf("%s: %d, %x, %v", text, v, rest, ok)
		}
		if text != "4025" && !bytes.Equal(appendVarint(nil, want), b) {
			t.Errorf("%d: %x, want %s", want, appendVarint(nil, want), text)
		}
		for n := range b {
			if _, _, ok := parseVarint(b[:n]); ok {
				t.Errorf("%x: taken though cut short", b[:n])
			}
		}
	}
}

// frames has one of each type, with the bytes that the RFCs give it.
var frames = map[string]struct {
	frame frame
	wire  string
}{
	"PADDING":                 {frame{typ: 0}, "00"},
	"RESET_STREAM":            {frame{typ: 0x04, id: 4, code: 0x1234, value: 100}, "0404" + "5234" + "4064"},
	"STOP_SENDING":            {frame{typ: 0x05, id: 5, code: 7}, "050507"},
	"STREAM to the end":       {frame{typ: 0x08, id: 8, data: []byte("ab")}, "08086162"},
	"STREAM to the end, FIN":  {frame{typ: 0x09, id: 8}, "0908"},
	"STREAM length":           {frame{typ: 0x0a, id: 8, data: []byte("ab")}, "0a08026162"},
	"STREAM offset":           {frame{typ: 0x0c, id: 8, value: 64, data: []byte("ab")}, "0c0840406162"},
	"STREAM offset, length":   {frame{typ: 0x0e, id: 8, value: 64, data: []byte("ab")}, "0e084040026162"},
	"STREAM the same, FIN":    {frame{typ: 0x0f, id: 8, value: 64, data: []byte("ab")}, "0f084040026162"},
	"MAX_DATA":                {frame{typ: 0x10, value: 1 << 20}, "1080100000"},
	"MAX_STREAM_DATA":         {frame{typ: 0x11, id: 4, value: 9}, "110409"},
	"MAX_STREAMS bidi":        {frame{typ: 0x12, value: 9}, "1209"},
	"MAX_STREAMS uni":         {frame{typ: 0x13, value: 9}, "1309"},
	"DATA_BLOCKED":            {frame{typ: 0x14, value: 9}, "1409"},
	"STREAM_DATA_BLOCKED":     {frame{typ: 0x15, id: 4, value: 9}, "150409"},
	"STREAMS_BLOCKED bidi":    {frame{typ: 0x16, value: 9}, "1609"},
	"STREAMS_BLOCKED uni":     {frame{typ: 0x17, value: 9}, "1709"},
	"CONNECTION_CLOSE":        {frame{typ: 0x1c, code: 0x0a, value: 0x08, data: []byte("no")}, "1c0a08026e6f"},
	"APPLICATION_CLOSE":       {frame{typ: 0x1d, code: 4001, data: []byte("bye")}, "1d4fa103627965"},
	"RESET_STREAM_AT":         {frame{typ: 0x24, id: 4, code: 1, value: 9, reliable: 8}, "2404010908"},
	"DATAGRAM to the end":     {frame{typ: 0x30, data: []byte("d")}, "3064"},
	"DATAGRAM length":         {frame{typ: 0x31, data: []byte("d")}, "310164"},
	"QX_PING":                 {frame{typ: typePing, value: 3}, "f48c67529ef8c7bd03"},
	"QX_PING answer":          {frame{typ: typePong, value: 3}, "f48c67529ef8c7be03"},
	"QX_TRANSPORT_PARAMETERS": {frame{typ: typeParams, data: []byte{1, 1, 5}}, "ff5153300d0a0d0a03010105"},
}

func TestFrames(t *testing.T) {
	for name, test := range frames {
		t.Run(name, func(t *testing.T) {
			if got := hex.EncodeToString(test.frame.append(nil)); got != test.wire {
				t.Errorf("encoded %s, want %s", got, test.wire)
			}
			b, _ := hex.DecodeString(test.wire)
			got, rest, err := parseFrame(b)
			if err != nil || len(rest) > 0 || !same(got, test.frame) {
				t.Errorf("parsed %+v, %d bytes left, %v", got, len(rest), err)
			}
		})
	}
}

func same(a, b frame) bool {
	data := bytes.Equal(a.data, b.data)
	a.data, b.data = nil, nil
	return data && reflect.DeepEqual(a, b)
}

func TestFramesRefused(t *testing.T) {
	big := math.MaxInt64 >> 1 // the largest varint
	for name, b := range map[string][]byte{
		"PING of QUIC":                 {0x01},
		"ACK":                          {0x02, 0, 0, 0, 0},
		"CRYPTO":                       {0x06, 0, 0},
		"NEW_TOKEN":                    {0x07, 1, 0},
		"HANDSHAKE_DONE":               {0x1e},
		"unknown":                      {0x40, 0xff},
		"type cut short":               {0xff, 0x51},
		"id cut short":                 {0x04},
		"data cut short":               {0x0a, 0x00, 0x05, 1, 2},
		"reason longer than a record":  {0x1d, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"offset out of range":          (&frame{typ: 0x0e, value: uint64(big), data: []byte{1}}).append(nil),
		"stream limit out of range":    (&frame{typ: typeMaxStreamsBidi, value: maxStreamCount + 1}).append(nil),
		"reliable size beyond the end": (&frame{typ: typeResetStreamAt, value: 1, reliable: 2}).append(nil),
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := parseFrame(b)
			var fault *TransportError
			if !errors.As(err, &fault) || fault.Code != FrameEncodingError {
				t.Errorf("%v", err)
			}
		})
	}
}

// FuzzFrame holds that what parses is written back to what parses the same, without allocating more than an error.
func FuzzFrame(f *testing.F) {
	for _, test := range frames {
		f.Add(test.frame.append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		parsed, rest, err := parseFrame(b)
		if err != nil {
			return
		}
		if len(rest) >= len(b) {
			t.Fatal("no progress")
		}
		again := parsed.append(nil)
		if len(again) > len(b)-len(rest) {
			t.Fatalf("%x became longer: %x", b[:len(b)-len(rest)], again)
		}
		second, tail, err := parseFrame(again)
		if err != nil || len(tail) > 0 || !same(parsed, second) {
			t.Fatalf("%+v became %+v, %d bytes left, %v", parsed, second, len(tail), err)
		}
		if parsed.typ == typeParams {
			fuzzParams(t, parsed.data)
		}
	})
}

func fuzzParams(t *testing.T, b []byte) {
	p, err := parseParams(b)
	if err != nil {
		return
	}
	if again, err := parseParams(p.append(nil)); err != nil || again != p {
		t.Fatalf("%+v became %+v, %v", p, again, err)
	}
}

func TestParsingAllocatesNothing(t *testing.T) {
	b := (&frame{typ: 0x0e, id: 4, data: make([]byte, 1000)}).append(nil)
	if n := testing.AllocsPerRun(100, func() { parseFrame(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
