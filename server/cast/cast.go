// Package cast writes what an agent did as a recording for terminal players: asciicast v2
// (https://docs.asciinema.org/manual/asciicast/v2/). A recording is text: a line with an object, the header, and then a line for each
// event, [seconds since the beginning, code, data]:
//
//	{"version":2,"width":80,"height":24,"timestamp":1767605400,"title":"nightly","env":{"TERM":"xterm-256color"}}
//	[0.012000,"o","\u001b[1mtests\u001b[m\r\n"]
//	[2.500000,"r","100x30"]
//	[4.000000,"m","exited: completed: exit code 0"]
//
// Output ("o") is that of the agent's terminal as it was kept, or its standard output and error with the line ends of a terminal.
// Characters that are split between events are joined, and bytes that are not UTF-8 become U+FFFD, since JSON cannot hold them.
// Input ("i") is left out unless it is asked for. Markers ("m") say what a person may want to jump to, and what the log has dropped.
package cast

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"skein.dev/skein/server/vt"
	"skein.dev/skein/webtransport/wire"
)

// MediaType is that of a recording, and Extension the end of its file's name.
const (
	MediaType = "application/x-asciicast"
	Extension = ".cast"
)

// Options say what a recording has. The zero value has output, sizes and markers.
type Options struct {
	Input bool          // what was written to the agent as well, which may hold secrets
	Idle  time.Duration // players shorten pauses to this; 0: they do not
}

// Recording is being written. It is for use by one goroutine, and its memory does not grow with its length.
type Recording struct {
	w     *bufio.Writer
	o     Options
	agent wire.Agent

	began  bool // the header is written
	start  time.Time
	now    time.Duration             // since start; it never goes back
	size   wire.Size                 // of the terminal
	screen *vt.Screen                // what the terminal shows; nil: the agent has none
	parts  map[wire.EventType][]byte // of each stream, the beginning of a character whose rest has not come yet
	label  string                    // of the last marker
}

// New returns a recording of an agent. Its events are given to [Recording.Event], from the first one on.
func New(w io.Writer, agent wire.Agent, o Options) *Recording {
	return &Recording{w: bufio.NewWriter(w), o: o, agent: agent, size: wire.DefaultSize, parts: map[wire.EventType][]byte{}}
}

// streams are the types of events that have bytes.
var streams = []wire.EventType{wire.EventStdout, wire.EventStderr, wire.EventTTY, wire.EventInput}

// Event adds an event.
func (r *Recording) Event(e wire.Event) error {
	r.begin(e)
	r.now = max(r.now, e.Time.Sub(r.start))
	if e.Dropped != nil {
		r.flush()
		r.mark(fmt.Sprintf("the log no longer has %d bytes (%d events) from here: it was full", e.Dropped.Bytes, e.Dropped.Events))
	}
	switch e.Type {
	case wire.EventTTY:
		if r.screen != nil {
			r.screen.Write(e.Data.Bytes())
		}
		r.line("o", r.whole(e.Type, e.Data.Bytes()))
	case wire.EventStdout, wire.EventStderr:
		r.line("o", bytes.ReplaceAll(r.whole(e.Type, e.Data.Bytes()), []byte("\n"), []byte("\r\n")))
	case wire.EventInput:
		if r.o.Input {
			r.line("i", r.whole(e.Type, e.Data.Bytes()))
		}
	case wire.EventResize:
		r.resize(e.Data.Size)
	default:
		r.moment(e)
	}
	_, err := r.w.Write(nil) // the first error of all writes
	return err
}

// End ends the recording. It must be called after the last event, and no more events may follow.
func (r *Recording) End() error {
	r.begin(wire.Event{Time: r.agent.CreatedAt})
	r.flush()
	return r.w.Flush()
}

// header is the first line of a recording. Width and height are in characters, Timestamp is in seconds since 1970, and Idle in seconds.
type header struct {
	Version   int               `json:"version"`
	Width     uint16            `json:"width"`
	Height    uint16            `json:"height"`
	Timestamp int64             `json:"timestamp"`
	Idle      float64           `json:"idle_time_limit,omitempty"`
	Title     string            `json:"title,omitempty"`
	Env       map[string]string `json:"env"`
}

// begin writes the header before the first event, which has the size that the terminal had at first. If the log has lost it, the
// last size will do.
func (r *Recording) begin(first wire.Event) {
	if r.began {
		return
	}
	r.began, r.start = true, first.Time
	if r.agent.TTY != nil {
		r.size = *r.agent.TTY
		if first.Data.Size != nil {
			r.size = *first.Data.Size
		}
		r.screen = vt.New(int(r.size.Cols), int(r.size.Rows))
	}
	r.json(header{Version: 2, Width: r.size.Cols, Height: r.size.Rows, Timestamp: r.start.Unix(), Idle: r.o.Idle.Seconds(), Title: r.agent.Name,
		Env: map[string]string{"TERM": "xterm-256color"}})
}

func (r *Recording) resize(to *wire.Size) {
	if to == nil || *to == r.size || r.screen == nil {
		return
	}
	r.size = *to
	r.screen.Resize(int(to.Cols), int(to.Rows))
	r.line("r", fmt.Appendf(nil, "%dx%d", to.Cols, to.Rows))
}

// moment adds a marker for an event that a person may want to jump to. Before an agent starts again, its terminal is put into the
// state in which a program expects it, as the server does.
func (r *Recording) moment(e wire.Event) {
	switch d := e.Data; {
	case e.Type == wire.EventActivity && d.Activity == wire.ActivityRequiresAction:
		r.mark("asks: " + d.Text)
	case e.Type == wire.EventAsk && d.Ask != nil:
		r.mark("asks: " + d.Ask.Text)
	case e.Type == wire.EventAnswer && d.Ask != nil:
		r.mark("the question has ended: " + string(d.Ask.State))
	case e.Type == wire.EventTask:
		r.mark("task " + string(d.Task) + ": " + string(d.State))
	case e.Type == wire.EventExited && d.Exit != nil:
		r.flush()
		r.mark("exited: " + string(d.Reason) + ": " + d.Exit.Message)
	case e.Type == wire.EventCrashed && d.Exit != nil:
		r.flush()
		if r.screen != nil {
			leave := r.screen.Leave()
			r.line("o", leave)
			r.screen.Write(leave)
		}
		r.mark("crashed: " + d.Exit.Message)
	}
}

// maxLabel bounds the label of a marker, in bytes.
const maxLabel = 200

// mark adds a marker, unless the last one says the same.
func (r *Recording) mark(label string) {
	label = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(label, "\uFFFD"), wire.Unprintable), " ")
	if label = strings.ToValidUTF8(wire.Cut(label, maxLabel), ""); label != r.label {
		r.line("m", []byte(label))
	}
	r.label = label
}

// whole returns bytes of a stream without a character that is not complete yet, which it keeps for the next call.
func (r *Recording) whole(t wire.EventType, b []byte) []byte {
	b = append(r.parts[t], b...)
	n := complete(b)
	r.parts[t] = bytes.Clone(b[n:])
	return b[:n]
}

// flush writes what is left of characters whose rest will not come.
func (r *Recording) flush() {
	for _, t := range streams {
		code := "o"
		if t == wire.EventInput {
			code = "i"
		}
		r.line(code, r.parts[t])
		r.parts[t] = nil
	}
}

// line writes an event, if it has data.
func (r *Recording) line(code string, data []byte) {
	if len(data) > 0 {
		r.json([]any{json.Number(fmt.Sprintf("%.6f", r.now.Seconds())), code, text(data)})
	}
}

// json writes a line. An error stays in w until it is flushed.
func (r *Recording) json(v any) {
	enc := json.NewEncoder(r.w)
	enc.SetEscapeHTML(false)
	enc.Encode(v)
}
