package server

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "skein.dev/skein/"

// rooms says what each package of the house may import of ours. Types come from wire, wherever they are used.
var rooms = map[string][]string{
	"cmd/skein":           {"server", "server/screen", "webtransport", "webtransport/client", "webtransport/wire", "webtransport/bare", "e2e/netlab"}, // bare: what bench compares with
	"cmd/skein-peers":     {"webtransport/bare"},
	"server":              {"server/control", "server/memory", "server/noun", "server/jet", "server/runner", "ui", "static", "webtransport", "webtransport/wire"},
	"server/control":      {"server/grep", "server/memory", "server/noun", "server/runner", "server/screen", "webtransport/wire"},
	"server/grep":         {"server/screen"}, // which lines of output have a hit
	"server/jet":          {"webtransport/wire"},
	"server/memory":       {"server/noun", "webtransport/wire"},
	"server/noun":         {"webtransport/wire"}, // what the nouns of the control plane share
	"server/screen":       {},                    // what a terminal shows: for whoever shows output
	"server/runner":       {"webtransport/wire"},
	"ui":                  {"server/screen", "webtransport/wire"},
	"static":              {},
	"webtransport":        {"webtransport/mask", "webtransport/qmux"},
	"webtransport/mask":   {},
	"webtransport/client": {"webtransport", "webtransport/wire"},
	"webtransport/wire":   {},
	"webtransport/qmux":   {},
	"webtransport/bare":   {},
	"e2e/kit":             {}, // for tests
	"e2e/netlab":          {},
	"e2e/faults":          {},
}

// libraries says who alone may import what, tests aside.
var libraries = map[string][]string{
	"github.com/quic-go/":        {"webtransport", "webtransport/bare", "cmd/skein-peers"},
	"github.com/coder/websocket": {"webtransport", "webtransport/bare", "cmd/skein-peers"},
	"github.com/centrifugal/":    {"cmd/skein-peers"}, // nothing of it is in skein
	"github.com/nats-io/":        {"server/jet"},
	"github.com/a-h/templ":       {"ui", "server"},
	"github.com/goccy/go-yaml":   {"server"},
	"github.com/google/btree":    {"server/memory"},
	"modernc.org/sqlite":         {"server/memory"}, // the full-text index
	"github.com/prometheus/":     {"server"},
	"github.com/spf13/":          {"cmd/skein", "cmd/skein-peers"},
	"skein.dev/skein/cmd/":       {},
	"github.com/rogpeppe/":       {},
	"go.uber.org/goleak":         {},
	"testing":                    {"e2e/kit"},
	"skein.dev/skein/e2e/kit":    {},
}

func TestImportsRunOneWay(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		room := strings.TrimPrefix(words[0], module)
		may, known := rooms[room]
		if !known {
			t.Errorf("package %s has no place in the house: give it one here", room)
			continue
		}
		seen[room] = true
		for _, path := range words[1:] {
			if ours, ok := strings.CutPrefix(path, module); ok && !slices.Contains(may, ours) {
				t.Errorf("%s imports %s; it may import %q", room, ours, may)
			}
			for lib, who := range libraries {
				if strings.HasPrefix(path+"/", strings.TrimSuffix(lib, "/")+"/") && !slices.Contains(who, room) {
					t.Errorf("%s imports %s; only %q may", room, path, who)
				}
			}
		}
	}
	for room := range maps.Keys(rooms) {
		if !seen[room] {
			t.Errorf("there is no package %s", room)
		}
	}
}
