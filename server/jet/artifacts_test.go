package jet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"slices"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"skein.dev/skein/e2e/kit"
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

func readAll(t *testing.T, s *Store, id wire.ArtifactID, offset int64) []byte {
	t.Helper()
	return readSome(t, s, id, offset, math.MaxInt64)
}

// readSome reads at most that many bytes.
func readSome(t *testing.T, s *Store, id wire.ArtifactID, offset, most int64) []byte {
	t.Helper()
	r, err := s.OpenObject(t.Context(), id, offset)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(io.LimitReader(r, most))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestObjectsAreReadFromAnyOffset(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	objects := map[wire.ArtifactID][]byte{}
	for i, size := range []int{0, 1, chunkSize - 1, chunkSize, chunkSize + 1, indexEvery * chunkSize, 2*indexEvery*chunkSize + 17} {
		objects[wire.ArtifactID(fmt.Sprintf("f%d", i))] = noise(byte(i), size)
	}
	var puts sync.WaitGroup // concurrent, so that their chunks are interleaved
	for id, b := range objects {
		puts.Go(func() {
			size, got, err := s.PutObject(t.Context(), id, iotest.HalfReader(bytes.NewReader(b)))
			if err != nil || size != int64(len(b)) || got != sum(b) {
				t.Errorf("put %s: %d bytes, %s, %v", id, size, got, err)
			}
		})
	}
	puts.Wait()
	s.Close()
	s = open(t, dir)
	for id, want := range objects {
		for _, offset := range []int{0, 1, chunkSize - 1, chunkSize, chunkSize + 1, indexEvery*chunkSize - 1, indexEvery * chunkSize, (indexEvery + 3) * chunkSize, len(want) - 1, len(want)} {
			if offset < 0 || offset > len(want) {
				continue
			}
			rest := want[offset:]
			if offset > 0 { // what follows is read as after offset 0
				rest = rest[:min(len(rest), 3*chunkSize)]
			}
			if got := readSome(t, s, id, int64(offset), max(int64(len(rest)), 1)); !bytes.Equal(got, rest) {
				t.Errorf("%s from %d: %d bytes, want %d", id, offset, len(got), len(rest))
			}
		}
	}
	ids, err := s.Objects(t.Context())
	if slices.Sort(ids); err != nil || len(ids) != len(objects) {
		t.Errorf("the objects are %v, %v", ids, err)
	}
}

func TestNATSReadsTheObjects(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	want := noise(1, 3*chunkSize+5)
	if _, _, err := s.PutObject(t.Context(), "f1", bytes.NewReader(want)); err != nil {
		t.Fatal(err)
	}
	bucket, err := s.records.js.ObjectStore(t.Context(), artifactBucket)
	if err != nil {
		t.Fatal(err)
	}
	got, err := bucket.GetBytes(t.Context(), "f1") // it checks the digest
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestAPutReplacesWhatABrokenOneLeft(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	broken := errors.New("the disk broke")
	first := io.MultiReader(bytes.NewReader(noise(1, 5*chunkSize)), iotest.ErrReader(broken))
	if _, _, err := s.PutObject(t.Context(), "f1", first); !errors.Is(err, broken) {
		t.Fatalf("put: %v", err)
	}
	if ids, err := s.Objects(t.Context()); err != nil || !slices.Equal(ids, []wire.ArtifactID{"f1"}) {
		t.Errorf("the part is not found: %v, %v", ids, err)
	}
	if _, err := s.OpenObject(t.Context(), "f1", 0); err == nil {
		t.Error("a part is read as an object")
	}
	want := noise(2, 2*chunkSize)
	if _, _, err := s.PutObject(t.Context(), "f1", bytes.NewReader(want)); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, s, "f1", 0); !bytes.Equal(got, want) {
		t.Errorf("%d bytes, want the second put's %d", len(got), len(want))
	}
	if err := s.DeleteObject(t.Context(), "f1"); err != nil {
		t.Fatal(err)
	}
	if ids, err := s.Objects(t.Context()); err != nil || len(ids) > 0 {
		t.Errorf("deleted, there are %v, %v", ids, err)
	}
	if _, err := s.OpenObject(t.Context(), "f1", 0); err == nil {
		t.Error("a deleted object is read")
	}
}

func TestAReaderOfADeletedObjectFails(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	if _, _, err := s.PutObject(t.Context(), "f1", bytes.NewReader(noise(1, 4*chunksAhead*chunkSize))); err != nil {
		t.Fatal(err)
	}
	r, err := s.OpenObject(t.Context(), "f1", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, chunkSize)); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteObject(t.Context(), "f1"); err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, r); err == nil {
		t.Errorf("it ended well after %d more bytes", n)
	}
}

func TestArtifactRecordsCompareAndSet(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	a := wire.Artifact{ID: "f1", Name: "a", CreatedAt: time.Now().UTC()}
	one, err := s.PutArtifact(t.Context(), &a, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutArtifact(t.Context(), &a, 0); err == nil {
		t.Error("a second record of the same id was made")
	}
	a.Name = "b"
	two, err := s.PutArtifact(t.Context(), &a, one)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutArtifact(t.Context(), &a, one); err == nil {
		t.Error("an old revision was replaced")
	}
	if _, err := s.PutArtifact(t.Context(), &wire.Artifact{ID: "f2"}, 0); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteArtifact(t.Context(), "f2"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = open(t, dir)
	var all []wire.Artifact
	err = s.Artifacts(t.Context(), func(got wire.Artifact, revision uint64) {
		if all = append(all, got); revision != two {
			t.Errorf("revision %d, want %d", revision, two)
		}
	})
	if err != nil || len(all) != 1 || all[0] != a {
		t.Errorf("%+v, %v", all, err)
	}
}

// live returns the heap in use, without garbage: the store puts collected buffers into a pool, and pools are emptied in the
// second collection after that.
func live() uint64 {
	for range 4 {
		runtime.GC()
	}
	marked := []metrics.Sample{{Name: "/gc/heap/live:bytes"}} // without allocations since then
	metrics.Read(marked)
	return marked[0].Value.Uint64()
}

func TestLargeObjectsTakeLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 128 MiB")
	}
	s := open(t, t.TempDir())
	may := kit.Less[int64](32<<20, 16<<20)
	size := kit.Less(4*may, 3*may/2) // more than may be held
	before, most := live(), uint64(0)
	ctx, stop := context.WithCancel(t.Context())
	var watch sync.WaitGroup
	var pause sync.Mutex // held while the heap is measured, so that only memory in use counts
	watch.Go(func() {
		for t := time.NewTicker(kit.Less(20*time.Millisecond, 100*time.Millisecond)); ctx.Err() == nil; <-t.C {
			pause.Lock()
			most = max(most, live())
			pause.Unlock()
		}
	})
	src := &paused{io.LimitReader(rand.NewChaCha8([32]byte{1}), size), &pause}
	begin := time.Now()
	n, want, err := s.PutObject(t.Context(), "f1", src)
	if err != nil || n != size {
		t.Fatalf("put: %d bytes, %v", n, err)
	}
	put := time.Since(begin)
	begin = time.Now()
	r, err := s.OpenObject(t.Context(), "f1", 0)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	if n, err := io.Copy(h, &paused{r, &pause}); err != nil || n != size || hex.EncodeToString(h.Sum(nil)) != want {
		t.Errorf("get: %d bytes, %v", n, err)
	}
	get := time.Since(begin)
	stop()
	watch.Wait()
	t.Logf("put %.0f MB/s, get %.0f MB/s, heap %d MiB over %d MiB", float64(size)/1e6/put.Seconds(), float64(size)/1e6/get.Seconds(), (most-before)>>20, before>>20)
	if most > before+uint64(may) {
		t.Errorf("the heap grew from %d to %d MiB", before>>20, most>>20)
	}
}

// paused reads while nobody holds the lock.
type paused struct {
	r  io.Reader
	by *sync.Mutex
}

func (p *paused) Read(b []byte) (int, error) {
	p.by.Lock()
	defer p.by.Unlock()
	return p.r.Read(b)
}

func BenchmarkPutObject(b *testing.B) {
	s := open(b, b.TempDir())
	data := noise(1, 64<<20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, _, err := s.PutObject(b.Context(), "f1", bytes.NewReader(data)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadObject(b *testing.B) {
	s := open(b, b.TempDir())
	if _, _, err := s.PutObject(b.Context(), "f1", bytes.NewReader(noise(1, 64<<20))); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(64 << 20)
	for b.Loop() {
		r, err := s.OpenObject(b.Context(), "f1", 0)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			b.Fatal(err)
		}
	}
}
