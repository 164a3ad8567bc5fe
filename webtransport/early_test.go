package webtransport

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go/quicvarint"
)

// frame makes an HTTP/3 frame.
func frame(typ uint64, payload string) string {
	b := quicvarint.Append(nil, typ)
	b = quicvarint.Append(b, uint64(len(payload)))
	return string(b) + payload
}

func fields(t testing.TB, pairs ...string) string {
	var b bytes.Buffer
	enc := qpack.NewEncoder(&b)
	for i := 0; i < len(pairs); i += 2 {
		if err := enc.WriteField(qpack.HeaderField{Name: pairs[i], Value: pairs[i+1]}); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func TestReadResponse(t *testing.T) {
	ok := frame(headersFrame, fields(t, ":status", "200", "x-a", "b"))
	for _, c := range []struct{ what, in, body, err string }{
		{"an answer", ok + frame(dataFrame, "hello ") + frame(dataFrame, "you"), "hello you", ""},
		{"no body", ok, "", ""},
		{"an interim answer, an unknown frame and a trailer",
			frame(headersFrame, fields(t, ":status", "103")) + frame(0x21, "grease") + ok + frame(dataFrame, "x") + frame(headersFrame, fields(t, "x-t", "1")), "x", ""},
		{"nothing", "", "", "EOF"},
		{"a cut frame", ok + frame(dataFrame, "hello")[:4], "", "EOF"},
		{"a body without a header", frame(dataFrame, "x"), "", "no header"},
		{"no status", frame(headersFrame, fields(t, "x-a", "b")), "", "no status"},
		{"a wrong status", frame(headersFrame, fields(t, ":status", "2000")), "", "status"},
		{"a broken block", frame(headersFrame, "\xff\xff\xff"), "", "header"},
		{"a long header", frame(headersFrame, strings.Repeat("x", maxResponseHeaders+1)), "", "limit"},
		{"a long body", ok + string(quicvarint.Append(quicvarint.Append(nil, dataFrame), maxResponseBody+1)), "", "longer"},
		{"much of something else", ok + frame(0x21, strings.Repeat("x", maxResponseHeaders)) + frame(0x21, "x"), "", "too much"},
	} {
		t.Run(c.what, func(t *testing.T) {
			res, err := readResponse(strings.NewReader(c.in))
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("%v, want an error with %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(res.Body)
			if string(b) != c.body || res.StatusCode != http.StatusOK || res.Header.Get("X-A") != "b" {
				t.Errorf("%d %v %q, want %q", res.StatusCode, res.Header, b, c.body)
			}
		})
	}
}

func FuzzReadResponse(f *testing.F) {
	f.Add([]byte(frame(headersFrame, fields(f, ":status", "200")) + frame(dataFrame, "x")))
	f.Add([]byte(frame(headersFrame, fields(f, ":status", "103")) + frame(0x21, "y")))
	f.Add([]byte(frame(headersFrame, "\x00\x00\xff\xff")))
	f.Fuzz(func(t *testing.T, b []byte) {
		res, err := readResponse(bytes.NewReader(b))
		if err != nil {
			return
		}
		body, err := io.ReadAll(res.Body)
		if err != nil || len(body) > len(b) || res.StatusCode < 200 || res.StatusCode > 999 {
			t.Fatalf("%q: %d, %d bytes, %v", b, res.StatusCode, len(body), err)
		}
	})
}
