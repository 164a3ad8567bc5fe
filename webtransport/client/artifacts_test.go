package client_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/webtransport/wire"
)

// noise gives n bytes that are never the same at two places.
func noise(seed byte, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// times calls f once when each part of a transfer has gone.
func times(parts int, f func()) func(now, total int64) {
	next := 1
	return func(now, total int64) {
		if next < parts && now >= total*int64(next)/int64(parts) {
			next++
			f()
		}
	}
}

func TestATransferGoesOnOverCuts(t *testing.T) {
	t.Parallel()
	want := noise(1, kit.Less(6<<20, 3<<20))
	overBoth(t, func(t *testing.T, tr string) {
		t.Parallel()
		l := behindRelays(t)
		c := dial(t, l.node, over(tr), at(l.tcp.url()))
		cuts := 0
		cut := func() { cuts++; l.cut(c, tr) }
		a, err := c.Upload(t.Context(), wire.ArtifactCreateParams{Name: "f", Size: int64(len(want))}, bytes.NewReader(want), times(3, cut))
		if err != nil {
			t.Fatal(err)
		}
		if a.State != wire.ArtifactComplete || a.SHA256 != sum(want) || a.Size != int64(len(want)) {
			t.Errorf("%+v", a)
		}
		if list, err := c.ArtifactList(t.Context(), wire.ArtifactFilter{}); err != nil || list.Total != 1 {
			t.Errorf("%+v, %v", list, err)
		}
		var got bytes.Buffer
		if _, err := c.Download(t.Context(), a.ID, &got, times(2, cut)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%d bytes came back", got.Len())
		}
		if cuts != 3 {
			t.Errorf("%d cuts", cuts)
		}
	})
}

func TestATransferGoesOnOverARestart(t *testing.T) {
	t.Parallel()
	want := noise(1, kit.Less(6<<20, 3<<20))
	overBoth(t, func(t *testing.T, tr string) {
		t.Parallel()
		n := serve(t)
		c := dial(t, n, over(tr))
		restart := func() { n = n.restart(t) }
		a, err := c.Upload(t.Context(), wire.ArtifactCreateParams{Name: "f", Size: int64(len(want))}, bytes.NewReader(want), times(2, restart))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "f")
		if _, err := c.DownloadFile(t.Context(), a.ID, path, times(2, restart)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes came back, %v", len(got), err)
		}
	})
}

func TestDownloadFileGoesOn(t *testing.T) {
	t.Parallel()
	want := noise(1, 2<<20)
	n := serve(t)
	c := dial(t, n)
	a, err := c.Upload(t.Context(), wire.ArtifactCreateParams{Name: "f", Size: int64(len(want))}, bytes.NewReader(want), nil)
	if err != nil {
		t.Fatal(err)
	}
	other := bytes.Clone(want[:1<<20])
	other[5]++
	for name, part := range map[string][]byte{
		"nothing": nil, "a part": want[:1<<20], "all": want, "of another file": other, "more than all": append(bytes.Clone(want), 1),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(path+".part", part, 0o600); err != nil {
				t.Fatal(err)
			}
			first := int64(-1)
			got, err := c.DownloadFile(t.Context(), a.ID, path, func(now, _ int64) {
				if first < 0 {
					first = now
				}
			})
			if err != nil || got.SHA256 != sum(want) {
				t.Fatalf("%+v, %v", got, err)
			}
			if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, want) {
				t.Errorf("%d bytes, %v", len(b), err)
			}
			if _, err := os.Stat(path + ".part"); !os.IsNotExist(err) {
				t.Errorf("the part is left: %v", err)
			}
			if int64(len(part)) <= a.Size && first != int64(len(part)) {
				t.Errorf("it went on at %d, want %d", first, len(part))
			}
		})
	}
}

// shrinks is a file that was cut while it was sent.
type shrinks struct{ at int64 }

func (s shrinks) ReadAt(b []byte, off int64) (int, error) {
	if off >= s.at {
		return 0, io.EOF
	}
	return len(b), nil
}

func TestTransfersThatFail(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr string) {
		t.Parallel()
		n := serve(t)
		c := dial(t, n, over(tr))
		want := noise(1, 3<<20)
		if _, err := c.Upload(t.Context(), wire.ArtifactCreateParams{Name: "a/b", Size: 1}, bytes.NewReader(want), nil); !errors.Is(err, &wire.Error{Code: wire.CodeInvalidParams}) {
			t.Errorf("a bad name: %v", err)
		}
		if _, err := c.Upload(t.Context(), wire.ArtifactCreateParams{Name: "f", Size: int64(len(want)), SHA256: sum(want[1:])}, bytes.NewReader(want), nil); !errors.Is(err, &wire.Error{Code: wire.CodeInvalidParams}) {
			t.Errorf("other bytes than announced: %v", err)
		}
		if _, err := c.Upload(t.Context(), wire.ArtifactCreateParams{Name: "f", Size: 2 << 20, SHA256: sum(want)}, shrinks{1 << 20}, nil); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("a file that shrinks: %v", err)
		}
		for _, id := range []wire.ArtifactID{"fnone", ""} {
			if _, err := c.Download(t.Context(), id, io.Discard, nil); err == nil {
				t.Errorf("the artifact %q was downloaded", id)
			}
		}
		a, err := c.ArtifactCreate(t.Context(), wire.ArtifactCreateParams{Name: "f", Size: 3})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Download(t.Context(), a.ID, io.Discard, nil); !errors.Is(err, &wire.Error{Code: wire.CodePrecondition}) {
			t.Errorf("one that is not complete: %v", err)
		}
		if err := c.ArtifactDelete(t.Context(), a.ID); err != nil {
			t.Error(err)
		}
		if _, err := c.UploadTo(t.Context(), a, bytes.NewReader(want), nil); !errors.Is(err, &wire.Error{Code: wire.CodeNotFound}) {
			t.Errorf("one that was deleted: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		_, err = c.Upload(ctx, wire.ArtifactCreateParams{Name: "f", Size: int64(len(want))}, bytes.NewReader(want), times(2, cancel))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a canceled upload: %v", err)
		}
		if _, err := c.Ping(t.Context()); err != nil {
			t.Errorf("the session afterwards: %v", err)
		}
	})
}
