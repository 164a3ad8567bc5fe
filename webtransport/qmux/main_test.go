package qmux

import (
	"context"
	"io"
	"testing"

	"go.uber.org/goleak"

	"skein.dev/skein/e2e/kit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair connects a client and a server in memory and closes both when the test ends.
func pair(t testing.TB, client, server Config) (c, s *Session) {
	a, b := Pipe()
	return closing(t, Client(a, client), Server(b, server))
}

func closing(t testing.TB, a, b *Session) (_, _ *Session) {
	t.Cleanup(func() {
		a.Close(0, "")
		b.Close(0, "")
	})
	return a, b
}

// open opens a stream and gives both its ends; the first byte, which made the peer aware of it, is read.
func open(t testing.TB, from, to *Session) (near, far *Stream) {
	t.Helper()
	near = must(from.OpenStream(t.Context()))(t)
	must(near.Write([]byte{'!'}))(t)
	far = must(to.AcceptStream(t.Context()))(t)
	if b := readN(t, far, 1); b[0] != '!' {
		t.Fatalf("the first byte is %q", b)
	}
	return near, far
}

// must gives the value of a call that may not fail.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func readN(t testing.TB, r io.Reader, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatal(err)
	}
	return b
}

// echo answers every stream with what it carries until the session ends.
func echo(s *Session) {
	for {
		st, err := s.AcceptStream(context.Background())
		if err != nil {
			return
		}
		go func() {
			io.Copy(st, st)
			st.Close()
		}()
	}
}

// within gives a context that is generous for what takes milliseconds.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), kit.Patience)
	t.Cleanup(cancel)
	return ctx
}
