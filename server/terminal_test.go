package server

import (
	"strings"
	"testing"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// TestFramesBehindTheHeader: a client may send the header of a terminal lane and frames together.
func TestFramesBehindTheHeader(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		p := n.join(t, tr)
		res, err := n.plane.Spawn(t.Context(), noun.Caller{Actor: "test"}, wire.SpawnParams{Type: "shell", Argv: []string{"sh", "-c", "stty -echo; read x; echo got $x; read y"}, TTY: &wire.Size{}})
		if err != nil {
			t.Fatal(err)
		}
		str, err := p.OpenStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		line := `{"lane":"terminal","agent":"` + string(res.Agents[0].ID) + `","write":true}` + "\n"
		if _, err := str.Write(append([]byte(line), wire.AppendInput(nil, 0, []byte("it\r"))...)); err != nil {
			t.Fatal(err)
		}
		r := wire.NewReader(str)
		if _, err := r.Line(wire.MaxLine); err != nil {
			t.Fatal(err)
		}
		shown := ""
		for rest := r.Rest(); !strings.Contains(shown, "got it"); {
			f, b, err := wire.ReadFrame(rest, nil, wire.MaxFrame)
			if err != nil {
				t.Fatalf("it shows %q: %v", shown, err)
			}
			if f == wire.FrameOutput || f == wire.FrameScreen {
				shown += string(b)
			}
		}
	})
}
