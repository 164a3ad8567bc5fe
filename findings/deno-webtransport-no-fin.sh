#!/usr/bin/env bash
# Deno 2.9.6, --unstable-net: closing the writable side of a WebTransport stream sends no FIN while the session lives.
#
# The Web API's close() is to send a FIN (the Web Platform Tests test it: streams-close). Here a client writes to a
# bidirectional stream and awaits writer.close(); the server (webtransport-go) reads the bytes, but not their end: its read
# waits until the client ends the session, so that a server that answers at the end of a request never answers. The client of
# webtransport-go does the same with the same server first, and there the end arrives. The script keeps its stream, for Deno
# also ends streams when they are garbage-collected.
#
# Needs: Go, npm. Exits 0 when it is seen as recorded.
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

cat >client.js <<'JS'
const value = Uint8Array.from(Deno.args[1].match(/../g), (hex) => parseInt(hex, 16))
const session = new WebTransport(Deno.args[0], { serverCertificateHashes: [{ algorithm: 'sha-256', value }] })
await session.ready
globalThis.stream = await session.createBidirectionalStream()
const writer = stream.writable.getWriter()
await writer.write(new TextEncoder().encode('hello'))
await writer.close()
console.log('closed')
await Deno.stdin.read(new Uint8Array(1)) // until it is told to end the session
session.close()
await session.closed
JS

cat >main.go <<'GO'
package main

import (
	"bufio"
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
	"os"
	"os/exec"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/webtransport-go"
)

// patience is how long the server waits for the end of the stream after the client has closed it.
const patience = 5 * time.Second

// read is what the server got of a stream: bytes, or why it ended.
type read struct {
	text string
	err  error
}

func main() {
	stop, cancelStop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancelStop()
	ctx, cancel := context.WithTimeout(stop, time.Minute)
	defer cancel()
	info, _ := debug.ReadBuildInfo()
	for _, dep := range info.Deps {
		if dep.Path == "github.com/quic-go/webtransport-go" || dep.Path == "github.com/quic-go/quic-go" {
			fmt.Println("version: ", dep.Path, dep.Version)
		}
	}
	fmt.Println("expected: the bytes, then EOF, once the client has closed its side")

	url, hash, reads := serve()
	viaGo := withGo(ctx, url, reads)
	early, late := withDeno(ctx, url, hash, reads)
	if !viaGo || early || !late {
		fmt.Println("this is not what was recorded")
		os.Exit(1)
	}
	fmt.Println("as recorded: a stream that Deno has closed ends only with its session")
}

// withGo says whether the end of a stream that webtransport-go's client closed arrives while the session lives.
func withGo(ctx context.Context, url string, reads <-chan read) bool {
	t := &webtransport.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{http3.NextProtoH3}}}
	_, session, err := t.Dial(ctx, url, nil)
	check(err)
	defer session.CloseWithError(0, "")
	str, err := session.OpenStreamSync(ctx)
	check(err)
	_, err = str.Write([]byte("hello"))
	check(err)
	check(str.Close())
	return report("webtransport-go's client, session open", reads)
}

// withDeno says whether the end of a stream that Deno closed arrives while the session lives, and once it is closed.
func withDeno(ctx context.Context, url, hash string, reads <-chan read) (early, late bool) {
	deno := exec.CommandContext(ctx, os.Args[1], "run", "--quiet", "--no-prompt", "--no-config", "--no-remote", "--unstable-net",
		"--allow-net=127.0.0.1", "client.js", url, hash)
	deno.Stderr = os.Stderr
	in, err := deno.StdinPipe()
	check(err)
	out, err := deno.StdoutPipe()
	check(err)
	check(deno.Start())
	defer deno.Process.Kill()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "closed\n" {
		panic(fmt.Sprintf("Deno said %q: %v", line, err))
	}
	early = report("Deno, session open", reads)
	in.Close()
	check(deno.Wait())
	late = report("Deno, session closed", reads)
	return early, late
}

// report prints what the server reads, and says whether the stream came to an end.
func report(when string, reads <-chan read) bool {
	for timeout := time.After(patience); ; {
		select {
		case r := <-reads:
			switch {
			case r.text != "":
				fmt.Printf("seen:     %s: read %q\n", when, r.text)
			case errors.Is(r.err, io.EOF):
				fmt.Printf("seen:     %s: EOF\n", when)
				return true
			case r.err != nil:
				fmt.Printf("seen:     %s: the stream ended with %T: %v\n", when, r.err, r.err)
				return true
			}
		case <-timeout:
			fmt.Printf("seen:     %s: no EOF after %v\n", when, patience)
			return false
		}
	}
}

// serve gives a WebTransport server on loopback, the hash of its certificate, and what it reads.
func serve() (url, hash string, reads <-chan read) {
	cert := certificate()
	all := make(chan read, 100)
	mux := http.NewServeMux()
	s := &webtransport.Server{H3: &http3.Server{Handler: mux,
		TLSConfig: http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{cert}})}}
	webtransport.ConfigureHTTP3Server(s.H3)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		session, err := s.Upgrade(w, r)
		if err != nil {
			return
		}
		str, err := session.AcceptStream(context.Background())
		buf := make([]byte, 1<<10)
		for err == nil {
			var n int
			n, err = str.Read(buf)
			if n > 0 {
				all <- read{text: string(buf[:n])}
			}
		}
		all <- read{err: err}
	})
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(err)
	go s.Serve(udp)
	return "https://" + udp.LocalAddr().String() + "/", fmt.Sprintf("%x", sha256.Sum256(cert.Certificate[0])), all
}

// certificate makes what serverCertificateHashes takes: ECDSA, and good for less than two weeks.
func certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(240 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func check(err error) {
	if err != nil {
		panic(err) // what is deferred ends Deno
	}
}
GO

npm install --silent --no-audit --no-fund --no-save --prefix "$tmp" deno@2.9.6 >npm.log 2>&1 || { cat npm.log >&2; exit 1; }
export GOWORK=off QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING=true DENO_NO_UPDATE_CHECK=1 DENO_DIR="$tmp/cache"
go mod init finding 2>/dev/null
go get github.com/quic-go/webtransport-go@v0.13.0 github.com/quic-go/quic-go@v0.64.1 2>get.log || { cat get.log >&2; exit 1; }
go build -mod=mod -o finding .
deno=$(echo "$tmp"/node_modules/@deno/*/deno) # the one for this system
echo "version:  $("$deno" --version | head -1)"
./finding "$deno" &
pid=$!
rc=0
wait "$pid" || rc=$?
pid=
exit "$rc"
