package vt

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
)

// recording is what a program wrote to its terminal. In testdata/sessions it is a file NAME.gz: one line of JSON, and after it the bytes.
type recording struct {
	Program string   `json:"program"` // with its version
	Cols    int      `json:"cols"`
	Rows    int      `json:"rows"`
	Resizes []resize `json:"resizes,omitempty"` // in the order of their places

	name string
	raw  []byte
}

// resize says that the terminal had another size from a place in the output on.
type resize struct {
	At   int `json:"at"` // how many bytes came before
	Cols int `json:"cols"`
	Rows int `json:"rows"`
}

// Bounds of recordings, in bytes.
const (
	maxRecording  = 60_000
	maxRecordings = 400_000 // of all together, compressed
)

const recordings = "testdata/sessions"

func (r *recording) write() error {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err := json.NewEncoder(z).Encode(r); err != nil {
		return err
	}
	z.Write(r.raw)
	z.Close()
	return os.WriteFile(filepath.Join(recordings, r.name+".gz"), b.Bytes(), 0o644)
}

func readRecording(path string) (*recording, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	all, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	head, raw, _ := bytes.Cut(all, []byte("\n"))
	r := &recording{name: strings.TrimSuffix(filepath.Base(path), ".gz"), raw: raw}
	if err := json.Unmarshal(head, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// allRecordings returns the recordings in the order of their names.
func allRecordings(t testing.TB) (all []*recording) {
	t.Helper()
	paths, err := filepath.Glob(recordings + "/*.gz")
	if err != nil || len(paths) == 0 {
		t.Fatal("there are no recordings: ", err)
	}
	for _, path := range paths {
		r, err := readRecording(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// step is a piece of output, or a change of the size.
type step struct {
	write      []byte
	cols, rows int // of a change
}

// steps splits a recording at its changes of the size and at some places more, which are in order.
func (r *recording) steps(cuts []int) (all []step) {
	from, resizes := 0, r.Resizes
	to := func(at int) {
		if at > from {
			all = append(all, step{write: r.raw[from:at]})
			from = at
		}
	}
	for _, at := range append(slices.Clone(cuts), len(r.raw)) {
		for len(resizes) > 0 && resizes[0].At <= at {
			to(resizes[0].At)
			all = append(all, step{cols: resizes[0].Cols, rows: resizes[0].Rows})
			resizes = resizes[1:]
		}
		to(at)
	}
	return all
}

// TestRecordingsAreBounded: they are in the repository.
func TestRecordingsAreBounded(t *testing.T) {
	t.Parallel()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	words := []string{"/tmp/", "/usr/lib/go", "github.com/", filepath.Dir(filepath.Dir(here))} // of whoever records
	all, total := allRecordings(t), int64(0)
	for _, r := range all {
		f, err := os.Stat(filepath.Join(recordings, r.name+".gz"))
		if err != nil {
			t.Fatal(err)
		}
		if total += f.Size(); len(r.raw) > maxRecording {
			t.Errorf("%s has %d bytes", r.name, len(r.raw))
		}
		if slices.ContainsFunc(words, func(w string) bool { return bytes.Contains(r.raw, []byte(w)) }) {
			t.Errorf("%s has one of %q in it: record it by testdata/record.sh", r.name, words)
		}
	}
	if total > maxRecordings {
		t.Errorf("they take %d bytes", total)
	}
}

// TestWherePiecesEndChangesNothing: output comes in pieces of any size.
func TestWherePiecesEndChangesNothing(t *testing.T) {
	t.Parallel()
	for _, r := range allRecordings(t) {
		whole := r.played(r.steps(nil))
		for seed := range kit.Less[uint64](4, 1) {
			pieces := r.played(r.steps(r.pieces(seed)))
			if whole.state() != pieces.state() {
				t.Errorf("%s in pieces (seed %d): the screen is\n%s\nin one piece\n%s", r.name, seed, pieces.state(), whole.state())
			}
			if whole.said != pieces.said {
				t.Errorf("%s in pieces (seed %d): viewers, the program or the server get something else", r.name, seed)
			}
		}
	}
}

// pieces returns places that are mostly few bytes apart.
func (r *recording) pieces(seed uint64) (at []int) {
	rnd := rand.New(rand.NewPCG(seed, uint64(len(r.raw))))
	for n := 0; n < len(r.raw); n += 1 + rnd.IntN(1<<rnd.IntN(12)) {
		at = append(at, n)
	}
	return at
}

// played is what became of a recording.
type played struct {
	s    *Screen
	said string // what viewers, the program and the server got
}

func (r *recording) played(steps []step) played {
	p := played{s: New(r.Cols, r.Rows)}
	var show, reply []byte
	var notes []Note
	for _, s := range steps {
		if s.cols > 0 {
			p.s.Resize(s.cols, s.rows)
			continue
		}
		got := p.s.Write(s.write)
		show, reply, notes = append(show, got.Show...), append(reply, got.Reply...), append(notes, got.Notes...)
	}
	p.said = fmt.Sprintf("%q %q %v", show, reply, notes)
	return p
}

func (p played) state() string {
	return fmt.Sprintf("%+v\n%+v\n%q", p.s.display(), p.s.modes, p.s.Paint())
}
