package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	gometrics "runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/exchange"
	"skein.dev/skein/server/session"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// noise returns n bytes without repetitions.
func noise(seed byte, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func sha(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// createArtifact creates an artifact on the control lane.
func (p *peer) createArtifact(t *testing.T, id string, params wire.ArtifactCreateParams) wire.Artifact {
	t.Helper()
	return result[wire.Artifact](t, p.call(t, id, wire.MethodArtifactCreate, params))
}

// bulk opens a bulk lane.
func (p *peer) bulk(t *testing.T, op string, id wire.ArtifactID, offset int64) *stream {
	t.Helper()
	return p.bulkRange(t, op, id, offset, 0)
}

func (p *peer) bulkRange(t *testing.T, op string, id wire.ArtifactID, offset, length int64) *stream {
	t.Helper()
	line, err := json.Marshal(wire.Header{Lane: wire.LaneBulk, Op: op, Artifact: id, Offset: offset, Length: length})
	if err != nil {
		t.Fatal(err)
	}
	return open(t, p, string(line))
}

// line reads a line of a bulk lane.
func (s *stream) line(t *testing.T) (b wire.Bulk) {
	t.Helper()
	s.SetReadDeadline(time.Now().Add(patience))
	line, err := s.r.Line(wire.MaxMessage)
	if err == nil {
		err = json.Unmarshal(line, &b)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ends checks that the server sends nothing more.
func (s *stream) ends(t *testing.T) {
	t.Helper()
	s.SetReadDeadline(time.Now().Add(patience))
	if rest, err := io.ReadAll(s.r.Rest()); err != nil || len(rest) > 0 {
		t.Errorf("%d more bytes, %v", len(rest), err)
	}
}

func (s *stream) refuses(t *testing.T, code wire.ErrorCode, field string) {
	t.Helper()
	b := s.line(t)
	isError(t, &wire.Message{Error: b.Error}, code, field)
	s.ends(t)
}

// stored returns an artifact's bytes from the store.
func (n *node) stored(t *testing.T, id wire.ArtifactID) []byte {
	t.Helper()
	_, r, err := n.plane.Artifacts.Download(t.Context(), id, 0)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTheDialogueOfABulkLane(t *testing.T) {
	t.Parallel()
	want := noise(1, 1<<20+3)
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		p := n.join(t, tr)
		a := p.createArtifact(t, "1", wire.ArtifactCreateParams{Name: "f.bin", Size: int64(len(want)), SHA256: sha(want)})

		up := p.bulk(t, wire.BulkPut, a.ID, 0)
		if b := up.line(t); b.Error != nil || b.Done || b.Offset != 0 || b.Artifact == nil || b.Artifact.ID != a.ID {
			t.Fatalf("it begins with %+v", b)
		}
		if _, err := up.Write(want[:500_000]); err != nil {
			t.Fatal(err)
		}
		kit.Eventually(t, "the bytes came", func() bool { got, _ := n.plane.Artifacts.Get(a.ID); return got.Received == 500_000 })
		up.CancelWrite(uint32(wire.StreamCanceled))

		q := n.join(t, other(tr)) // it continues over the other transport
		up = q.bulk(t, wire.BulkPut, a.ID, 0)
		if b := up.line(t); b.Error != nil || b.Offset != 500_000 || b.Artifact.Received != 500_000 {
			t.Fatalf("it goes on with %+v", b)
		}
		if _, err := up.Write(want[500_000:]); err != nil {
			t.Fatal(err)
		}
		up.Close()
		if b := up.line(t); b.Error != nil || !b.Done || b.Artifact.State != wire.ArtifactComplete || b.Artifact.SHA256 != sha(want) {
			t.Fatalf("it ends with %+v", b)
		}
		up.ends(t)
		if got := n.stored(t, a.ID); !bytes.Equal(got, want) {
			t.Errorf("%d bytes are stored", len(got))
		}

		again := p.bulk(t, wire.BulkPut, a.ID, 0)
		if b := again.line(t); b.Error != nil || !b.Done || b.Offset != a.Size || b.Artifact.SHA256 != sha(want) {
			t.Errorf("of a complete one: %+v", b)
		}
		again.ends(t)

		for _, offset := range []int64{0, 700_000, int64(len(want))} {
			down := p.bulk(t, wire.BulkGet, a.ID, offset)
			if b := down.line(t); b.Error != nil || b.Artifact.SHA256 != sha(want) || b.Offset != offset {
				t.Fatalf("from %d: %+v", offset, b)
			}
			down.SetReadDeadline(time.Now().Add(patience))
			if got, err := io.ReadAll(down.r.Rest()); err != nil || !bytes.Equal(got, want[offset:]) {
				t.Errorf("from %d: %d bytes, %v", offset, len(got), err)
			}
		}
		for _, length := range []int64{1, 100_000, int64(len(want)) - 700_000, int64(len(want)), math.MaxInt64} {
			down := p.bulkRange(t, wire.BulkGet, a.ID, 700_000, length)
			if b := down.line(t); b.Error != nil || b.Artifact.Size != int64(len(want)) || b.Offset != 700_000 {
				t.Fatalf("%d bytes: %+v", length, b)
			}
			down.SetReadDeadline(time.Now().Add(patience))
			until := min(length, int64(len(want))-700_000) + 700_000
			if got, err := io.ReadAll(down.r.Rest()); err != nil || !bytes.Equal(got, want[700_000:until]) {
				t.Errorf("%d of %d bytes came, %v", len(got), length, err)
			}
		}
		p.ping(t)
	})
}

func TestABulkLaneRefuses(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		p := n.join(t, tr)
		want := noise(1, 300_000)
		a := p.createArtifact(t, "1", wire.ArtifactCreateParams{Name: "f", Size: int64(len(want)), SHA256: sha(want)})
		p.bulk(t, wire.BulkPut, "fnone", 0).refuses(t, wire.CodeNotFound, "id")
		p.bulk(t, wire.BulkGet, "fnone", 0).refuses(t, wire.CodeNotFound, "id")
		p.bulk(t, wire.BulkGet, "../../token", 0).refuses(t, wire.CodeNotFound, "id")
		p.bulk(t, wire.BulkPut, "../../token", 0).refuses(t, wire.CodeNotFound, "id")
		p.bulk(t, wire.BulkGet, a.ID, 0).refuses(t, wire.CodePrecondition, "id")
		for _, header := range []string{`{"lane":"bulk"}`, `{"lane":"bulk","artifact":"f1"}`, `{"lane":"bulk","artifact":"f1","op":"move"}`,
			`{"lane":"bulk","op":"get"}`, `{"lane":"bulk","artifact":"f1","op":"get","offset":-1}`, `{"lane":"bulk","artifact":"f1","op":"get","length":-1}`, `{"lane":"bulk","artifact":"f1","op":"get","offset":1e30}`} {
			if code, err := open(t, p, header).reset(); code != int(wire.StreamBadHeader) {
				t.Errorf("%s: %d, %v", header, code, err)
			}
		}
		put := func(b []byte) *stream {
			up := p.bulk(t, wire.BulkPut, a.ID, 0)
			if first := up.line(t); first.Error != nil || first.Offset != 0 {
				t.Fatalf("%+v", first)
			}
			up.Write(b) // the server may have stopped reading
			up.Close()
			return up
		}
		wrong := bytes.Clone(want)
		wrong[7]++
		put(wrong).refuses(t, wire.CodeInvalidParams, "sha256")
		put(want[1:]).refuses(t, wire.CodeInvalidParams, "size")
		put(append(bytes.Clone(want), make([]byte, 1<<20)...)).refuses(t, wire.CodeInvalidParams, "size")
		if b := put(want).line(t); !b.Done {
			t.Errorf("the right bytes: %+v", b)
		}
		p.bulk(t, wire.BulkGet, a.ID, a.Size+1).refuses(t, wire.CodeInvalidParams, "offset")
		p.ping(t)
	})
}

func TestAnotherUploadTakesOver(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		want := noise(1, 200_000)
		p, q := n.join(t, tr), n.join(t, other(tr))
		a := p.createArtifact(t, "1", wire.ArtifactCreateParams{Name: "f", Size: int64(len(want))})
		first := p.bulk(t, wire.BulkPut, a.ID, 0)
		first.line(t)
		if _, err := first.Write(want[:1000]); err != nil {
			t.Fatal(err)
		}
		kit.Eventually(t, "the bytes came", func() bool { got, _ := n.plane.Artifacts.Get(a.ID); return got.Received == 1000 })
		second := q.bulk(t, wire.BulkPut, a.ID, 0)
		if b := second.line(t); b.Offset != 1000 {
			t.Fatalf("it goes on with %+v", b)
		}
		first.refuses(t, wire.CodeConflict, "")
		if _, err := second.Write(want[1000:]); err != nil {
			t.Fatal(err)
		}
		second.Close()
		if b := second.line(t); !b.Done || b.Artifact.SHA256 != sha(want) {
			t.Errorf("%+v", b)
		}
	})
}

func TestTooManyTransfersWait(t *testing.T) {
	t.Parallel()
	n := start(t)
	p := n.join(t, wire.WebSocket)
	var all []*stream
	for i := range session.MaxTransfers + 1 {
		a := p.createArtifact(t, fmt.Sprint(i), wire.ArtifactCreateParams{Name: "f", Size: 1})
		s := p.bulk(t, wire.BulkPut, a.ID, 0)
		if i < session.MaxTransfers {
			s.line(t)
		}
		all = append(all, s)
	}
	last := all[session.MaxTransfers]
	last.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := last.Read(make([]byte, 1)); !exchange.IsTimeout(err) {
		t.Fatalf("one more than may be is served: %v", err)
	}
	p.ping(t)
	all[0].CancelWrite(uint32(wire.StreamCanceled))
	if b := last.line(t); b.Error != nil || b.Artifact == nil {
		t.Errorf("%+v", b)
	}
}

// TestDownloadsDontKeepUploadsWaiting has the maximum number of downloads, none of which the client reads.
func TestDownloadsDontKeepUploadsWaiting(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		p := start(t).join(t, tr)
		want := noise(1, 1<<20) // more than a stream's first window
		a := p.createArtifact(t, "1", wire.ArtifactCreateParams{Name: "large", Size: int64(len(want))})
		up := p.bulk(t, wire.BulkPut, a.ID, 0)
		up.line(t)
		if _, err := up.Write(want); err != nil {
			t.Fatal(err)
		}
		up.Close()
		up.line(t)
		for range session.MaxTransfers {
			p.bulk(t, wire.BulkGet, a.ID, 0).line(t)
		}
		waiting := p.bulk(t, wire.BulkGet, a.ID, 0)
		waiting.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := waiting.Read(make([]byte, 1)); !exchange.IsTimeout(err) {
			t.Fatalf("one more than may be is served: %v", err)
		}
		b := p.createArtifact(t, "2", wire.ArtifactCreateParams{Name: "small", Size: 1})
		if first := p.bulk(t, wire.BulkPut, b.ID, 0).line(t); first.Error != nil || first.Artifact.ID != b.ID {
			t.Errorf("an upload beside them: %+v", first)
		}
	})
}

func TestRepeatedArtifactRequestsHaveOneEffect(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(o *Options) { o.DataDir = dir }
	id := clientID()
	params := wire.ArtifactCreateParams{Name: "f", Size: 1}
	n := start(t, in)
	first := n.join(t, wire.WebSocket, as(id)).createArtifact(t, "1", params)
	if again := n.join(t, wire.WebTransport, as(id)).createArtifact(t, "1", params); again.ID != first.ID {
		t.Errorf("asked again: %s, %s", first.ID, again.ID)
	}
	n.stop()
	n = start(t, in)
	p := n.join(t, wire.WebTransport, as(id))
	if again := p.createArtifact(t, "1", params); again.ID != first.ID {
		t.Errorf("asked again after a restart: %s, %s", first.ID, again.ID)
	}
	if got := n.plane.Artifacts.List(wire.ArtifactFilter{}).Total; got != 1 {
		t.Errorf("%d artifacts", got)
	}
	for range 2 {
		if m := p.call(t, "2", wire.MethodArtifactDelete, wire.ArtifactParams{ID: first.ID}); m.Error != nil {
			t.Errorf("delete: %v", m.Error)
		}
	}
	isError(t, p.call(t, "3", wire.MethodArtifactDelete, wire.ArtifactParams{ID: first.ID}), wire.CodeNotFound, "id")
	isError(t, p.call(t, "4", wire.MethodArtifactGet, wire.ArtifactParams{ID: first.ID}), wire.CodeNotFound, "id")
}

func TestAKilledServersUploadsGoOn(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		t.Parallel()
		dir := t.TempDir()
		proc, addrs := startProcess(t, dir)
		token, err := client.ReadToken(dir)
		if err != nil {
			t.Fatal(err)
		}
		dial := func(url string) *client.Client {
			c, err := client.Dial(t.Context(), client.Options{URL: url, Token: token, Transport: string(tr)})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			return c
		}
		want := noise(1, kit.Less(8<<20, 3<<20))
		c := dial(addrs.HTTP)
		a, err := c.ArtifactCreate(t.Context(), wire.ArtifactCreateParams{Name: "f", Size: int64(len(want)), SHA256: sha(want)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		_, err = c.UploadTo(ctx, a, bytes.NewReader(want), func(sent, total int64) {
			if sent > total/2 && ctx.Err() == nil {
				proc.Process.Kill()
				proc.Wait()
				cancel()
			}
		})
		if err == nil { // it was interrupted, or the connection reported first that the server is gone
			t.Fatal("the upload ended well")
		}
		part, err := os.Stat(filepath.Join(dir, "uploads", string(a.ID)+".part"))
		if err != nil || part.Size() == 0 {
			t.Fatalf("nothing was spooled: %+v, %v", part, err)
		}

		n := start(t, func(o *Options) { o.DataDir = dir })
		if got, err := n.plane.Artifacts.Get(a.ID); err != nil || got.Received != part.Size() || got.State != wire.ArtifactUploading {
			t.Errorf("%+v, %v; the part has %d bytes", got, err, part.Size())
		}
		first := int64(-1)
		done, err := dial(n.addrs.HTTP).UploadTo(t.Context(), a, bytes.NewReader(want), func(sent, _ int64) {
			if first < 0 {
				first = sent
			}
		})
		if err != nil || done.SHA256 != sha(want) || first != part.Size() {
			t.Fatalf("it went on at %d, want %d: %+v, %v", first, part.Size(), done, err)
		}
		if got := n.stored(t, a.ID); !bytes.Equal(got, want) {
			t.Errorf("%d bytes are stored", len(got))
		}
	})
}

// pattern is a file of any size that uses no memory.
type pattern struct{}

func (pattern) ReadAt(b []byte, off int64) (int, error) {
	for i := range b {
		at := off + int64(i)
		b[i] = byte(at>>16) ^ byte(at>>8)*31 ^ byte(at)
	}
	return len(b), nil
}

func TestLargeTransfersTakeLittleMemoryAtScale(t *testing.T) {
	if kit.Quick {
		t.Skip("NOT TESTED: it measures memory; make soak runs it")
	}
	sizes := map[wire.Transport]int64{wire.WebTransport: 1 << 30, wire.WebSocket: 256 << 20}
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		size := sizes[tr]
		if testing.Short() {
			size = 64 << 20
		}
		want, err := client.Sum(t.Context(), io.NewSectionReader(pattern{}, 0, size))
		if err != nil {
			t.Fatal(err)
		}
		n := start(t)
		c, err := client.Dial(t.Context(), client.Options{URL: n.addrs.HTTP, Token: n.token, Transport: string(tr)})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		before, stop := liveHeap(), make(chan struct{})
		most := before
		var watch sync.WaitGroup
		var pause sync.Mutex // held while the heap is measured, so that only memory in use counts
		paused := func(_, _ int64) { pause.Lock(); pause.Unlock() }
		watch.Go(func() { // client and server are in the same process
			for tick := time.NewTicker(200 * time.Millisecond); ; {
				select {
				case <-tick.C:
					pause.Lock()
					most = max(most, liveHeap())
					pause.Unlock()
				case <-stop:
					return
				}
			}
		})
		begin := time.Now()
		a, err := c.Upload(t.Context(), wire.ArtifactCreateParams{Name: "large", Size: size, SHA256: want}, pattern{}, paused)
		if err != nil {
			t.Fatal(err)
		}
		up := time.Since(begin)
		begin = time.Now()
		if _, err := c.Download(t.Context(), a.ID, io.Discard, paused); err != nil {
			t.Fatal(err)
		}
		down := time.Since(begin)
		close(stop)
		watch.Wait()
		t.Logf("up %.0f MB/s, down %.0f MB/s, heap %d + %d MiB", float64(size)/1e6/up.Seconds(), float64(size)/1e6/down.Seconds(), before>>20, (most-before)>>20)
		if most > before+32<<20 {
			t.Errorf("the heap grew from %d to %d MiB", before>>20, most>>20)
		}
	})
}

// liveHeap returns the heap in use, without garbage: the store puts collected buffers into a pool, and pools are emptied in
// the second collection after that.
func liveHeap() uint64 {
	for range 4 {
		runtime.GC()
	}
	marked := []gometrics.Sample{{Name: "/gc/heap/live:bytes"}} // without allocations since then
	gometrics.Read(marked)
	return marked[0].Value.Uint64()
}

func TestArtifactsOverHTTP(t *testing.T) {
	t.Parallel()
	n := start(t)
	p := n.join(t, wire.WebSocket)
	want := noise(1, 600_000)
	a := p.createArtifact(t, "1", wire.ArtifactCreateParams{Name: `Bericht "März" 2026.html`, MediaType: "text/html", Size: int64(len(want))})
	path := "/artifacts/" + string(a.ID) + "/content"
	if got := n.ask(t, "GET", path); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("to a stranger: %s", got.Status)
	}
	cookie := with(n.login(t))
	if got := n.ask(t, "GET", "/artifacts/fnone/content", cookie); got.StatusCode != http.StatusNotFound || got.reason(t).Code != wire.CodeNotFound {
		t.Errorf("an unknown one: %s", got.Status)
	}
	if got := n.ask(t, "GET", path, cookie); got.StatusCode != http.StatusConflict || got.reason(t).Code != wire.CodePrecondition {
		t.Errorf("one that is not complete: %s", got.Status)
	}
	up := p.bulk(t, wire.BulkPut, a.ID, 0)
	up.line(t)
	if _, err := up.Write(want); err != nil {
		t.Fatal(err)
	}
	up.Close()
	if b := up.line(t); !b.Done {
		t.Fatalf("%+v", b)
	}

	got := n.ask(t, "GET", path, cookie)
	h := got.Header
	disposition, params, err := mime.ParseMediaType(h.Get("Content-Disposition"))
	if got.StatusCode != http.StatusOK || got.body != string(want) {
		t.Errorf("%s, %d bytes", got.Status, len(got.body))
	}
	if err != nil || disposition != "attachment" || params["filename"] != a.Name {
		t.Errorf("%s: %q, %v", h.Get("Content-Disposition"), params, err)
	}
	if h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") ||
		h.Get("ETag") != `"`+sha(want)+`"` || h.Get("Content-Type") != "text/html" || h.Get("Content-Length") != fmt.Sprint(len(want)) {
		t.Errorf("headers: %v", h)
	}
	if got := n.ask(t, "GET", path, bearer(n.token), header("Range", "bytes=500000-500009")); got.StatusCode != http.StatusPartialContent || got.body != string(want[500_000:500_010]) {
		t.Errorf("a range: %s, %d bytes", got.Status, len(got.body))
	}
	if got := n.ask(t, "GET", path, cookie, header("Range", "bytes=600001-")); got.StatusCode != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("a range behind the end: %s", got.Status)
	}
	if got := n.ask(t, "GET", path, cookie, header("If-None-Match", h.Get("ETag"))); got.StatusCode != http.StatusNotModified {
		t.Errorf("one that is known: %s", got.Status)
	}
	if got := n.ask(t, "HEAD", path, cookie); got.StatusCode != http.StatusOK || got.body != "" || got.ContentLength != int64(len(want)) {
		t.Errorf("HEAD: %s, %d bytes", got.Status, got.ContentLength)
	}
}
