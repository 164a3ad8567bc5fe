package wire_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"skein.dev/skein/webtransport/wire"
)

// Each target's seeds are the vectors, so that a vector added is a seed added.

func FuzzParseMessage(f *testing.F) {
	for _, v := range vectors[messageVector](f, "messages.json") {
		if v.Times < 1000 {
			f.Add(v.bytes())
		}
	}
	f.Add([]byte(`{"jsonrpc":"2.0","id":01,"result":1}`)) // JSON's numbers have no leading zero
	f.Add([]byte(`{"jsonrpc":"2.0","id":` + strings.Repeat("1", 1000) + `,"result":1}`))
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"result":1,"result":2}`))
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{}} {}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		m, err := wire.ParseMessage(line)
		if err != nil {
			var we *wire.Error
			if !errors.As(err, &we) || we.Message == "" || we.Data == nil {
				t.Fatalf("an error that can't be sent back: %#v", err)
			}
			return
		}
		var whole wire.Message // read by the library alone
		if err := json.Unmarshal(line, &whole); err != nil || whole.Method != m.Method || !bytes.Equal(whole.Params, m.Params) ||
			!bytes.Equal(whole.Result, m.Result) || !bytes.Equal(whole.ID, m.ID) && string(whole.ID) != "null" {
			t.Fatalf("%q is %+v, and %+v by the library (%v)", line, m, whole, err)
		}
		if len(m.ID) > wire.MaxRequestID {
			t.Fatalf("an id of %d bytes is taken", len(m.ID))
		}
		n := 0
		for _, is := range []bool{m.IsRequest(), m.IsNotification(), m.IsResponse()} {
			if is {
				n++
			}
		}
		if n != 1 {
			t.Fatalf("%q is %d kinds of message", line, n)
		}
		again, err := wire.AppendLine(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(again, '\n') != len(again)-1 {
			t.Fatalf("%q takes more than a line: %q", line, again)
		}
		m2, err := wire.ParseMessage(again)
		if len(again) > wire.MaxMessage { // escaping made it longer
			return
		}
		if err != nil {
			t.Fatalf("%q became %q: %v", line, again, err)
		}
		if !bytes.Equal(m.ID, m2.ID) && !sameJSON(m.ID, m2.ID) || m.Method != m2.Method || m.IsRequest() != m2.IsRequest() {
			t.Fatalf("%q became %q", line, again)
		}
	})
}

func sameJSON(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

func FuzzParseHeader(f *testing.F) {
	for _, v := range vectors[headerVector](f, "headers.json") {
		f.Add(v.bytes())
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		h, err := wire.ParseHeader(line)
		if err != nil {
			if !errors.Is(err, wire.ErrHeader) {
				t.Fatalf("%v is no ErrHeader", err)
			}
			return
		}
		if h.Lane == "" || h.Tail < 0 || h.Lane == wire.LaneAgent && h.Agent == "" {
			t.Fatalf("%q gave %+v", line, h)
		}
		again, err := wire.AppendLine(nil, h)
		if err != nil {
			t.Fatal(err)
		}
		if len(again) > wire.MaxHeader { // escaping made it longer
			return
		}
		if h2, err := wire.ParseHeader(again); err != nil || h2 != h {
			t.Fatalf("%+v became %+v, %v", h, h2, err)
		}
	})
}

// FuzzReader checks the reader against bytes.Cut: the same lines, none longer than the bound, whatever the chunks.
func FuzzReader(f *testing.F) {
	for _, v := range vectors[lineVector](f, "lines.json") {
		b, err := io.ReadAll(v.reader(f))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint16(v.Limit), uint8(len(v.Chunks)))
	}
	f.Fuzz(func(t *testing.T, data []byte, limit uint16, chunk uint8) {
		r := wire.NewReader(&chunks{data: data, size: int(chunk) + 1})
		for rest := data; ; {
			got, err := r.Line(int(limit))
			want, after, found := bytes.Cut(rest, []byte("\n"))
			size := len(want)
			if found {
				size++
			}
			switch {
			case size > int(limit):
				if !errors.Is(err, wire.ErrLineTooLong) {
					t.Fatalf("a line of %d bytes, bound %d: %q, %v", size, limit, got, err)
				}
				return
			case !found && size == 0:
				if err != io.EOF {
					t.Fatalf("at the end: %q, %v", got, err)
				}
				return
			case !found:
				if !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatalf("within a line: %q, %v", got, err)
				}
				return
			case err != nil || !bytes.Equal(got, want):
				t.Fatalf("%q, %v; want %q", got, err, want)
			}
			rest = after
		}
	})
}

// chunks gives data in pieces of size bytes.
type chunks struct {
	data []byte
	size int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.size)], c.data)
	c.data = c.data[n:]
	return n, nil
}

func FuzzStatusDatagram(f *testing.F) {
	for _, v := range vectors[statusVector](f, "status.json") {
		b, err := hex.DecodeString(v.Hex)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := wire.ParseStatusDatagram(b)
		if err != nil {
			if !errors.Is(err, wire.ErrDatagram) {
				t.Fatalf("%v is no ErrDatagram", err)
			}
			return
		}
		if len(d.Records) > wire.MaxStatusRecords { // more than this package would send
			d.Records = d.Records[:wire.MaxStatusRecords]
		}
		again := d.Append(nil)
		if len(again) > wire.MaxStatusDatagram {
			t.Fatalf("%d bytes", len(again))
		}
		d2, err := wire.ParseStatusDatagram(again)
		if err != nil || !reflect.DeepEqual(d, d2) {
			t.Fatalf("%+v became %+v, %v", d, d2, err)
		}
		if b[1] == wire.StatusRecordSize && len(d.Records)*wire.StatusRecordSize+wire.StatusHeaderSize == len(b) && !bytes.Equal(again, b) {
			t.Fatalf("%x became %x", b, again)
		}
	})
}

func FuzzMessageDatagram(f *testing.F) {
	f.Add([]byte("\x02" + `{"jsonrpc":"2.0","id":1,"method":"agent.stop","params":{"ids":["a"]}}`))
	f.Add([]byte("\x03" + `{"jsonrpc":"2.0","id":1,"result":{}}`))
	f.Add([]byte("\x03" + `{"jsonrpc":"2.0","id":"x","error":{"code":-32001,"message":"no"}}`))
	f.Add([]byte("\x02" + `{"jsonrpc":"2.0","method":"agent.stop"}`))
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, kind := range []byte{wire.DatagramRequest, wire.DatagramResponse} {
			m, ok := wire.ParseMessageDatagram(b, kind)
			if !ok {
				continue
			}
			if b[0] != kind || m.IsRequest() != (kind == wire.DatagramRequest) || len(m.ID) == 0 {
				t.Fatalf("%q is taken for a %d: %+v", b, kind, m)
			}
			line, err := wire.AppendLine(nil, m)
			if err != nil {
				t.Fatal(err)
			}
			again, ok := wire.AppendMessageDatagram(nil, kind, line)
			if ok != (len(line) <= wire.MaxMessageDatagram) || ok && (len(again) != len(line) || again[0] != kind) {
				t.Fatalf("a line of %d bytes became %q", len(line), again)
			}
		}
	})
}

func FuzzParseBatch(f *testing.F) {
	f.Add([]byte(`[{"jsonrpc":"2.0","id":1,"method":"agent.stop","params":{"ids":["a"]}},7]`))
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
	f.Add([]byte(`[]`))
	f.Add([]byte(`[[{"jsonrpc":"2.0","method":"ping"}]]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		batch, single, err := wire.ParseBatch(b)
		if (err == nil) != (len(batch) > 0) || len(batch) > wire.MaxRPCBatch || single && len(batch) > 1 {
			t.Fatalf("%q: %d messages, single %v, %v", b, len(batch), single, err)
		}
		for _, e := range batch {
			if (e.Message == nil) == (e.Err == nil) || e.Message != nil && e.Message.Method == "" {
				t.Fatalf("%q: %+v", b, e)
			}
		}
	})
}
