#!/usr/bin/env bash
# webtransport-go 0.13.0: a stream that the peer resets with an error code outside WebTransport's range gives an error
# without a type.
#
# draft-ietf-webtrans-http3-16, section 4.4, says that such a stream is still considered reset, and that the application
# should get a reset without an application error code. The documentation of Read and Write says that the error of a
# canceled stream is a StreamError. What arrives is a plain error; neither a *StreamError nor quic-go's own is in it, so that
# a program can tell a peer's reset from a failure by the error's text only.
#
# Needs: Go. Exits 0 when it is seen as recorded.
set -euo pipefail

tmp=$(mktemp -d)
pid=
cleanup() {
  [ -z "$pid" ] || { kill "$pid" && wait "$pid"; } 2>/dev/null || true
  rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
cd "$tmp"

cat >main.go <<'GO'
package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
	"github.com/quic-go/webtransport-go"
)

// appCode7 is WebTransport's error code 7 as QUIC carries it.
const appCode7 = 0x52e4a40fa8db + 7

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	info, _ := debug.ReadBuildInfo()
	for _, dep := range info.Deps {
		if dep.Path == "github.com/quic-go/webtransport-go" || dep.Path == "github.com/quic-go/quic-go" {
			fmt.Println("version: ", dep.Path, dep.Version)
		}
	}
	fmt.Println("expected: Read and Write give a *StreamError for every reset by the peer")

	addr, sessions := serve()
	conn, server := dial(ctx, addr, sessions)
	recorded := true
	for _, code := range []quic.StreamErrorCode{appCode7, 0, 0x10c} {
		reading, writing := reset(ctx, conn, server, code)
		fmt.Printf("seen:     code %#x: Read:  %s\n", code, describe(reading))
		fmt.Printf("seen:     code %#x: Write: %s\n", code, describe(writing))
		typed := code == appCode7
		recorded = recorded && isStreamError(reading) == typed && isStreamError(writing) == typed
	}
	if !recorded {
		fmt.Println("this is not what was recorded")
		os.Exit(1)
	}
	fmt.Println("as recorded: codes outside WebTransport's range give errors without a type")
}

// serve gives the address of a WebTransport server on loopback, and its sessions.
func serve() (string, <-chan *webtransport.Session) {
	sessions := make(chan *webtransport.Session, 1)
	mux := http.NewServeMux()
	s := &webtransport.Server{H3: &http3.Server{TLSConfig: http3.ConfigureTLSConfig(certificate()), Handler: mux}}
	webtransport.ConfigureHTTP3Server(s.H3)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if session, err := s.Upgrade(w, r); err == nil {
			sessions <- session
		}
	})
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(err)
	go s.Serve(udp)
	return udp.LocalAddr().String(), sessions
}

func certificate() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(err)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// dial begins a session and gives the client's QUIC connection, on which it can send any error code, and the server's side.
func dial(ctx context.Context, addr string, sessions <-chan *webtransport.Session) (*quic.Conn, *webtransport.Session) {
	var conn *quic.Conn
	t := &webtransport.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{http3.NextProtoH3}},
		DialAddr: func(ctx context.Context, addr string, tlsConf *tls.Config, conf *quic.Config) (*quic.Conn, error) {
			var err error
			conn, err = quic.DialAddr(ctx, addr, tlsConf, conf)
			return conn, err
		},
	}
	_, _, err := t.Dial(ctx, "https://"+addr+"/", nil)
	check(err)
	return conn, <-sessions
}

// reset opens a stream, and gives what the server's Read and Write say after the client gave up both directions with a code.
func reset(ctx context.Context, conn *quic.Conn, server *webtransport.Session, code quic.StreamErrorCode) (reading, writing error) {
	raw, err := conn.OpenStreamSync(ctx)
	check(err)
	const webTransportStream, session = 0x41, 0 // the session is the client's first stream
	header := quicvarint.Append(quicvarint.Append(nil, webTransportStream), session)
	_, err = raw.Write(append(header, 'x'))
	check(err)
	str, err := server.AcceptStream(ctx)
	check(err)
	check(str.SetDeadline(time.Now().Add(10 * time.Second)))
	buf := make([]byte, 1<<10)
	n, err := str.Read(buf)
	check(err)
	if !bytes.Equal(buf[:n], []byte("x")) {
		log.Fatalf("the server read %q", buf[:n])
	}
	raw.CancelWrite(code) // RESET_STREAM
	raw.CancelRead(code)  // STOP_SENDING
	_, reading = str.Read(buf)
	for writing == nil {
		_, writing = str.Write(buf)
	}
	return reading, writing
}

func isStreamError(err error) bool {
	var se *webtransport.StreamError
	return errors.As(err, &se)
}

func describe(err error) string {
	var qe *quic.StreamError
	return fmt.Sprintf("%q (*webtransport.StreamError: %t, *quic.StreamError: %t)",
		err, isStreamError(err), errors.As(err, &qe))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
GO

export GOWORK=off QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING=true
go mod init finding 2>/dev/null
go get github.com/quic-go/webtransport-go@v0.13.0 github.com/quic-go/quic-go@v0.64.1 2>get.log || { cat get.log >&2; exit 1; }
go build -mod=mod -o finding .
./finding &
pid=$!
rc=0
wait "$pid" || rc=$?
pid=
exit "$rc"
