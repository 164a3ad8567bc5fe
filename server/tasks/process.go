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

// A task of a type with tasks: process is a process. Its standard input is the input of the task, its standard output is the
// result, and its exit code says whether it succeeded.

// The environment variables that hold the id of the task and the number of the attempt of such a process.
const (
	EnvTask    = "SKEIN_TASK_ID"
	EnvAttempt = "SKEIN_ATTEMPT"
)

// stderrTail is how many bytes are kept of the end of standard error, because its last line says why a process failed.
const stderrTail = 4 << 10

// Env returns the environment variables of an agent that is the process of a task, and nil for other agents.
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
	if len(t.rec.Input.Bytes()) > 0 && at.Stdin == wire.StdinNone { // check can't know the type of a task that names capabilities
		ts.endRun(t, runner.TaskResult{Failure: wire.FailAgentError, Message: fmt.Sprintf("the task has an input, but processes of type %q have no standard input (stdin: none)", at.Name)})
		return
	}
	s := needOf(&t.rec.TaskSpec).spawn(at)
	s.Argv, s.Args, s.Name, s.NoInput = t.rec.Argv, t.rec.Args, processName(&t.rec), t.rec.NoInput
	a, start, err := ts.fleet.Admit(s, t.id)
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
	ts.fleet.Feed(r.agent, input) // a command that does not read its input has not failed
}

// spawnFailure returns the result of an attempt whose process could not be started. It distinguishes a mistake in the command,
// for which another attempt is useless, from a lack of resources.
func spawnFailure(err error) runner.TaskResult {
	e := wire.AsError(err)
	o := runner.TaskResult{Failure: wire.FailSpawn, Message: e.Message}
	if e.Code == wire.CodeSpawnFailed && e.Data != nil && e.Data.Field != "" {
		o.Failure = wire.FailAgentError
	}
	return o
}

// Output takes the output of an agent that is the process of a task. If the output is too long for a result, the task fails
// when the process ends, because a part of an answer is of no use.
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

// verdict returns the result of an attempt from the end of its process. The caller holds mu.
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

// endOf returns the last line of b that is not blank.
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

// processEnded ends the attempt of a process that has ended or could not be started. The caller holds mu.
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

// oneLine makes a valid name of one that an earlier Skein may have accepted.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if wire.Unprintable(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}
