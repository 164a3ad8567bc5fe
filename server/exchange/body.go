// Package exchange has what the endpoints of plain HTTP need for one exchange of a request and its answer: the time that a
// body may take, what is wrong with a body, early data, and answers in JSON.
package exchange

import (
	"errors"
	"io"
	"net/http"
	"time"

	"skein.dev/skein/webtransport/wire"
)

const (
	// DefaultBodyTimeout is how long a request's body may take, beside what its bytes add.
	DefaultBodyTimeout = 15 * time.Second
	// SlowestBody is how many bytes of a body add a second. The largest body, of 1 MiB, may take nine minutes.
	SlowestBody = 2 << 10
)

// TimedBodies ends requests whose body comes too slowly, or not at all, over every version of HTTP and for everybody: also
// where no handler reads the body, which net/http then waits for. Handlers that do read it get a timeout.
func TimedBodies(limit time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect && r.Body != nil && r.Body != http.NoBody {
			b := &timedBody{ReadCloser: r.Body, connection: http.NewResponseController(w), end: time.Now().Add(limit)}
			b.allow(0)
			r.Body = b
		}
		next.ServeHTTP(w, r)
	})
}

// timedBody is a body with a deadline that moves as its bytes come.
type timedBody struct {
	io.ReadCloser
	connection *http.ResponseController
	end        time.Time
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == nil:
		b.allow(n)
	case errors.Is(err, io.EOF):
		b.connection.SetReadDeadline(time.Time{}) // of the connection, which a handler may keep for long
	}
	return n, err
}

// allow gives the time that n more bytes may take.
func (b *timedBody) allow(n int) {
	b.end = b.end.Add(time.Duration(n) * time.Second / SlowestBody)
	b.connection.SetReadDeadline(b.end)
}

// BodyError says why a body could not be read.
func BodyError(err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return wire.Errorf(wire.CodeTooLarge, "the request's body is longer than %d bytes", tooLarge.Limit)
	case IsTimeout(err):
		return wire.Errorf(wire.CodeTimeout, "the request's body did not come in time")
	}
	return wire.Errorf(wire.CodeInvalidRequest, "the request's body could not be read")
}

// IsTimeout reports whether an operation failed since its deadline had passed.
func IsTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
