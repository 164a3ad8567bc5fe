package tasks

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/server/screen"
	"skein.dev/skein/webtransport/wire"
)

// A task of a type with tasks: process is one process: its input is standard input, what it prints on standard output
// is the result, its exit code the verdict.

// The environment variables that tell such a process its task, and which attempt at it it is.
const (
	EnvTask    = "SKEIN_TASK_ID"
	EnvAttempt = "SKEIN_ATTEMPT"
)

// stderrTail bounds what is kept of a process's standard error, in bytes: its last line says why it failed.
const stderrTail = 4 << 10

// Env is what an agent is told of the run that it is; nil: it is none.
func (ts *Tasks) Env(agent wire.Agent) map[string]string {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	r := ts.processes[agent.ID]
	if r == nil {
		return nil
	}
	return map[string]string{EnvTask: string(r.t.id), EnvAttempt: strconv.Itoa(r.rec.Attempt)}
}

// startProcess starts a process for a task. The caller holds mu.
func (ts *Tasks) startProcess(t *task, at wire.AgentType) {
	r := ts.begin(t, nil)
	if len(t.rec.Input.Bytes()) > 0 && at.Stdin == wire.StdinNone { // found by its capabilities
		ts.endRun(t, runner.TaskResult{Failure: wire.FailAgentError, Message: fmt.Sprintf("the task has an input, but processes of type %q have no standard input (stdin: none)", at.Name)})
		return
	}
	a, start, err := ts.fleet.Admit(wire.SpawnParams{Type: at.Name, Argv: t.rec.Argv, Args: t.rec.Args, Name: processName(&t.rec), NoInput: t.rec.NoInput}, t.id)
	if err != nil {
		ts.endRun(t, spawnFailure(err))
		return
	}
	r.is(a)
	ts.processes[a.ID] = r
	ts.happens(t, assigned{r.rec})
	input := t.rec.Input.Bytes()
	ts.pending.Go(func() { ts.feed(r, start, input) })
}

func processName(t *wire.Task) string {
	if t.Name == "" {
		return ""
	}
	name := []rune(oneLine(t.Name))
	return strings.TrimSpace(string(name[:min(len(name), noun.MaxName)]))
}

// feed starts the process and writes the task's input.
func (ts *Tasks) feed(r *run, start func() error, input []byte) {
	if err := start(); err != nil {
		ts.mu.Lock()
		defer ts.mu.Unlock()
		ts.processEnded(r, spawnFailure(err))
		return
	}
	ts.fleet.Feed(r.agent, input) // that a command reads none of its input is no failure
}

// spawnFailure tells a mistake in the command, which no further attempt mends, from a lack of room.
func spawnFailure(err error) runner.TaskResult {
	e := wire.AsError(err)
	o := runner.TaskResult{Failure: wire.FailSpawn, Message: e.Message}
	if e.Code == wire.CodeSpawnFailed && e.Data != nil && e.Data.Field != "" {
		o.Failure = wire.FailAgentError
	}
	return o
}

// Output takes what an agent printed that is a task's process. What does not fit into a result fails the task when the process
// ends: half an answer is none.
func (ts *Tasks) Output(agent wire.AgentID, t wire.EventType, b []byte) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	r := ts.processes[agent]
	if r == nil {
		return
	}
	r.lastSign = time.Now()
	if t != wire.EventStdout {
		r.stderr = append(r.stderr, b...)
		r.stderr = append(r.stderr[:0], r.stderr[max(0, len(r.stderr)-stderrTail):]...)
		return
	}
	room := wire.MaxTaskOutput - len(r.out)
	r.out = append(r.out, b[:min(len(b), room)]...)
	r.more = r.more || len(b) > room
}

// verdict is how the run of a process ended, by the process's end. The caller holds mu.
func (ts *Tasks) verdict(r *run, typ string, exit wire.Exit, stopped bool) runner.TaskResult {
	o := runner.TaskResult{Output: r.out}
	switch {
	case stopped && ts.stopping():
		o = runner.TaskResult{Failure: wire.FailServerRestart, Message: "Skein was stopped"}
	case stopped:
		o = runner.TaskResult{Failure: wire.FailAgentStopped, Message: "its process was stopped"}
	case exit.Signal != "":
		o = runner.TaskResult{Failure: wire.FailAgentLost, Message: cmp.Or(exit.Message, "killed by "+exit.Signal)}
	case exit.Code != 0:
		o = runner.TaskResult{Failure: wire.FailAgentError, Message: fmt.Sprintf("exit status %d", exit.Code)}
		if ts.asksAgain(&r.t.rec.TaskSpec, typ, exit.Code) {
			o.Failure = wire.FailTemporary
		}
		if line := cmp.Or(endOf(r.stderr), endOf(r.out)); line != "" {
			o.Message += ": " + line
		}
	case r.more:
		o = runner.TaskResult{Failure: wire.FailTooLarge, Message: fmt.Sprintf("it printed more than %d bytes; write a file to $SKEIN_OUTBOX for an artifact", wire.MaxTaskOutput)}
	}
	return o
}

// asksAgain reports whether a process that ended with this exit code asks to be tried again.
func (ts *Tasks) asksAgain(s *wire.TaskSpec, typ string, code int) bool {
	return code == wire.ExitTempFail || slices.Contains(s.RetryOn, code) || slices.Contains(ts.o.Types[typ].RetryOn, code)
}

// endOf is the last line of b that is not blank.
func endOf(b []byte) string {
	for _, line := range slices.Backward(bytes.Split(b[max(0, len(b)-stderrTail):], []byte("\n"))) {
		shown := screen.Line{Max: wire.MaxLastLine}
		shown.Write(string(line))
		if s := shown.Brief(wire.MaxLastLine); s != "" {
			return s
		}
	}
	return ""
}

// processEnded needs mu.
func (ts *Tasks) processEnded(r *run, o runner.TaskResult) {
	if ts.processes[r.agent] != r {
		return
	}
	delete(ts.processes, r.agent)
	stopTimer(r.timer)
	if r.t.run == r && !r.t.ending {
		ts.endRun(r.t, o)
	}
	ts.Kick()
}

// oneLine makes a name of what an earlier Skein may have taken for one.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if wire.Unprintable(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}
