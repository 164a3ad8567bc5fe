package cast

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/webtransport/wire"
)

var beginning = time.Date(2026, 1, 5, 9, 30, 0, 250e6, time.UTC)

// at is an event some milliseconds after the beginning.
func at(ms int, t wire.EventType, d wire.EventData) wire.Event {
	return wire.Event{Time: beginning.Add(time.Duration(ms) * time.Millisecond), Type: t, Data: d}
}

func text64(s string) wire.EventData { return wire.EventData{Base64: []byte(s)} }

func recorded(t *testing.T, agent wire.Agent, o Options, events ...wire.Event) string {
	t.Helper()
	var b bytes.Buffer
	r := New(&b, agent, o)
	for _, e := range events {
		if err := r.Event(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.End(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestRecordings(t *testing.T) {
	t.Parallel()
	pipes := wire.Agent{Name: "nightly", CreatedAt: beginning}
	tty := wire.Agent{Name: "nightly", CreatedAt: beginning, TTY: &wire.Size{Cols: 100, Rows: 30}}
	spawned := at(0, wire.EventSpawned, wire.EventData{})
	inTerminal := at(0, wire.EventSpawned, wire.EventData{Size: &wire.Size{Cols: 90, Rows: 20}})
	const head = `{"version":2,"width":80,"height":24,"timestamp":1767605400,"title":"nightly","env":{"TERM":"xterm-256color"}}` + "\n"
	const ttyHead = `{"version":2,"width":90,"height":20,"timestamp":1767605400,"title":"nightly","env":{"TERM":"xterm-256color"}}` + "\n"
	for name, c := range map[string]struct {
		agent  wire.Agent
		o      Options
		events []wire.Event
		want   string
	}{
		"nothing":           {pipes, Options{}, nil, head},
		"pauses are bound":  {pipes, Options{Idle: 2500 * time.Millisecond}, nil, strings.Replace(head, `,"title"`, `,"idle_time_limit":2.5,"title"`, 1)},
		"the log lost size": {tty, Options{}, []wire.Event{spawned}, strings.Replace(head, `"width":80,"height":24`, `"width":100,"height":30`, 1)},
		"lines": {pipes, Options{}, []wire.Event{spawned, at(1500, wire.EventStdout, wire.EventData{Text: "a <b>\n\n"}), at(1501, wire.EventStderr, wire.EventData{Text: "c"})},
			head + `[1.500000,"o","a <b>\r\n\r\n"]` + "\n" + `[1.501000,"o","c"]` + "\n"},
		"a terminal's bytes stay": {tty, Options{}, []wire.Event{inTerminal, at(1, wire.EventTTY, wire.EventData{Text: "\x1b[1ma\n"})},
			ttyHead + `[0.001000,"o","\u001b[1ma\n"]` + "\n"},
		"sizes": {tty, Options{}, []wire.Event{inTerminal, at(1, wire.EventResize, wire.EventData{Size: &wire.Size{Cols: 90, Rows: 20}}), at(2, wire.EventResize, wire.EventData{Size: &wire.Size{Cols: 7, Rows: 5}})},
			ttyHead + `[0.002000,"r","7x5"]` + "\n"},
		"a split character": {pipes, Options{}, []wire.Event{spawned, at(1, wire.EventStdout, text64("\xf0\x9f")), at(2, wire.EventStderr, text64("e")), at(3, wire.EventStdout, text64("\x98\x80!"))},
			head + `[0.002000,"o","e"]` + "\n" + `[0.003000,"o","😀!"]` + "\n"},
		"half a character at the end": {pipes, Options{}, []wire.Event{spawned, at(1, wire.EventStdout, text64("a\xf0\x9f"))},
			head + `[0.001000,"o","a"]` + "\n" + `[0.001000,"o","��"]` + "\n"},
		"no UTF-8": {pipes, Options{}, []wire.Event{spawned, at(1, wire.EventStdout, text64("a\xff\xfeb"))}, head + `[0.001000,"o","a��b"]` + "\n"},
		"input":    {pipes, Options{Input: true}, []wire.Event{spawned, at(1, wire.EventInput, wire.EventData{Text: "secret\n"})}, head + `[0.001000,"i","secret\n"]` + "\n"},
		"no input": {pipes, Options{}, []wire.Event{spawned, at(1, wire.EventInput, text64("secret\xc3"))}, head},
		"a clock that went back": {pipes, Options{}, []wire.Event{spawned, at(20, wire.EventStdout, wire.EventData{Text: "a"}), at(10, wire.EventStdout, wire.EventData{Text: "b"})},
			head + `[0.020000,"o","a"]` + "\n" + `[0.020000,"o","b"]` + "\n"},
		"a gap": {pipes, Options{}, []wire.Event{spawned, at(1, wire.EventStdout, text64("a\xc3")), func() wire.Event {
			e := at(2, wire.EventStdout, text64("\xbcb"))
			e.Dropped = &wire.Dropped{Amount: wire.Amount{Events: 3, Bytes: 4000}}
			return e
		}()}, head + `[0.001000,"o","a"]` + "\n" + `[0.002000,"o","�"]` + "\n" + `[0.002000,"m","the log no longer has 4000 bytes (3 events) from here: it was full"]` + "\n" + `[0.002000,"o","�b"]` + "\n"},
		"moments": {pipes, Options{}, []wire.Event{spawned,
			at(1, wire.EventActivity, wire.EventData{Activity: wire.ActivityRequiresAction, Text: "deploy\nnow?\x1b"}),
			at(1, wire.EventAsk, wire.EventData{Ask: &wire.Ask{Text: "deploy now?"}}),
			at(2, wire.EventActivity, wire.EventData{Activity: wire.ActivityRunning}),
			at(3, wire.EventTask, wire.EventData{Task: "t1", State: wire.TaskCompleted}),
			at(4, wire.EventExited, wire.EventData{Reason: wire.ReasonFailed, Exit: &wire.Exit{Message: "exit code 1"}})},
			head + `[0.001000,"m","asks: deploy now?"]` + "\n" + `[0.003000,"m","task t1: completed"]` + "\n" + `[0.004000,"m","exited: failed: exit code 1"]` + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := recorded(t, c.agent, c.o, c.events...); got != c.want {
				t.Errorf("it is\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// A program that crashed in the alternate screen leaves the next one a usual terminal.
func TestATerminalIsUsualAfterACrash(t *testing.T) {
	t.Parallel()
	agent := wire.Agent{TTY: &wire.Size{Cols: 20, Rows: 5}}
	events := []wire.Event{at(0, wire.EventSpawned, wire.EventData{}), at(1, wire.EventTTY, wire.EventData{Text: "\x1b[?1049h\x1b[?25lediting"}),
		at(2, wire.EventCrashed, wire.EventData{Exit: &wire.Exit{Message: "killed"}})}
	if got := recorded(t, agent, Options{}, events...); !strings.Contains(got, `\u001b[?1049l`) || !strings.Contains(got, `\u001b[?25h`) || !strings.Contains(got, `"m","crashed: killed"`) {
		t.Errorf("it is %s", got)
	}
}

// data parses a recording and joins the data of a code.
func data(t *testing.T, recording, code string) string {
	t.Helper()
	lines := bufio.NewScanner(strings.NewReader(recording))
	lines.Buffer(nil, 1<<20)
	var all strings.Builder
	for n, last := 0, 0.0; lines.Scan(); n++ {
		var h header
		var e [3]any
		var err error
		if n == 0 {
			err = json.Unmarshal(lines.Bytes(), &h)
		} else {
			err = json.Unmarshal(lines.Bytes(), &e)
		}
		if err != nil {
			t.Fatalf("line %d, %q: %v", n, lines.Text(), err)
		}
		if n == 0 {
			continue
		}
		if e[0].(float64) < last {
			t.Fatalf("line %d goes back in time", n)
		}
		if last = e[0].(float64); e[1] == code {
			all.WriteString(e[2].(string))
		}
	}
	return all.String()
}

// FuzzPieces: however output is cut into events, the recording has all of it.
func FuzzPieces(f *testing.F) {
	f.Add([]byte("a 😀 ü\n\x1b[31m\u2028<&>"), uint64(1))
	f.Add([]byte("\xf0\x9f\x98\xf0\x9f\x98\x80\xff\xc3"), uint64(2))
	f.Add([]byte(strings.Repeat("é漢", 50)), uint64(3))
	f.Fuzz(func(t *testing.T, output []byte, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 0))
		events := []wire.Event{at(0, wire.EventSpawned, wire.EventData{})}
		for rest := output; len(rest) > 0; {
			n := 1 + random.IntN(min(len(rest), 7))
			events = append(events, at(random.IntN(100), wire.EventTTY, wire.EventData{Base64: rest[:n]}))
			rest = rest[n:]
		}
		got := data(t, recorded(t, wire.Agent{TTY: &wire.DefaultSize}, Options{}, events...), "o")
		if want := string([]rune(string(output))); got != want {
			t.Errorf("it has %q, want %q", got, want)
		}
	})
}

// full is a disk that has no room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no room") }

func TestAnErrorEndsARecording(t *testing.T) {
	t.Parallel()
	r := New(full{}, wire.Agent{}, Options{})
	var err error
	for i := 0; err == nil && i < 100; i++ {
		err = r.Event(at(i, wire.EventStdout, wire.EventData{Text: strings.Repeat("x", 1000)}))
	}
	if err == nil || r.End() == nil {
		t.Error("nobody is told that nothing was written")
	}
}
