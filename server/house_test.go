package server

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"skein.dev/skein/server/fork"
)

const module = "skein.dev/skein/"

// rooms has the packages of this module that each package may import.
var rooms = map[string][]string{
	"cmd/skein":             {"server", "server/cast", "server/screen", "webtransport/client", "webtransport/doctor", "webtransport/wire"},
	"cmd/skein-bench":       {"cmd/skein-bench/peers", "webtransport", "webtransport/bare", "webtransport/client", "webtransport/wire", "e2e/netlab"},
	"cmd/skein-bench/peers": {"webtransport/bare"},

	"server":                 {"server/api", "server/auth", "server/cert", "server/control", "server/datadir", "server/exchange", "server/fleet", "server/fork", "server/hook", "server/jet", "server/mcp", "server/push", "server/rpc", "server/runner", "server/runner/acp", "server/runner/model", "server/runner/process", "server/runner/remote", "server/runner/scripted", "server/session", "server/telemetry", "server/web", "webtransport", "webtransport/wire"},
	"server/api":             {"server/control", "server/noun", "server/runner", "webtransport/wire"},
	"server/mcp":             {"server/api", "server/auth", "server/control", "webtransport/wire"},
	"server/artifacts":       {"server/noun", "webtransport/wire"},
	"server/cast":            {"server/vt", "webtransport/wire"},                    // recordings of what agents did, for terminal players
	"server/asks":            {"server/noun", "server/runner", "webtransport/wire"}, // what agents ask people
	"server/auth":            {"server/api", "server/jet", "webtransport/wire"},
	"server/cert":            {"server/datadir", "server/jet", "webtransport/wire"},
	"server/datadir":         {"webtransport/wire"},                                                                                                                                                                           // where a server keeps everything
	"server/control":         {"server/artifacts", "server/asks", "server/fleet", "server/folders", "server/memory", "server/noun", "server/runner", "server/schedules", "server/tasks", "server/usage", "webtransport/wire"}, // joins the nouns
	"server/exchange":        {"webtransport/wire"},                                                                                                                                                                           // one request of HTTP, and its answer
	"server/fleet":           {"server/glance", "server/grep", "server/noun", "server/runner", "server/runner/lines", "server/screen", "server/terminal", "server/vt", "webtransport/wire"},
	"server/fork":            {},                                   // starts programs
	"server/folders":         {"server/fork", "webtransport/wire"}, // the git worktrees of agents, and what they have changed in them
	"server/grep":            {"server/screen"},                    // which lines of output have a hit
	"server/hook":            {"server/fork", "webtransport/wire"}, // the operator's command for what agents ask
	"server/jet":             {"server/noun", "webtransport/wire"},
	"server/memory":          {"server/noun", "webtransport/wire"},
	"server/noun":            {"webtransport/wire"},                   // what the nouns of the control plane share
	"server/push":            {"server/datadir", "webtransport/wire"}, // tells browsers of what agents ask
	"server/screen":          {},                                      // what a terminal shows: for whoever shows output
	"server/schedules":       {"server/noun", "webtransport/wire"},    // tasks at set times
	"server/usage":           {"webtransport/wire"},                   // what agents spend, and their budgets
	"server/rpc":             {"server/api", "server/auth", "server/exchange", "server/telemetry", "webtransport/wire"},
	"server/runner":          {"webtransport/wire"}, // what a kind of agents is; each kind is a folder of it
	"server/runner/acp":      {"server/linediff", "server/runner", "webtransport/wire"},
	"server/linediff":        {}, // compares texts
	"server/runner/lines":    {"server/runner", "webtransport/wire"},
	"server/runner/model":    {"server/runner", "webtransport/wire"},
	"server/runner/process":  {"server/fork", "server/runner", "webtransport/wire"},
	"server/runner/remote":   {"server/runner", "webtransport/wire"},
	"server/runner/scripted": {"server/runner", "webtransport/wire"},
	"server/telemetry":       {"webtransport/wire"},
	"server/session":         {"server/api", "server/artifacts", "server/auth", "server/control", "server/fleet", "server/memory", "server/noun", "server/runner", "server/tasks", "server/telemetry", "server/terminal", "webtransport", "webtransport/wire"},
	"server/terminal":        {"server/vt", "webtransport/wire"},     // the terminals of agents, and who looks
	"server/glance":          {"server/screen", "webtransport/wire"}, // pictures of what agents print
	"server/vt":              {"server/screen"},                      // a terminal without a display
	"server/tasks":           {"server/noun", "server/runner", "server/screen", "webtransport/wire"},
	"server/web":             {"server/api", "server/auth", "server/cast", "server/cert", "server/control", "server/exchange", "server/noun", "server/push", "server/telemetry", "static", "ui", "ui/agent", "ui/artifact", "ui/changes", "ui/fleet", "ui/frame", "ui/inbox", "ui/login", "ui/memory", "ui/network", "ui/preview", "ui/schedule", "ui/task", "ui/transcript", "ui/usage", "ui/wall", "ui/words", "webtransport", "webtransport/wire"},
	"ui":                     {"ui/agent", "ui/artifact", "ui/changes", "ui/fleet", "ui/frame", "ui/inbox", "ui/memory", "ui/network", "ui/schedule", "ui/task", "ui/transcript", "ui/usage", "ui/wall"}, // the stories of all pages
	"ui/transcript":          {"server/linediff", "server/screen", "ui/changes", "ui/frame", "ui/preview", "ui/words", "webtransport/wire"},
	"ui/agent":               {"server/screen", "ui/artifact", "ui/changes", "ui/fleet", "ui/frame", "ui/inbox", "ui/transcript", "ui/wall", "ui/words", "webtransport/wire"},
	"ui/inbox":               {"ui/frame", "ui/words", "webtransport/wire"},
	"ui/changes":             {"ui/frame", "ui/words", "webtransport/wire"},
	"ui/wall":                {"ui/fleet", "ui/frame", "ui/words", "webtransport/wire"},
	"ui/usage":               {"ui/frame", "ui/words", "webtransport/wire"},
	"ui/schedule":            {"ui/frame", "ui/words", "webtransport/wire"},
	"ui/login":               {"ui/frame", "webtransport/wire"},
	"ui/fleet":               {"ui/frame", "ui/words", "webtransport/wire"},
	"ui/task":                {"ui/artifact", "ui/frame", "ui/graph", "ui/inbox", "ui/preview", "ui/words", "webtransport/wire"},
	"ui/graph":               {}, // lays out graphs
	"ui/artifact":            {"ui/frame", "ui/preview", "ui/words", "webtransport/wire"},
	"ui/preview":             {"server/screen", "ui/changes", "ui/frame", "ui/words"}, // shows bytes that nobody vouches for
	"ui/memory":              {"ui/frame", "ui/words", "webtransport/wire"},
	"ui/network":             {"ui/frame", "ui/words", "webtransport/wire"},
	"ui/frame":               {"ui/words", "webtransport/wire"},
	"ui/words":               {"server/linediff", "server/screen", "webtransport/wire"}, // how things are written
	"ui/generate":            {},                                                        // makes Go of templates
	"static":                 {},
	"webtransport":           {"webtransport/mask", "webtransport/pace", "webtransport/qmux"},
	"webtransport/doctor":    {"webtransport", "webtransport/client", "webtransport/wire"},
	"webtransport/mask":      {},
	"webtransport/pace":      {},
	"webtransport/client":    {"webtransport", "webtransport/wire"},
	"webtransport/wire":      {},
	"webtransport/qmux":      {},
	"webtransport/bare":      {},
	"e2e/kit":                {"webtransport/wire"}, // for tests
	"e2e/netlab":             {},
	"e2e/faults":             {},
	"e2e/soak":               {},
}

// libraries has the only packages that may import a library, except in tests.
var libraries = map[string][]string{
	"github.com/quic-go/":              {"webtransport", "webtransport/bare", "cmd/skein-bench/peers"},
	"github.com/coder/websocket":       {"webtransport", "webtransport/bare", "cmd/skein-bench/peers"},
	"github.com/centrifugal/":          {"cmd/skein-bench/peers"}, // nothing of it is in skein
	"github.com/nats-io/":              {"server/jet"},
	"os/exec":                          {"cmd/skein-bench", "cmd/skein-bench/peers", "e2e/netlab", "server", "server/folders", "server/fork", "server/hook"}, // the server starts programs by server/fork, which keeps marks apart
	"github.com/a-h/templ":             {"ui", "ui/agent", "ui/artifact", "ui/changes", "ui/fleet", "ui/frame", "ui/generate", "ui/inbox", "ui/login", "ui/memory", "ui/network", "ui/preview", "ui/schedule", "ui/task", "ui/transcript", "ui/usage", "ui/wall", "server/web"},
	"github.com/yuin/goldmark":         {"ui/preview"},
	"github.com/goccy/go-yaml":         {"server"},
	"github.com/google/btree":          {"server/memory"},
	"github.com/google/jsonschema-go":  {"server/api"},
	"github.com/modelcontextprotocol/": {"cmd/skein", "server/mcp"},
	"github.com/clipperhouse/":         {"cmd/skein", "server/vt"}, // how wide characters are
	"github.com/netresearch/":          {"server/schedules"},       // the dates of cron expressions
	"github.com/creack/pty":            {"cmd/skein-bench/peers"},
	"modernc.org/sqlite":               {"server/memory"}, // the full-text index
	"github.com/prometheus/":           {"server/telemetry"},
	"github.com/spf13/":                {"cmd/skein", "cmd/skein-bench", "cmd/skein-bench/peers"},
	"skein.dev/skein/cmd/":             {"cmd/skein-bench"},
	"github.com/rogpeppe/":             {},
	"go.uber.org/goleak":               {},
	"testing":                          {"e2e/kit"},
	"skein.dev/skein/e2e/kit":          {},
}

// lodgers are the packages that measure the product and are not part of it.
var lodgers = []string{"cmd/", "e2e/", "webtransport/bare"}

// goList runs go list at the top of the module. go test reuses a cached result unless a file changes that the test itself
// opened, and it does not know what go list reads. So goList stats each folder and each Go file.
func goList(t *testing.T, args ...string) string {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git"):
			return filepath.SkipDir
		case filepath.Ext(path) == ".go":
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir = ".."
	out, err := fork.Output(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestTheProductHasNoLabAndNoBench(t *testing.T) {
	t.Parallel()
	for path := range strings.FieldsSeq(goList(t, "-deps", "./cmd/skein")) {
		room := strings.TrimPrefix(path, module)
		for _, l := range lodgers {
			if room != "cmd/skein" && strings.HasPrefix(room, l) {
				t.Errorf("%s is linked into cmd/skein", path)
			}
		}
		if path == "testing" || path == "net/http/httptest" || strings.HasPrefix(path, "github.com/centrifugal/") {
			t.Errorf("%s is linked into cmd/skein", path)
		}
	}
}

func TestImportsRunOneWay(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for line := range strings.Lines(goList(t, "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "./...")) {
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
