package webtransport

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	wt "github.com/quic-go/webtransport-go"
	"go.uber.org/goleak"

	"skein.dev/skein/e2e/kit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// carriers make a connected pair each. What holds for one holds for all: every test of this file runs over each.
var carriers = map[string]func(t *testing.T) (client, server Session){
	"webtransport": quicPair,
	"webtransport with flow control": func(t *testing.T) (Session, Session) { // that runs out, as a browser's may
		const credit = 4 << 20
		return quicPairWith(t, &wt.Config{MaxIncomingStreams: 1000, MaxIncomingUniStreams: 1, MaxIncomingData: credit},
			&wt.Config{MaxIncomingStreams: 8, MaxIncomingUniStreams: 1, MaxIncomingData: credit})
	},
	"websocket": wsPair,
	"pipe":      func(*testing.T) (Session, Session) { return Pipe() },
}

func overEach(t *testing.T, f func(t *testing.T, client, server Session)) {
	for name, pair := range carriers {
		t.Run(name, func(t *testing.T) {
			client, server := pair(t)
			t.Cleanup(func() {
				var wg sync.WaitGroup
				wg.Go(func() { client.Close(0, "") })
				wg.Go(func() { server.Close(0, "") })
				wg.Wait()
			})
			f(t, client, server)
		})
	}
}

func testTLS(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// quicPair is a session over loopback UDP.
func quicPair(t *testing.T) (Session, Session) { return quicPairWith(t, nil, nil) }

func quicPairWith(t *testing.T, servers, clients *wt.Config) (Session, Session) {
	t.Helper()
	accepted := make(chan Session, 1)
	var srv *QUICServer
	mux := http.NewServeMux()
	mux.HandleFunc("/wt", func(w http.ResponseWriter, r *http.Request) {
		s, err := srv.Upgrade(w, r)
		if err != nil {
			t.Errorf("upgrade: %v", err)
			return
		}
		accepted <- s
	})
	srv = NewQUICServer(QUICConfig{TLS: testTLS(t), Handler: mux, Protocols: []string{"test"}, flowControl: servers})
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(pc.(*net.UDPConn)) }()
	t.Cleanup(func() {
		srv.Close()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		pc.Close()
	})
	client, err := DialQUIC(t.Context(), "https://"+pc.LocalAddr().String()+"/wt",
		QUICDialConfig{TLS: &tls.Config{InsecureSkipVerify: true}, Protocols: []string{"test"}, flowControl: clients})
	if err != nil {
		t.Fatal(err)
	}
	return client, <-accepted
}

// wsPair is a session over loopback TCP.
func wsPair(t *testing.T) (Session, Session) {
	t.Helper()
	accepted := make(chan Session, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := AcceptWebSocket(w, r, WebSocketConfig{Protocols: []string{"test"}})
		if err != nil {
			t.Errorf("accept: %v", err)
			return
		}
		accepted <- s
		<-s.Context().Done()
	}))
	t.Cleanup(srv.Close)
	client, err := DialWebSocket(t.Context(), strings.Replace(srv.URL, "http", "ws", 1), WebSocketConfig{Protocols: []string{"test"}, HTTPClient: srv.Client()})
	if err != nil {
		t.Fatal(err)
	}
	return client, <-accepted
}

// echo serves every stream of s by sending back what comes, until s ends.
func echo(t *testing.T, s Session) {
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			str, err := s.AcceptStream(context.Background())
			if err != nil {
				return
			}
			wg.Go(func() {
				if _, err := io.Copy(str, str); err != nil {
					str.CancelRead(1)
					str.CancelWrite(1)
					return
				}
				str.Close()
			})
		}
	})
	t.Cleanup(func() { s.Close(0, ""); wg.Wait() })
}

func TestEcho(t *testing.T) {
	overEach(t, func(t *testing.T, client, server Session) {
		for _, side := range []struct {
			name       string
			from, peer Session
		}{{"client opens", client, server}, {"server opens", server, client}} {
			t.Run(side.name, func(t *testing.T) {
				go func() {
					str, err := side.peer.AcceptStream(context.Background())
					if err != nil {
						return
					}
					io.Copy(str, str)
					str.Close()
				}()
				str, err := side.from.OpenStream(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for i := range 3 { // a conversation, not a transfer
					msg := fmt.Sprintf("message %d\n", i)
					if _, err := str.Write([]byte(msg)); err != nil {
						t.Fatal(err)
					}
					got := make([]byte, len(msg))
					if _, err := io.ReadFull(str, got); err != nil || string(got) != msg {
						t.Fatalf("got %q, %v", got, err)
					}
				}
				str.Close()
				if n, err := str.Read(make([]byte, 1)); n != 0 || err != io.EOF {
					t.Errorf("after the end: %d, %v; want io.EOF", n, err)
				}
			})
		}
	})
}

func TestLargeTransferKeepsItsBytes(t *testing.T) {
	overEach(t, func(t *testing.T, client, server Session) {
		echo(t, server)
		size := int64(kit.Less(8<<20, 2<<20)) // four of them are more than any window
		data := make([]byte, size)
		rand.Read(data)
		var wg sync.WaitGroup
		for range 4 {
			str, err := client.OpenStream(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				if _, err := str.Write(data); err != nil {
					t.Errorf("write: %v", err)
				}
				str.Close()
			})
			wg.Go(func() {
				h := sha256.New()
				n, err := io.Copy(h, str)
				if want := sha256.Sum256(data); n != size || err != nil || !bytes.Equal(h.Sum(nil), want[:]) {
					t.Errorf("%d bytes came back, %v, hash equal: %t", n, err, bytes.Equal(h.Sum(nil), want[:]))
				}
			})
		}
		wg.Wait()
	})
}

func TestThousandStreams(t *testing.T) {
	overEach(t, func(t *testing.T, client, server Session) {
		echo(t, server)
		ctx, cancel := context.WithTimeout(t.Context(), kit.Patience)
		defer cancel()
		streams := make([]Stream, 1000)
		for i := range streams {
			var err error
			if streams[i], err = client.OpenStream(ctx); err != nil {
				t.Fatalf("stream %d: %v", i, err)
			}
			if _, err := streams[i].Write([]byte{byte(i)}); err != nil {
				t.Fatal(err)
			}
		}
		for i, str := range streams {
			var b [1]byte
			if _, err := io.ReadFull(str, b[:]); err != nil || b[0] != byte(i) {
				t.Fatalf("stream %d: %d, %v", i, b[0], err)
			}
			str.Close()
		}
	})
}

func TestStalledReaderHoldsUpNobodyElse(t *testing.T) {
	overEach(t, func(t *testing.T, client, server Session) {
		stalled, err := client.OpenStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				if _, err := stalled.Write(make([]byte, 16<<10)); err != nil {
					return
				}
			}
		}()
		if _, err := server.AcceptStream(t.Context()); err != nil { // never read
			t.Fatal(err)
		}
		echo(t, server)
		for range 20 {
			str, err := client.OpenStream(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			str.Write([]byte("ping"))
			str.Close()
			str.SetReadDeadline(time.Now().Add(kit.Patience))
			if b, err := io.ReadAll(str); string(b) != "ping" {
				t.Fatalf("beside a stalled stream: %q, %v", b, err)
			}
		}
		stalled.CancelWrite(0)
		<-stopped
	})
}

func TestCancelTellsThePeer(t *testing.T) {
	overEach(t, func(t *testing.T, client, server Session) {
		str, err := client.OpenStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		str.Write([]byte("x"))
		peer, err := server.AcceptStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		io.ReadFull(peer, make([]byte, 1))

		str.CancelWrite(7)
		_, err = peer.Read(make([]byte, 1))
		if want := (&StreamError{Code: 7, Remote: true}); !errors.Is(err, want) {
			t.Errorf("the peer reads %v, want %v", err, want)
		}
		str.CancelRead(9)
		for err = nil; err == nil; { // the peer learns of it with a round trip
			_, err = peer.Write(make([]byte, 1024))
		}
		if want := (&StreamError{Code: 9, Remote: true}); !errors.Is(err, want) {
			t.Errorf("the peer writes %v, want %v", err, want)
		}
		if _, err := str.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("a cancelled side reads %v, want an error", err)
		}
	})
}

func TestCloseGivesCodeAndReason(t *testing.T) {
	for _, by := range []string{"client", "server"} {
		t.Run(by, func(t *testing.T) {
			overEach(t, func(t *testing.T, client, server Session) {
				closer, peer := client, server
				if by == "server" {
					closer, peer = server, client
				}
				str, err := client.OpenStream(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				str.Write([]byte("x"))
				begin := time.Now()
				if err := closer.Close(3001, "the node drains"); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begin); took > CloseTimeout/2 && !kit.Quick {
					t.Errorf("a close took %s with a peer that answers", took)
				}
				<-peer.Context().Done()
				var ce *CloseError
				if err := context.Cause(peer.Context()); !errors.As(err, &ce) || ce.Code != 3001 || ce.Reason != "the node drains" || !ce.Remote {
					t.Errorf("the peer's cause: %v (%+v)", err, ce)
				}
				if err := context.Cause(closer.Context()); !errors.As(err, &ce) || ce.Code != 3001 || ce.Remote {
					t.Errorf("the closer's cause: %v (%+v)", err, ce)
				}
				if _, err := str.Read(make([]byte, 1)); err == nil || err == io.EOF {
					t.Errorf("a stream of a closed session reads %v", err)
				}
				if _, err := peer.OpenStream(t.Context()); err == nil {
					t.Error("a closed session opens a stream")
				}
				if _, err := peer.AcceptStream(t.Context()); err == nil {
					t.Error("a closed session accepts a stream")
				}
				if _, err := peer.ReceiveDatagram(t.Context()); err == nil {
					t.Error("a closed session receives a datagram")
				}
				if err := peer.SendDatagram([]byte("x")); err == nil {
					t.Error("a closed session sends a datagram")
				}
			})
		})
	}
}

func TestLongReasonIsCutBetweenRunes(t *testing.T) {
	overEach(t, func(t *testing.T, client, server Session) {
		server.Close(4000, strings.Repeat("ö", 1000))
		<-client.Context().Done()
		var ce *CloseError
		if !errors.As(context.Cause(client.Context()), &ce) || ce.Reason != strings.Repeat("ö", MaxCloseReason/2) {
			t.Errorf("cause %v", context.Cause(client.Context()))
		}
	})
}

func TestDatagrams(t *testing.T) {
	overEach(t, func(t *testing.T, client, server Session) {
		for _, side := range [][2]Session{{client, server}, {server, client}} {
			// Any one of them may be lost, not all of them.
			ctx, cancel := context.WithTimeout(t.Context(), kit.Patience)
			defer cancel()
			stop := make(chan struct{})
			var sending sync.WaitGroup
			sending.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					case <-time.After(time.Millisecond):
						side[0].SendDatagram(fmt.Appendf(nil, "datagram %d", i))
					}
				}
			})
			b, err := side[1].ReceiveDatagram(ctx)
			close(stop)
			sending.Wait()
			if err != nil || !bytes.HasPrefix(b, []byte("datagram ")) {
				t.Errorf("received %q, %v", b, err)
			}
		}
		if err := client.SendDatagram(make([]byte, 64<<10)); err == nil {
			t.Error("a datagram of 64 KiB was taken")
		}
		if max := client.Info().MaxDatagramSize; max < 1100 {
			t.Errorf("MaxDatagramSize %d", max)
		}
	})
}

func TestSendDatagramNeverBlocks(t *testing.T) {
	overEach(t, func(t *testing.T, client, server Session) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 20_000 {
				client.SendDatagram(make([]byte, 1000))
			}
		}()
		kit.Receive(t, "20,000 datagrams to a peer that reads none", done)
	})
}

func TestDeadlines(t *testing.T) {
	overEach(t, func(t *testing.T, client, server Session) {
		str, err := client.OpenStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		str.Write([]byte("x"))
		peer, err := server.AcceptStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		str.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if _, err := str.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
		str.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		for err = nil; err == nil; {
			_, err = str.Write(make([]byte, 64<<10))
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("write: %v", err)
		}
		str.SetReadDeadline(time.Time{})
		if _, err := peer.Write([]byte("y")); err != nil {
			t.Fatal(err)
		}
		var b [1]byte
		if _, err := io.ReadFull(str, b[:]); err != nil || b[0] != 'y' {
			t.Errorf("after the deadline was lifted: %q, %v", b, err)
		}
	})
}

func TestContextsEndWaiting(t *testing.T) {
	overEach(t, func(t *testing.T, client, _ Session) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, err := client.AcceptStream(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("accept: %v", err)
		}
		if _, err := client.ReceiveDatagram(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("receive: %v", err)
		}
		if client.Context().Err() != nil {
			t.Error("the session ended with it")
		}
	})
}

func TestCloseRacesEverything(t *testing.T) {
	overEach(t, func(t *testing.T, client, server Session) {
		echo(t, server)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				for {
					str, err := client.OpenStream(context.Background())
					if err != nil {
						return
					}
					str.Write(make([]byte, 3000))
					str.Close()
					io.Copy(io.Discard, str)
				}
			})
		}
		wg.Go(func() {
			for client.SendDatagram([]byte("x")) == nil {
				time.Sleep(time.Millisecond)
			}
		})
		time.AfterFunc(50*time.Millisecond, func() { server.Close(3000, "now") })
		wg.Wait()
	})
}

func TestInfo(t *testing.T) {
	overEach(t, func(t *testing.T, client, server Session) {
		for _, s := range []Session{client, server} {
			i := s.Info()
			if i.Transport == "" || i.Transport != "pipe" && (i.Protocol != "test" || i.RemoteAddr == nil) {
				t.Errorf("%+v", i)
			}
		}
	})
}

// Whoever reads or writes learns that the session is over from the session: by then its context has ended.
func TestAStreamThatEndsWithItsSessionComesSecond(t *testing.T) {
	overEach(t, func(t *testing.T, client, server Session) {
		var reading sync.WaitGroup
		for range 200 {
			str, err := client.OpenStream(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			str.Write([]byte("x"))
			peer, err := server.AcceptStream(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			io.ReadFull(peer, make([]byte, 1))
			reading.Go(func() {
				_, err := peer.Read(make([]byte, 1))
				if err == nil || server.Context().Err() == nil {
					t.Errorf("reading gives %v, and the session's context %v", err, server.Context().Err())
				}
			})
		}
		client.Close(0, "")
		reading.Wait()
	})
}
