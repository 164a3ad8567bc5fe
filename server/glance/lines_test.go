package glance_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"skein.dev/skein/server/glance"
	"skein.dev/skein/webtransport/wire"
)

func out(text string) wire.Event {
	return wire.Event{Type: wire.EventStdout, Data: wire.EventData{Text: text}}
}
func errs(text string) wire.Event {
	return wire.Event{Type: wire.EventStderr, Data: wire.EventData{Text: text}}
}
func in(text string) wire.Event {
	return wire.Event{Type: wire.EventInput, Data: wire.EventData{Text: text}}
}

// show writes a picture as text: the kind of a line, and its pieces with their classes.
func show(p wire.Picture) string {
	var lines []string
	for _, row := range p.Rows {
		line := string(row.Kind) + ":"
		for _, piece := range row.Pieces {
			if piece.Class != "" {
				line += "<" + piece.Class + ">"
			}
			line += piece.Text
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "|")
}

func TestTheLastLines(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]struct {
		events []wire.Event
		want   string
	}{
		"none":                   {nil, ""},
		"a line":                 {[]wire.Event{out("a\n")}, ":a"},
		"more than fit":          {[]wire.Event{out("1\n2\n3\n4\n5\n")}, ":3|:4|:5"},
		"over several events":    {[]wire.Event{out("1\n2"), out("3\n"), out("4\n5\n6")}, ":4|:5|:6"},
		"a line that goes on":    {[]wire.Event{out("he"), out("llo")}, ":hello"},
		"both streams":           {[]wire.Event{out("a"), errs("b"), out("c\n"), errs("d\n")}, ":ac|err:bd"},
		"what was written to it": {[]wire.Event{out("who?\n"), in("me\n"), out("hi\n")}, ":who?|in:me|:hi"},
		"a progress bar":         {[]wire.Event{out("1%"), out("\r55%"), out("\r99%")}, ":99%"},
		"colours":                {[]wire.Event{out("\x1b[31mred\n"), out("still\x1b[0m not\n")}, ":<f1>red|:<f1>still not"},
		"too wide":               {[]wire.Event{out("0123456789abc\n")}, ":0123456789"},
		"carriage returns":       {[]wire.Event{out("a\r\nb\r\n")}, ":a|:b"},
		"empty lines":            {[]wire.Event{out("a\n\nb\n")}, ":a|:|:b"},
		"bytes":                  {[]wire.Event{{Type: wire.EventStdout, Data: wire.EventData{Base64: []byte{1, 2, 3}}}}, "bin:Binary, 3 "},
		"others":                 {[]wire.Event{{Type: wire.EventLog, Data: wire.EventData{Text: "x"}}}, ""},
	} {
		l := glance.New(3, 10)
		for i := range v.events {
			l.Add(&v.events[i])
		}
		if got := show(l.Picture()); got != v.want {
			t.Errorf("%s: %q; want %q", name, got, v.want)
		}
	}
}

func TestWhatWasLeftOutIsNoPartOfALine(t *testing.T) {
	t.Parallel()
	l := glance.New(3, 10)
	for _, e := range []wire.Event{out("\x1b[31mbegun ")} {
		l.Add(&e)
	}
	l.Gap()
	e := out("later\n")
	l.Add(&e)
	if got := show(l.Picture()); got != ":<f1>begun |:later" {
		t.Errorf("%q", got)
	}
}

// A line that has not changed is the same row, so that it is not compared piece by piece.
func TestRowsAreKept(t *testing.T) {
	t.Parallel()
	l := glance.New(3, 10)
	e := out("a\nb\n")
	l.Add(&e)
	before := l.Picture()
	e = out("c\n")
	l.Add(&e)
	if after := l.Picture(); before.Rows[0] != after.Rows[0] || before.Rows[1] != after.Rows[1] {
		t.Error("lines were rendered again")
	}
}

// No picture is larger than its bounds, whatever is printed, and however it is divided into events.
func FuzzLines(f *testing.F) {
	f.Add("a\nb\nc\nd\n", 3)
	f.Add("\x1b[1;31mred\x1b[0m\nplain\rover\b\b\n", 5)
	f.Add("höher \x1b]8;;http://x\x07link\x1b]8;;\x07 日本語\n\tx", 7)
	f.Add("\x1b[999G\x1b[K"+strings.Repeat("x", 5000), 1000)
	f.Fuzz(func(t *testing.T, text string, at int) {
		if !utf8.ValidString(text) { // an event of other bytes has them apart
			return
		}
		at = min(max(at, 0), len(text))
		for at > 0 && at < len(text) && !utf8.RuneStart(text[at]) {
			at--
		}
		l := glance.New(4, 20)
		for _, part := range []string{text[:at], text[at:]} {
			e := out(part)
			l.Add(&e)
		}
		p := l.Picture()
		if len(p.Rows) > 4 {
			t.Fatalf("%d rows", len(p.Rows))
		}
		for _, row := range p.Rows {
			n := 0
			for _, piece := range row.Pieces {
				n += utf8.RuneCountInString(piece.Text)
			}
			if n > 20 {
				t.Fatalf("%d characters: %s", n, fmt.Sprint(row.Pieces))
			}
		}
	})
}
