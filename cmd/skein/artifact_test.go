package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func TestAPutGoesOnWithAnUploadThatBrokeOff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startServing(t, dir)
	o, err := client.FindLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	want := bytes.Repeat([]byte("0123456789abcde\n"), 1<<17)
	file := filepath.Join(t.TempDir(), "f.txt")
	if err := os.WriteFile(file, want, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = c.Upload(ctx, wire.ArtifactCreateParams{Name: "f.txt", Size: int64(len(want))}, bytes.NewReader(want), func(sent, total int64) {
		if sent > total/2 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("the first upload ended with %v", err)
	}
	list := func() []wire.Artifact {
		res, err := c.ArtifactList(t.Context(), wire.ArtifactFilter{})
		if err != nil {
			t.Fatal(err)
		}
		return res.Artifacts
	}
	before := list()
	if len(before) != 1 || before[0].State != wire.ArtifactUploading {
		t.Fatalf("%+v", before)
	}
	id := strings.TrimSpace(s.skein(t, "artifact", "put", file))
	if id != string(before[0].ID) {
		t.Errorf("put made %s, the upload was %s", id, before[0].ID)
	}
	if got := s.skein(t, "artifact", "get", id, "-o", "-"); got != string(want) {
		t.Errorf("%d bytes came back", len(got))
	}
	if again := strings.TrimSpace(s.skein(t, "artifact", "put", file)); again == id {
		t.Error("a file that is put again is the same artifact")
	}
	if all := list(); len(all) != 2 {
		t.Errorf("%+v", all)
	}
}
