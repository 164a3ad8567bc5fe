package control_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/control"
	"skein.dev/skein/server/jet"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/server/runner/process"
	"skein.dev/skein/server/runner/scripted"
	"skein.dev/skein/webtransport/wire"
)

// node is a plane on a real store with real runtimes.
type node struct {
	*control.Plane
	store *jet.Store
	procs *process.Kind
	dir   string
}

func open(t *testing.T, dir string, change ...func(*control.Options)) *node {
	t.Helper()
	return openStore(t, jet.Config{Dir: dir}, change...)
}

func openStore(t *testing.T, c jet.Config, change ...func(*control.Options)) *node {
	t.Helper()
	dir := c.Dir
	store, err := jet.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	procs := process.New(process.Options{SampleInterval: 50 * time.Millisecond})
	o := control.Options{
		Store: store, Node: "test", Instance: "instance-" + filepath.Base(dir), WorkDir: filepath.Join(dir, "agents"),
		StoreTimeout: kit.Patience, SearchTime: kit.Patience,
		Kinds: map[wire.Kind]runner.Kind{wire.KindExec: procs, wire.KindScripted: &scripted.Kind{}},
		Types: []wire.AgentType{
			{Name: "shell", Kind: wire.KindExec, StopGraceMS: 200},
			{Name: "scripted", Kind: wire.KindScripted},
			{Name: "pair", Kind: wire.KindScripted, MaxInstances: 2},
			{Name: "fixed", Kind: wire.KindExec, Argv: []string{"sh", "-c"}, Env: map[string]string{"GREETING": "hello"}},
		},
	}
	for _, f := range change {
		f(&o)
	}
	p, err := control.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{p, store, procs, dir}
	t.Cleanup(func() { n.close() })
	return n
}

func (n *node) close() {
	if n.Plane == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), kit.Patience)
	defer cancel()
	n.Close(ctx)
	n.procs.Close()
	n.store.Close()
	n.Plane = nil
}

func (n *node) spawn(t *testing.T, p wire.SpawnParams) wire.Agent {
	t.Helper()
	res, err := n.Spawn(t.Context(), noun.Caller{Actor: "test"}, p)
	if err != nil {
		t.Fatal(err)
	}
	return res.Agents[0]
}

func (n *node) shell(t *testing.T, script string) wire.Agent {
	t.Helper()
	return n.spawn(t, wire.SpawnParams{Type: "shell", Argv: []string{"sh", "-c", script}})
}

// follow reads an agent's events until its end, or until one satisfies until.
func (n *node) follow(t *testing.T, h wire.Header, until func(wire.Event) bool) (all []wire.Event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), kit.Patience)
	defer cancel()
	f, _, err := n.Follow(ctx, h)
	if err != nil {
		t.Fatal(err)
	}
	for {
		page, err := f.Next(ctx)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("after %d events: %v", len(all), err)
		}
		for _, e := range page {
			all = append(all, e)
			if until != nil && until(e) {
				return all
			}
		}
	}
}

func (n *node) wait(t *testing.T, id wire.AgentID) wire.Agent {
	t.Helper()
	n.follow(t, wire.Header{Agent: id, Follow: true}, nil)
	a, err := n.Get(id)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func output(events []wire.Event, t wire.EventType) string {
	var b strings.Builder
	for _, e := range events {
		if e.Type == t {
			b.Write(e.Data.Bytes())
		}
	}
	return b.String()
}

func exists(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestSpawnRunsTheCommand(t *testing.T) {
	n := open(t, t.TempDir())
	file := filepath.Join(t.TempDir(), "f")
	a := n.shell(t, "echo err >&2; sleep 0.1; echo out; echo $SKEIN_AGENT_ID > "+file+"; exit 3")
	if a.Status != wire.StatusRunning || a.Process == nil || a.Desired != wire.DesiredRun {
		t.Errorf("answer of spawn: %+v", a)
	}
	events := n.follow(t, wire.Header{Agent: a.ID, Follow: true}, nil)
	if out, err := output(events, wire.EventStdout), output(events, wire.EventStderr); out != "out\n" || err != "err\n" {
		t.Errorf("stdout %q, stderr %q", out, err)
	}
	if b, err := os.ReadFile(file); strings.TrimSpace(string(b)) != string(a.ID) {
		t.Errorf("the file holds %q, %v", b, err)
	}
	end, _ := n.Get(a.ID)
	if end.Status != wire.StatusExited || end.Reason != wire.ReasonFailed || end.Exit.Code != 3 || end.LastLine != "err" { // why it failed, not what it printed last
		t.Errorf("the end: %+v, exit %+v", end, end.Exit)
	}
	last := events[len(events)-1]
	if last.Type != wire.EventExited || last.Seq != end.LastSeq {
		t.Errorf("last event %+v, LastSeq %d", last, end.LastSeq)
	}
}

func TestSpawnRefusals(t *testing.T) {
	n := open(t, t.TempDir())
	for name, c := range map[string]struct {
		p     wire.SpawnParams
		code  wire.ErrorCode
		field string
	}{
		"unknown type":        {wire.SpawnParams{Type: "nope"}, wire.CodeNotFound, "type"},
		"no command":          {wire.SpawnParams{Type: "shell"}, wire.CodeInvalidParams, "argv"},
		"empty command":       {wire.SpawnParams{Type: "shell", Argv: []string{""}}, wire.CodeInvalidParams, "argv"},
		"own command twice":   {wire.SpawnParams{Type: "fixed", Argv: []string{"x"}}, wire.CodeInvalidParams, "argv"},
		"count too small":     {wire.SpawnParams{Type: "scripted", Count: -1}, wire.CodeInvalidParams, "count"},
		"count too large":     {wire.SpawnParams{Type: "scripted", Count: wire.MaxBatch + 1}, wire.CodeInvalidParams, "count"},
		"relative cwd":        {wire.SpawnParams{Type: "shell", Argv: []string{"true"}, Cwd: "x"}, wire.CodeInvalidParams, "cwd"},
		"bad script":          {wire.SpawnParams{Type: "scripted", Script: "fly"}, wire.CodeInvalidParams, "script"},
		"script for exec":     {wire.SpawnParams{Type: "shell", Argv: []string{"true"}, Script: "say x"}, wire.CodeInvalidParams, "script"},
		"command for script":  {wire.SpawnParams{Type: "scripted", Argv: []string{"true"}}, wire.CodeInvalidParams, "argv"},
		"over max_instances":  {wire.SpawnParams{Type: "pair", Count: 3}, wire.CodeExhausted, "count"},
		"no such program":     {wire.SpawnParams{Type: "shell", Argv: []string{"/does/not/exist"}}, wire.CodeSpawnFailed, ""},
		"missing cwd":         {wire.SpawnParams{Type: "shell", Argv: []string{"true"}, Cwd: "/does/not/exist"}, wire.CodeSpawnFailed, ""},
		"argument with a NUL": {wire.SpawnParams{Type: "shell", Argv: []string{"echo", "a\x00b"}}, wire.CodeSpawnFailed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := n.Spawn(t.Context(), noun.Caller{Actor: "test"}, c.p)
			var we *wire.Error
			if !errors.As(err, &we) || we.Code != c.code || c.field != "" && we.Data.Field != c.field {
				t.Errorf("%v (%+v); want %s on %q", err, we, c.code, c.field)
			}
		})
	}
}

func TestMaxInstancesCountsOnlyTheLiving(t *testing.T) {
	n := open(t, t.TempDir())
	res, err := n.Spawn(t.Context(), noun.Caller{Actor: "test"}, wire.SpawnParams{Type: "pair", Count: 2, Script: "read"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Spawn(t.Context(), noun.Caller{Actor: "test"}, wire.SpawnParams{Type: "pair"}); !errors.Is(err, &wire.Error{Code: wire.CodeExhausted}) {
		t.Fatalf("a third of two: %v", err)
	}
	if _, err := n.Stop(t.Context(), noun.Caller{Actor: "test"}, wire.StopParams{IDs: []wire.AgentID{res.Agents[0].ID}}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Spawn(t.Context(), noun.Caller{Actor: "test"}, wire.SpawnParams{Type: "pair", Script: "read"}); err != nil {
		t.Errorf("after one ended: %v", err)
	}
}

func TestMaxInstancesHoldsUnderConcurrency(t *testing.T) {
	n := open(t, t.TempDir())
	var wg sync.WaitGroup
	var mu sync.Mutex
	started := 0
	for range 20 {
		wg.Go(func() {
			if _, err := n.Spawn(t.Context(), noun.Caller{Actor: "test"}, wire.SpawnParams{Type: "pair", Script: "read"}); err == nil {
				mu.Lock()
				started++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if started != 2 {
		t.Errorf("%d started, the cap is 2", started)
	}
}

func TestBatchReportsEachFailure(t *testing.T) {
	n := open(t, t.TempDir())
	res, err := n.Spawn(t.Context(), noun.Caller{Actor: "test"}, wire.SpawnParams{Type: "shell", Count: 3, Name: "w", Argv: []string{"/does/not/exist"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Agents) != 0 || len(res.Failed) != 3 {
		t.Fatalf("%d started, %d failed", len(res.Agents), len(res.Failed))
	}
	for i, f := range res.Failed {
		a, err := n.Get(f.ID)
		if f.Index != i || err != nil || a.Status != wire.StatusExited || a.Reason != wire.ReasonFailed || a.Name != fmt.Sprintf("w-%d", i+1) || a.Exit.Message == "" {
			t.Errorf("failure %d: %+v, agent %+v, %v", i, f, a, err)
		}
	}
}

func TestStop(t *testing.T) {
	n := open(t, t.TempDir())
	for name, c := range map[string]struct {
		script string
		forced bool
	}{
		"ends at SIGTERM":                {"echo up; sleep 60 & sleep 60", false},
		"ignores SIGTERM":                {`trap "" TERM; echo up; while :; do sleep 60; done`, true},
		"a child that ignores SIGTERM":   {`(trap "" TERM; echo up; while :; do sleep 60; done) & sleep 60`, true},
		"a child that left the session":  {`setsid sleep 60 & echo up; sleep 60`, false},
		"ended by its own trap, cleanly": {`trap "exit 0" TERM; echo up; while :; do sleep 0.05; done`, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := n.shell(t, c.script)
			n.follow(t, wire.Header{Agent: a.ID, Follow: true}, func(e wire.Event) bool { return e.Type.IsOutput() })
			res, err := n.Stop(t.Context(), noun.Caller{Actor: "test"}, wire.StopParams{IDs: []wire.AgentID{a.ID}})
			if err != nil {
				t.Fatal(err)
			}
			r := res.Reports[0]
			if r.Status != wire.StatusExited || r.Reason != wire.ReasonStopped || len(r.Leftovers) > 0 || c.forced && !r.Forced {
				t.Errorf("report %+v", r)
			}
			if left := withAgent(t, a.ID); len(left) > 0 {
				t.Errorf("processes %v are left", left)
			}
			again, err := n.Stop(t.Context(), noun.Caller{Actor: "test"}, wire.StopParams{IDs: []wire.AgentID{a.ID}})
			if err != nil || !again.Reports[0].Already {
				t.Errorf("a second stop: %+v, %v", again, err)
			}
		})
	}
	res, err := n.Stop(t.Context(), noun.Caller{Actor: "test"}, wire.StopParams{IDs: []wire.AgentID{"anope"}})
	if err != nil || res.Reports[0].Error == nil || res.Reports[0].Error.Code != wire.CodeNotFound {
		t.Errorf("an agent that does not exist: %+v, %v", res, err)
	}
}

// withAgent lists the living processes that carry an agent's mark.
func withAgent(t *testing.T, id wire.AgentID) (pids []string) {
	t.Helper()
	all, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range all {
		b, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(b), runner.EnvAgent+"="+string(id)+"\x00") {
			pids = append(pids, filepath.Base(filepath.Dir(path)))
		}
	}
	return pids
}

func TestStopScopes(t *testing.T) {
	n := open(t, t.TempDir())
	for range 3 {
		n.spawn(t, wire.SpawnParams{Type: "scripted", Script: "read"})
	}
	n.spawn(t, wire.SpawnParams{Type: "pair", Script: "read"})
	res, err := n.Stop(t.Context(), noun.Caller{Actor: "test"}, wire.StopParams{Scope: wire.ScopeType, Type: "scripted"})
	if err != nil || len(res.Reports) != 3 {
		t.Fatalf("%d stopped, %v", len(res.Reports), err)
	}
	res, err = n.Stop(t.Context(), noun.Caller{Actor: "test"}, wire.StopParams{Scope: wire.ScopeAll})
	if err != nil || len(res.Reports) != 1 {
		t.Fatalf("%d stopped, %v", len(res.Reports), err)
	}
	for _, p := range []wire.StopParams{{}, {Scope: "world"}, {Scope: wire.ScopeType, Type: "nope"}} {
		if _, err := n.Stop(t.Context(), noun.Caller{Actor: "test"}, p); err == nil {
			t.Errorf("%+v was taken", p)
		}
	}
}

func TestInput(t *testing.T) {
	n := open(t, t.TempDir())
	a := n.spawn(t, wire.SpawnParams{Type: "shell", Argv: []string{"cat"}})
	for i := range 50 {
		if err := n.Input(t.Context(), "test", wire.InputParams{ID: a.ID, Text: fmt.Sprintf("line %d\n", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Input(t.Context(), "test", wire.InputParams{ID: a.ID, EOF: true}); err != nil {
		t.Fatal(err)
	}
	events := n.follow(t, wire.Header{Agent: a.ID, Follow: true}, nil)
	in, out := output(events, wire.EventInput), output(events, wire.EventStdout)
	if in != out || strings.Count(out, "\n") != 50 || !strings.HasSuffix(out, "line 49\n") {
		t.Errorf("in %d bytes, out %d bytes", len(in), len(out))
	}
	for name, c := range map[string]struct {
		p    wire.InputParams
		code wire.ErrorCode
	}{
		"exited":    {wire.InputParams{ID: a.ID, Text: "x"}, wire.CodePrecondition},
		"unknown":   {wire.InputParams{ID: "anope", Text: "x"}, wire.CodeNotFound},
		"nothing":   {wire.InputParams{ID: a.ID}, wire.CodeInvalidParams},
		"both":      {wire.InputParams{ID: a.ID, Text: "x", Base64: []byte("x")}, wire.CodeInvalidParams},
		"too large": {wire.InputParams{ID: a.ID, Text: strings.Repeat("x", wire.MaxInput+1)}, wire.CodeTooLarge},
	} {
		if err := n.Input(t.Context(), "test", c.p); !errors.Is(err, &wire.Error{Code: c.code}) {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

func TestAQuestionNeedsAttention(t *testing.T) {
	n := open(t, t.TempDir())
	a := n.spawn(t, wire.SpawnParams{Type: "scripted", Script: "say ready\nask Which branch?\nsay going to ${reply}"})
	var asked wire.Event
	n.follow(t, wire.Header{Agent: a.ID, Follow: true}, func(e wire.Event) bool { asked = e; return e.Data.Activity == wire.ActivityRequiresAction })
	got, _ := n.Get(a.ID)
	if !got.NeedsAttention() || got.Question != "Which branch?" {
		t.Errorf("%+v", got)
	}
	if got.AskedAt == nil || got.AskedAt.Before(got.CreatedAt) || got.AskedAt.After(asked.Time) {
		t.Errorf("it asks since %v; it was spawned at %v, and the log says %v", got.AskedAt, got.CreatedAt, asked.Time)
	}
	if err := n.Input(t.Context(), "test", wire.InputParams{ID: a.ID, Text: "main\n"}); err != nil {
		t.Fatal(err)
	}
	events := n.follow(t, wire.Header{Agent: a.ID, Follow: true}, nil)
	if out := output(events, wire.EventStdout); !strings.Contains(out, "going to main") {
		t.Errorf("output %q", out)
	}
	if end, _ := n.Get(a.ID); end.NeedsAttention() || end.Question != "" || end.AskedAt != nil || end.Reason != wire.ReasonCompleted {
		t.Errorf("the end: %+v", end)
	}
}

func TestFollowersSeeEveryEventOnce(t *testing.T) {
	n := open(t, t.TempDir())
	lines := kit.Less(5000, 1000)
	a := n.spawn(t, wire.SpawnParams{Type: "scripted", Script: fmt.Sprintf("read\nrepeat %d\nsay line ${i}\nend", lines)})
	var wg sync.WaitGroup
	check := func(events []wire.Event) {
		t.Helper()
		last := uint64(0)
		for _, e := range events {
			if e.Seq <= last {
				t.Errorf("seq %d after %d", e.Seq, last)
			}
			last = e.Seq
		}
		if got := strings.Count(output(events, wire.EventStdout), "\n"); got != lines {
			t.Errorf("%d lines, want %d", got, lines)
		}
	}
	for range 5 { // from the beginning, live
		wg.Go(func() { check(n.follow(t, wire.Header{Agent: a.ID, Follow: true}, nil)) })
	}
	if err := n.Input(t.Context(), "test", wire.InputParams{ID: a.ID, Text: "go\n"}); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	all := n.follow(t, wire.Header{Agent: a.ID}, nil) // after the end, from the store
	check(all)

	for _, cut := range []int{0, 1, 100, len(all) / 2, len(all) - 1, len(all)} { // from any cursor
		after := uint64(0)
		if cut > 0 {
			after = all[cut-1].Seq
		}
		if rest := n.follow(t, wire.Header{Agent: a.ID, After: after, Follow: true}, nil); len(rest) != len(all)-cut {
			t.Errorf("after event %d: %d events, want %d", cut, len(rest), len(all)-cut)
		}
	}
	for _, tail := range []int{1, 10, 300, lines * 2} {
		if got := n.follow(t, wire.Header{Agent: a.ID, Tail: tail}, nil); len(got) != min(tail, len(all)) {
			t.Errorf("tail %d gave %d events", tail, len(got))
		}
	}
}

func TestACursorOfAnotherLogIsNotTrusted(t *testing.T) {
	n := open(t, t.TempDir())
	a := n.spawn(t, wire.SpawnParams{Type: "scripted", Script: "say one\nsay two"})
	end := n.wait(t, a.ID)
	for name, c := range map[string]struct {
		h         wire.Header
		recovered bool
	}{
		"this epoch":             {wire.Header{Agent: a.ID, After: end.LastSeq, Epoch: n.Epoch()}, true},
		"no epoch":               {wire.Header{Agent: a.ID, After: end.LastSeq}, true},
		"another epoch":          {wire.Header{Agent: a.ID, After: end.LastSeq, Epoch: "other.0"}, false},
		"a cursor of the future": {wire.Header{Agent: a.ID, After: end.LastSeq + 5, Epoch: n.Epoch()}, false},
	} {
		f, at, err := n.Follow(t.Context(), c.h)
		if err != nil || at.Recovered != c.recovered {
			t.Errorf("%s: recovered %t, %v", name, at.Recovered, err)
			continue
		}
		events, _ := f.Next(t.Context())
		if got := len(events) > 0; got == c.recovered {
			t.Errorf("%s: %d events", name, len(events))
		}
	}
}

func TestOutputSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	n := open(t, dir)
	a := n.shell(t, "printf 'one\ntwo\n'; printf '\\377\\000'; seq 1 1000")
	before := n.follow(t, wire.Header{Agent: a.ID, Follow: true}, nil)
	end := n.wait(t, a.ID)
	n.close()

	n = open(t, dir)
	after := n.follow(t, wire.Header{Agent: a.ID, Follow: true}, nil)
	if output(before, wire.EventStdout) != output(after, wire.EventStdout) || len(before) != len(after) {
		t.Errorf("%d events became %d", len(before), len(after))
	}
	got, err := n.Get(a.ID)
	if err != nil || got.Status != wire.StatusExited || got.Reason != wire.ReasonCompleted || got.LastSeq != end.LastSeq || got.LastLine != "1000" {
		t.Errorf("the record: %+v, %v", got, err)
	}
	b := n.spawn(t, wire.SpawnParams{Type: "scripted"})
	if b.Num <= got.Num {
		t.Errorf("number %d after %d", b.Num, got.Num)
	}
}

func TestOrphansAreReapedAndSaid(t *testing.T) {
	dir := t.TempDir()
	n := open(t, dir)
	a := n.shell(t, "echo before; exec sleep 300")
	n.follow(t, wire.Header{Agent: a.ID, Follow: true}, func(e wire.Event) bool { return e.Type.IsOutput() })
	rec, _ := n.Get(a.ID)
	n.close() // stops it; the record is put back as a crash would leave it
	store, err := jet.Open(t.Context(), jet.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	rec.LastLine = "" // it is not written with every line
	if err := store.PutAgent(t.Context(), &rec); err != nil {
		t.Fatal(err)
	}
	store.Close()

	var known map[wire.AgentID]*wire.Process
	n = open(t, dir, func(o *control.Options) {
		o.Orphans = func(_ context.Context, k map[wire.AgentID]*wire.Process) map[wire.AgentID][]wire.Leftover {
			known = k
			return map[wire.AgentID][]wire.Leftover{a.ID: {{Process: wire.Process{PID: 4711}}}}
		}
	})
	if p := known[a.ID]; p == nil || *p != *rec.Process {
		t.Errorf("looked for %+v, want %+v", p, rec.Process)
	}
	got, _ := n.Get(a.ID)
	if got.LastLine != "before" {
		t.Errorf("last line %q", got.LastLine)
	}
	if got.Status != wire.StatusExited || got.Reason != wire.ReasonFailed || !strings.Contains(got.Exit.Message, "orphaned") || len(got.Exit.Leftovers) != 1 || !got.NeedsAttention() {
		t.Errorf("%+v, exit %+v", got, got.Exit)
	}
	events := n.follow(t, wire.Header{Agent: a.ID, Follow: true}, nil)
	if out := output(events, wire.EventStdout); out != "before\n" {
		t.Errorf("output %q", out)
	}
	if last := events[len(events)-1]; last.Type != wire.EventExited || last.Actor != "server" {
		t.Errorf("last event %+v", last)
	}
}

func TestCloseStopsEveryAgentAndAdmitsNoMore(t *testing.T) {
	n := open(t, t.TempDir())
	var pids []int
	for range 5 {
		pids = append(pids, n.shell(t, "sleep 300").Process.PID)
	}
	p := n.Plane
	reports := p.Close(t.Context())
	if len(reports) != 5 {
		t.Errorf("%d reports", len(reports))
	}
	for _, pid := range pids {
		if exists(pid) {
			t.Errorf("process %d lives", pid)
		}
	}
	if _, err := p.Spawn(t.Context(), noun.Caller{Actor: "test"}, wire.SpawnParams{Type: "scripted"}); !errors.Is(err, &wire.Error{Code: wire.CodeUnavailable}) {
		t.Errorf("spawn after close: %v", err)
	}
}

func TestOldAgentsAreForgotten(t *testing.T) {
	n := open(t, t.TempDir(), func(o *control.Options) { o.KeepExited = 3 })
	since := n.Change()
	res, err := n.Spawn(t.Context(), noun.Caller{Actor: "test"}, wire.SpawnParams{Type: "scripted", Count: 5, Script: "say x"})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range res.Agents {
		n.wait(t, a.ID)
	}
	kit.Eventually(t, "three agents are remembered", func() bool { return n.List(wire.Filter{}).Total == 3 })
	gone := n.Changes(since).Removed
	if len(gone) != 2 {
		t.Fatalf("%v were removed", gone)
	}
	for _, id := range gone {
		if events, err := n.store.Events(t.Context(), id, 0, 10, 1<<20); len(events) > 0 || err != nil {
			t.Errorf("%s has %d events still, %v", id, len(events), err)
		}
		if _, err := n.Get(id); !errors.Is(err, &wire.Error{Code: wire.CodeNotFound}) {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestListFilters(t *testing.T) {
	n := open(t, t.TempDir())
	n.spawn(t, wire.SpawnParams{Type: "scripted", Name: "Alpha", Script: "say needle in the hay\nread", Labels: map[string]string{"team": "core"}})
	b := n.spawn(t, wire.SpawnParams{Type: "shell", Name: "beta", Argv: []string{"sh", "-c", "exit 1"}})
	n.wait(t, b.ID)
	kit.Eventually(t, "the last line is found", func() bool { return n.List(wire.Filter{Query: "NEEDLE"}).Total == 1 })
	for name, c := range map[string]struct {
		f    wire.Filter
		want int
	}{
		"all":     {wire.Filter{}, 2},
		"limit":   {wire.Filter{Limit: 1}, 1},
		"type":    {wire.Filter{Types: []string{"shell"}}, 1},
		"status":  {wire.Filter{Status: []wire.Status{wire.StatusExited}}, 1},
		"label":   {wire.Filter{Labels: map[string]string{"team": "core"}}, 1},
		"name":    {wire.Filter{Query: "alpha"}, 1},
		"argv":    {wire.Filter{Query: "exit 1"}, 1},
		"id":      {wire.Filter{IDs: []wire.AgentID{b.ID}}, 1},
		"nothing": {wire.Filter{Query: "nowhere"}, 0},
	} {
		if got := n.List(c.f); len(got.Agents) != c.want {
			t.Errorf("%s: %d agents, want %d", name, len(got.Agents), c.want)
		}
	}
}

func TestHeartbeatAndUsage(t *testing.T) {
	n := open(t, t.TempDir())
	a := n.shell(t, "while :; do :; done")
	kit.Eventually(t, "its usage is known", func() bool {
		got, _ := n.Get(a.ID)
		return got.Usage.CPU > 0.1 && got.Usage.RSS > 0 && got.Usage.Processes == 1 && got.LastHeartbeat.After(*got.StartedAt)
	})
}
