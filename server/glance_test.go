package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// look is somebody who looks at an agent.
type look struct {
	*stream
	p    wire.Picture
	last wire.PictureChange
}

func (p *peer) look(t *testing.T, id wire.AgentID, rest string) *look {
	t.Helper()
	return &look{stream: open(t, p, fmt.Sprintf(`{"lane":"glance","agent":%q%s}`, id, rest))}
}

// take reads the next picture, without asking for another one.
func (l *look) take(t *testing.T) {
	t.Helper()
	l.last = wire.PictureChange{}
	l.note(t, wire.NotePicture, &l.last)
	if err := l.p.Apply(&l.last); err != nil {
		t.Fatal(err)
	}
}

// next asks for the next picture, and reads it.
func (l *look) next(t *testing.T) {
	t.Helper()
	l.say(t, request("", wire.NoteSeen, wire.PictureSeen{Seq: l.last.Seq}))
	l.take(t)
}

// until reads pictures until one has a text.
func (l *look) until(t *testing.T, text string) {
	t.Helper()
	for l.take(t); !strings.Contains(l.text(), text); l.next(t) {
	}
}

// text is the picture, a row a line; a style is in front of its text.
func (l *look) text() string {
	var b strings.Builder
	for _, row := range l.p.Rows {
		for _, piece := range row.Pieces {
			if piece.Class != "" {
				b.WriteString("<" + piece.Class + ">")
			}
			b.WriteString(piece.Text)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// An agent that prints as fast as it can, before somebody who does not ask for its pictures, holds up neither itself nor other pictures.
// Whoever looks again gets the newest picture, since none was kept.
func TestAFloodHoldsUpNoOtherPicture(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		flood := n.shell(t, "seq 1 1000000000")
		echo := n.shell(t, `while read -r x; do echo "got $x"; done`)
		p := n.join(t, tr)
		at := p.look(t, flood.ID, "")
		at.take(t)
		other := p.look(t, echo.ID, "")
		other.take(t)
		printed := func() int { // so far; the last line may be cut
			a, _ := n.plane.Get(flood.ID)
			i, _ := strconv.Atoi(a.LastLine)
			return i
		}
		for i := range 10 {
			before := printed()
			kit.Eventually(t, "the flood goes on", func() bool { return printed() > before+100_000 })
			if err := n.plane.Input(t.Context(), "test", wire.InputParams{ID: echo.ID, Text: fmt.Sprintf("it %d\n", i)}); err != nil {
				t.Fatal(err)
			}
			for want := fmt.Sprintf("got it %d\n", i); !strings.Contains(other.text(), want); other.next(t) {
			}
		}
		now := printed()
		at.next(t)
		shown := 0
		for line := range strings.FieldsSeq(at.text()) {
			i, _ := strconv.Atoi(line)
			shown = max(shown, i)
		}
		if shown < now {
			t.Errorf("it shows %d, but %d was printed before it was asked for", shown, now)
		}
		if at.last.Seq != 2 || len(at.p.Rows) > wire.DefaultPictureRows {
			t.Errorf("picture %d of %d rows came; no other one was asked for", at.last.Seq, len(at.p.Rows))
		}
	})
}

func TestPicturesEndWithTheirAgent(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		p := n.join(t, tr)
		a := n.shell(t, `echo one >&2; read -r x; printf '\033[32mthree'`)
		at := p.look(t, a.ID, `,"rows":3,"cols":3`)
		at.until(t, "one")
		if err := n.plane.Input(t.Context(), "test", wire.InputParams{ID: a.ID, Text: "go\n"}); err != nil {
			t.Fatal(err)
		}
		for !at.last.Ended {
			at.next(t)
		}
		if got := at.text(); got != "one\ngo\n<f2>thr\n" || at.p.Rows[0].Kind != wire.RowErr || at.p.Rows[1].Kind != wire.RowInput {
			t.Errorf("at the end it shows %q", got)
		}
		at.say(t, request("", wire.NoteSeen, wire.PictureSeen{Seq: at.last.Seq}))
		if _, err := at.stream.next(); !errors.Is(err, io.EOF) {
			t.Errorf("after the last picture: %v", err)
		}
		late := p.look(t, a.ID, `,"rows":3,"cols":3`)
		if late.take(t); late.text() != at.text() || !late.last.Ended {
			t.Errorf("who comes later sees %q", late.text())
		}
	})
}

func TestAPictureOfATerminal(t *testing.T) {
	t.Parallel()
	n := start(t)
	p := n.join(t, wire.WebTransport)
	res, err := n.plane.Spawn(t.Context(), noun.Caller{Actor: "test"}, wire.SpawnParams{Type: "shell", TTY: &wire.Size{Cols: 40, Rows: 6},
		Argv: []string{"sh", "-c", `stty -echo; printf '\033[2J\033[3;5H\033[1;38;5;196mALARM\033[0m\033[6;1H\033[7mstatus\033[0m'; read -r x; printf '\033[1;1H\033[8msecret\033[0mseen'; read -r x`}})
	if err != nil {
		t.Fatal(err)
	}
	a := res.Agents[0]
	at := p.look(t, a.ID, `,"rows":3`)
	at.until(t, "status")
	const screen = "\n    <a-b f9>ALARM\n\n\n<a-v>status\n"
	if got := at.text(); got != "\n"+screen || at.p.Kind != wire.PictureScreen || at.p.Cols != 40 {
		t.Errorf("%s of %d columns: %q", at.p.Kind, at.p.Cols, got)
	}
	if err := n.plane.Input(t.Context(), "test", wire.InputParams{ID: a.ID, Text: "\n"}); err != nil {
		t.Fatal(err)
	}
	for at.next(t); !strings.Contains(at.text(), "seen"); at.next(t) {
	}
	if got := at.text(); got != "      seen\n"+screen {
		t.Errorf("then %q", got)
	}
	if at.last.Whole || len(at.last.Rows) != 1 {
		t.Errorf("one row has changed; these came: %+v", at.last)
	}
	n.plane.Stop(t.Context(), noun.Caller{Actor: "test"}, wire.StopParams{IDs: []wire.AgentID{a.ID}})
	for at.next(t); !at.last.Ended; at.next(t) {
	}
	late := p.look(t, a.ID, "")
	if late.take(t); late.text() != "      seen\n"+screen || !late.last.Ended {
		t.Errorf("when it has ended, it shows %q", late.text())
	}
}

func TestAGlanceIsRefused(t *testing.T) {
	t.Parallel()
	n := start(t)
	p := n.join(t, wire.WebTransport)
	if m := p.look(t, "anone", "").message(t); m.Error == nil || m.Error.Code != wire.CodeNotFound {
		t.Errorf("of no agent: %+v", m)
	}
	a := n.script(t, "say hello\nidle 1h")
	for name, line := range map[string]string{
		"no JSON":        "x",
		"another method": request("", wire.MethodInput, wire.InputParams{Text: "x"}),
		"a request":      request("1", wire.NoteSeen, wire.PictureSeen{Seq: 1}),
		"a wrong type":   `{"jsonrpc":"2.0","method":"picture.seen","params":{"seq":"x"}}`,
	} {
		at := p.look(t, a.ID, "")
		at.take(t)
		at.say(t, line)
		var reset *webtransport.StreamError
		if _, err := at.stream.next(); !errors.As(err, &reset) || reset.Code != uint32(wire.StreamBadMessage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p = n.join(t, wire.WebTransport)
	var all []*look
	for range wire.MaxGlances {
		at := p.look(t, a.ID, "")
		at.take(t)
		all = append(all, at)
	}
	if m := p.look(t, a.ID, "").message(t); m.Error == nil || m.Error.Code != wire.CodeExhausted {
		t.Errorf("one more than there may be: %+v", m)
	}
	all[0].CancelWrite(0)
	all[0].CancelRead(0)
	kit.Eventually(t, "there is room for one when another has ended", func() bool {
		m := p.look(t, a.ID, "").message(t)
		return m.Error == nil && json.Valid(m.Params)
	})
}
