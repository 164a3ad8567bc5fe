package bare

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/coder/websocket"
	wt "github.com/quic-go/webtransport-go"
)

// block repeats in every bulk stream. Its length is prime: what gets lost or comes twice shifts it.
var block = func() []byte {
	b := make([]byte, 65521)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}()

// chunk is what a bulk stream writes at once, in bytes.
const chunk = 16 << 10

// source gives n bytes of a bulk stream.
type source struct{ at, n int64 }

// next is only to be read, and stays as it is.
func (s *source) next() []byte {
	from := int(s.at % int64(len(block)))
	b := block[from:min(int64(from+chunk), int64(len(block)), int64(from)+s.n-s.at)]
	s.at += int64(len(b))
	return b
}

// check takes the next bytes of a bulk stream.
func (s *source) check(b []byte) error {
	for len(b) > 0 {
		want := s.next()
		if len(want) > len(b) {
			s.at -= int64(len(want) - len(b))
			want = want[:len(b)]
		}
		if len(want) == 0 {
			return fmt.Errorf("a bulk stream goes on behind its %d bytes", s.n)
		}
		if !bytes.Equal(b[:len(want)], want) {
			return fmt.Errorf("a bulk stream has other bytes than were sent, before byte %d", s.at)
		}
		b = b[len(want):]
	}
	return nil
}

// Answer serves one stream: eight bytes say how many the client wants to have; 0: it is an echo.
func Answer(str io.ReadWriter) error {
	var head [8]byte
	if _, err := io.ReadFull(str, head[:]); err != nil {
		return err
	}
	s := source{n: int64(binary.BigEndian.Uint64(head[:]))}
	if s.n == 0 {
		_, err := io.CopyBuffer(struct{ io.Writer }{str}, struct{ io.Reader }{str}, make([]byte, 512))
		return err
	}
	for s.at < s.n {
		if _, err := str.Write(s.next()); err != nil {
			return err
		}
	}
	return nil
}

// Receive asks a stream that [Answer] serves for n bytes, and checks each. took, which may be nil, is told as they come.
func Receive(str io.ReadWriter, n int64, took func(n int)) error {
	if _, err := str.Write(binary.BigEndian.AppendUint64(nil, uint64(n))); err != nil {
		return err
	}
	s, buf := source{n: n}, make([]byte, 2*chunk)
	for s.at < n {
		m, err := str.Read(buf)
		if bad := s.check(buf[:m]); bad != nil {
			return bad
		}
		if took != nil && m > 0 {
			took(m)
		}
		if err != nil && s.at < n {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("byte %d of %d of a bulk stream: %w", s.at, n, err)
		}
	}
	return nil
}

// Echo gives the round trip of a stream that [Answer] serves. Its first one asks for it.
func Echo(str io.ReadWriter) (func(b []byte) error, error) {
	if _, err := str.Write(make([]byte, 8)); err != nil {
		return nil, err
	}
	return func(b []byte) error {
		got := make([]byte, len(b))
		if _, err := str.Write(b); err != nil {
			return err
		}
		if _, err := io.ReadFull(str, got); err != nil {
			return err
		}
		if !bytes.Equal(b, got) {
			return errors.New("an echo brought other bytes than it was sent")
		}
		return nil
	}, nil
}

// AnswerAll serves the streams that a client opens in a session, until it ends.
func AnswerAll(ctx context.Context, sess *wt.Session) {
	for {
		str, err := sess.AcceptStream(ctx)
		if err != nil {
			return
		}
		go func() {
			Answer(str)
			str.Close()
		}()
	}
}

// wsStream is a WebSocket as one stream: each message is some bytes of it.
type wsStream struct {
	*wsConn
	rest []byte
}

func (s *wsStream) Read(b []byte) (int, error) {
	for len(s.rest) == 0 {
		m, ok := <-s.in
		if !ok {
			return 0, io.ErrUnexpectedEOF
		}
		s.rest = m
	}
	n := copy(b, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// Write hands b over to the goroutine that writes, and does not wait for it: b must stay as it is.
func (s *wsStream) Write(b []byte) (int, error) {
	if !s.write(b) {
		return 0, io.ErrClosedPipe
	}
	return len(b), nil
}

// OpenQUIC opens a WebTransport session with one stream for [Receive] or [Echo].
func OpenQUIC(ctx context.Context, url string) (str io.ReadWriter, end func(), err error) {
	sess, err := dialQUIC(ctx, url+bulkPath)
	if err != nil {
		return nil, nil, err
	}
	end = func() { sess.CloseWithError(0, "") }
	if str, err = sess.OpenStreamSync(ctx); err != nil {
		end()
		return nil, nil, err
	}
	return str, end, nil
}

// OpenWebSocket opens a WebSocket for [Receive].
func OpenWebSocket(ctx context.Context, url string) (str io.ReadWriter, end func(), err error) {
	c, err := dialWebSocket(ctx, url+bulkPath)
	if err != nil {
		return nil, nil, err
	}
	return &wsStream{wsConn: c}, c.Close, nil
}

// bulkPath leads to [Answer], behind the server's URLs.
const bulkPath = "/bulk"

func answerWebSocket(c *websocket.Conn) {
	m := multiplex(c)
	defer m.end()
	Answer(&wsStream{wsConn: m})
	for range m.in { // the client goes when it has all: what was handed over may still be on its way
	}
}
