#!/usr/bin/env bash
# coder/websocket 1.8.15: a connection that is cut within a message looks, at some places, like the end of the message.
#
# RFC 6455, section 5.2: a frame has as many bytes as its header says; 7.1.5: a connection that ends without a close frame was not closed
# cleanly (1006). So a message that has arrived in part should be an error. Seen: if the connection ends right after the header of a
# frame, or at 512 bytes of it, where Read's buffer is full for the first time, Read returns what has arrived as if it were the whole
# message, without an error. At 100 and at 700 bytes it returns one.
#
# Needs: Go. Exits 0 when it is seen as recorded.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"

cat >main.go <<'GO'
package main

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/coder/websocket"
)

// serve sends the header of a message of 1,000 bytes and the first n of them, and ends the connection.
func serve(l net.Listener, n int) {
	c, err := l.Accept()
	if err != nil {
		panic(err)
	}
	defer c.Close()
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		panic(err)
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	c.Write(append([]byte{0x82, 126, 1000 >> 8, 1000 & 0xff}, make([]byte, n)...))
}

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	failed := false
	for _, at := range []struct {
		n     int
		whole bool // it is taken for the whole message
	}{{0, true}, {100, false}, {512, true}, {700, false}} {
		go serve(l, at.n)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		ws, _, err := websocket.Dial(ctx, "ws://"+l.Addr().String(), nil)
		if err != nil {
			panic(err)
		}
		_, b, err := ws.Read(ctx)
		fmt.Printf("the connection ends after %3d of 1000 bytes\n  expected an error\n  seen     %d bytes, error %v\n", at.n, len(b), err)
		failed = failed || (err == nil) != at.whole
		ws.CloseNow()
		cancel()
	}
	if failed {
		fmt.Println("it is not as recorded")
		os.Exit(1)
	}
}
GO
cat >go.mod <<'MOD'
module finding

go 1.26.0

require github.com/coder/websocket v1.8.15
MOD
GOFLAGS=-mod=mod go run .
