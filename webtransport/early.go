package webtransport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// HTTP/3 frames (RFC 9114, section 7.2).
const (
	dataFrame    = 0x0
	headersFrame = 0x1

	maxResponseHeaders = 64 << 10
	maxResponseBody    = 8 << 20
)

// Do sends one HTTP/3 request on a stream of its own, at once, even before the handshake is complete. (The client of
// http3 sends only GET requests early.) If the server refuses the early data, Do sends the request again after the
// handshake. It reads the response body to the end, up to 8 MiB.
func (q *QUICConn) Do(ctx context.Context, r *http.Request, body []byte) (*http.Response, error) {
	res, err := q.do(ctx, r, body)
	if errors.Is(err, quic.Err0RTTRejected) {
		if _, err = q.conn.NextConnection(ctx); err == nil {
			res, err = q.do(ctx, r, body)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, err)
	}
	return res, nil
}

func (q *QUICConn) do(ctx context.Context, r *http.Request, body []byte) (*http.Response, error) {
	str, err := q.conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() {
		str.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
		str.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
	})
	defer stop()
	b, err := appendRequest(nil, q.host, r, body)
	if err == nil {
		_, err = str.Write(b)
	}
	if err == nil {
		err = str.Close()
	}
	var res *http.Response
	if err == nil {
		res, err = readResponse(str)
	}
	if errors.Is(err, quic.Err0RTTRejected) {
		stop()
		return nil, err // its replacement has the same id, so this stream must not be reset
	}
	if err != nil {
		str.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
		str.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	res.Request = r
	return res, nil
}

// appendRequest appends a request as it is sent on its stream (RFC 9114, section 4.1).
func appendRequest(b []byte, host string, r *http.Request, body []byte) ([]byte, error) {
	var block bytes.Buffer
	enc := qpack.NewEncoder(&block)
	fields := []qpack.HeaderField{{Name: ":method", Value: r.Method}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: host},
		{Name: ":path", Value: r.URL.RequestURI()}, {Name: "content-length", Value: strconv.Itoa(len(body))}}
	for name, values := range r.Header {
		for _, v := range values {
			fields = append(fields, qpack.HeaderField{Name: strings.ToLower(name), Value: v})
		}
	}
	for _, f := range fields {
		if err := enc.WriteField(f); err != nil {
			return nil, err
		}
	}
	b = quicvarint.Append(b, headersFrame)
	b = quicvarint.Append(b, uint64(block.Len()))
	b = append(b, block.Bytes()...)
	if len(body) > 0 {
		b = quicvarint.Append(b, dataFrame)
		b = quicvarint.Append(b, uint64(len(body)))
		b = append(b, body...)
	}
	return b, nil
}

// readResponse reads a response to the end of its stream. It skips interim responses, trailers and unknown frames.
func readResponse(str io.Reader) (*http.Response, error) {
	r := quicvarint.NewReader(str)
	var res *http.Response
	var body bytes.Buffer
	skipped := 0
	for {
		typ, err := quicvarint.Read(r)
		if errors.Is(err, io.EOF) && res != nil {
			res.Body = io.NopCloser(&body)
			res.ContentLength = int64(body.Len())
			return res, nil
		}
		if err != nil {
			return nil, noEOF(err)
		}
		n, err := quicvarint.Read(r)
		if err != nil {
			return nil, noEOF(err)
		}
		switch {
		case typ == headersFrame && res == nil:
			if n > maxResponseHeaders {
				return nil, fmt.Errorf("the answer's header has %d bytes, the limit is %d", n, maxResponseHeaders)
			}
			block := make([]byte, n)
			if _, err := io.ReadFull(r, block); err != nil {
				return nil, noEOF(err)
			}
			if res, err = parseHeader(block); err != nil {
				return nil, err
			}
			if res.StatusCode < 200 {
				res = nil
			}
		case typ == dataFrame && res != nil:
			if n > uint64(maxResponseBody-body.Len()) {
				return nil, fmt.Errorf("the answer is longer than %d bytes", maxResponseBody)
			}
			if _, err := io.CopyN(&body, r, int64(n)); err != nil {
				return nil, noEOF(err)
			}
		case typ == dataFrame:
			return nil, errors.New("the answer has no header")
		default:
			if skipped += int(min(n, maxResponseHeaders)); n > maxResponseHeaders || skipped > maxResponseHeaders {
				return nil, errors.New("the answer has too much besides its content")
			}
			if _, err := io.CopyN(io.Discard, r, int64(n)); err != nil {
				return nil, noEOF(err)
			}
		}
	}
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// parseHeader parses a header block (RFC 9204). It has no references to a dynamic table, because this side does not allow
// one.
func parseHeader(block []byte) (*http.Response, error) {
	res := &http.Response{Proto: "HTTP/3.0", ProtoMajor: 3, Header: http.Header{}}
	next := qpack.NewDecoder().Decode(block)
	for {
		f, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("the answer's header: %w", err)
		}
		if f.Name != ":status" {
			res.Header.Add(f.Name, f.Value)
			continue
		}
		if res.StatusCode, err = strconv.Atoi(f.Value); err != nil || len(f.Value) != 3 || res.StatusCode < 100 {
			return nil, fmt.Errorf("the answer's status is %.10q", f.Value)
		}
	}
	if res.StatusCode == 0 {
		return nil, errors.New("the answer has no status")
	}
	res.Status = strconv.Itoa(res.StatusCode) + " " + http.StatusText(res.StatusCode)
	return res, nil
}
