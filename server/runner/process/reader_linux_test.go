package process

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// A Sink that blocks holds up the agent, but not a stop.
func TestBackPressure(t *testing.T) {
	r := processes(t)
	sink := newRecord(t)
	sink.blockOut = make(chan struct{})
	run := start(t, r, sh(`i=0; while [ $i -lt 200000 ]; do i=$((i+1)); echo "line number $i of many"; done`), sink)
	// The pipe and the reader's buffer fill up; then the agent sleeps in its write.
	for {
		p, err := readProc(run.Process().PID)
		if err != nil || p.state == 'Z' {
			t.Fatalf("it ended: %v, %v", p, err)
		}
		where, _ := os.ReadFile(procDir(p.PID) + "/wchan")
		if p.state == 'S' && bytes.Contains(where, []byte("pipe_write")) || p.state == 'S' && string(where) == "0" {
			break
		}
		runtime.Gosched()
	}
	if _, left := run.Stop(t.Context(), longGrace); len(left) > 0 {
		t.Errorf("left %+v", left)
	}
	if !open(run.Done()) {
		t.Error("Done, though the Sink has not taken the output")
	}
	sink.mu.Lock()
	close(sink.blockOut)
	sink.blockOut = nil
	sink.mu.Unlock()
	kit.Receive(t, "Done", run.Done())
	// The content of the pipe when the agent died was not lost: the lines have no gap.
	lines := strings.Split(sink.text(wire.EventStdout), "\n")
	if len(lines) < 1000 {
		t.Errorf("%d lines", len(lines))
	}
	for i, line := range lines[:len(lines)-1] {
		if want := fmt.Sprintf("line number %d of many", i+1); line != want {
			t.Fatalf("line %d is %q", i+1, line)
		}
	}
}

// sum is a Sink that keeps a hash, not the bytes.
type sum struct {
	*record
	hash interface{ Write([]byte) (int, error) }
	n    int
	bad  int // pieces that start or end within a character
}

func (s *sum) sink(e runner.Event) error {
	o, ok := e.(runner.Output)
	if !ok {
		return nil
	}
	b := o.Bytes
	if len(b) > wire.MaxOutput {
		s.t.Errorf("%d bytes in one piece", len(b))
	}
	s.hash.Write(b)
	s.n += len(b)
	if !utf8.Valid(b) {
		s.bad++
	}
	return nil
}

func TestLongLine(t *testing.T) {
	size := kit.Less(100<<20, 12<<20)
	tests := map[string]struct{ unit, script string }{
		"ASCII": {"x", fmt.Sprintf(`head -c %d /dev/zero | tr '\0' x`, size)},
		"UTF-8": {"é€😀\x20", fmt.Sprintf(`yes 'é€😀 ' | tr -d '\n' | head -c %d`, size)}, // ten bytes a line
	}
	r := processes(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := sha256.New()
			sink := &sum{record: newRecord(t), hash: got}
			run := start(t, r, sh(test.script), sink)
			kit.Receive(t, "Done", run.Done())
			want := sha256.New()
			chunk := []byte(strings.Repeat(test.unit, 1<<20))
			for n := size; n > 0; n -= min(n, len(chunk)) {
				want.Write(chunk[:min(n, len(chunk))])
			}
			if sink.n != size || !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
				t.Errorf("%d bytes of %d, or not the same ones", sink.n, size)
			}
			if size%len(test.unit) == 0 && sink.bad > 0 {
				t.Errorf("%d pieces cut within a character", sink.bad)
			}
			if e := run.Exit(); e.Code != 0 {
				t.Errorf("exit %+v", e)
			}
		})
	}
}

func TestBinary(t *testing.T) {
	r := processes(t)
	sink := newRecord(t)
	run := start(t, r, launch("perl", "-e", `binmode STDOUT; print map { chr($_ % 256) } 0..299999; print STDERR "\xff\xfe"`), sink)
	kit.Receive(t, "Done", run.Done())
	var want []byte
	for i := range 300000 {
		want = append(want, byte(i))
	}
	if got := sink.text(wire.EventStdout); got != string(want) {
		t.Errorf("%d bytes of %d, or not the same ones", len(got), len(want))
	}
	if got := sink.text(wire.EventStderr); got != "\xff\xfe" {
		t.Errorf("stderr %q", got)
	}
}

// The test answers every write of the agent before the next one, so that the pieces are the writes.
func TestPartialLines(t *testing.T) {
	tests := map[string]struct{ writes, pieces []string }{
		"prompt":                  {[]string{"name? ", "again? "}, []string{"name? ", "again? "}},
		"line and prompt":         {[]string{"hello\nname? "}, []string{"hello\n", "name? "}},
		"character in halves":     {[]string{"caf\xc3", "\xa9!"}, []string{"caf", "é!"}},
		"a broken character":      {[]string{"a\xf0\x9f", "b"}, []string{"a", "\xf0\x9fb"}},
		"a lone start of one":     {[]string{"a\xf0"}, []string{"a", "\xf0"}},
		"continuations, no start": {[]string{"\x80\x80\x80\x80"}, []string{"\x80\x80\x80\x80"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := newRecord(t)
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			r, err := newReader(wire.EventStdout, read, &outlet{sink: sink.sink, activity: wire.ActivityRunning})
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() { r.run(); close(done) }()
			for i, w := range test.writes {
				n := len(sink.parts())
				write.WriteString(w)
				if i < len(test.writes)-1 {
					sink.until("piece", func() bool { return len(sink.pieces) > n })
				}
			}
			sink.until("all pieces", func() bool { return len(sink.pieces) >= len(test.pieces) })
			if open(done) == false {
				t.Error("the reader ended before the pipe")
			}
			write.Close()
			kit.Receive(t, "end", done)
			var got []string
			for _, p := range sink.parts() {
				got = append(got, p.b)
			}
			if !slices.Equal(got, test.pieces) {
				t.Errorf("pieces %q, want %q", got, test.pieces)
			}
		})
	}
}

// A progress bar never ends its line and never pauses; its output must be shown all the same.
func TestPartialLineInMotion(t *testing.T) {
	r := processes(t)
	sink := newRecord(t)
	run := start(t, r, sh(`while :; do printf '\r%s' 50%; sleep 0.005; done`), sink)
	sink.until("three pieces", func() bool { return len(sink.pieces) >= 3 })
	for _, p := range sink.parts() {
		if len(p.b) > 1000 {
			t.Errorf("a piece of %d bytes", len(p.b))
		}
	}
	run.Stop(t.Context(), 0)
}

func TestLineEnds(t *testing.T) {
	r := processes(t)
	sink := newRecord(t)
	run := start(t, r, sh(`seq 100000; seq 100000 >&2`), sink)
	kit.Receive(t, "Done", run.Done())
	for _, p := range sink.parts() {
		if strings.Contains(p.b, "\n") && !strings.HasSuffix(p.b, "\n") { // a writer that pauses in a line may be heard
			t.Fatalf("a piece ends with %q", p.b[max(0, len(p.b)-10):])
		}
	}
	if sink.text(wire.EventStdout) != sink.text(wire.EventStderr) || strings.Count(sink.text(wire.EventStdout), "\n") != 100000 {
		t.Error("lines are missing")
	}
}
