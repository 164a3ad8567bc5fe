package client_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func connections(n int) func(*client.Options) {
	return func(o *client.Options) { o.Connections = n }
}

// stored uploads a file that has several pieces, and a part of one.
func stored(t *testing.T, c *client.Client) (want []byte, a *wire.Artifact) {
	t.Helper()
	want = noise(1, 9*int(*client.PieceSize)+17) // more pieces than three connections fetch at once
	a, err := c.Upload(t.Context(), wire.ArtifactCreateParams{Name: "f", Size: int64(len(want))}, bytes.NewReader(want), nil)
	if err != nil {
		t.Fatal(err)
	}
	return want, a
}

func TestADownloadOverSeveralConnections(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr string) {
		t.Parallel()
		n := serve(t)
		c := dial(t, n, over(tr), connections(3))
		want, a := stored(t, c)
		var got bytes.Buffer
		last := int64(0)
		if _, err := c.Download(t.Context(), a.ID, &got, func(now, total int64) {
			if now <= last || total != a.Size {
				t.Errorf("%d of %d bytes after %d", now, total, last)
			}
			last = now
		}); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) || last != a.Size {
			t.Errorf("%d bytes came back, %d told", got.Len(), last)
		}
	})
}

func TestSuchADownloadGoesOnOverCuts(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr string) {
		t.Parallel()
		l := behindRelays(t)
		c := dial(t, l.node, over(tr), at(l.tcp.url()), connections(3))
		want, a := stored(t, c)
		cuts := 0
		path := filepath.Join(t.TempDir(), "f")
		if _, err := c.DownloadFile(t.Context(), a.ID, path, times(3, func() { cuts++; l.cut(c, tr) })); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) || cuts != 2 {
			t.Errorf("%d bytes came back over %d cuts, %v", len(got), cuts, err)
		}
	})
}

// TestOneThatWasGivenUpLeavesTheBeginning of the file, with which another one goes on.
func TestOneThatWasGivenUpLeavesTheBeginning(t *testing.T) {
	t.Parallel()
	n := serve(t)
	c := dial(t, n, connections(3))
	want, a := stored(t, c)
	path := filepath.Join(t.TempDir(), "f")
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := c.DownloadFile(ctx, a.ID, path, times(2, cancel)); !errors.Is(err, context.Canceled) {
		t.Fatalf("a canceled download: %v", err)
	}
	part, err := os.ReadFile(path + ".part")
	if err != nil || len(part) < len(want)/2 || len(part) == len(want) || !bytes.HasPrefix(want, part) {
		t.Fatalf("%d bytes are left, %v", len(part), err)
	}
	first := int64(-1)
	if _, err := c.DownloadFile(t.Context(), a.ID, path, func(now, _ int64) {
		if first < 0 {
			first = now
		}
	}); err != nil {
		t.Fatal(err)
	}
	if first <= int64(len(part)) || first > int64(len(part))+*client.PieceSize {
		t.Errorf("it went on with byte %d, %d were there", first, len(part))
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
}

func TestSuchDownloadsThatFail(t *testing.T) {
	t.Parallel()
	n := serve(t)
	c := dial(t, n, connections(3))
	want, a := stored(t, c)
	full := errors.New("the disk is full")
	if _, err := c.Download(t.Context(), a.ID, failing{full}, nil); !errors.Is(err, full) {
		t.Errorf("nothing can be written: %v", err)
	}
	if _, err := c.Download(t.Context(), "fnone", io.Discard, nil); !errors.Is(err, &wire.Error{Code: wire.CodeNotFound}) {
		t.Errorf("an artifact that is none: %v", err)
	}
	open, err := c.ArtifactCreate(t.Context(), wire.ArtifactCreateParams{Name: "f", Size: 9 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Download(t.Context(), open.ID, io.Discard, nil); !errors.Is(err, &wire.Error{Code: wire.CodePrecondition}) {
		t.Errorf("one that is not complete: %v", err)
	}
	other := bytes.Clone(want[:len(want)/2])
	other[5]++
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path+".part", other, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.DownloadFile(t.Context(), a.ID, path, nil); err != nil { // begins again
		t.Error(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
