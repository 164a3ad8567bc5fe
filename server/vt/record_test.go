//go:build linux

package vt

import (
	"flag"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

var record = flag.String("record", "", "record sessions anew: all, or names with commas between them; by testdata/record.sh, which gives them a machine of their own")

// script is how a session is recorded: what is typed, step by step. A step is keys, or one of
//
//	<size COLS ROWS>   the terminal gets another size
//	<see TEXT>         the text is on the screen, for which it waits
//	<wait>             two seconds pass, for programs that draw of themselves
//
// Before each step the program has been silent for a while.
type script struct {
	argv    []string
	version []string // what prints the version of the program
	steps   []string
}

const quiet, patience = 400 * time.Millisecond, 6 * time.Second

var sizeStep = regexp.MustCompile(`^<size (\d+) (\d+)>$`)

// recorder types a script and keeps what comes.
type recorder struct {
	t    *testing.T
	tty  *os.File
	s    *Screen // it answers the program's queries
	r    *recording
	came chan []byte
}

// TestRecord records sessions. It proves nothing.
func TestRecord(t *testing.T) {
	if *record == "" {
		t.Skip("for testdata/record.sh")
	}
	names := strings.Split(*record, ",")
	for name, sc := range scripts {
		if !slices.Contains(names, name) && *record != "all" {
			continue
		}
		if _, err := exec.LookPath(sc.argv[0]); err != nil {
			t.Logf("%s is not recorded: %v", name, err)
			continue
		}
		t.Run(name, func(t *testing.T) { recordOne(t, name, sc) })
	}
}

func recordOne(t *testing.T, name string, sc script) {
	rec := &recorder{t: t, s: New(80, 24), r: &recording{name: name, Program: versionOf(sc.version), Cols: 80, Rows: 24}, came: make(chan []byte)}
	cmd := exec.Command(sc.argv[0], sc.argv[1:]...)
	cmd.Dir = os.Getenv("HOME")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: 80, Rows: 24})
	if err != nil {
		t.Fatal(err)
	}
	rec.tty = tty
	go rec.read()
	rec.settle(time.Second)
	for _, s := range sc.steps {
		rec.step(s)
	}
	rec.settle(quiet)
	cmd.Process.Kill()
	tty.Close()
	for range rec.came {
	}
	cmd.Wait()
	t.Logf("%s: %d bytes, %d sizes\n%s", rec.r.Program, len(rec.r.raw), 1+len(rec.r.Resizes), strings.Join(rec.s.Text(), "\n"))
	if err := rec.r.write(); err != nil {
		t.Fatal(err)
	}
}

func versionOf(argv []string) string {
	out, _ := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return strings.TrimSpace(line)
}

func (rec *recorder) read() {
	defer close(rec.came)
	for {
		b := make([]byte, 4096)
		n, err := rec.tty.Read(b)
		if n > 0 {
			rec.came <- b[:n]
		}
		if err != nil {
			return
		}
	}
}

// settle takes output until there was none for a while.
func (rec *recorder) settle(silence time.Duration) {
	end := time.After(patience)
	for {
		select {
		case b, ok := <-rec.came:
			if !ok {
				return
			}
			rec.take(b)
		case <-time.After(silence):
			return
		case <-end:
			return
		}
	}
}

// take keeps output up to the bound, and answers it.
func (rec *recorder) take(b []byte) {
	rec.r.raw = append(rec.r.raw, b[:min(len(b), maxRecording-len(rec.r.raw))]...)
	if reply := rec.s.Write(b).Reply; len(reply) > 0 {
		rec.tty.Write(slices.Clone(reply))
	}
}

func (rec *recorder) step(s string) {
	defer func() { rec.settle(quiet) }()
	if m := sizeStep.FindStringSubmatch(s); m != nil {
		var ps params
		for _, n := range m[1:] {
			_, p, _, _ := parse([]byte(n))
			ps = append(ps, p...)
		}
		rec.resize(ps.at(0, 0), ps.at(1, 0))
	} else if text, ok := strings.CutPrefix(s, "<see "); ok {
		rec.see(strings.TrimSuffix(text, ">"))
	} else if s == "<wait>" {
		rec.settle(2 * time.Second)
	} else {
		io.WriteString(rec.tty, s)
	}
}

func (rec *recorder) resize(cols, rows int) {
	if len(rec.r.raw) < maxRecording {
		rec.r.Resizes = append(rec.r.Resizes, resize{At: len(rec.r.raw), Cols: cols, Rows: rows})
	}
	rec.s.Resize(cols, rows)
	if err := pty.Setsize(rec.tty, &pty.Winsize{Cols: uint16(cols), Rows: uint16(rows)}); err != nil {
		rec.t.Log(err)
	}
}

func (rec *recorder) see(text string) {
	for end := time.Now().Add(30 * time.Second); !strings.Contains(strings.Join(rec.s.Text(), "\n"), text); {
		if time.Now().After(end) {
			rec.t.Errorf("%q is not on the screen:\n%s", text, strings.Join(rec.s.Text(), "\n"))
			return
		}
		rec.settle(quiet)
	}
}
