package qmux

import (
	"fmt"
	"io"
	"testing"
)

// BenchmarkEcho sends a message there and back on one stream, over a Pipe.
func BenchmarkEcho(b *testing.B) {
	for _, size := range []int{100, 4 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			c, s := pair(b, Config{}, Config{})
			go echo(s)
			st := must(c.OpenStream(b.Context()))(b)
			data, got := make([]byte, size), make([]byte, size)
			b.SetBytes(int64(2 * size))
			b.ReportAllocs()
			for b.Loop() {
				done := make(chan struct{})
				go func() {
					st.Write(data)
					close(done)
				}()
				if _, err := io.ReadFull(st, got); err != nil {
					b.Fatal(err)
				}
				<-done
			}
		})
	}
}

// BenchmarkStreams opens, uses and closes a stream.
func BenchmarkStreams(b *testing.B) {
	c, s := pair(b, Config{}, Config{})
	go echo(s)
	b.ReportAllocs()
	for b.Loop() {
		st := must(c.OpenStream(b.Context()))(b)
		st.Write([]byte("header and message"))
		st.Close()
		if _, err := io.Copy(io.Discard, st); err != nil {
			b.Fatal(err)
		}
	}
}
