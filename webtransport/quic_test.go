package webtransport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
	wt "github.com/quic-go/webtransport-go"

	"skein.dev/skein/e2e/kit"
)

// serveQUIC serves one path that upgrades, on a given address.
func serveQUIC(t *testing.T, addr string, tlsConf *tls.Config, key *[32]byte) (pc net.PacketConn, accepted chan Session, stop func()) {
	t.Helper()
	pc, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	accepted = make(chan Session, 1)
	var srv *QUICServer
	srv = NewQUICServer(QUICConfig{TLS: tlsConf, ResetKey: key, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s, err := srv.Upgrade(w, r); err == nil {
			accepted <- s
		}
	})})
	served := make(chan struct{})
	go func() { defer close(served); srv.Serve(pc.(*net.UDPConn)) }()
	return pc, accepted, func() { srv.Close(); <-served; pc.Close() }
}

func TestClientLearnsThatTheServerForgotIt(t *testing.T) {
	tlsConf, key := testTLS(t), &[32]byte{1, 2, 3}
	pc, accepted, stop := serveQUIC(t, "127.0.0.1:0", tlsConf, key)
	addr := pc.LocalAddr().String()
	client, err := DialQUIC(t.Context(), "https://"+addr+"/", QUICDialConfig{TLS: &tls.Config{InsecureSkipVerify: true}})
	if err != nil {
		t.Fatal(err)
	}
	<-accepted
	pc.Close() // as if the machine lost its power: nobody says goodbye
	stop()

	_, _, stopAgain := serveQUIC(t, addr, tlsConf, key)
	defer stopAgain()
	str, err := client.OpenStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	str.Write([]byte("anybody there?"))
	kit.Receive(t, "the client knows that its session is gone", client.Context().Done())
}

// A browser keeps its connection open when its session is closed: the server ends it, after it had time to read why.
func TestServerEndsTheConnectionOfAClosedSession(t *testing.T) {
	for _, by := range []string{"client", "server"} {
		t.Run(by, func(t *testing.T) {
			client, server := quicPair(t)
			conn := server.(*quicSession).conn
			if by == "client" {
				client.(*quicSession).sess.CloseWithError(0, "") // and no more, as a browser
			} else {
				server.Close(3000, "")
			}
			kit.Receive(t, "the connection's end", conn.Context().Done())
			client.Close(0, "")
		})
	}
}

type urgencies struct{ all []string }

func (u *urgencies) SetPriority(urgency int8, incremental bool) {
	u.all = append(u.all, fmt.Sprint(urgency, incremental))
}

// quic-go's own streams take what setClass gives, in the order of the classes.
func TestClassesBecomeUrgencies(t *testing.T) {
	var _ prioritized = (*quic.SendStream)(nil)
	var u urgencies
	for class := range uint8(5) {
		setClass(&u, class)
	}
	if got := fmt.Sprint(u.all); got != "[1 true 3 true 5 true 7 true 7 true]" {
		t.Errorf("urgencies %s", got)
	}
	setClass(struct{}{}, 1) // a stream without them
}

// A server that takes the connection and never answers the request for a session, as on a path that died in between.
func TestDialEndsWithItsContext(t *testing.T) {
	certs := testTLS(t)
	release := make(chan struct{})
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	srv := NewQUICServer(QUICConfig{TLS: certs, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release })})
	served := make(chan struct{})
	go func() { defer close(served); srv.Serve(pc.(*net.UDPConn)) }()
	defer func() { close(release); srv.Close(); <-served }()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := DialQUIC(ctx, "https://"+pc.LocalAddr().String()+"/wt", QUICDialConfig{TLS: &tls.Config{InsecureSkipVerify: true}})
		ended <- err
	}()
	select {
	case err := <-ended:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ends with %v", err)
		}
	case <-time.After(25 * time.Second): // the connection itself would live on for 30
		t.Fatal("it goes on without its context")
	}
}

// A browser may end a stream with a code that is none of WebTransport's: the peer's doing all the same.
func TestAStreamEndedWithACodeOfHTTP3(t *testing.T) {
	c, s := quicPair(t)
	defer s.Close(0, "")
	defer c.Close(0, "")
	raw, err := c.(*quicSession).conn.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	head := quicvarint.Append(quicvarint.Append(nil, 0x41), 0) // a stream of the session on stream 0
	if _, err := raw.Write(append(head, 'x')); err != nil {
		t.Fatal(err)
	}
	str, err := s.AcceptStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(str, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	raw.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
	raw.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
	want := &StreamError{Remote: true}
	if _, err := str.Read(make([]byte, 1)); !errors.Is(err, want) {
		t.Errorf("reading gives %v, want %v", err, want)
	}
	for err == nil {
		_, err = str.Write(make([]byte, 1024))
	}
	if !errors.Is(err, want) {
		t.Errorf("writing gives %v, want %v", err, want)
	}
}

// A stream whose peer ends its session, as its reset says, is canceled on this side before the session's end has come. What
// waits on it must not wait for ever.
func TestAStreamThatIsCanceledWhileItsSessionEnds(t *testing.T) {
	c, s := quicPair(t)
	defer s.Close(0, "")
	defer c.Close(0, "")
	const streams = 64
	var raws []*quic.Stream
	var accepted []Stream
	for range streams {
		raw, err := c.(*quicSession).conn.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		head := quicvarint.Append(quicvarint.Append(nil, 0x41), 0) // a stream of the session on stream 0
		if _, err := raw.Write(append(head, 'x')); err != nil {
			t.Fatal(err)
		}
		str, err := s.AcceptStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(str, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		raws, accepted = append(raws, raw), append(accepted, str)
	}
	for _, raw := range raws {
		raw.CancelWrite(wt.WTSessionGoneErrorCode)
		raw.CancelRead(wt.WTSessionGoneErrorCode)
	}
	// What comes behind the resets says that they have come.
	behind, err := c.OpenStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := behind.Write([]byte("y")); err != nil {
		t.Fatal(err)
	}
	last, err := s.AcceptStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(last, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 2*streams)
	var begun sync.WaitGroup
	for _, str := range accepted {
		begun.Add(2)
		go func() {
			begun.Done()
			_, err := str.Read(make([]byte, 1))
			ended <- err
		}()
		go func() {
			begun.Done()
			_, err := str.Write([]byte("x"))
			ended <- err
		}()
	}
	begun.Wait()
	for _, str := range accepted {
		str.CancelRead(7)
		str.CancelWrite(7)
	}
	for range 2 * streams {
		err := kit.Receive(t, "the end of a Read or a Write of a canceled stream", ended)
		if se := new(StreamError); !errors.As(err, &se) || se.Remote || se.Code != 7 {
			t.Fatalf("it ended with %v", err)
		}
	}
}

// TestServingSeveralSockets has a server take two sockets at the same moment, as one on IPv4 and IPv6 does.
func TestServingSeveralSockets(t *testing.T) {
	tlsConf := testTLS(t)
	for range 300 {
		srv := NewQUICServer(QUICConfig{TLS: tlsConf, ResetKey: &[32]byte{1}, Handler: http.NotFoundHandler()})
		var serving sync.WaitGroup
		for range 2 {
			pc, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer pc.Close()
			serving.Go(func() { srv.Serve(pc.(*net.UDPConn)) })
		}
		srv.Close()
		serving.Wait()
	}
}
