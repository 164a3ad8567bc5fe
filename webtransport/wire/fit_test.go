package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Every kind of answer, made as large as it can be, fits into a message, or is an error that says so.
func TestAnswersFitAMessage(t *testing.T) {
	long := strings.Repeat("\u2028", 100) // six bytes each in JSON
	now := time.Now()
	agents, failed := make([]Agent, MaxBatch), make([]SpawnError, MaxBatch)
	tasks, reports := make([]Task, MaxBatch), make([]StopReport, 20_000)
	for i := range MaxBatch {
		id := fmt.Sprintf("%012d", i)
		agents[i] = Agent{ID: AgentID("a" + id), Num: uint32(i), Name: long, Type: strings.Repeat("t", 63), Kind: KindScripted, Node: "node", Status: StatusRunning,
			Argv: []string{long, long}, CreatedAt: now, StartedAt: &now}
		failed[i] = SpawnError{Index: i, ID: agents[i].ID, Error: Errorf(CodeSpawnFailed, "%s", strings.Repeat(long, 10)).WithField("argv")}
		tasks[i] = Task{ID: TaskID("t" + id), TaskSpec: TaskSpec{Key: long[:99], Name: long + long, Type: agents[i].Type, Input: Payload{Text: long}}, State: TaskSubmitted, Actor: long, CreatedAt: now}
	}
	canceled := make([]TaskID, 100_000)
	for i := range canceled {
		canceled[i] = TaskID(fmt.Sprintf("t%012d", i))
	}
	for i := range reports {
		reports[i] = StopReport{ID: AgentID(fmt.Sprintf("a%012d", i)), Status: StatusExited, Reason: ReasonStopped}
		if i%1000 == 0 {
			reports[i].Status, reports[i].Leftovers = StatusStopping, make([]Leftover, 1000)
		}
	}
	many := MemoryManyResult{}
	for i := range MaxMemoryBulk {
		e := &MemoryEntry{Namespace: "n", Key: fmt.Sprint(i), Value: Payload{Text: strings.Repeat("v", 3000)}}
		many.Results = append(many.Results, MemoryOne{Entry: e}, MemoryOne{Error: Errorf(CodeConflict, "%s", long)})
	}
	whole := Task{TaskSpec: TaskSpec{Argv: []string{strings.Repeat("x", MaxRecord)}, Input: NewPayload(bytes.Repeat([]byte{'"'}, MaxTaskInput))}}
	output := NewPayload(bytes.Repeat([]byte{0x1b}, MaxTaskOutput))
	whole.Result = &output
	for range 300 {
		whole.Runs = append(whole.Runs, Run{Message: strings.Repeat("\x01", MaxProgressText)})
	}
	check := func(what string, v any) []byte {
		t.Helper()
		m, err := NewResult(json.RawMessage(`"`+strings.Repeat("i", MaxRequestID-2)+`"`), v)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			return nil
		}
		line, err := AppendLine(nil, m)
		if err != nil || len(line) > MaxMessage {
			t.Errorf("%s: a line of %d bytes, %v", what, len(line), err)
		}
		if len(line) < MaxResult/8 {
			t.Errorf("%s: %d bytes only, more would have fitted", what, len(line))
		}
		return m.Result
	}
	read := func(b []byte, v any) {
		t.Helper()
		if err := json.Unmarshal(b, v); err != nil {
			t.Fatal(err)
		}
	}
	var spawn SpawnResult
	read(check("a spawn", &SpawnResult{Agents: agents}), &spawn)
	if len(spawn.Agents) != MaxBatch || spawn.Agents[7].ID != agents[7].ID || !spawn.Agents[7].Trimmed || spawn.Agents[7].Argv != nil {
		t.Errorf("of a batch of %d the answer names %d, such as %+v", MaxBatch, len(spawn.Agents), spawn.Agents[7])
	}
	var fails SpawnResult
	read(check("a spawn that failed", &SpawnResult{Failed: failed}), &fails)
	if len(fails.Failed) != MaxBatch || fails.Failed[7].ID != agents[7].ID || fails.Failed[7].Error.Code != CodeSpawnFailed || fails.Failed[7].Error.Message == "" {
		t.Errorf("of %d failures the answer names %d, such as %+v", MaxBatch, len(fails.Failed), fails.Failed[7])
	}
	var submit SubmitResult
	read(check("a submission", &SubmitResult{Tasks: tasks}), &submit)
	if len(submit.Tasks) != MaxBatch || submit.Tasks[7].ID != tasks[7].ID || submit.Tasks[7].Key != tasks[7].Key || !submit.Tasks[7].Trimmed {
		t.Errorf("of %d tasks the answer names %d, such as %+v", MaxBatch, len(submit.Tasks), submit.Tasks[7])
	}
	var stop StopResult
	read(check("a stop", &StopResult{Reports: reports, Canceled: canceled, Closed: true}), &stop)
	bad := 0
	for _, r := range stop.Reports {
		if !r.Well() {
			bad++
		}
	}
	if bad != 20 || len(stop.Reports)+stop.More != len(reports) || stop.MoreFailed != 0 || len(stop.Canceled)+stop.MoreCanceled != len(canceled) || !stop.Closed {
		t.Errorf("a stop of %d: %d reports, %d of them bad, and %d more; %d canceled and %d more", len(reports), len(stop.Reports), bad, stop.More, len(stop.Canceled), stop.MoreCanceled)
	}
	var cancel TaskCancelResult
	read(check("a cancel", TaskCancelResult{Canceled: canceled}), &cancel)
	if len(cancel.Canceled)+cancel.More != len(canceled) {
		t.Errorf("of %d canceled the answer names %d, and %d more", len(canceled), len(cancel.Canceled), cancel.More)
	}
	check("many entries", many)
	check("a task", &whole)

	_, err := EncodeResult(strings.Repeat("x", MaxMessage))
	if !errors.Is(err, &Error{Code: CodeTooLarge}) || !strings.Contains(err.Error(), fmt.Sprint(MaxMessage)) || !strings.Contains(err.Error(), "limit") {
		t.Errorf("what can't be made to fit is answered with %v", err)
	}
	e := Errorf(CodeNotFound, "there is no agent %q", strings.Repeat(long, 1000)).WithSupported(strings.Split(strings.Repeat(long+"/", 1000), "/"))
	line, err := AppendLine(nil, NewError([]byte("1"), e))
	if err != nil || len(line) > MaxMessage/8 {
		t.Errorf("an error has %d bytes, %v", len(line), err)
	}
}

// A page holds what fits, one record at least, and the next one goes on behind it.
func TestPages(t *testing.T) {
	var all []Agent
	for i := range 40 {
		all = append(all, Agent{Num: uint32(100 - i), Argv: []string{strings.Repeat("x", 1000*i)}})
	}
	all = append(all, Agent{Num: 1, Argv: []string{strings.Repeat("x", MaxRecord)}})
	var got []uint32
	pages := 0
	for rest := all; len(rest) > 0; pages++ {
		page := ListResult{Agents: rest}.Page(30)
		if size := EncodedSize(page); len(page.Agents) == 0 || len(page.Agents) > 30 || size > PageBytes && len(page.Agents) > 1 || size > MaxResult {
			t.Fatalf("a page of %d agents and %d bytes", len(page.Agents), size)
		}
		for _, a := range page.Agents {
			got = append(got, a.Num)
		}
		if rest = rest[len(page.Agents):]; (page.Next == 0) != (len(rest) == 0) || page.Next != 0 && page.Next != got[len(got)-1] {
			t.Fatalf("the next page begins behind %d, with %d left", page.Next, len(rest))
		}
	}
	if pages != 3 || len(got) != len(all) {
		t.Errorf("%d agents on %d pages", len(got), pages)
	}
	if n := PageOf([]Agent{}, 0); n != 0 {
		t.Errorf("a page of nothing holds %d", n)
	}
	small := make([]MemoryNamespace, MaxPage+5) // of which many more fit into PageBytes
	for limit, want := range map[int]int{0: MaxPage, MaxPage - 1: MaxPage - 1, MaxPage + 1: MaxPage} {
		if n := PageOf(small, limit); n != want {
			t.Errorf("a page of %d small records, limit %d, holds %d, want %d", len(small), limit, n, want)
		}
	}
}

// What a record says of its length is no less than it is, and not much more.
func TestEncodedLen(t *testing.T) {
	now := time.Now()
	odd := strings.Repeat("\"\\\n\x01\u2028é\xff</>", 400) // each field is longer than what is allowed for names of fields
	process := Process{PID: 1 << 30, Group: 1 << 30, StartTime: 1 << 62}
	left := []Leftover{{process, odd, odd}, {process, odd, odd}}
	exit := &Exit{Code: -1, Signal: "SIGKILL", Message: odd, Leftovers: left}
	usage := Usage{CPU: 123.456789012345678, RSS: 1 << 62, Processes: 1 << 30, CPUTime: 123456789.123456789}
	spec := TaskSpec{Key: odd, Name: odd, Queue: odd, Priority: PriorityCritical, Type: odd, Agent: AgentID(odd), Capabilities: []string{odd, odd}, Argv: []string{odd, ""}, Args: []string{odd},
		Input: Payload{Text: odd, Size: 1 << 40}, Timeouts: Timeouts{1 << 60, 1 << 60, 1 << 60}, Retry: Retry{1 << 30, 1 << 60}, IdempotencyKey: odd,
		DependsOn: []string{odd}, Parent: TaskID(odd), Labels: map[string]string{odd: odd, "a": ""}}
	index := 1 << 30
	for _, v := range []sized{
		&Agent{},
		&Agent{ID: "a234567890123", Num: 1 << 31, Name: odd, Type: odd, Kind: KindScripted, Node: NodeID(odd), Generation: 1 << 30, Desired: DesiredStop, Status: StatusStopping,
			Reason: ReasonCompleted, Activity: ActivityRequiresAction, Question: odd, Argv: []string{odd, "", odd}, EnvNames: []string{odd}, Cwd: odd, Labels: map[string]string{odd: odd},
			CreatedAt: now, StartedAt: &now, ExitedAt: &now, LastHeartbeat: &now, Process: &process, Usage: usage, Exit: exit, Tasks: []TaskID{"t234567890123", "t234567890123"},
			Done: 1 << 40, ForTask: "t234567890123", OnDemand: true, Restarts: 1 << 30, RestartAt: &now, CrashLoop: true, Stalled: true, StalledSince: &now, AskedAt: &now,
			Request: odd, LastLine: odd, LastSeq: 1 << 52, Rev: 1 << 31, Trimmed: true},
		&Task{},
		&Task{ID: "t234567890123", Num: 1 << 52, TaskSpec: spec, Actor: odd, State: TaskInputRequired, Waiting: odd, Asking: slices.Repeat([]AgentID{AgentID(odd)}, MaxAsking), Position: 1 << 30, NotBefore: &now, Attempt: 1 << 30, LastTry: 1 << 30,
			Runs:     []Run{{Attempt: 1 << 30, Agent: "a234567890123", AgentName: odd, Node: NodeID(odd), StartedAt: now, EndedAt: &now, LeaseMS: 1 << 60, Failure: FailHeartbeat, Message: odd}},
			Progress: []Progress{{Time: now, Text: odd, Fraction: 0.123456789012345}}, Result: &Payload{Base64: []byte(odd), Size: 1 << 40}, Failure: FailHeartbeat, Message: odd,
			DeadLetter: true, Late: []Late{{Time: now, Attempt: 1 << 30, Agent: "a234567890123", Failed: true, Text: odd}},
			Orchestration: &Orchestration{Mode: AggregateQuorum, Quorum: 1 << 30, FailFast: true, Children: 1 << 30, Completed: 1 << 30, Failed: 1 << 30, Reduce: &spec},
			Index:         &index, Ordinal: 1 << 30, CreatedAt: now, StartedAt: &now, EndedAt: &now, Rev: 1 << 52, Request: odd, Trimmed: true},
		&Event{},
		&Event{Seq: 1 << 52, Time: now, Type: EventActivity, Subject: "a234567890123", Actor: odd, Data: EventData{Text: odd, Base64: []byte(odd), Activity: ActivityRequiresAction,
			Reason: ReasonCompleted, Process: &process, Exit: exit, Task: "t234567890123", State: TaskInputRequired}},
	} {
		b, err := Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		if n := v.EncodedLen(); n < len(b) || n > len(b)+5000 {
			t.Errorf("%T has %d bytes of JSON, and says %d: %s", v, len(b), n, b)
		}
	}
}

// A text that JSON would blow up is base64, so that a bound on its bytes is one on the message.
func TestPayloadsAreCompact(t *testing.T) {
	for _, c := range []struct {
		text string
		as   string
	}{
		{strings.Repeat("a line of output\n", 10_000), "text"},
		{strings.Repeat("\"", 1000), "text"}, // short ones stay what they are
		{strings.Repeat("\"", MaxTaskOutput), "base64"},
		{strings.Repeat("\x1b", MaxTaskOutput), "base64"},
		{strings.Repeat("\u2028", MaxTaskOutput/3), "base64"},
	} {
		p := NewPayload([]byte(c.text))
		if (p.Text != "") != (c.as == "text") || string(p.Bytes()) != c.text || EncodedSize(p) > MaxTaskOutput*4/3+1000 {
			t.Errorf("%d bytes of %.3q become %d of JSON, text %v; want %s", len(c.text), c.text, EncodedSize(p), p.Text != "", c.as)
		}
	}
}
