package hook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/webtransport/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// journal is a log that can be read while it is written.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// newHook returns a hook that runs a script in a new folder. It waits for Begin.
func newHook(t *testing.T, script string, limit time.Duration) (h *Hook, dir string, log *journal) {
	t.Helper()
	dir, log = t.TempDir(), new(journal)
	h = New(Options{Argv: []string{"sh", "-c", script, "sh", dir}, Limit: limit, Logger: slog.New(slog.NewTextHandler(log, nil))})
	t.Cleanup(h.Close)
	return h, dir, log
}

func lines(path string) []string {
	b, _ := os.ReadFile(path)
	return strings.Fields(string(b))
}

// gone reports whether a process has ended. It may still be a zombie.
func gone(pid string) bool {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	return err != nil || bytes.Contains(b, []byte(") Z "))
}

func TestTheCommandGetsTheQuestion(t *testing.T) {
	t.Parallel()
	h, dir, log := newHook(t, `cat >"$1/$SKEIN_ASK_ID" && echo "$SKEIN_ASK_ID $SKEIN_AGENT_ID $SKEIN_ASK_URL $PATH" >"$1/env" && mv "$1/env" "$1/ran"`, 0)
	a := wire.Ask{ID: "q1", Agent: "a1", Name: "coder", Kind: wire.AskPermission, Text: "Run it?\nNow?", State: wire.AskPending,
		Tool: &wire.AskTool{Command: "make", Paths: []string{strings.Repeat("x", wire.MaxAskTool)}}}
	h.Asked(a)
	h.Begin("http://localhost:4480/inbox")
	kit.Eventually(t, "it runs", func() bool { return len(lines(filepath.Join(dir, "ran"))) > 0 })
	if got := lines(filepath.Join(dir, "ran")); !slices.Equal(got[:3], []string{"q1", "a1", "http://localhost:4480/inbox#q1"}) || got[3] == "" {
		t.Errorf("its environment is %q", got)
	}
	b, err := os.ReadFile(filepath.Join(dir, "q1"))
	var got wire.Ask
	if err != nil || json.Unmarshal(b, &got) != nil || bytes.Count(b, []byte("\n")) != 1 || !kit.SameJSON(t, got, a) {
		t.Errorf("it reads %.300q, %v", b, err)
	}
	h.Close()
	if log.String() != "" {
		t.Errorf("the log has %s", log)
	}
}

func TestACommandThatHangsIsKilledWithWhatItStarted(t *testing.T) {
	t.Parallel()
	for limit := 50 * time.Millisecond; ; limit *= 2 { // until it has started what it starts before it is killed
		h, dir, log := newHook(t, `trap "" TERM; sleep 300 & echo $$ $! >"$1/pids"; echo it hangs >&2; wait; sleep 300`, limit)
		h.Begin("http://localhost/inbox")
		h.Asked(wire.Ask{ID: "q1"})
		kit.Eventually(t, "it is killed", func() bool { return strings.Contains(log.String(), "killed after") })
		pids := lines(filepath.Join(dir, "pids"))
		if len(pids) < 2 || !strings.Contains(log.String(), "it hangs") {
			continue
		}
		for _, pid := range pids {
			kit.Eventually(t, "process "+pid+" ends", func() bool { return gone(pid) })
		}
		return
	}
}

func TestAFloodIsBounded(t *testing.T) {
	t.Parallel()
	h, dir, log := newHook(t, `cat >/dev/null; echo $SKEIN_ASK_ID >>"$1/begun"; until [ -e "$1/go" ]; do sleep 0.01; done; echo $SKEIN_ASK_ID >>"$1/done"`, time.Hour)
	h.Begin("http://localhost/inbox")
	var all []string
	ask := func(n int) {
		for range n {
			id := fmt.Sprintf("q%d", len(all))
			all = append(all, id)
			h.Asked(wire.Ask{ID: wire.AskID(id)})
		}
	}
	ask(Running)
	kit.Eventually(t, "so many run", func() bool { return len(lines(filepath.Join(dir, "begun"))) == Running })
	const more = 36
	ask(more + Waiting)
	if n := strings.Count(log.String(), "dropped"); n != more {
		t.Errorf("%d were dropped, want %d", n, more)
	}
	if got := lines(filepath.Join(dir, "begun")); len(got) != Running {
		t.Errorf("%d run at a time", len(got))
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	kit.Eventually(t, "the rest has run", func() bool { return len(lines(filepath.Join(dir, "done"))) == Running+Waiting })
	want, got := slices.Sorted(slices.Values(append(all[:Running:Running], all[Running+more:]...))), slices.Sorted(slices.Values(lines(filepath.Join(dir, "done"))))
	if !slices.Equal(want, got) {
		t.Errorf("it ran for %q; want the newest: %q", got, want)
	}
}

func TestAFailureIsLogged(t *testing.T) {
	t.Parallel()
	h, _, log := newHook(t, `yes "much to say" | head -c 300000 >&2; echo "no such channel" >&2; echo >&2; exit 3`, 0)
	h.Begin("http://localhost/inbox")
	h.Asked(wire.Ask{ID: "q1", Agent: "a1"})
	kit.Eventually(t, "it is logged", func() bool { return log.String() != "" })
	if text := log.String(); !strings.Contains(text, "exit status 3: no such channel") || !strings.Contains(text, "q1") || len(text) > 1000 {
		t.Errorf("the log has %s", text)
	}
	none := new(journal)
	missing := New(Options{Argv: []string{filepath.Join(t.TempDir(), "none")}, Logger: slog.New(slog.NewTextHandler(none, nil))})
	defer missing.Close()
	missing.Begin("http://localhost/inbox")
	missing.Asked(wire.Ask{ID: "q1"})
	kit.Eventually(t, "it is logged", func() bool { return strings.Contains(none.String(), "no such file") })
}

// TestWhatACommandLeavesHoldsNoPlace has a command that ends and leaves something with its standard error.
func TestWhatACommandLeavesHoldsNoPlace(t *testing.T) {
	t.Parallel()
	h, dir, log := newHook(t, `sleep 300 & echo $! >"$1/pid.new" && mv "$1/pid.new" "$1/pid"`, time.Hour)
	h.Begin("http://localhost/inbox")
	h.Asked(wire.Ask{ID: "q1"})
	kit.Eventually(t, "it runs", func() bool { return len(lines(filepath.Join(dir, "pid"))) == 1 })
	pid := lines(filepath.Join(dir, "pid"))[0]
	kit.Eventually(t, "what it left ends", func() bool { return gone(pid) })
	h.Close()
	if log.String() != "" {
		t.Errorf("the log has %s", log)
	}
}

func TestACloseKillsWhatRuns(t *testing.T) {
	t.Parallel()
	h, dir, log := newHook(t, `echo $$ >>"$1/pids"; exec sleep 300`, time.Hour)
	h.Begin("http://localhost/inbox")
	for range 2 * Running {
		h.Asked(wire.Ask{ID: "q1"})
	}
	kit.Eventually(t, "they run", func() bool { return len(lines(filepath.Join(dir, "pids"))) == Running })
	h.Close()
	h.Asked(wire.Ask{ID: "q2"})
	h.Close()
	pids := lines(filepath.Join(dir, "pids"))
	if len(pids) != Running || !gone(pids[0]) || log.String() != "" {
		t.Errorf("%d have run; the log has %s", len(pids), log)
	}
	var none *Hook
	none.Begin("")
	none.Asked(wire.Ask{})
	none.Close()
}
