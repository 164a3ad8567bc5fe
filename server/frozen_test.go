package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/fork"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// natsEnv makes the test binary a NATS server, which stores in the folder that the variable names.
const natsEnv = "SKEIN_TEST_NATS"

func natsProcess(dir string) int {
	srv, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: natsserver.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	srv.Start()
	if !srv.ReadyForConnections(patience) {
		return 1
	}
	fmt.Println(srv.Addr().(*net.TCPAddr))
	bufio.NewReader(os.Stdin).ReadByte() // until the test ends
	return 0
}

// nats is a NATS server in a separate process.
type nats struct {
	t   *testing.T
	cmd *exec.Cmd
	url string
}

func startNATS(t *testing.T) *nats {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env, cmd.Stderr = append(os.Environ(), natsEnv+"="+t.TempDir()), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := fork.Start(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Process.Kill() // even if it is frozen
		cmd.Wait()
	})
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return &nats{t, cmd, "nats://" + strings.TrimSpace(addr)}
}

func (n *nats) signal(s syscall.Signal) {
	n.t.Helper()
	if err := n.cmd.Process.Signal(s); err != nil {
		n.t.Fatal(err)
	}
}

// freeze stops it, and returns when none of its threads runs any more.
func (n *nats) freeze() {
	n.t.Helper()
	n.signal(syscall.SIGSTOP)
	kit.Eventually(n.t, "every thread is stopped", func() bool {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", n.cmd.Process.Pid))
		for _, thread := range threads {
			b, _ := os.ReadFile(thread)
			if _, state, _ := strings.Cut(string(b), ") "); !strings.HasPrefix(state, "T") {
				return false
			}
		}
		return err == nil && len(threads) > 0
	})
}

func (n *nats) thaw() { n.t.Helper(); n.signal(syscall.SIGCONT) }

// on runs a server on it that waits only briefly for the store.
func (n *nats) on(dir string) func(*Options) {
	return func(o *Options) { o.DataDir, o.NATS, o.StoreTimeout = dir, n.url, 500*time.Millisecond }
}

func unknown(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, &wire.Error{Code: wire.CodeOutcomeUnknown}) || strings.Contains(err.Error(), "none was") {
		t.Errorf("%s: %v, and nobody can know", what, err)
	}
}

// TestWhatAFrozenStoreWasAskedForIsKnown sends every request that stores something while the store is frozen, and again
// when it works: each has its effect once, and the running server knows about it.
func TestWhatAFrozenStoreWasAskedForIsKnown(t *testing.T) {
	t.Parallel()
	store, dir := startNATS(t), t.TempDir()
	n := start(t, store.on(dir))
	by := func(r string) noun.Caller { return noun.Caller{Actor: "test", Request: r} }
	file := filepath.Join(t.TempDir(), "ran")
	submit := wire.SubmitParams{Tasks: make([]wire.TaskSpec, 4)}
	for i := range submit.Tasks {
		submit.Tasks[i] = wire.TaskSpec{Type: "shell", Argv: []string{"sh", "-c", fmt.Sprintf("echo %d >> %s", i, file)}}
	}
	orchestrate := wire.OrchestrateParams{Inputs: []wire.Payload{{Text: "a"}, {Text: "b"}}, Task: wire.TaskSpec{Type: "shell", Argv: []string{"cat"}}}
	value := wire.MemoryStoreParams{Namespace: "n", Key: "k", Value: wire.Payload{Text: "v"}}
	artifact := wire.ArtifactCreateParams{Name: "a", Size: 1}
	p, ctx := n.plane, t.Context()
	failed, err := p.Tasks.Submit(ctx, by("failed"), wire.SubmitParams{Tasks: []wire.TaskSpec{{Type: "shell", Argv: []string{"false"}, Retry: wire.Retry{Max: 1}}}})
	if err != nil {
		t.Fatal(err)
	}
	retried := failed.Tasks[0].ID
	if _, err := p.Tasks.Wait(ctx, retried); err != nil {
		t.Fatal(err)
	}

	store.freeze()
	_, err = p.Tasks.Retry(by("retry"), retried)
	unknown(t, "retry", err)
	_, err = p.Tasks.Submit(ctx, by("submit"), submit)
	unknown(t, "submit", err)
	_, err = p.Tasks.Submit(ctx, by("submit"), submit)
	unknown(t, "submit again", err)
	_, err = p.Tasks.Orchestrate(ctx, by("orchestrate"), orchestrate)
	unknown(t, "orchestrate", err)
	_, err = p.Memory.Store(ctx, by("store"), value)
	unknown(t, "store", err)
	_, err = p.Memory.SetMany(ctx, by("set_many"), wire.MemorySetManyParams{Entries: []wire.MemoryStoreParams{{Namespace: "n", Key: "m"}}})
	unknown(t, "set_many", err)
	_, err = p.Artifacts.Create(ctx, by("artifact"), artifact)
	unknown(t, "artifact", err)
	if _, err = p.Spawn(ctx, by("spawn"), wire.SpawnParams{Type: "shell", Argv: []string{"true"}}); !errors.Is(err, &wire.Error{Code: wire.CodeUnavailable}) {
		t.Errorf("spawn: %v", err)
	}
	closed, err := p.SetAdmission(ctx, by("admission"), wire.AdmissionParams{Type: "scripted", Closed: true})
	if !errors.Is(err, &wire.Error{Code: wire.CodeUnavailable}) || p.Admission().Types == nil {
		t.Errorf("admission: %+v, %v", closed, err)
	}
	store.thaw()

	kit.Eventually(t, "the retry is known", func() bool { _, err := p.Tasks.Retry(by("retry"), retried); return err == nil })
	var tasks *wire.SubmitResult
	kit.Eventually(t, "the submission is known", func() bool { tasks, err = p.Tasks.Submit(ctx, by("submit"), submit); return err == nil })
	var fan *wire.Task
	kit.Eventually(t, "the orchestration is known", func() bool { fan, err = p.Tasks.Orchestrate(ctx, by("orchestrate"), orchestrate); return err == nil })
	var entry *wire.MemoryEntry
	kit.Eventually(t, "the entry is known", func() bool { entry, err = p.Memory.Store(ctx, by("store"), value); return err == nil })
	var made *wire.Artifact
	kit.Eventually(t, "the artifact is known", func() bool { made, err = p.Artifacts.Create(ctx, by("artifact"), artifact); return err == nil })
	kit.Eventually(t, "admission is stored", func() bool {
		_, err := p.SetAdmission(ctx, by("admission"), wire.AdmissionParams{Type: "scripted", Closed: true})
		return err == nil
	})
	for _, task := range append(tasks.Tasks, *fan) {
		if done, err := p.Tasks.Wait(ctx, task.ID); err != nil || done.State != wire.TaskCompleted {
			t.Errorf("%+v, %v", done, err)
		}
	}
	ran := func(n *node) {
		t.Helper()
		if again, err := n.plane.Tasks.Retry(by("retry"), retried); err != nil {
			t.Errorf("%+v, %v", again, err)
		}
		if twice, err := n.plane.Tasks.Wait(ctx, retried); err != nil || twice.Attempt != 2 {
			t.Errorf("%+v, %v", twice, err)
		}
		b, err := os.ReadFile(file)
		if lines := strings.Fields(string(b)); err != nil || len(lines) != 4 {
			t.Errorf("the tasks ran %q, %v", lines, err)
		}
		h, err := n.plane.Memory.History(ctx, wire.MemoryHistoryParams{Namespace: "n", Key: "k"})
		if err != nil || len(h.Entries) != 1 || h.Entries[0].Revision != entry.Revision {
			t.Errorf("%+v, %v; want one of revision %d", h, err, entry.Revision)
		}
		if all := n.plane.Artifacts.List(wire.ArtifactFilter{}).Artifacts; len(all) != 1 || all[0].ID != made.ID {
			t.Errorf("the artifacts %+v; want %s", all, made.ID)
		}
		if all := n.plane.Tasks.List(wire.TaskFilter{}); all.Total != 1+4+3 {
			t.Errorf("%d tasks", all.Total)
		}
		if types := n.plane.Admission().Types; len(types) != 1 || types[0] != "scripted" {
			t.Errorf("admission is closed for %q", types)
		}
		for _, a := range n.plane.List(wire.Filter{}).Agents {
			if a.ForTask == "" && a.Status.Alive() {
				t.Errorf("an agent that was not started is %s", a.Status)
			}
		}
	}
	ran(n)
	n.stop()
	n = start(t, store.on(dir))
	if again, err := n.plane.Tasks.Submit(ctx, by("submit"), submit); err != nil || again.Tasks[0].ID != tasks.Tasks[0].ID {
		t.Errorf("%+v, %v", again, err)
	}
	ran(n)
}

// TestAFrozenStoreIsWaitedForByTheClient freezes the store under a client that submits a task and waits for it.
func TestAFrozenStoreIsWaitedForByTheClient(t *testing.T) {
	t.Parallel()
	store, dir := startNATS(t), t.TempDir()
	n := start(t, store.on(dir))
	o, err := client.FindLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	unknowns := func() float64 { return series(t, n)[`skein_rpcs_total{code="outcome_unknown",method="task.submit"}`] }
	store.freeze()
	type answer struct {
		res *wire.SubmitResult
		err error
	}
	got := make(chan answer, 1)
	go func() {
		res, err := c.TaskSubmit(context.WithoutCancel(t.Context()), wire.SubmitParams{Tasks: []wire.TaskSpec{{Type: "shell", Argv: []string{"echo", "done"}}}})
		got <- answer{res, err}
	}()
	kit.Eventually(t, "the server can't tell", func() bool { return unknowns() > 0 })
	if a := n.ask(t, "GET", "/readyz"); a.StatusCode != http.StatusServiceUnavailable || !strings.Contains(a.body, "the store does not answer") {
		t.Errorf("/readyz: %s, %q", a.Status, a.body)
	}
	store.thaw()
	a := <-got
	if a.err != nil || len(a.res.Tasks) != 1 {
		t.Fatalf("%+v, %v", a.res, a.err)
	}
	if done, err := n.plane.Tasks.Wait(t.Context(), a.res.Tasks[0].ID); err != nil || done.State != wire.TaskCompleted {
		t.Errorf("%+v, %v", done, err)
	}
	if all := n.plane.Tasks.List(wire.TaskFilter{}); all.Total != 1 {
		t.Errorf("%d tasks", all.Total)
	}
	kit.Eventually(t, "it is ready again", func() bool { return n.ask(t, "GET", "/readyz").StatusCode == http.StatusOK })
}
