package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ErrLineTooLong is what errors of Reader are, with errors.Is, when a line exceeds its bound. Nothing after it can be read.
var ErrLineTooLong = errors.New("line too long")

// LineError says which bound a line exceeds, and how it begins.
type LineError struct {
	Limit int
	Begin []byte // at most headOfLine bytes
}

// headOfLine is how much of a line that is too long is kept: enough for a message's id.
const headOfLine = MaxRequestID + 64

func (e *LineError) Error() string {
	return fmt.Sprintf("a line is longer than %d bytes", e.Limit)
}

// Is makes errors.Is(err, ErrLineTooLong) true.
func (e *LineError) Is(target error) bool { return target == ErrLineTooLong }

// AnswerTo returns the id of the answer that the line is the beginning of. It returns nil if the line is no answer or that
// can't be told. The id of an answer precedes the result, which makes the line long.
func (e *LineError) AnswerTo() json.RawMessage {
	b, ok := bytes.CutPrefix(e.Begin, []byte(`{"jsonrpc":"2.0","id":`))
	if !ok {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(b))
	var id json.RawMessage
	if d.Decode(&id) != nil || checkID(id) != nil || !bytes.HasPrefix(b[d.InputOffset():], []byte(`,"result":`)) {
		return nil
	}
	return id
}

func (r *Reader) tooLong(limit int) error {
	begin := r.buf[r.from:min(r.to, r.from+headOfLine)]
	return &LineError{Limit: limit, Begin: bytes.Clone(begin)}
}

// Reader reads the lines of a stream: a header, then messages. Its buffer stays small until a line is long, because a server
// has many idle streams.
type Reader struct {
	r        io.Reader
	buf      []byte // buf[from:to] was read but not yet returned
	from, to int
	err      error // of the last read; returned after the lines before it
}

const (
	minBuffer = 128 // the buffer of an idle stream
	// keepBuffer is the largest buffer that is kept, so that one large message does not cost memory as long as the stream
	// lives.
	keepBuffer = 16 << 10
)

// NewReader returns a Reader of r. It reads ahead, so the raw bytes after a header must be read from Rest.
func NewReader(r io.Reader) *Reader { return &Reader{r: r} }

// Continue replaces the underlying reader by another one of the same stream, which continues after the bytes that were read
// ahead.
func (r *Reader) Continue(from io.Reader) { r.r = from }

// Taken returns how many bytes were read. It is valid as long as no more than one line was returned.
func (r *Reader) Taken() int { return r.to }

// Line returns the next line without its newline. With it, the line may have at most limit bytes. The slice is valid until
// the next call. If the stream ends within a line, the error is io.ErrUnexpectedEOF.
func (r *Reader) Line(limit int) ([]byte, error) {
	for seen := 0; ; {
		if i := bytes.IndexByte(r.buf[r.from+seen:r.to], '\n'); i >= 0 {
			line := r.buf[r.from : r.from+seen+i]
			if len(line) >= limit {
				return nil, r.tooLong(limit)
			}
			r.from += len(line) + 1
			return line, nil
		}
		seen = r.to - r.from
		switch {
		case seen > limit:
			return nil, r.tooLong(limit)
		case r.err == io.EOF && seen > 0:
			return nil, io.ErrUnexpectedEOF
		case r.err != nil:
			return nil, r.err
		}
		r.fill()
	}
}

// fill reads once and appends to the buffer.
func (r *Reader) fill() {
	rest := r.buf[r.from:r.to]
	switch {
	case len(rest) == 0 && cap(r.buf) > keepBuffer, r.buf == nil:
		r.buf = make([]byte, minBuffer)
	case len(rest) > cap(r.buf)/2:
		grown := make([]byte, 2*cap(r.buf))
		copy(grown, rest)
		r.buf = grown
	case r.from > 0:
		copy(r.buf, rest)
	}
	r.from, r.to = 0, len(rest)
	n, err := r.r.Read(r.buf[r.to:])
	r.to += n
	if err != nil {
		r.err = err
	} else if n == len(r.buf)-len(rest) && cap(r.buf) < keepBuffer && len(rest) == 0 { // there is probably more: read it with fewer calls
		grown := make([]byte, 4*cap(r.buf))
		copy(grown, r.buf[:r.to])
		r.buf = grown
	}
}

// Header reads the first line of a stream.
func (r *Reader) Header() (Header, error) {
	line, err := r.Line(MaxHeader)
	if err != nil {
		return Header{}, err
	}
	return ParseHeader(line)
}

// Message reads the next message of a client. After an error that is an [*Error], the stream is still usable; after any other
// one it is not.
func (r *Reader) Message() (*Message, error) { return r.message(MaxMessage) }

// Answer is like Message for the messages of a server, which may be longer.
func (r *Reader) Answer() (*Message, error) { return r.message(MaxLine) }

func (r *Reader) message(limit int) (*Message, error) {
	for {
		line, err := r.Line(limit)
		if err != nil {
			return nil, err
		}
		if len(line) == 0 { // an empty line keeps a stream alive
			continue
		}
		return parseMessage(line, limit)
	}
}

// Rest returns a reader of the raw bytes after the lines.
func (r *Reader) Rest() io.Reader {
	ahead := bytes.NewReader(r.buf[r.from:r.to])
	if r.err != nil {
		return io.MultiReader(ahead, failing{r.err})
	}
	return io.MultiReader(ahead, r.r)
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// AppendLine appends v as one line of JSON.
func AppendLine(b []byte, v any) ([]byte, error) {
	if m, ok := v.(*Message); ok && m.Error == nil {
		return m.append(b)
	}
	j, err := json.Marshal(v)
	if err != nil {
		return b, err
	}
	return append(append(b, j...), '\n'), nil
}

// append writes the message around its parts, which are already JSON without newlines. json.Marshal would parse and copy them
// again, which takes half the time of a small request.
func (m *Message) append(b []byte) ([]byte, error) {
	b = append(b, `{"jsonrpc":"2.0"`...)
	if len(m.ID) > 0 {
		b = append(append(b, `,"id":`...), m.ID...)
	}
	if m.Method != "" {
		name, err := json.Marshal(m.Method)
		if err != nil {
			return b, err
		}
		b = append(append(b, `,"method":`...), name...)
	}
	if len(m.Params) > 0 {
		b = append(append(b, `,"params":`...), m.Params...)
	}
	if len(m.Result) > 0 {
		b = append(append(b, `,"result":`...), m.Result...)
	}
	return append(b, '}', '\n'), nil
}

// NewRequest returns a request.
func NewRequest(id json.RawMessage, method string, params any) (*Message, error) {
	m := &Message{JSONRPC: "2.0", ID: id, Method: method}
	if params == nil {
		return m, nil
	}
	var err error
	m.Params, err = Encode(params)
	return m, err
}

// NewNotification returns a notification. It shortens parameters that are too long for a message if they are a [Fitter].
func NewNotification(method string, params any) (*Message, error) {
	m, err := NewRequest(nil, method, params)
	if f, ok := params.(Fitter); ok && err == nil && len(m.Params) > MaxResult {
		m.Params, err = Encode(f.Fit())
	}
	return m, err
}

// NewResult returns the answer to the request with an id. The error has CodeTooLarge if the result can't be made to fit into a
// message.
func NewResult(id json.RawMessage, result any) (*Message, error) {
	j, err := EncodeResult(result)
	return &Message{JSONRPC: "2.0", ID: id, Result: j}, err
}

// NewError returns an error for the request with an id, or, without an id, for a message that could not be parsed.
func NewError(id json.RawMessage, e *Error) *Message {
	if len(id) == 0 {
		id = json.RawMessage("null")
	}
	return &Message{JSONRPC: "2.0", ID: id, Error: e.bounded()}
}

// DecodeParams decodes params into v, which is a pointer. The error is an *Error that names the field at fault.
func DecodeParams(params json.RawMessage, v any) error {
	if len(params) == 0 {
		params = json.RawMessage("{}")
	}
	err := json.Unmarshal(params, v)
	if err == nil {
		return nil
	}
	var te *json.UnmarshalTypeError
	if errors.As(err, &te) {
		return Errorf(CodeInvalidParams, "%q must be %s, not %s", te.Field, te.Type, te.Value).WithField(te.Field)
	}
	return Errorf(CodeInvalidParams, "the parameters do not fit the method")
}

// Fitter is a result that has a shorter form for when it exceeds MaxResult. Fit returns that form, which says what is left
// out.
type Fitter interface {
	Fit() any
}

// EncodeResult returns the JSON of a result, which has at most MaxResult bytes. Every answer is encoded by it, so that every
// client can read its answer. A longer result is shortened if it is a [Fitter]; otherwise the error has CodeTooLarge.
func EncodeResult(v any) (json.RawMessage, error) {
	j, err := Encode(v)
	if err != nil || len(j) <= MaxResult {
		return j, err
	}
	size := len(j)
	if f, ok := v.(Fitter); ok {
		if j, err = Encode(f.Fit()); err != nil || len(j) <= MaxResult {
			return j, err
		}
	}
	return nil, Errorf(CodeTooLarge, "the result is too large: it has %d bytes, and a message takes %d (max_message); ask for less with limit, and go on with after", size, MaxMessage)
}
