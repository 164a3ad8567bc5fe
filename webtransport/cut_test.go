package webtransport

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"skein.dev/skein/webtransport/qmux"
)

// cutRecord is the beginning of a WebSocket frame of 600 bytes, a stream of QMux that ends where the record does. The connection is cut
// after 512 of them, where a read of coder/websocket begins.
func cutRecord(masked bool, stream byte) []byte {
	b := []byte{0x82, 126, 600 >> 8, 600 & 0xff}
	if masked {
		b[1] |= 0x80
		b = append(b, 0, 0, 0, 0)
	}
	const streamFin = 0x09 // without a length
	return append(append(b, streamFin, stream), strings.Repeat("x", 510)...)
}

func TestACutRecordIsNoRecord(t *testing.T) {
	t.Parallel()
	t.Run("of a client", func(t *testing.T) {
		got := make(chan error, 1)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, err := AcceptWebSocket(w, r, WebSocketConfig{Protocols: []string{"test"}})
			if err == nil {
				<-s.Context().Done()
				err = context.Cause(s.Context())
			}
			got <- err
		}))
		defer server.Close()
		c, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: %s\r\n\r\n", Subprotocols("test")[0])
		if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
			t.Fatal(err)
		}
		c.Write(cutRecord(true, 0))
		c.(*net.TCPConn).CloseWrite()
		isCut(t, <-got)
	})
	t.Run("of a server", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
			fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: %s\r\n\r\n",
				base64.StdEncoding.EncodeToString(sum[:]), Subprotocols("test")[0])
			rw.Write(cutRecord(false, 1))
			rw.Flush()
			c.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, c)
		}))
		defer server.Close()
		s, err := DialWebSocket(t.Context(), "ws"+strings.TrimPrefix(server.URL, "http"), WebSocketConfig{Protocols: []string{"test"}})
		if err != nil {
			t.Fatal(err)
		}
		<-s.Context().Done()
		isCut(t, context.Cause(s.Context()))
	})
}

// isCut checks that a session ended because its connection was cut, and not by what was in half a record.
func isCut(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, new(*qmux.TransportError)) {
		t.Errorf("the session ended by %v", err)
	}
}
