package tasks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

const (
	maxTimeout  = 30 * 24 * time.Hour
	putLimit    = 64 // how many records one batch stores at the same time
	maxCapacity = 64 // capabilities of one task
	maxTaskName = 200
)

// Submit makes tasks, all or none. They are on the disk when it returns. For a repeated request or idempotency key, it returns
// the task that was made before.
func (ts *Tasks) Submit(_ context.Context, by noun.Caller, params wire.SubmitParams) (*wire.SubmitResult, error) {
	if n := len(params.Tasks); n < 1 || n > wire.MaxBatch {
		return nil, noun.Bad("tasks", "give 1 to %d tasks", wire.MaxBatch)
	}
	specs := slices.Clone(params.Tasks)
	for i := range specs {
		if err := ts.check(&specs[i]); err != nil {
			return nil, wire.AsError(err).In(fmt.Sprintf("tasks[%d]", i), len(specs) > 1)
		}
	}
	batch, err := ts.make(by, specs)
	if err != nil {
		return nil, err
	}
	if err := ts.admit(batch); err != nil {
		return nil, err
	}
	res := &wire.SubmitResult{Tasks: make([]wire.Task, len(batch))}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for i, m := range batch {
		res.Tasks[i] = preview(m.t.rec)
	}
	return res, nil
}

// Check returns why Submit would refuse a task now.
func (ts *Tasks) Check(s wire.TaskSpec) error {
	s.Capabilities = slices.Clone(s.Capabilities)
	return ts.check(&s)
}

// check validates a task and fills in the defaults.
func (ts *Tasks) check(s *wire.TaskSpec) error {
	s.Queue = cmp.Or(s.Queue, wire.DefaultQueue)
	s.Priority = cmp.Or(s.Priority, wire.PriorityNormal)
	s.Retry.Max = cmp.Or(s.Retry.Max, wire.DefaultAttempts)
	s.Retry.BackoffMS = cmp.Or(s.Retry.BackoffMS, 1000)
	slices.Sort(s.Capabilities)
	s.Capabilities = slices.Compact(s.Capabilities)
	switch {
	case !slices.Contains(wire.Priorities, s.Priority):
		return wire.Errorf(wire.CodeInvalidParams, "priority %q is not one of %v", s.Priority, wire.Priorities).WithField("priority")
	case len([]rune(s.Name)) > maxTaskName:
		return noun.Bad("name", "the name is longer than %d characters", maxTaskName)
	case !typeLike(s.Queue):
		return noun.Bad("queue", "a queue's name has 1 to 63 of a-z, 0-9, - and _")
	case len(s.Key) > 100 || len(s.IdempotencyKey) > 200:
		return noun.Bad("key", "a key is longer than 100 bytes, or an idempotency key than 200")
	case s.Input.Text != "" && s.Input.Base64 != nil:
		return noun.Bad("input", "give text or base64, not both")
	case len(s.Input.Bytes()) > wire.MaxTaskInput:
		return wire.Errorf(wire.CodeTooLarge, "the input is longer than %d bytes; put it into memory or an artifact, and its name into the input", wire.MaxTaskInput).WithField("input")
	case s.Retry.Max < 1 || s.Retry.Max > wire.MaxAttempts:
		return noun.Bad("retry", "retry.max must be between 1 and %d", wire.MaxAttempts)
	case s.Retry.BackoffMS < 0 || s.Retry.BackoffMS > maxTimeout.Milliseconds():
		return noun.Bad("retry", "retry.backoff must be between 0 and %d ms", maxTimeout.Milliseconds())
	case wire.CheckRetryOn(s.RetryOn) != "":
		return noun.Bad("retry_on", "%s", wire.CheckRetryOn(s.RetryOn))
	case len(s.DependsOn) > wire.MaxDependsOn:
		return noun.Bad("depends_on", "more than %d dependencies", wire.MaxDependsOn)
	case len(s.Capabilities) > maxCapacity || len(s.Labels) > noun.MaxLabels || len(s.Argv)+len(s.Args) > noun.MaxArgs:
		return noun.Bad("labels", "more than %d labels, %d capabilities or %d arguments", noun.MaxLabels, maxCapacity, noun.MaxArgs)
	}
	for _, ms := range []int64{s.Timeouts.QueueMS, s.Timeouts.RunMS, s.Timeouts.HeartbeatMS} {
		if ms < 0 || ms > maxTimeout.Milliseconds() {
			return noun.Bad("timeouts", "a timeout must be between 0 (none) and %d ms", maxTimeout.Milliseconds())
		}
	}
	s.Input.Size = 0
	if err := checkTaskNames(s); err != nil {
		return err
	}
	s.Input = s.Input.Compact()
	rec := wire.Task{TaskSpec: *s}
	rec.Input = wire.Payload{}
	if size := rec.EncodedLen(); size > wire.MaxRecord {
		return wire.Errorf(wire.CodeTooLarge, "the task has %d bytes as JSON without its input, %d are allowed; put what is large into the input, or into an artifact", size, wire.MaxRecord).WithField("argv")
	}
	return ts.checkDoer(s)
}

// checkDoer checks that there is an agent for the task, or could be one.
func (ts *Tasks) checkDoer(s *wire.TaskSpec) error {
	if s.Agent != "" {
		if len(s.RetryOn) > 0 {
			return noun.Bad("retry_on", "the task goes to a running agent: only a task that is a process has an exit code")
		}
		if needOf(s).placed() {
			return noun.Bad("cwd", "the task goes to a running agent, which has a folder already")
		}
		return ts.checkAgent(s)
	}
	if s.Type == "" && len(s.Capabilities) == 0 {
		return noun.Bad("type", "say who can do it: type, agent or capabilities")
	}
	var able []string
	for _, t := range ts.o.Types {
		if t.Tasks != wire.TasksNone {
			able = append(able, t.Name)
		}
	}
	slices.Sort(able)
	if s.Type != "" {
		t, ok := ts.o.Types[s.Type]
		switch {
		case !ok:
			return wire.Errorf(wire.CodeNotFound, "there is no agent type %q; these take tasks: %s", s.Type, strings.Join(able, ", ")).WithField("type").WithSupported(able)
		case t.Tasks == wire.TasksNone:
			return wire.Errorf(wire.CodePrecondition, "agents of type %q take no tasks (its configuration has no tasks: lines, prompt or process); these do: %s", s.Type, strings.Join(able, ", ")).WithField("type").WithSupported(able)
		}
		if t.Tasks.Shared() && len(s.RetryOn) > 0 {
			return noun.Bad("retry_on", "tasks of type %q go to running agents: only a task that is a process has an exit code", t.Name)
		}
		if err := checkTaskArgv(t, s); err != nil {
			return err
		}
		if t.Tasks.Shared() && needOf(s).placed() {
			return noun.Bad("cwd", "tasks of type %q go to running agents, which have their folders: spawn one in that folder, and submit the task for it alone (agent)", t.Name)
		}
	}
	n := needOf(s)
	doers := n.among(ts.o.Types)
	if !slices.ContainsFunc(doers, func(t wire.AgentType) bool {
		return n.typ != "" || hasAll(t.Capabilities, n.capabilities) || hasAll(slices.Concat(t.Capabilities, ts.offered.all()), n.capabilities)
	}) {
		if n.placed() && len((need{capabilities: n.capabilities}).among(ts.o.Types)) > 0 {
			return noun.Bad("capabilities", "no task that is a process can do %s; running agents have their folders: leave cwd and folder out", strings.Join(s.Capabilities, ", "))
		}
		return wire.Errorf(wire.CodeNotFound, "no agent type that takes tasks has all of the capabilities %s; there are: %s",
			strings.Join(s.Capabilities, ", "), strings.Join(ts.capabilities(), ", ")).WithField("capabilities").WithSupported(ts.capabilities())
	}
	return ts.checkFolder(n, doers)
}

func (ts *Tasks) capabilities() []string {
	all := map[string]bool{}
	for _, c := range ts.offered.all() {
		all[c] = true
	}
	for _, t := range ts.o.Types {
		if t.Tasks != wire.TasksNone {
			for _, c := range t.Capabilities {
				all[c] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func (ts *Tasks) checkAgent(s *wire.TaskSpec) error {
	rec, err := ts.fleet.Agent(s.Agent)
	if err != nil {
		return err
	}
	t := ts.o.Types[rec.Type]
	switch {
	case !t.Tasks.Shared():
		return wire.Errorf(wire.CodePrecondition, "agent %s takes no tasks: its type %q has no tasks: lines or prompt", s.Agent, rec.Type).WithField("agent")
	case !rec.Status.Alive():
		return wire.Errorf(wire.CodePrecondition, "agent %s is %s: it takes no tasks", s.Agent, rec.Status).WithField("agent")
	case s.Type != "" && s.Type != rec.Type:
		return noun.Bad("type", "agent %s is of type %q", s.Agent, rec.Type)
	}
	for _, c := range s.Capabilities {
		if !slices.Contains(t.Capabilities, c) && !slices.Contains(rec.Capabilities, c) {
			return noun.Bad("capabilities", "agent %s cannot do %q", s.Agent, c)
		}
	}
	return nil
}

// checkFolder checks where the task is to be done, if it says so: a type that could do it must be able to do it there.
func (ts *Tasks) checkFolder(n need, able []wire.AgentType) error {
	var first error
	for _, t := range able {
		err := ts.canPlace(n, t)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// canPlace returns why a type can't do tasks of a need where they are to be done.
func (ts *Tasks) canPlace(n need, t wire.AgentType) error {
	if !n.placed() {
		return nil
	}
	return ts.fleet.CheckFolder(n.spawn(t))
}

// doers returns the agent types whose agents meet a need, or may. Those that can't do it where it is to be done are among them only if
// all can't, for a task from before the configuration was changed.
func (ts *Tasks) doers(n need) []wire.AgentType {
	all := n.among(ts.o.Types)
	there := slices.DeleteFunc(slices.Clone(all), func(t wire.AgentType) bool { return ts.canPlace(n, t) != nil })
	if len(there) == 0 {
		return all
	}
	return there
}

func checkTaskArgv(t wire.AgentType, s *wire.TaskSpec) error {
	switch {
	case t.Tasks.Shared() && len(s.Argv)+len(s.Args) > 0:
		return noun.Bad("argv", "tasks of type %q go to running agents: they take an input, no command", t.Name)
	case t.Tasks != wire.TasksProcess:
	case len(t.Argv) == 0 && (len(s.Argv) == 0 || s.Argv[0] == ""):
		return noun.Bad("argv", "type %q needs a command: give argv, one string an argument", t.Name)
	case len(t.Argv) > 0 && len(s.Argv) > 0:
		return noun.Bad("argv", "type %q has its own command; give args to add arguments", t.Name)
	}
	if t.Tasks == wire.TasksProcess && len(s.Input.Bytes()) > 0 && (s.NoInput || t.Stdin == wire.StdinNone) {
		return noun.Bad("input", "the task has an input, but its process has no standard input (no_input, or stdin: none of its type)")
	}
	if t.Tasks.Shared() && s.NoInput {
		return noun.Bad("no_input", "agents of type %q are told of their tasks on standard input", t.Name)
	}
	for _, arg := range slices.Concat(s.Argv, s.Args) {
		if len(arg) > noun.MaxArg || strings.ContainsRune(arg, 0) {
			return noun.Bad("argv", "an argument is longer than %d bytes, or has a NUL byte", noun.MaxArg)
		}
	}
	return nil
}

func typeLike(name string) bool {
	if name == "" || len(name) > 63 {
		return false
	}
	for _, c := range name {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

// made is one task of a batch.
type made struct {
	t     *task
	fresh bool // it did not exist before
}

// make makes the tasks of a batch in memory. The fresh ones are not visible yet.
func (ts *Tasks) make(by noun.Caller, specs []wire.TaskSpec) ([]made, error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.makeLocked(by, specs)
}

// newTask makes a task in memory. The caller holds mu.
func (ts *Tasks) newTask(by noun.Caller, s wire.TaskSpec, i int) *task {
	ts.nextNum++
	t := &task{id: wire.TaskID(noun.NewID("t")), saving: newTurn(), admitted: make(chan struct{})}
	t.rec = wire.Task{ID: t.id, Num: ts.nextNum, TaskSpec: s, Actor: by.Actor, State: wire.TaskSubmitted,
		LastTry: s.Retry.Max, CreatedAt: time.Now().UTC(), Request: by.Part(i)}
	return t
}

// makeLocked is make for a caller that holds mu.
func (ts *Tasks) makeLocked(by noun.Caller, specs []wire.TaskSpec) ([]made, error) {
	if ts.closed {
		return nil, noun.ErrClosing
	}
	batch := make([]made, len(specs))
	keys := map[string]*task{}
	for i, s := range specs {
		request := by.Part(i)
		if old := cmp.Or(ts.byRequest[request], ts.byKey[s.IdempotencyKey]); old != nil && (request != "" || s.IdempotencyKey != "") {
			batch[i] = made{t: old}
		} else {
			t := ts.newTask(by, s, i)
			batch[i] = made{t, true}
			ts.reserve(t)
		}
		if s.Key != "" {
			if keys["#"+s.Key] != nil {
				ts.release(batch)
				return nil, noun.Bad("key", "two tasks of the batch have the key %q", s.Key)
			}
			keys["#"+s.Key] = batch[i].t
		}
	}
	for i := range batch {
		if err := ts.tie(batch[i], keys); err != nil {
			ts.release(batch)
			return nil, wire.AsError(err).In(fmt.Sprintf("tasks[%d]", i), len(specs) > 1)
		}
	}
	if err := acyclic(batch); err != nil {
		ts.release(batch)
		return nil, err
	}
	return batch, nil
}

// reserve makes a task known by its keys before it is stored, so that another request with one of them waits for it. The
// caller holds mu.
func (ts *Tasks) reserve(t *task) {
	if t.rec.IdempotencyKey != "" {
		ts.byKey[t.rec.IdempotencyKey] = t
	}
	if t.rec.Request != "" {
		ts.byRequest[t.rec.Request] = t
	}
}

// release undoes the reservations of a batch that is refused. The caller holds mu.
func (ts *Tasks) release(batch []made) {
	for _, m := range batch {
		if m.t == nil || !m.fresh {
			continue
		}
		m.t.refused = true
		close(m.t.admitted)
		if ts.byKey[m.t.rec.IdempotencyKey] == m.t {
			delete(ts.byKey, m.t.rec.IdempotencyKey)
		}
		if ts.byRequest[m.t.rec.Request] == m.t {
			delete(ts.byRequest, m.t.rec.Request)
		}
	}
}

// tie resolves the parent and the dependencies of a fresh task. The caller holds mu.
func (ts *Tasks) tie(m made, keys map[string]*task) error {
	t := m.t
	if !m.fresh {
		return nil
	}
	if id := t.rec.Parent; id != "" {
		switch p := ts.all[id]; {
		case p == nil:
			return noTask(id)
		case p.rec.State == wire.TaskCanceled || p.rec.State == wire.TaskRejected:
			return wire.Errorf(wire.CodePrecondition, "the parent %s is %s: nothing is scheduled below it", id, p.rec.State).WithField("parent")
		default:
			t.parent = p
		}
	}
	deps := make([]string, 0, len(t.rec.DependsOn))
	for _, name := range t.rec.DependsOn {
		d := ts.all[wire.TaskID(name)]
		if strings.HasPrefix(name, "#") {
			d = keys[name]
		}
		switch {
		case d == nil && strings.HasPrefix(name, "#"):
			return noun.Bad("depends_on", "no task of the batch has the key %q", name[1:])
		case d == nil:
			return wire.Errorf(wire.CodeNotFound, "there is no task %q to depend on", name).WithField("depends_on")
		case d == t:
			return noun.Bad("depends_on", "the task depends on itself")
		case d.rec.State.Terminal() && d.rec.State != wire.TaskCompleted:
			return wire.Errorf(wire.CodePrecondition, "it depends on %s, which is %s", d.id, d.rec.State).WithField("depends_on")
		}
		if !slices.Contains(deps, string(d.id)) {
			deps = append(deps, string(d.id))
		}
	}
	t.rec.DependsOn = deps
	return nil
}

// acyclic returns an error if tasks of a batch wait for each other. Tasks that existed before can't depend on the batch.
func acyclic(batch []made) error {
	fresh := map[string]*task{}
	for _, m := range batch {
		if m.fresh {
			fresh[string(m.t.id)] = m.t
		}
	}
	const open, done = 1, 2
	state := map[*task]int{}
	var path []string
	var visit func(t *task) error
	visit = func(t *task) error {
		path = append(path, cmp.Or(t.rec.Key, t.rec.Name, string(t.id)))
		defer func() { path = path[:len(path)-1] }()
		state[t] = open
		for _, id := range t.rec.DependsOn {
			d := fresh[id]
			if d == nil || state[d] == done {
				continue
			}
			name := cmp.Or(d.rec.Key, d.rec.Name, string(d.id))
			if state[d] == open {
				from := slices.Index(path, name)
				return wire.Errorf(wire.CodeInvalidParams, "the dependencies form a cycle: %s", strings.Join(append(path[max(from, 0):], name), " → ")).WithField("depends_on")
			}
			if err := visit(d); err != nil {
				return err
			}
		}
		state[t] = done
		return nil
	}
	for _, t := range fresh {
		if state[t] == 0 {
			if err := visit(t); err != nil {
				return err
			}
		}
	}
	return nil
}

var (
	errNotStored = wire.Errorf(wire.CodeUnavailable, "the tasks could not be stored, so that none was submitted; the server's log says why")
	errUnsure    = wire.Errorf(wire.CodeOutcomeUnknown, "the store does not answer, so that it is not known yet whether the tasks were submitted. Send the same request again to find out; it submits nothing twice")
)

// admit stores the fresh tasks and schedules them. If one can't be stored, all are refused. If the store does not answer in
// time, storing continues: the tasks are scheduled once they are stored, and a repeated request waits for that.
func (ts *Tasks) admit(batch []made) error {
	if err := ts.o.Store.Room(); err != nil {
		ts.mu.Lock()
		defer ts.mu.Unlock()
		ts.release(batch)
		return err
	}
	if slices.ContainsFunc(batch, func(m made) bool { return m.fresh }) {
		ts.mu.Lock()
		if ts.closed {
			ts.release(batch)
			ts.mu.Unlock()
			return noun.ErrClosing
		}
		ts.pending.Go(func() { ts.storeAll(batch) })
		ts.mu.Unlock()
	}
	late := time.NewTimer(ts.o.Timeout)
	defer late.Stop()
	for _, m := range batch {
		if m.t.admitted == nil {
			continue
		}
		select {
		case <-m.t.admitted:
			if m.t.refused {
				return errNotStored
			}
		case <-late.C:
			return errUnsure
		case <-ts.o.Closing.Done():
			return errUnsure
		}
	}
	return nil
}

// storeAll stores the fresh tasks of a batch, however long that takes, and notifies the requests that wait for them.
func (ts *Tasks) storeAll(batch []made) {
	errs := make([]error, len(batch))
	var wg sync.WaitGroup
	slots := make(chan struct{}, putLimit)
	for i, m := range batch {
		if m.fresh {
			slots <- struct{}{}
			wg.Go(func() { errs[i] = ts.storeOne(m.t); <-slots })
		}
	}
	wg.Wait()
	err := errors.Join(errs...)
	switch {
	case err == nil:
		ts.admitted(batch)
	case ts.stopping(): // the next start finds what was stored
		ts.log.Error("whether tasks were stored is not known", "err", err)
	default:
		ts.log.Error("tasks were refused: they could not be stored", "err", err)
		ts.undo(batch)
		ts.mu.Lock()
		defer ts.mu.Unlock()
		ts.release(batch)
	}
}

// storeOne tries to store a fresh task until it is known whether it is stored, or until Skein stops.
func (ts *Tasks) storeOne(t *task) error {
	for {
		ctx, cancel := context.WithTimeout(ts.o.Closing, ts.o.Timeout)
		err := ts.o.Store.PutTask(ctx, &t.rec)
		cancel()
		if !errors.Is(err, &wire.Error{Code: wire.CodeOutcomeUnknown}) || ts.stopping() {
			return err
		}
	}
}

// admitted adds the fresh tasks of a batch, which are stored, and schedules them.
func (ts *Tasks) admitted(batch []made) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, m := range batch {
		if m.fresh {
			ts.add(m.t)
		}
	}
	for _, m := range batch {
		if !m.fresh {
			continue
		}
		if m.t.rec.Orchestration == nil { // its children are the work
			ts.queue(m.t)
		}
		close(m.t.admitted)
	}
}

// undo removes the stored tasks of a batch that is refused, however long that takes. Otherwise they would run after the next
// start.
func (ts *Tasks) undo(batch []made) {
	for _, m := range batch {
		for m.fresh && m.t.rec.Rev != 0 && !ts.stopping() {
			ctx, cancel := context.WithTimeout(ts.o.Closing, ts.o.Timeout)
			err := ts.o.Store.DeleteTask(ctx, m.t.id)
			cancel()
			if err == nil {
				break
			}
			ts.log.Error("a refused task could not be removed; trying again", "task", m.t.id, "err", err)
			select {
			case <-time.After(undoGap):
			case <-ts.o.Closing.Done():
			}
		}
	}
}

// checkTaskNames is noun.CheckNames for all names in a task.
func checkTaskNames(s *wire.TaskSpec) error {
	if err := noun.CheckNames(s.Name, s.Labels); err != nil {
		return err
	}
	if err := wire.CheckNames("capabilities", s.Capabilities...); err != nil {
		return err
	}
	if err := wire.CheckNames("key", s.Key); err != nil {
		return err
	}
	return wire.CheckNames("idempotency_key", s.IdempotencyKey)
}
