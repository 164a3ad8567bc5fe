package control

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"skein.dev/skein/server/noun"
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

// env is what a process is told of the run that it is; nil: it is none.
func (r *run) env() map[string]string {
	if r == nil {
		return nil
	}
	return map[string]string{EnvTask: string(r.t.id), EnvAttempt: strconv.Itoa(r.rec.Attempt)}
}

// startProcess starts a process for a task. The caller holds mu.
func (ts *Tasks) startProcess(t *task, at wire.AgentType) {
	r := ts.begin(t, nil)
	r.out = &outcome{}
	if len(t.rec.Input.Bytes()) > 0 && at.Stdin == wire.StdinNone { // found by its capabilities
		ts.endRun(t, outcome{failure: wire.FailAgentError, message: fmt.Sprintf("the task has an input, but processes of type %q have no standard input (stdin: none)", at.Name)})
		return
	}
	ts.processes[r] = struct{}{}
	b, err := ts.p.admit(noun.Caller{Actor: scheduler}, wire.SpawnParams{Type: at.Name, Argv: t.rec.Argv, Args: t.rec.Args, Name: processName(&t.rec), NoInput: t.rec.NoInput},
		origin{onDemand: true, run: r})
	if err != nil {
		delete(ts.processes, r)
		ts.endRun(t, spawnFailure(err))
		return
	}
	r.a = b.agents[0]
	r.rec.Agent, r.rec.AgentName = r.a.id, r.a.record().Name
	ts.set(t, func(rec *wire.Task) {
		rec.Runs = append(rec.Runs[:len(rec.Runs)-1:len(rec.Runs)-1], r.rec)
	})
	input := t.rec.Input.Bytes()
	ts.pending.Go(func() { ts.feed(r, b, input) })
}

func processName(t *wire.Task) string {
	if t.Name == "" {
		return ""
	}
	name := []rune(oneLine(t.Name))
	return strings.TrimSpace(string(name[:min(len(name), maxName)]))
}

// feed starts the process and writes the task's input.
func (ts *Tasks) feed(r *run, b *batch, input []byte) {
	if _, err := ts.p.startAll(context.Background(), b); err != nil {
		ts.mu.Lock()
		defer ts.mu.Unlock()
		ts.processEnded(r, spawnFailure(err))
		return
	}
	r.a.mu.Lock()
	running := r.a.running
	r.a.mu.Unlock()
	if running != nil && !r.a.record().NoInput { // else it ended already: that a command reads none of its input is no failure
		running.Input(ts.p.ctx, input, true)
	}
}

// spawnFailure tells a mistake in the command, which no further attempt mends, from a lack of room.
func spawnFailure(err error) outcome {
	e := wire.AsError(err)
	o := outcome{failure: wire.FailSpawn, message: e.Message}
	if e.Code == wire.CodeSpawnFailed && e.Data != nil && e.Data.Field != "" {
		o.failure = wire.FailAgentError
	}
	return o
}

// printed takes what a task's process wrote. What does not fit into a result fails the task when the process ends: half
// an answer is none.
func (ts *Tasks) printed(r *run, t wire.EventType, b []byte) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	r.lastSign = time.Now()
	if t != wire.EventStdout {
		r.stderr = append(r.stderr, b...)
		r.stderr = append(r.stderr[:0], r.stderr[max(0, len(r.stderr)-stderrTail):]...)
		return
	}
	room := wire.MaxTaskOutput - len(r.out.output)
	r.out.output = append(r.out.output, b[:min(len(b), room)]...)
	r.out.truncated = r.out.truncated || len(b) > room
}

// verdict ends the run of a process that ended.
func (ts *Tasks) verdict(r *run, rec wire.Agent, exit wire.Exit) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	o := *r.out
	switch {
	case rec.Desired == wire.DesiredStop && ts.p.stopping():
		o = outcome{failure: wire.FailServerRestart, message: "Skein was stopped"}
	case rec.Desired == wire.DesiredStop:
		o = outcome{failure: wire.FailAgentStopped, message: "its process was stopped"}
	case exit.Signal != "":
		o = outcome{failure: wire.FailAgentLost, message: cmp.Or(exit.Message, "killed by "+exit.Signal)}
	case exit.Code != 0:
		o = outcome{failure: wire.FailAgentError, message: fmt.Sprintf("exit status %d", exit.Code)}
		if ts.asksAgain(&r.t.rec.TaskSpec, rec.Type, exit.Code) {
			o.failure = wire.FailTemporary
		}
		if line := cmp.Or(endOf(r.stderr), endOf(r.out.output)); line != "" {
			o.message += ": " + line
		}
	case o.truncated:
		o = outcome{failure: wire.FailTooLarge, message: fmt.Sprintf("it printed more than %d bytes; write a file to $SKEIN_OUTBOX for an artifact", wire.MaxTaskOutput)}
	}
	ts.processEnded(r, o)
}

// asksAgain reports whether a process that ended with this exit code asks to be tried again.
func (ts *Tasks) asksAgain(s *wire.TaskSpec, typ string, code int) bool {
	return code == wire.ExitTempFail || slices.Contains(s.RetryOn, code) || slices.Contains(ts.p.types[typ].RetryOn, code)
}

// endOf is the last line of b that is not blank.
func endOf(b []byte) string {
	for _, line := range slices.Backward(bytes.Split(b[max(0, len(b)-stderrTail):], []byte("\n"))) {
		if s := printable(line); s != "" {
			return s
		}
	}
	return ""
}

// processEnded needs mu.
func (ts *Tasks) processEnded(r *run, o outcome) {
	if _, ok := ts.processes[r]; !ok {
		return
	}
	delete(ts.processes, r)
	stopTimer(r.timer)
	if r.t.run == r && !r.t.ending {
		ts.endRun(r.t, o)
	}
	ts.kick()
}
