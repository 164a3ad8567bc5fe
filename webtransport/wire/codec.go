package wire

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
)

// ErrLineTooLong is returned by Reader when a line exceeds its bound. Nothing after it can be read.
var ErrLineTooLong = errors.New("line too long")

// Reader reads the lines of a stream: a header, then messages.
type Reader struct {
	br  *bufio.Reader
	buf []byte
}

// NewReader reads from r. It reads ahead; use Rest for the raw bytes behind a header.
func NewReader(r io.Reader) *Reader { return &Reader{br: bufio.NewReaderSize(r, 4096)} }

// Line returns the next line without its newline, at most limit bytes long with it. The slice is good until the next
// call. A stream that ends within a line gives io.ErrUnexpectedEOF.
func (r *Reader) Line(limit int) ([]byte, error) {
	r.buf = r.buf[:0]
	for {
		part, err := r.br.ReadSlice('\n')
		if len(r.buf)+len(part) > limit {
			return nil, ErrLineTooLong
		}
		if err == nil && len(r.buf) == 0 {
			return part[:len(part)-1], nil
		}
		r.buf = append(r.buf, part...)
		switch {
		case err == nil:
			line := r.buf[:len(r.buf)-1]
			if cap(r.buf) > 64<<10 { // one large message must not cost its memory for the stream's whole life
				r.buf = nil
			}
			return line, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(r.buf) > 0:
			return nil, io.ErrUnexpectedEOF
		default:
			return nil, err
		}
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

// Message reads the next message. An error that is an [*Error] leaves the stream usable; any other ends it.
func (r *Reader) Message() (*Message, error) {
	for {
		line, err := r.Line(MaxMessage)
		if err != nil {
			return nil, err
		}
		if len(line) == 0 { // an empty line keeps a stream alive
			continue
		}
		return ParseMessage(line)
	}
}

// Rest reads what follows the lines, raw.
func (r *Reader) Rest() io.Reader { return r.br }

// AppendLine appends v as one line of JSON.
func AppendLine(b []byte, v any) ([]byte, error) {
	j, err := json.Marshal(v)
	if err != nil {
		return b, err
	}
	return append(append(b, j...), '\n'), nil
}

// NewRequest makes a request line's message.
func NewRequest(id json.RawMessage, method string, params any) (*Message, error) {
	m := &Message{JSONRPC: "2.0", ID: id, Method: method}
	if params == nil {
		return m, nil
	}
	var err error
	m.Params, err = json.Marshal(params)
	return m, err
}

// NewNotification makes a message that wants no answer.
func NewNotification(method string, params any) (*Message, error) {
	return NewRequest(nil, method, params)
}

// NewResult answers the request with this id.
func NewResult(id json.RawMessage, result any) (*Message, error) {
	j, err := json.Marshal(result)
	return &Message{JSONRPC: "2.0", ID: id, Result: j}, err
}

// NewError answers the request with this id, or, without one, reports what could not be read.
func NewError(id json.RawMessage, e *Error) *Message {
	if len(id) == 0 {
		id = json.RawMessage("null")
	}
	return &Message{JSONRPC: "2.0", ID: id, Error: e}
}

// DecodeParams reads params into v, a pointer. Its error is an *Error that names the field at fault.
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
