package server

import (
	"bufio"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/vt"
	"skein.dev/skein/webtransport/wire"
)

// replay plays a recording. It returns the lines of the screen at the end.
func replay(t *testing.T, recording string) []string {
	t.Helper()
	lines := bufio.NewScanner(strings.NewReader(recording))
	lines.Buffer(nil, 4<<20)
	var head struct{ Version, Width, Height int }
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &head) != nil || head.Version != 2 {
		t.Fatalf("the header is %q", lines.Text())
	}
	screen := vt.New(head.Width, head.Height)
	for lines.Scan() {
		var e []any
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil || len(e) != 3 {
			t.Fatalf("an event is %q: %v", lines.Text(), err)
		}
		switch text := e[2].(string); e[1] {
		case "o":
			screen.Write([]byte(text))
		case "r":
			var size wire.Size
			cols, rows, _ := strings.Cut(text, "x")
			if json.Unmarshal([]byte(`{"cols":`+cols+`,"rows":`+rows+`}`), &size) != nil {
				t.Fatalf("a size is %q", text)
			}
			screen.Resize(int(size.Cols), int(size.Rows))
		}
	}
	return screen.Text()
}

// TestTheRecordingOfATerminal: played, it shows what the server's terminal shows, over a change of its size. The page of the agent
// links to it, below the base path.
func TestTheRecordingOfATerminal(t *testing.T) {
	t.Parallel()
	n := start(t, func(o *Options) { o.BasePath = "/below" })
	a := n.spawn(t, wire.SpawnParams{Type: "shell", TTY: &wire.Size{Cols: 50, Rows: 8}, Argv: []string{"sh", "-c",
		`stty -echo; echo "a line that is longer than twenty columns are"; read x; printf '\033[2;3Hüber 😀 '; stty size; read y`}})
	term, err := n.plane.Terminal(t.Context(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	shows := func(text string) {
		t.Helper()
		kit.Eventually(t, "it shows "+text, func() bool { return strings.Contains(strings.Join(term.Text(), "\n"), text) })
	}
	shows("columns are")
	term.Attach("test", "", &wire.Size{Cols: 20, Rows: 7}, true)
	if err := n.plane.Input(t.Context(), "test", wire.InputParams{ID: a.ID, Text: "hush\n"}); err != nil {
		t.Fatal(err)
	}
	shows("7 20")
	signedIn := with(n.login(t))
	page := n.ask(t, "GET", "/agents/"+string(a.ID), signedIn)
	const link = "/session.cast"
	if !strings.Contains(page.body, `href="/below/agents/`+string(a.ID)+link+`"`) {
		t.Error("the page has no link of the recording")
	}
	var got []string
	kit.Eventually(t, "the log has what the terminal shows", func() bool {
		got = replay(t, n.ask(t, "GET", "/agents/"+string(a.ID)+link, signedIn).body)
		return slices.Equal(got, term.Text())
	})
	if !slices.ContainsFunc(got, func(line string) bool { return strings.HasPrefix(line, "r über 😀 7 20") }) {
		t.Errorf("it shows %q", got)
	}
}

// TestRecordingsAreFiles: they need a login, are for saving, and have no input.
func TestRecordingsAreFiles(t *testing.T) {
	t.Parallel()
	n := start(t)
	a := n.script(t, "say hello\nread\nsay bye")
	if err := n.plane.Input(t.Context(), "test", wire.InputParams{ID: a.ID, Text: "hush\n"}); err != nil {
		t.Fatal(err)
	}
	kit.Eventually(t, "it has ended", func() bool { got, err := n.plane.Get(a.ID); return err == nil && !got.Status.Alive() })
	path := "/agents/" + string(a.ID) + "/session.cast"
	if got := n.ask(t, "GET", path); got.StatusCode == http.StatusOK || strings.Contains(got.body, "hello") {
		t.Errorf("without a login: %s %s", got.Status, got.body)
	}
	signedIn := with(n.login(t))
	if got := n.ask(t, "GET", "/agents/anobody/session.cast", signedIn); got.StatusCode != http.StatusNotFound {
		t.Errorf("of no agent: %s", got.Status)
	}
	got := n.ask(t, "GET", path, signedIn)
	for name, want := range map[string]string{"Content-Type": "application/x-asciicast", "Content-Disposition": `attachment; filename="` + string(a.ID) + `.cast"`,
		"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"} {
		if got.Header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Header.Get(name), want)
		}
	}
	if got.StatusCode != http.StatusOK || strings.Contains(got.body, "hush") || !strings.Contains(got.body, `"m","exited: completed`) ||
		!strings.HasPrefix(strings.Join(replay(t, got.body), "|"), "hello|bye|") {
		t.Errorf("%s %s", got.Status, got.body)
	}
}
