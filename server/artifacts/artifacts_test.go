package artifacts_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/artifacts"
	"skein.dev/skein/server/jet"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// noise returns n bytes without repetitions.
func noise(seed byte, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// node is artifacts with their own store. It has one agent, which has no tasks.
type node struct {
	*artifacts.Artifacts
	store *jet.Store
	dir   string
}

const known wire.AgentID = "aknown"

type life struct{}

func (life) HasAgent(id wire.AgentID) bool                         { return id == known }
func (life) HasTask(wire.TaskID) bool                              { return false }
func (life) WorkOf(wire.AgentID) (ended bool, tasks []wire.TaskID) { return true, nil }

func open(t *testing.T, dir string) *node {
	t.Helper()
	store, err := jet.Open(t.Context(), jet.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	as := artifacts.New(artifacts.Options{Store: store, Life: life{}, Dir: dir, WorkDir: filepath.Join(dir, "agents"), Timeout: kit.Patience}, slog.New(slog.DiscardHandler))
	n := &node{as, store, dir}
	t.Cleanup(n.close)
	if err := as.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *node) close() {
	if n.Artifacts == nil {
		return
	}
	n.Artifacts.Close()
	n.store.Close()
	n.Artifacts = nil
}

func (n *node) create(t *testing.T, p wire.ArtifactCreateParams) *wire.Artifact {
	t.Helper()
	a, err := n.Artifacts.Create(t.Context(), noun.Caller{Actor: "test"}, p)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// upload opens an upload, which must continue at an offset, and passes it bytes from r.
func (n *node) upload(t *testing.T, id wire.ArtifactID, offset int64, r io.Reader) (wire.Artifact, error) {
	t.Helper()
	u, done, err := n.Artifacts.Upload(t.Context(), id)
	if err != nil || done != nil {
		t.Fatalf("upload: %+v, %v", done, err)
	}
	defer u.Close()
	if u.Offset != offset {
		t.Fatalf("it goes on at %d, want %d", u.Offset, offset)
	}
	return u.Receive(r)
}

func (n *node) download(t *testing.T, id wire.ArtifactID, offset int64) []byte {
	t.Helper()
	_, r, err := n.Artifacts.Download(t.Context(), id, offset)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// holds checks that an artifact is complete with these bytes, and that nothing else of it is left.
func (n *node) holds(t *testing.T, id wire.ArtifactID, want []byte) {
	t.Helper()
	a, err := n.Artifacts.Get(id)
	if err != nil {
		t.Fatal(err)
	}
	if a.State != wire.ArtifactComplete || a.Size != int64(len(want)) || a.Received != a.Size || a.SHA256 != sum(want) {
		t.Errorf("the record is %+v", a)
	}
	if got := n.download(t, id, 0); !bytes.Equal(got, want) {
		t.Errorf("it has %d bytes, want %d; the same: false", len(got), len(want))
	}
	if parts := n.parts(t); slices.Contains(parts, string(id)+".part") {
		t.Errorf("its part is left")
	}
}

func (n *node) parts(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(n.dir, "uploads"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func (n *node) objects(t *testing.T) []wire.ArtifactID {
	t.Helper()
	ids, err := n.store.Objects(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// breaks returns some bytes, and then the error of a client that has left.
func breaks(b []byte) io.Reader {
	return io.MultiReader(bytes.NewReader(b), iotest.ErrReader(errors.New("the client went away")))
}

func TestAnUploadGoesOnAfterACutAndARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := open(t, dir)
	want := noise(1, 5<<20)
	a := n.create(t, wire.ArtifactCreateParams{Name: "model.bin", Size: int64(len(want)), SHA256: strings.ToUpper(sum(want))})
	if a.State != wire.ArtifactUploading || a.MediaType != "application/octet-stream" || a.ID == "" {
		t.Errorf("%+v", a)
	}
	if _, err := n.upload(t, a.ID, 0, breaks(want[:1<<20+7])); err == nil {
		t.Fatal("a broken upload ended well")
	}
	if got, _ := n.Artifacts.Get(a.ID); got.Received != 1<<20+7 || got.State != wire.ArtifactUploading {
		t.Errorf("after the cut: %+v", got)
	}
	if _, err := n.upload(t, a.ID, 1<<20+7, breaks(want[1<<20+7:3<<20])); err == nil {
		t.Fatal("a broken upload ended well")
	}
	info, err := os.Stat(filepath.Join(dir, "uploads", string(a.ID)+".part"))
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != 3<<20 {
		t.Errorf("the part: %+v, %v", info, err)
	}
	_, _, err = n.Artifacts.Download(t.Context(), a.ID, 0)
	kit.Refused(t, err, wire.CodePrecondition, "id")

	n.close()
	n = open(t, dir)
	if got, _ := n.Artifacts.Get(a.ID); got.Received != 3<<20 {
		t.Errorf("after the restart: %+v", got)
	}
	done, err := n.upload(t, a.ID, 3<<20, bytes.NewReader(want[3<<20:]))
	if err != nil || done.State != wire.ArtifactComplete {
		t.Fatalf("%+v, %v", done, err)
	}
	n.holds(t, a.ID, want)

	n.close()
	n = open(t, dir)
	n.holds(t, a.ID, want)
	for _, offset := range []int{1, 4 << 20, len(want)} {
		if got := n.download(t, a.ID, int64(offset)); !bytes.Equal(got, want[offset:]) {
			t.Errorf("from %d: %d bytes", offset, len(got))
		}
	}
	_, again, err := n.Artifacts.Upload(t.Context(), a.ID)
	if err != nil || again == nil || again.SHA256 != sum(want) {
		t.Errorf("uploaded once more: %+v, %v", again, err)
	}
}

func TestAnUploadOfUnknownSizeAndOfNothing(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	for name, want := range map[string][]byte{"unknown.txt": []byte("some text"), "empty": {}} {
		size := int64(-1)
		if len(want) == 0 {
			size = 0
		}
		a := n.create(t, wire.ArtifactCreateParams{Name: name, Size: size})
		if _, err := n.upload(t, a.ID, 0, bytes.NewReader(want)); err != nil {
			t.Fatal(err)
		}
		n.holds(t, a.ID, want)
	}
}

func TestOtherBytesThanAnnouncedStartOver(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	want := noise(1, 700_000)
	other := slices.Clone(want)
	other[350_000] ^= 1
	for name, c := range map[string]struct {
		bytes []byte
		field string
	}{
		"other bytes": {other, "sha256"},
		"too few":     {want[:len(want)-1], "size"},
		"too many":    {append(slices.Clone(want), 0), "size"},
	} {
		t.Run(name, func(t *testing.T) {
			a := n.create(t, wire.ArtifactCreateParams{Name: "f", Size: int64(len(want)), SHA256: sum(want)})
			_, err := n.upload(t, a.ID, 0, bytes.NewReader(c.bytes))
			kit.Refused(t, err, wire.CodeInvalidParams, c.field)
			if got, _ := n.Artifacts.Get(a.ID); got.State != wire.ArtifactUploading || got.Received != 0 {
				t.Errorf("after it: %+v", got)
			}
			if ids := n.objects(t); slices.Contains(ids, a.ID) {
				t.Error("bytes that were refused are in the store")
			}
			if _, err := n.upload(t, a.ID, 0, bytes.NewReader(want)); err != nil {
				t.Fatalf("the right bytes: %v", err)
			}
			n.holds(t, a.ID, want)
		})
	}
}

// endless is a client that never stops; it counts the bytes that it sent.
type endless int

func (e *endless) Read(b []byte) (int, error) {
	*e += endless(len(b))
	return len(b), nil
}

func TestAnUploadThatDoesNotEndIsEnded(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	a := n.create(t, wire.ArtifactCreateParams{Name: "f", Size: 1 << 20})
	var client endless
	_, err := n.upload(t, a.ID, 0, &client)
	kit.Refused(t, err, wire.CodeInvalidParams, "size")
	if got, _ := n.Artifacts.Get(a.ID); got.Received != 0 || client > 2<<20 {
		t.Errorf("after %d bytes: %+v", client, got)
	}
}

func TestBadArtifacts(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	for name, c := range map[string]struct {
		p     wire.ArtifactCreateParams
		code  wire.ErrorCode
		field string
	}{
		"no name":           {wire.ArtifactCreateParams{}, wire.CodeInvalidParams, "name"},
		"a folder":          {wire.ArtifactCreateParams{Name: "a/b"}, wire.CodeInvalidParams, "name"},
		"a Windows folder":  {wire.ArtifactCreateParams{Name: `a\b`}, wire.CodeInvalidParams, "name"},
		"the folder above":  {wire.ArtifactCreateParams{Name: ".."}, wire.CodeInvalidParams, "name"},
		"a control":         {wire.ArtifactCreateParams{Name: "a\nb"}, wire.CodeInvalidParams, "name"},
		"an escape":         {wire.ArtifactCreateParams{Name: "a\x1b[2Jb"}, wire.CodeInvalidParams, "name"},
		"a NUL":             {wire.ArtifactCreateParams{Name: "a\x00b"}, wire.CodeInvalidParams, "name"},
		"turned around":     {wire.ArtifactCreateParams{Name: "a\u202egpj.exe"}, wire.CodeInvalidParams, "name"},
		"no UTF-8":          {wire.ArtifactCreateParams{Name: "a\xff"}, wire.CodeInvalidParams, "name"},
		"a long name":       {wire.ArtifactCreateParams{Name: strings.Repeat("x", wire.MaxArtifactName+1)}, wire.CodeInvalidParams, "name"},
		"a negative size":   {wire.ArtifactCreateParams{Name: "a", Size: -2}, wire.CodeInvalidParams, "size"},
		"too large":         {wire.ArtifactCreateParams{Name: "a", Size: wire.MaxArtifactSize + 1}, wire.CodeTooLarge, "size"},
		"a short SHA-256":   {wire.ArtifactCreateParams{Name: "a", SHA256: "abcd"}, wire.CodeInvalidParams, "sha256"},
		"a SHA-256 of word": {wire.ArtifactCreateParams{Name: "a", SHA256: strings.Repeat("z", 64)}, wire.CodeInvalidParams, "sha256"},
		"a media type":      {wire.ArtifactCreateParams{Name: "a", MediaType: "text/plain\r\nX: y"}, wire.CodeInvalidParams, "media_type"},
		"an unknown task":   {wire.ArtifactCreateParams{Name: "a", Task: "tnone"}, wire.CodeNotFound, "task"},
		"an unknown agent":  {wire.ArtifactCreateParams{Name: "a", Agent: "anone"}, wire.CodeNotFound, "agent"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := n.Artifacts.Create(t.Context(), noun.Caller{}, c.p)
			kit.Refused(t, err, c.code, c.field)
		})
	}
	if got := n.Artifacts.List(wire.ArtifactFilter{}).Total; got != 0 {
		t.Errorf("there are %d artifacts", got)
	}
	_, err := n.Artifacts.Get("fnone")
	kit.Refused(t, err, wire.CodeNotFound, "id")
	_, _, err = n.Artifacts.Upload(t.Context(), "fnone")
	kit.Refused(t, err, wire.CodeNotFound, "id")
	kit.Refused(t, n.Artifacts.Delete(t.Context(), "fnone"), wire.CodeNotFound, "id")
	a := n.create(t, wire.ArtifactCreateParams{Name: "a", Size: 3})
	if _, err := n.upload(t, a.ID, 0, strings.NewReader("abc")); err != nil {
		t.Fatal(err)
	}
	for _, offset := range []int64{-1, 4} {
		_, _, err = n.Artifacts.Download(t.Context(), a.ID, offset)
		kit.Refused(t, err, wire.CodeInvalidParams, "offset")
	}
}

func TestARepeatedCreateIsOneArtifact(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := open(t, dir)
	by := noun.Caller{Actor: "test", Request: "r1"}
	first, err := n.Artifacts.Create(t.Context(), by, wire.ArtifactCreateParams{Name: "a", Size: 1})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		again, err := n.Artifacts.Create(t.Context(), by, wire.ArtifactCreateParams{Name: "a", Size: 1})
		if err != nil || again.ID != first.ID {
			t.Errorf("%+v, %v; the first was %s", again, err, first.ID)
		}
		n.close()
		n = open(t, dir)
	}
	if got := n.Artifacts.List(wire.ArtifactFilter{}).Total; got != 1 {
		t.Errorf("there are %d artifacts", got)
	}
}

func TestListAndDelete(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := open(t, dir)
	var ids []wire.ArtifactID
	for i, p := range []wire.ArtifactCreateParams{{Name: "Report.pdf", Size: 10, Agent: known}, {Name: "data.csv", Size: 20}, {Name: "report.txt", Size: 30}} {
		a := n.create(t, p)
		if _, err := n.upload(t, a.ID, 0, bytes.NewReader(noise(byte(i), int(p.Size)))); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, a.ID)
	}
	list := func(f wire.ArtifactFilter) (got []wire.ArtifactID, res wire.ArtifactListResult) {
		res = n.Artifacts.List(f)
		for _, a := range res.Artifacts {
			got = append(got, a.ID)
		}
		return got, res
	}
	if got, res := list(wire.ArtifactFilter{}); !slices.Equal(got, []wire.ArtifactID{ids[2], ids[1], ids[0]}) || res.Total != 3 || res.Bytes != 60 {
		t.Errorf("all: %+v", res)
	}
	if got, _ := list(wire.ArtifactFilter{Query: "REPORT"}); !slices.Equal(got, []wire.ArtifactID{ids[2], ids[0]}) {
		t.Errorf("by name: %v", got)
	}
	if got, _ := list(wire.ArtifactFilter{Agent: known}); !slices.Equal(got, ids[:1]) {
		t.Errorf("by agent: %v", got)
	}
	if got, _ := list(wire.ArtifactFilter{Task: "tnone"}); len(got) > 0 {
		t.Errorf("by a task that is not: %v", got)
	}
	if got, res := list(wire.ArtifactFilter{Limit: 1}); !slices.Equal(got, ids[2:]) || res.Total != 3 || res.Bytes != 60 {
		t.Errorf("the newest: %+v", res)
	}
	if err := n.Artifacts.Delete(t.Context(), ids[1]); err != nil {
		t.Fatal(err)
	}
	kit.Refused(t, n.Artifacts.Delete(t.Context(), ids[1]), wire.CodeNotFound, "id")
	if got := n.objects(t); len(got) != 2 || slices.Contains(got, ids[1]) {
		t.Errorf("the store has the bytes of %v", got)
	}
	n.close()
	n = open(t, dir)
	if got, _ := list(wire.ArtifactFilter{}); len(got) != 2 {
		t.Errorf("after a restart: %v", got)
	}
}

// stalled runs an upload whose client sends some bytes and then nothing. It returns how the upload ended.
func (n *node) stalled(t *testing.T, id wire.ArtifactID, b []byte) <-chan error {
	t.Helper()
	u, _, err := n.Artifacts.Upload(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	context.AfterFunc(u.Context(), func() { r.CloseWithError(errors.New("nobody reads on")) })
	ended := make(chan error, 1)
	go func() {
		defer u.Close()
		_, err := u.Receive(r)
		ended <- err
	}()
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	return ended
}

func TestASecondUploadTakesOver(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	want := noise(1, 1<<20)
	a := n.create(t, wire.ArtifactCreateParams{Name: "a", Size: int64(len(want))})
	first := n.stalled(t, a.ID, want[:300_000])
	second := n.stalled(t, a.ID, want[300_000:500_000])
	kit.Refused(t, <-first, wire.CodeConflict, "")
	if _, err := n.upload(t, a.ID, 500_000, bytes.NewReader(want[500_000:])); err != nil {
		t.Fatal(err)
	}
	kit.Refused(t, <-second, wire.CodeConflict, "")
	n.holds(t, a.ID, want)
}

func TestADeleteAndAnEndCutUploadsOff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := open(t, dir)
	want := noise(1, 1<<20)
	deleted := n.create(t, wire.ArtifactCreateParams{Name: "a", Size: int64(len(want))})
	cut := n.stalled(t, deleted.ID, want[:1000])
	if err := n.Artifacts.Delete(t.Context(), deleted.ID); err != nil {
		t.Fatal(err)
	}
	kit.Refused(t, <-cut, wire.CodeNotFound, "")
	if parts := n.parts(t); len(parts) > 0 {
		t.Errorf("left: %v", parts)
	}
	kept := n.create(t, wire.ArtifactCreateParams{Name: "b", Size: int64(len(want))})
	cut = n.stalled(t, kept.ID, want[:1000])
	as := n.Artifacts
	n.close()
	if err := <-cut; !errors.Is(err, artifacts.ErrStopping) {
		t.Errorf("when the server stops: %v", err)
	}
	if _, _, err := as.Upload(t.Context(), kept.ID); !errors.Is(err, artifacts.ErrStopping) {
		t.Errorf("an upload afterwards: %v", err)
	}
	n = open(t, dir)
	if _, err := n.upload(t, kept.ID, 1000, bytes.NewReader(want[1000:])); err != nil {
		t.Fatal(err)
	}
	n.holds(t, kept.ID, want)
}

// Each case is a state that a crash leaves between two steps.
func TestACrashLeavesAnUploadOrAnArtifact(t *testing.T) {
	t.Parallel()
	want := noise(1, 900_000)
	uploading := wire.Artifact{ID: "fcrash", Name: "a", MediaType: "a/b", Size: int64(len(want)), SHA256: sum(want), State: wire.ArtifactUploading,
		CreatedAt: time.Now().UTC(), UpdatedAt: time.Now().UTC()}
	complete := uploading
	complete.State, complete.Received = wire.ArtifactComplete, complete.Size
	old := uploading
	old.UpdatedAt = time.Now().Add(-wire.UploadLifetime - time.Hour).UTC()
	for name, c := range map[string]struct {
		record *wire.Artifact
		part   []byte
		aged   bool   // the part
		object []byte // put whole
		broken []byte // put, but truncated
		offset int64  // where the upload continues; -1: it is complete; -2: it is gone
	}{
		"before the first byte":          {record: &uploading, offset: 0},
		"in the middle":                  {record: &uploading, part: want[:400_000], offset: 400_000},
		"behind the last byte":           {record: &uploading, part: want, offset: 900_000},
		"while it moves into the store":  {record: &uploading, part: want, broken: want[:600_000], offset: 900_000},
		"before the record":              {record: &uploading, part: want, object: want, offset: 900_000},
		"before the part goes":           {record: &complete, part: want, object: want, offset: -1},
		"when all is done":               {record: &complete, object: want, offset: -1},
		"in a deletion":                  {part: want, object: want, offset: -2},
		"in a file being kept":           {broken: want[:300_000], offset: -2},
		"with a part that is too long":   {record: &uploading, part: append(slices.Clone(want), 1), offset: 0},
		"and nobody came back":           {record: &old, part: want[:5], aged: true, offset: -2},
		"and somebody came back of late": {record: &old, part: want[:5], offset: 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			crashed(t, dir, func(s *jet.Store) {
				if c.record != nil {
					if _, err := s.PutArtifact(t.Context(), c.record, 0); err != nil {
						t.Fatal(err)
					}
				}
				if c.broken != nil {
					if _, _, err := s.PutObject(t.Context(), "fcrash", breaks(c.broken)); err == nil {
						t.Fatal("a broken put ended well")
					}
				}
				if c.object != nil {
					if _, _, err := s.PutObject(t.Context(), "fcrash", bytes.NewReader(c.object)); err != nil {
						t.Fatal(err)
					}
				}
			})
			if c.part != nil {
				part := filepath.Join(dir, "uploads", "fcrash.part")
				if err := errors.Join(os.MkdirAll(filepath.Dir(part), 0o700), os.WriteFile(part, c.part, 0o600)); err != nil {
					t.Fatal(err)
				}
				if c.aged {
					if err := os.Chtimes(part, old.UpdatedAt, old.UpdatedAt); err != nil {
						t.Fatal(err)
					}
				}
			}
			n := open(t, dir)
			switch c.offset {
			case -2:
				if _, err := n.Artifacts.Get("fcrash"); !errors.Is(err, &wire.Error{Code: wire.CodeNotFound}) {
					t.Errorf("it is there: %v", err)
				}
				if parts, objects := n.parts(t), n.objects(t); len(parts)+len(objects) > 0 {
					t.Errorf("left: %v, %v", parts, objects)
				}
				return
			case -1:
			default:
				if objects := n.objects(t); len(objects) > 0 {
					t.Errorf("the store has the bytes of %v", objects)
				}
				if _, err := n.upload(t, "fcrash", c.offset, bytes.NewReader(want[c.offset:])); err != nil {
					t.Fatal(err)
				}
			}
			n.holds(t, "fcrash", want)
		})
	}
}

// crashed writes into a store without a server.
func crashed(t *testing.T, dir string, f func(*jet.Store)) {
	t.Helper()
	s, err := jet.Open(t.Context(), jet.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f(s)
}

func TestAFullDiskLosesNothing(t *testing.T) {
	dir := kit.TmpFS(t, "256m")
	n := open(t, dir)
	want := noise(1, 24<<20)
	params := wire.ArtifactCreateParams{Name: "a", Size: int64(len(want)), SHA256: sum(want)}
	first := n.create(t, params)
	if _, err := n.upload(t, first.ID, 0, breaks(want[:1<<20])); errors.Is(err, &wire.Error{Code: wire.CodeUnavailable}) {
		t.Fatalf("with space: %v", err)
	}

	free := kit.Fill(t, dir, 48<<20) // 16 MiB beside the reserve, an eighth of the disk: less than the upload needs
	_, _, err := n.Artifacts.Upload(t.Context(), first.ID)
	kit.Refused(t, err, wire.CodeUnavailable, "")
	if !strings.Contains(err.Error(), "disk is full") || !strings.Contains(err.Error(), "47 MiB") {
		t.Errorf("it says %v", err)
	}
	free()

	middle := n.create(t, params)
	u, _, err := n.Artifacts.Upload(t.Context(), middle.ID)
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	filled := make(chan func(), 1)
	go func() { // the disk fills up in the middle
		w.Write(want[:6<<20])
		filled <- kit.Fill(t, dir, 38<<20)
		w.Write(want[6<<20:])
		w.Close()
	}()
	_, err = u.Receive(r)
	r.Close()
	u.Close()
	kit.Refused(t, err, wire.CodeUnavailable, "")
	got, _ := n.Artifacts.Get(middle.ID)
	if got.State != wire.ArtifactUploading || got.Received < 6<<20 || got.Received > 18<<20 {
		t.Errorf("when the disk was full: %+v", got)
	}
	if err := n.store.PutAgent(t.Context(), &wire.Agent{ID: known, Name: "the store lives"}); err != nil {
		t.Errorf("what is not an artifact can't be stored: %v", err)
	}
	(<-filled)()
	for _, up := range []struct {
		id     wire.ArtifactID
		offset int64
	}{{first.ID, 1 << 20}, {middle.ID, got.Received}} {
		if _, err := n.upload(t, up.id, up.offset, bytes.NewReader(want[up.offset:])); err != nil {
			t.Fatalf("with space again: %v", err)
		}
		n.holds(t, up.id, want)
	}
}
