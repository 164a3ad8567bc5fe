package control_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/api"
	"skein.dev/skein/server/control"
	"skein.dev/skein/server/jet"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/server/runner/lines"
	"skein.dev/skein/server/runner/process"
	"skein.dev/skein/server/runner/scripted"
	"skein.dev/skein/webtransport/wire"
)

// linesPlane is a plane whose agents of type worker run a shell script that speaks the line protocol.
func linesPlane(t testing.TB, types ...wire.AgentType) *speaking {
	t.Helper()
	dir := t.TempDir()
	store, err := jet.Open(context.Background(), jet.Config{Dir: dir, MaxEventBytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	procs := process.New(process.Options{})
	heard := &overheard{Kind: procs}
	requests := api.New()
	p, err := control.Open(context.Background(), control.Options{Store: store, Node: "test", Instance: "lines-" + filepath.Base(dir), WorkDir: filepath.Join(dir, "agents"),
		Kinds: map[wire.Kind]runner.Kind{wire.KindExec: heard, wire.KindScripted: &scripted.Kind{}}, Types: types, Call: requests.CallAgent})
	if err != nil {
		t.Fatal(err)
	}
	if err := requests.Open(context.Background(), p, nil, store, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close(context.Background())
		procs.Close()
		store.Close()
	})
	return &speaking{p, heard}
}

type speaking struct {
	*control.Plane
	heard *overheard
}

// speaks is a type of agents that run a shell script. $line is the last line that next got, $task the task in it.
func speaks(script string) wire.AgentType {
	return wire.AgentType{Name: "worker", Kind: wire.KindExec, Tasks: wire.TasksLines, MaxInstances: 1, StopGraceMS: 100, Argv: []string{"sh", "-c", `
		say() { printf '{"jsonrpc":"2.0","method":"%s","params":{%s}}\n' "$1" "$2"; }
		next() { read -r line || exit 0; task=${line#*'"task":"'}; task=${task%%'"'*}; }
		` + script}}
}

func submitted(t *testing.T, p *speaking, specs ...wire.TaskSpec) (ids []wire.TaskID) {
	t.Helper()
	res, err := p.Tasks.Submit(t.Context(), noun.Caller{Actor: "test"}, wire.SubmitParams{Tasks: specs})
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range res.Tasks {
		ids = append(ids, task.ID)
	}
	return ids
}

func over(t *testing.T, p *speaking, id wire.TaskID) wire.Task {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), kit.Patience)
	defer cancel()
	rec, err := p.Tasks.Wait(ctx, id)
	if err != nil {
		now, _ := p.Tasks.Get(id)
		t.Fatalf("task %s is %s (%s %s): %v", id, now.State, now.Waiting, now.Message, err)
	}
	return rec
}

// logged gives the texts of an agent's events of a type.
func logged(t *testing.T, p *speaking, id wire.AgentID, typ wire.EventType) (all []string) {
	t.Helper()
	f, _, err := p.Follow(t.Context(), wire.Header{Agent: id})
	if err != nil {
		t.Fatal(err)
	}
	for {
		events, err := f.Next(t.Context())
		if err != nil {
			return all
		}
		for _, e := range events {
			if e.Type == typ {
				all = append(all, e.Data.Text)
			}
		}
	}
}

func (p *speaking) worker(t *testing.T) wire.Agent {
	t.Helper()
	all := p.List(wire.Filter{Types: []string{"worker"}}).Agents
	if len(all) != 1 {
		t.Fatalf("there are %d agents", len(all))
	}
	return all[0]
}

// overheard is a runtime that exposes the sink of the latest agent.
type overheard struct {
	runner.Kind
	sink atomic.Pointer[runner.Sink]
}

func (o *overheard) Start(ctx context.Context, l runner.Launch, s runner.Sink) (runner.Session, error) {
	o.sink.Store(&s)
	return o.Kind.Start(ctx, l, s)
}

func TestAQuestionIsOfOneTaskAndStays(t *testing.T) {
	typ := speaks(`
		next; first=$task
		say task.progress '"task":"'$first'"'
		next
		say task.input_required '"task":"'$first'","text":"which way?"'
		say heartbeat
		read -r reply
		say task.result '"task":"'$first'","output":"'"$reply"'"'
		say task.input_required '"task":"'$task'","text":"and now?"'
		next
		say task.error '"task":"'$task'","message":"let go"'
		read -r end`)
	typ.MaxTasks = 2
	p := linesPlane(t, typ)
	ids := submitted(t, p, wire.TaskSpec{Type: "worker"})
	kit.Eventually(t, "it has the first task", func() bool { rec, _ := p.Tasks.Get(ids[0]); return len(rec.Progress) == 1 })
	ids = append(ids, submitted(t, p, wire.TaskSpec{Type: "worker"})...)
	asks := func(question string) func() bool {
		return func() bool {
			for _, a := range p.List(wire.Filter{Types: []string{"worker"}}).Agents {
				return a.Activity == wire.ActivityRequiresAction && a.Question == question
			}
			return false
		}
	}
	kit.Eventually(t, "the first asks", asks("which way?"))
	a := p.worker(t)
	since := *a.AskedAt
	(*p.heard.sink.Load())(runner.Activity{Now: wire.ActivityIdle}) // as when it is silent for long
	first, _ := p.Tasks.Get(ids[0])
	other, _ := p.Tasks.Get(ids[1])
	if !asks("which way?")() || first.State != wire.TaskInputRequired || other.State != wire.TaskWorking {
		t.Errorf("the tasks are %s and %s, the agent %+v", first.State, other.State, p.worker(t))
	}
	if err := p.Input(t.Context(), "me", wire.InputParams{ID: a.ID, Text: "left\n"}); err != nil {
		t.Fatal(err)
	}
	if rec := over(t, p, ids[0]); rec.Result == nil || rec.Result.Text != "left" {
		t.Errorf("the first is %s with %+v", rec.State, rec.Result)
	}
	kit.Eventually(t, "the second asks", asks("and now?"))
	if now := p.worker(t).AskedAt; !now.After(since) {
		t.Errorf("the second question waits since %v, the first since %v", now, since)
	}
	if _, err := p.Tasks.Cancel(noun.Caller{Actor: "me"}, wire.TaskCancelParams{IDs: ids[1:]}); err != nil {
		t.Fatal(err)
	}
	over(t, p, ids[1])
	kit.Eventually(t, "it asks no more, and goes on", func() bool {
		rec := p.worker(t)
		return rec.Question == "" && rec.Activity != wire.ActivityRequiresAction && len(rec.Tasks) == 0 && rec.Status == wire.StatusRunning
	})
}

func TestAnAnswerThatCannotBeReadFailsItsTask(t *testing.T) {
	p := linesPlane(t, speaks(`
		say task.result '"task":"t000000000000","output":""'
		printf '{"jsonrpc":"2.0","method":"task.result","params":{"task":"t111111111111","output":"quot"ed"}}\n'
		next; say task.result '"task":"'$task'","output":"a "quoted" word"'
		next; say task.error '"task":"'$task'","message":"","retryable":"yes"'
		next; printf '{"jsonrpc":"2.0","method":"task.result","params":{"task":"%s","output":"' $task; head -c 2000000 /dev/zero | tr '\0' x; echo '"}}'
		next; printf '{"jsonrpc":"2.0","id":7,"method":"task.result","params":{"task":"%s","output":{"n":1}}}\n' $task
		read -r line; echo "got $line"
		next`))
	var specs []wire.TaskSpec
	for range 4 {
		specs = append(specs, wire.TaskSpec{Type: "worker"})
	}
	ids := submitted(t, p, specs...)
	for i, want := range []wire.FailureReason{wire.FailProtocol, wire.FailProtocol, wire.FailTooLarge, ""} {
		rec := over(t, p, ids[i])
		if rec.Failure != want || rec.Attempt != 1 || want != "" && !strings.Contains(rec.Message, "can't be read") {
			t.Errorf("task %d is %s, %q: %s", i, rec.State, rec.Failure, rec.Message)
		}
	}
	if rec, _ := p.Tasks.Get(ids[3]); rec.Result == nil || rec.Result.Text != `{"n":1}` {
		t.Errorf("the last result is %+v", rec.Result)
	}
	a := p.worker(t)
	kit.Eventually(t, "what was asked is answered", func() bool {
		return slices.Contains(logged(t, p, a.ID, wire.EventStdout), `got {"jsonrpc":"2.0","id":7,"result":{}}`+"\n")
	})
	told := strings.Join(logged(t, p, a.ID, wire.EventLog), "\n")
	for _, says := range []string{`there is no task "t000000000000"`, "not JSON", `"retryable" must be bool`, "longer than 1048576 bytes"} {
		if !strings.Contains(told, says) {
			t.Errorf("the agent's log does not say %s:\n%s", says, told)
		}
	}
}

func TestAWaitingCoordinatorIsHeardAndStopped(t *testing.T) {
	typ := speaks(`
		next; own=$task
		i=0; while [ $i -lt ` + fmt.Sprint(lines.MaxWaits+1) + ` ]; do
			i=$((i+1)); printf '{"jsonrpc":"2.0","id":%d,"method":"task.wait","params":{"id":"%s"}}\n' $i $own
		done
		read -r line; echo "got $line"
		say task.progress '"task":"'$own'","text":"still here","fraction":0.5'
		read -r line`)
	typ.Coordinator = true
	p := linesPlane(t, typ)
	id := submitted(t, p, wire.TaskSpec{Type: "worker"})[0]
	kit.Eventually(t, "its progress", func() bool {
		rec, _ := p.Tasks.Get(id)
		return len(rec.Progress) == 1 && rec.Progress[0].Text == "still here" && rec.Progress[0].Fraction == 0.5
	})
	a := p.worker(t)
	kit.Eventually(t, "the last wait is refused", func() bool {
		return strings.Contains(strings.Join(logged(t, p, a.ID, wire.EventStdout), ""), `"resource_exhausted"`)
	})
	ctx, cancel := context.WithTimeout(t.Context(), kit.Patience)
	defer cancel()
	res, err := p.Stop(ctx, noun.Caller{Actor: "test"}, wire.StopParams{IDs: []wire.AgentID{a.ID}})
	if err != nil || res.Reports[0].Status != wire.StatusExited {
		t.Errorf("%+v, %v", res, err)
	}
	closed := make(chan struct{})
	go func() { p.Close(context.Background()); close(closed) }()
	kit.Receive(t, "the plane closes", closed)
}

func TestTheSchedulerLeavesAnAgentToWhoStopsIt(t *testing.T) {
	p := linesPlane(t, speaks(`trap 'say log "\"text\":\"stopping\""; sleep 0.5; exit 7' TERM; echo up; while :; do sleep 0.01; done`))
	res, err := p.Spawn(t.Context(), noun.Caller{Actor: "test"}, wire.SpawnParams{Type: "worker"})
	if err != nil {
		t.Fatal(err)
	}
	a := p.worker(t)
	said := func(typ wire.EventType, text string) func() bool {
		return func() bool { return strings.Contains(strings.Join(logged(t, p, a.ID, typ), ""), text) }
	}
	kit.Eventually(t, "it runs", said(wire.EventStdout, "up"))
	grace := int64(20_000)
	stopped := make(chan *wire.StopResult, 1)
	go func() {
		res, _ := p.Stop(t.Context(), noun.Caller{Actor: "test"}, wire.StopParams{IDs: []wire.AgentID{res.Agents[0].ID}, GraceMS: &grace})
		stopped <- res
	}()
	kit.Eventually(t, "it is being stopped", said(wire.EventLog, "stopping"))
	p.Crew().Stop(a.ID) // as when it did not let go of a task; its type's grace is 100 ms
	if res := <-stopped; res == nil || res.Reports[0].Forced || p.worker(t).Exit.Code != 7 {
		t.Errorf("%+v, exit %+v", res, p.worker(t).Exit)
	}
}

func TestAProcessThatEndsWithinALine(t *testing.T) {
	typ := speaks(`
		if [ ! -e started ]; then
			touch started
			printf '{"jsonrpc":"2.0","method":"log","params":{"text":"ha'
			exit 1
		fi
		say log '"text":"again","level":"warn"'
		next
		printf '{"jsonrpc":"2.0","method":"task.result","params":{"task":"%s","output":"no newline"}}' $task`)
	typ.Restart = &wire.RestartPolicy{Mode: wire.RestartFail, Attempts: 1, IntervalMS: 60_000, DelayMS: 1}
	p := linesPlane(t, typ)
	id := submitted(t, p, wire.TaskSpec{Type: "worker", Retry: wire.Retry{BackoffMS: 1}})[0]
	if rec := over(t, p, id); rec.Result == nil || rec.Result.Text != "no newline" {
		t.Errorf("it is %s: %s %+v", rec.State, rec.Message, rec.Runs)
	}
	want := []string{"bad line: the process ended within a message", "warn: again"}
	a := p.worker(t)
	kit.Eventually(t, "it has ended", func() bool { return !p.worker(t).Status.Alive() })
	if got := logged(t, p, a.ID, wire.EventLog); !slices.Equal(got, want) {
		t.Errorf("the log is %q, want %q", got, want)
	}
}

func TestWhatAPersonTypesDoesNotJoinAMessage(t *testing.T) {
	p := linesPlane(t, speaks(`
		read -r typed; echo "typed $typed"
		next; say task.result '"task":"'$task'","output":"heard"'
		next`))
	res, err := p.Spawn(t.Context(), noun.Caller{Actor: "test"}, wire.SpawnParams{Type: "worker"})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Input(t.Context(), "me", wire.InputParams{ID: res.Agents[0].ID, Text: "half a line"}); err != nil {
		t.Fatal(err)
	}
	if rec := over(t, p, submitted(t, p, wire.TaskSpec{Type: "worker"})[0]); rec.State != wire.TaskCompleted {
		t.Errorf("it is %s: %s", rec.State, rec.Message)
	}
	kit.Eventually(t, "what was typed came alone", func() bool { // the log shows what is stored: it may come behind the task's end
		return slices.Contains(logged(t, p, res.Agents[0].ID, wire.EventStdout), "typed half a line\n")
	})
}

func TestHalfALineOfTheLastProcessIsNoneOfTheNext(t *testing.T) {
	typ := speaks(`
		if [ ! -e started ]; then touch started; head -c 1 >/dev/null; exit 1; fi
		next; say task.result '"task":"'$task'","output":"heard"'
		next`)
	typ.Restart = &wire.RestartPolicy{Mode: wire.RestartFail, Attempts: 1, IntervalMS: 60_000, DelayMS: 1}
	p := linesPlane(t, typ)
	res, err := p.Spawn(t.Context(), noun.Caller{Actor: "test"}, wire.SpawnParams{Type: "worker"})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Input(t.Context(), "me", wire.InputParams{ID: res.Agents[0].ID, Text: "half a line"}); err != nil {
		t.Fatal(err)
	}
	kit.Eventually(t, "it runs again", func() bool {
		rec := p.List(wire.Filter{}).Agents[0]
		return rec.Restarts == 1 && rec.Status == wire.StatusRunning
	})
	if rec := over(t, p, submitted(t, p, wire.TaskSpec{Type: "worker"})[0]); rec.State != wire.TaskCompleted || rec.Attempt != 1 {
		t.Errorf("it is %s in attempt %d: %s", rec.State, rec.Attempt, rec.Message)
	}
}
