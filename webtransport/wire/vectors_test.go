package wire_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// vectors reads a file of testdata. static/test/vectors.test.js reads the same ones.
func vectors[V any](t testing.TB, file string) []V {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var all []V
	if err := dec.Decode(&all); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if len(all) == 0 {
		t.Fatalf("%s has no vectors", file)
	}
	return all
}

// text is a line, long ones written down short.
type text struct {
	Line   string
	Repeat string
	Times  int
	End    string
}

func (x text) bytes() []byte { return []byte(x.Line + strings.Repeat(x.Repeat, x.Times) + x.End) }

type messageVector struct {
	Name string
	text
	Kind, ID, Method string
	Code             wire.ErrorCode // of the error in a response
	Error            wire.ErrorCode // that the line is refused with
}

func TestMessageVectors(t *testing.T) {
	for _, v := range vectors[messageVector](t, "messages.json") {
		t.Run(v.Name, func(t *testing.T) {
			m, err := wire.ParseMessage(v.bytes())
			if v.Error != 0 {
				if !errors.Is(err, &wire.Error{Code: v.Error}) {
					t.Fatalf("err = %v, want %v", err, v.Error)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			kind := map[bool]string{m.IsRequest(): "request", m.IsNotification(): "notification", m.IsResponse(): "response"}[true]
			if kind != v.Kind || string(m.ID) != v.ID || m.Method != v.Method {
				t.Errorf("got %s, id %s, method %q; want %s, %s, %q", kind, m.ID, m.Method, v.Kind, v.ID, v.Method)
			}
			if v.Code != 0 && (m.Error == nil || m.Error.Code != v.Code) {
				t.Errorf("error = %v, want code %v", m.Error, v.Code)
			}
		})
	}
}

type headerVector struct {
	Name string
	text
	Header *wire.Header
	Error  bool
}

func TestHeaderVectors(t *testing.T) {
	for _, v := range vectors[headerVector](t, "headers.json") {
		t.Run(v.Name, func(t *testing.T) {
			h, err := wire.ParseHeader(v.bytes())
			if v.Error {
				if !errors.Is(err, wire.ErrHeader) {
					t.Fatalf("err = %v, want ErrHeader", err)
				}
				return
			}
			if err != nil || h != *v.Header {
				t.Errorf("got %+v, %v; want %+v", h, err, *v.Header)
			}
		})
	}
}

type closeVector struct {
	Code      wire.CloseCode
	Name      string
	Reconnect bool
}

func TestCloseVectors(t *testing.T) {
	for _, v := range vectors[closeVector](t, "close.json") {
		if got := v.Code.Reconnect(); got != v.Reconnect {
			t.Errorf("%d: reconnect = %v", v.Code, got)
		}
		if got := v.Code.String(); got != v.Name {
			t.Errorf("%d: %q, want %q", v.Code, got, v.Name)
		}
	}
}

type errorVector struct {
	Kind string
	Code wire.ErrorCode
}

func TestErrorVectors(t *testing.T) {
	for _, v := range vectors[errorVector](t, "errors.json") {
		if got := v.Code.String(); got != v.Kind {
			t.Errorf("%d: %q, want %q", v.Code, got, v.Kind)
		}
	}
}

type epochVector struct {
	Epoch string
	Hash  uint32
}

func TestEpochVectors(t *testing.T) {
	for _, v := range vectors[epochVector](t, "epochs.json") {
		if got := wire.EpochHash(v.Epoch); got != v.Hash {
			t.Errorf("%q: %d, want %d", v.Epoch, got, v.Hash)
		}
	}
}

type statusVector struct {
	Name, Hex string
	Epoch     uint32
	Seq       uint64
	Records   []recordVector
	Rewrites  *bool // false: encoding the fields gives other bytes
	Error     bool
}

type recordVector struct {
	Num         uint32
	Rev         uint32
	Status      wire.Status
	Activity    wire.Activity
	Reason      wire.Reason
	Processes   int
	CPU         float64
	ExitCode    int `json:"exit_code"`
	RSS         int64
	HeartbeatMS int64  `json:"heartbeat_ms"`
	LastSeq     uint64 `json:"last_seq"`
}

func (v statusVector) datagram() wire.StatusDatagram {
	d := wire.StatusDatagram{Epoch: v.Epoch, Seq: v.Seq, Records: []wire.StatusRecord{}}
	for _, r := range v.Records {
		d.Records = append(d.Records, wire.StatusRecord{Num: r.Num, Rev: r.Rev, Status: r.Status, Activity: r.Activity,
			Reason: r.Reason, Processes: r.Processes, CPU: r.CPU, ExitCode: r.ExitCode, RSS: r.RSS,
			Heartbeat: time.Duration(r.HeartbeatMS) * time.Millisecond, LastSeq: r.LastSeq})
	}
	return d
}

func TestStatusVectors(t *testing.T) {
	for _, v := range vectors[statusVector](t, "status.json") {
		t.Run(v.Name, func(t *testing.T) {
			b, err := hex.DecodeString(v.Hex)
			if err != nil {
				t.Fatal(err)
			}
			d, err := wire.ParseStatusDatagram(b)
			if v.Error {
				if !errors.Is(err, wire.ErrDatagram) {
					t.Fatalf("err = %v, want ErrDatagram", err)
				}
				return
			}
			want := v.datagram()
			if err != nil || !reflect.DeepEqual(d, want) {
				t.Fatalf("got %+v, %v\nwant %+v", d, err, want)
			}
			if got := hex.EncodeToString(want.Append(nil)); v.Rewrites == nil && got != v.Hex {
				t.Errorf("encoded %s\nwant    %s", got, v.Hex)
			}
		})
	}
}

type lineVector struct {
	Name   string
	Chunks []string
	Limit  int
	Lines  []string
	Error  string
}

func (v lineVector) reader(t testing.TB) io.Reader {
	var parts []io.Reader
	for _, c := range v.Chunks {
		b, err := hex.DecodeString(c)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, bytes.NewReader(b))
	}
	return io.MultiReader(parts...)
}

func TestLineVectors(t *testing.T) {
	ends := map[string]error{"": io.EOF, "too_large": wire.ErrLineTooLong, "unexpected_end": io.ErrUnexpectedEOF}
	for _, v := range vectors[lineVector](t, "lines.json") {
		for how, r := range map[string]io.Reader{"as it comes": v.reader(t), "byte by byte": iotest.OneByteReader(v.reader(t))} {
			t.Run(v.Name+"/"+how, func(t *testing.T) {
				lines := wire.NewReader(r)
				for i, want := range v.Lines {
					if got, err := lines.Line(v.Limit); err != nil || string(got) != want {
						t.Fatalf("line %d: %q, %v; want %q", i, got, err, want)
					}
				}
				if got, err := lines.Line(v.Limit); !errors.Is(err, ends[v.Error]) {
					t.Errorf("the end: %q, %v; want %v", got, err, ends[v.Error])
				}
			})
		}
	}
}

func TestVectorsOfLinesThatAreTooLong(t *testing.T) {
	for _, v := range vectors[struct {
		Name, Begin string
		Answers     any
	}](t, "toolong.json") {
		_, err := wire.NewReader(strings.NewReader(v.Begin + strings.Repeat("x", 5000))).Line(1000)
		var e *wire.LineError
		if !errors.As(err, &e) || e.Limit != 1000 || len(e.Begin) > 1000 {
			t.Fatalf("%s: %v", v.Name, err)
		}
		var got any
		if id := e.AnswerTo(); id != nil {
			if err := json.Unmarshal(id, &got); err != nil {
				t.Errorf("%s: %v", v.Name, err)
			}
		}
		if got != v.Answers {
			t.Errorf("%s: it answers %v, want %v", v.Name, got, v.Answers)
		}
	}
}
