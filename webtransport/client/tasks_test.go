package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// workers adds agent types that take tasks.
func workers(t *testing.T) func(*server.Options) {
	path := filepath.Join(t.TempDir(), "skein.yaml")
	config := `agent_types:
  echo: {kind: scripted, tasks: lines, max_instances: 4, capabilities: [echo], script: "repeat forever\n take\n result ${input}\nend"}
  slow: {kind: scripted, tasks: lines, max_instances: 1, script: "repeat forever\n take\n progress at it\n wait 1h\nend"}
  never: {kind: scripted, tasks: lines, max_instances: 1, script: "repeat forever\n take\n error no\nend"}
  busy: {kind: scripted, tasks: lines, max_instances: 1, script: "repeat forever\n take\n busy later\nend"}
  words: {kind: exec, tasks: process, max_instances: 4, argv: [wc, -w]}
`
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(o *server.Options) { o.ConfigFile = path }
}

func submit(t *testing.T, c *client.Client, specs ...wire.TaskSpec) []wire.Task {
	t.Helper()
	res, err := c.TaskSubmit(t.Context(), wire.SubmitParams{Tasks: specs})
	if err != nil || len(res.Tasks) != len(specs) {
		t.Fatalf("%d of %d tasks: %v", len(res.Tasks), len(specs), err)
	}
	return res.Tasks
}

// echoes are n tasks that give back their number.
func echoes(n int) []wire.TaskSpec {
	specs := make([]wire.TaskSpec, n)
	for i := range specs {
		specs[i] = wire.TaskSpec{Type: "echo", Name: fmt.Sprint(i), Input: wire.Payload{Text: fmt.Sprint(i)}}
	}
	return specs
}

func orchestrate(t *testing.T, c *client.Client, n int, p wire.OrchestrateParams) *wire.Task {
	t.Helper()
	for i := range n {
		p.Inputs = append(p.Inputs, wire.Payload{Text: fmt.Sprint(i)})
	}
	task, err := c.TaskOrchestrate(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return task
}

// ended watches a task until it is over.
func ended(t *testing.T, c *client.Client, id wire.TaskID) *wire.Task {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for ch, err := range c.TaskWatch(ctx, wire.TaskWatchParams{Filter: wire.TaskFilter{IDs: []wire.TaskID{id}}}) {
		if err != nil {
			t.Fatal(err)
		}
		if len(ch.Tasks) > 0 && ch.Tasks[0].State.Terminal() {
			break
		}
	}
	task, err := c.TaskGet(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return task
}

func TestEveryTaskRequest(t *testing.T) {
	t.Parallel()
	n := serve(t, workers(t))
	overBoth(t, func(t *testing.T, tr string) {
		c := dial(t, n, over(tr))
		both := submit(t, c, wire.TaskSpec{Key: "count", Type: "words", Name: "count over " + tr, Input: wire.Payload{Text: "one two three"}},
			wire.TaskSpec{Capabilities: []string{"echo"}, Input: wire.Payload{Text: "naïve"}, DependsOn: []string{"#count"}})
		if got := ended(t, c, both[1].ID); got.State != wire.TaskCompleted || string(got.Result.Bytes()) != "naïve" {
			t.Errorf("the second is %+v", got)
		}
		if got := ended(t, c, both[0].ID); got.State != wire.TaskCompleted || string(got.Result.Bytes()) != "3\n" {
			t.Errorf("the first is %+v", got)
		}
		list, err := c.TaskList(t.Context(), wire.TaskFilter{Query: "count over " + tr})
		if err != nil || list.Total != 1 || list.Tasks[0].ID != both[0].ID || list.Counts[wire.TaskCompleted] < 2 {
			t.Errorf("%+v, %v", list, err)
		}
		slow := submit(t, c, wire.TaskSpec{Type: "slow"})[0].ID
		canceled, err := c.TaskCancel(t.Context(), wire.TaskCancelParams{IDs: []wire.TaskID{slow, both[0].ID}, Reason: "a test"})
		if err != nil || !slices.Equal(canceled.Canceled, []wire.TaskID{slow}) {
			t.Errorf("%+v, %v", canceled, err)
		}
		if got := ended(t, c, slow); got.State != wire.TaskCanceled || got.Message != "a test" {
			t.Errorf("%+v", got)
		}
		busy := submit(t, c, wire.TaskSpec{Type: "busy", Retry: wire.Retry{Max: 1}})[0].ID
		if got := ended(t, c, busy); !got.DeadLetter || got.Attempt != 1 {
			t.Errorf("%+v", got)
		}
		if again, err := c.TaskRetry(t.Context(), busy); err != nil || again.State.Terminal() {
			t.Errorf("%+v, %v", again, err)
		}
		if got := ended(t, c, busy); !got.DeadLetter || got.Attempt != 2 {
			t.Errorf("%+v", got)
		}
	})
}

func TestTaskRefusalsAreTyped(t *testing.T) {
	t.Parallel()
	n := serve(t, workers(t))
	c := dial(t, n)
	plain := submit(t, c, wire.TaskSpec{Type: "slow"})[0].ID
	last := func(r *client.Results) error { _, err := r.Aggregate(); return err }
	for name, f := range map[string]struct {
		do   func() error
		code wire.ErrorCode
	}{
		"get": {func() error { _, err := c.TaskGet(t.Context(), "tnope"); return err }, wire.CodeNotFound},
		"an unknown type": {func() error {
			_, err := c.TaskSubmit(t.Context(), wire.SubmitParams{Tasks: []wire.TaskSpec{{Type: "nope"}}})
			return err
		}, wire.CodeNotFound},
		"no inputs": {func() error {
			_, err := c.TaskOrchestrate(t.Context(), wire.OrchestrateParams{Task: wire.TaskSpec{Type: "echo"}})
			return err
		}, wire.CodeInvalidParams},
		"a retry of one open":  {func() error { _, err := c.TaskRetry(t.Context(), plain); return err }, wire.CodePrecondition},
		"results of no task":   {func() error { return last(c.TaskResults(t.Context(), "tnope", 0)) }, wire.CodeNotFound},
		"results of a simple":  {func() error { return last(c.TaskResults(t.Context(), plain, 0)) }, wire.CodePrecondition},
		"admission for nobody": {func() error { _, err := c.SetAdmission(t.Context(), wire.AdmissionParams{Type: "nope"}); return err }, wire.CodeNotFound},
	} {
		if err := f.do(); !errors.Is(err, &wire.Error{Code: f.code}) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAdmissionHoldsTasksBack(t *testing.T) {
	t.Parallel()
	n := serve(t, workers(t))
	overBoth(t, func(t *testing.T, tr string) {
		c := dial(t, n, over(tr))
		if a, err := c.SetAdmission(t.Context(), wire.AdmissionParams{Type: "echo", Closed: true, Reason: "a test"}); err != nil || !slices.Equal(a.Types, []string{"echo"}) {
			t.Fatalf("%+v, %v", a, err)
		}
		if a, err := c.Admission(t.Context()); err != nil || a.Reason != "a test" || a.Closed || !slices.Equal(a.Types, []string{"echo"}) {
			t.Errorf("%+v, %v", a, err)
		}
		id := submit(t, c, echoes(1)...)[0].ID
		kit.Eventually(t, "the task says what it waits for", func() bool {
			got, err := c.TaskGet(t.Context(), id)
			return err == nil && got.State == wire.TaskSubmitted && got.Waiting == "admission is closed for echo"
		})
		if _, err := c.SetAdmission(t.Context(), wire.AdmissionParams{}); err != nil {
			t.Fatal(err)
		}
		if got := ended(t, c, id); got.State != wire.TaskCompleted {
			t.Errorf("%+v", got)
		}
	})
}

func TestNoEndOfATaskIsLostOrComesTwice(t *testing.T) {
	t.Parallel()
	const batches, cuts = 9, 3
	each := kit.Less(40, 12)
	overBoth(t, func(t *testing.T, tr string) {
		t.Parallel()
		l := behindRelays(t, workers(t))
		direct := dial(t, l.node)
		submit(t, direct, echoes(each)...) // is there when the watch begins
		c := dial(t, l.node, over(tr), at(l.tcp.url()))
		ends, resets, sent := map[wire.TaskID]int{}, 0, 1
		sessions := map[string]bool{}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		for ch, err := range c.TaskWatch(ctx, wire.TaskWatchParams{}) {
			if err != nil {
				t.Fatalf("after %d ends of %d: %v", len(ends), sent*each, err)
			}
			if ch.Reset {
				resets++
			}
			for _, task := range ch.Tasks {
				if task.State == wire.TaskCompleted {
					ends[task.ID]++
				}
			}
			if conn, ok := c.Connection(); ok {
				sessions[conn.Session] = true
			}
			if len(ends) == batches*each {
				break
			}
			for sent < batches && len(ends) > (sent-1)*each {
				submit(t, direct, echoes(each)...)
				if sent++; sent%(batches/cuts) == 0 && sent < batches { // with tasks in work
					l.cut(c, tr)
				}
			}
		}
		for id, n := range ends {
			if n != 1 {
				t.Errorf("the end of %s came %d times", id, n)
			}
		}
		if resets != 1 || len(sessions) < cuts {
			t.Errorf("%d resets, %d sessions", resets, len(sessions))
		}
	})
}

// tasks follows the tasks.
func tasks(t *testing.T, c *client.Client, p wire.TaskWatchParams) func() client.TaskChange {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	next, stop := iter.Pull2(c.TaskWatch(ctx, p))
	t.Cleanup(func() { cancel(); stop() })
	return func() client.TaskChange {
		t.Helper()
		ch, err, ok := next()
		if err != nil || !ok {
			t.Fatal(err)
		}
		return ch
	}
}

func TestATaskWatchBeginsAnywhere(t *testing.T) {
	t.Parallel()
	const many = 250 // more than one message has
	n := serve(t, workers(t))
	overBoth(t, func(t *testing.T, tr string) {
		c := dial(t, n, over(tr))
		if _, err := c.SetAdmission(t.Context(), wire.AdmissionParams{Closed: true}); err != nil {
			t.Fatal(err)
		}
		specs := echoes(many)
		for i := range specs {
			specs[i].Labels = map[string]string{"over": tr}
		}
		all := submit(t, c, specs...)
		mine := wire.TaskFilter{Labels: map[string]string{"over": tr}}
		next := tasks(t, c, wire.TaskWatchParams{Filter: mine})
		first := next()
		if !first.Reset || len(first.Tasks) != many || first.More || first.Counts[wire.TaskSubmitted] != many || first.Epoch == "" {
			t.Fatalf("the first change has %d tasks, reset %v, counts %v", len(first.Tasks), first.Reset, first.Counts)
		}
		if _, err := c.TaskCancel(t.Context(), wire.TaskCancelParams{IDs: []wire.TaskID{all[7].ID}}); err != nil {
			t.Fatal(err)
		}
		ch := next()
		for len(ch.Tasks) == 0 || ch.Tasks[0].ID != all[7].ID || ch.Tasks[0].State != wire.TaskCanceled {
			ch = next() // positions in line, which moved up
		}
		if ch.Reset {
			t.Error("a change is a reset")
		}
		later := tasks(t, c, wire.TaskWatchParams{After: first.Cursor, Epoch: first.Epoch, Filter: wire.TaskFilter{IDs: []wire.TaskID{all[7].ID}}})
		if ch := later(); ch.Reset || len(ch.Tasks) != 1 || ch.Tasks[0].State != wire.TaskCanceled {
			t.Errorf("behind the first change comes %+v", ch)
		}
		for name, p := range map[string]wire.TaskWatchParams{
			"a cursor of the future":  {After: 1 << 40, Epoch: first.Epoch, Filter: mine},
			"a cursor of another log": {After: first.Cursor, Epoch: "another", Filter: mine},
		} {
			if ch := tasks(t, c, p)(); !ch.Reset || len(ch.Tasks) != many {
				t.Errorf("%s: %d tasks, reset %v", name, len(ch.Tasks), ch.Reset)
			}
		}
		if _, err := c.SetAdmission(t.Context(), wire.AdmissionParams{}); err != nil {
			t.Fatal(err)
		}
		for done := 1; done < many; { // and the first watch goes on
			for _, task := range next().Tasks {
				if task.State == wire.TaskCompleted {
					done++
				}
			}
		}
	})
}

func TestNoResultIsLostOrComesTwice(t *testing.T) {
	t.Parallel()
	const cuts = 2
	many := kit.Less(300, 120)
	overBoth(t, func(t *testing.T, tr string) {
		t.Parallel()
		l := behindRelays(t, workers(t))
		c := dial(t, l.node, over(tr), at(l.tcp.url()))
		task := orchestrate(t, c, many, wire.OrchestrateParams{Task: wire.TaskSpec{Type: "echo"}})
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		results := c.TaskResults(ctx, task.ID, 0)
		byIndex, cut := map[int]bool{}, 0
		for left := 0; len(byIndex) < many; left++ { // each loop is left early
			for res, err := range results.All() {
				if err != nil {
					t.Fatalf("after result %d: %v", results.Last(), err)
				}
				byIndex[res.Index] = true
				if res.Ordinal != len(byIndex) || res.State != wire.TaskCompleted || string(res.Output.Bytes()) != fmt.Sprint(res.Index) {
					t.Fatalf("result %d is %+v", len(byIndex), res)
				}
				if conn, ok := c.Connection(); ok && len(byIndex)%(many/cuts) == many/cuts/2 {
					l.cut(c, tr)
					another(t, c, conn.Session)
					cut++
				}
				if len(byIndex)%(many/3) == 0 {
					break
				}
			}
		}
		end, err := results.Aggregate()
		if err != nil || end.State != wire.TaskCompleted || end.Orchestration.Completed != many {
			t.Fatalf("%+v, %v", end, err)
		}
		var all []wire.Result
		if err := json.Unmarshal(end.Result.Bytes(), &all); err != nil || len(all) != many || all[17].Output.Text != "17" {
			t.Errorf("the aggregate has %d results, %v", len(all), err)
		}
		if cut != cuts {
			t.Errorf("the session was cut %d times", cut)
		}
		if again, err := c.TaskResults(ctx, task.ID, many).Aggregate(); err != nil || again.ID != task.ID {
			t.Errorf("%+v, %v", again, err)
		}
	})
}

func TestTasksGoOnOverARestart(t *testing.T) {
	t.Parallel()
	const many = 120
	overBoth(t, func(t *testing.T, tr string) {
		t.Parallel()
		n := serve(t, workers(t))
		c := dial(t, n, over(tr))
		task := orchestrate(t, c, many, wire.OrchestrateParams{Task: wire.TaskSpec{Type: "echo", Retry: wire.Retry{BackoffMS: 1}}})
		next := tasks(t, c, wire.TaskWatchParams{Filter: wire.TaskFilter{Parent: task.ID}})
		done := map[wire.TaskID]int{}
		see := func() {
			ch := next()
			if ch.Reset && len(done) > 0 {
				t.Error("the watch began anew")
			}
			for _, c := range ch.Tasks {
				if c.State == wire.TaskCompleted {
					done[c.ID]++
				}
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		results := c.TaskResults(ctx, task.ID, 0)
		for _, err := range results.All() {
			if err != nil {
				t.Fatal(err)
			}
			if results.Last() == many/3 {
				break
			}
		}
		see()
		n.restart(t, func(o *server.Options) { o.ConfigFile = n.o.ConfigFile })
		got := results.Last()
		for res, err := range results.All() {
			if got++; err != nil || res.Ordinal != got || res.State != wire.TaskCompleted {
				t.Fatalf("result %d is %+v, %v", got, res, err)
			}
		}
		if got != many {
			t.Errorf("%d results", got)
		}
		for len(done) < many {
			see()
		}
		for id, n := range done {
			if n != 1 {
				t.Errorf("the end of %s came %d times", id, n)
			}
		}
	})
}

func TestTaskReadersEndWithTheirContextAndTheClient(t *testing.T) {
	t.Parallel()
	n := serve(t, workers(t))
	overBoth(t, func(t *testing.T, tr string) {
		c := dial(t, n, over(tr))
		task := orchestrate(t, c, 1, wire.OrchestrateParams{Task: wire.TaskSpec{Type: "slow"}})
		watch := func(ctx context.Context, seen chan<- struct{}) (last error) {
			for ch, err := range c.TaskWatch(ctx, wire.TaskWatchParams{}) {
				if last = err; ch.Reset {
					seen <- struct{}{}
				}
			}
			return last
		}
		seen := make(chan struct{}, 2)
		ctx, cancel := context.WithCancel(t.Context())
		ends := make(chan error, 2)
		go func() { ends <- watch(ctx, seen) }()
		go func() { _, err := c.TaskResults(ctx, task.ID, 0).Aggregate(); ends <- err }()
		<-seen
		cancel()
		for range 2 {
			if err := <-ends; !errors.Is(err, context.Canceled) {
				t.Errorf("with its context it ends with %v", err)
			}
		}
		go func() { ends <- watch(t.Context(), seen) }()
		go func() { _, err := c.TaskResults(t.Context(), task.ID, 0).Aggregate(); ends <- err }()
		<-seen
		c.Close()
		for range 2 {
			if err := <-ends; !errors.Is(err, client.ErrClosed) {
				t.Errorf("with the client it ends with %v", err)
			}
		}
	})
}
