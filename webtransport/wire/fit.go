package wire

// bounded returns an error that fits into a message, however long the texts are that it repeats from a request.
func (e *Error) bounded() *Error {
	if e == nil || len(e.Message) <= MaxErrorMessage && (e.Data == nil || len(e.Data.Supported) == 0 && len(e.Data.Field) <= MaxErrorMessage) {
		return e
	}
	b := *e
	b.Message = cutText(e.Message, MaxErrorMessage)
	if e.Data != nil {
		data := *e.Data
		data.Field = cutText(data.Field, MaxErrorMessage)
		size := 0
		for i, s := range data.Supported {
			if size += jsonLen(s) + 3; size > maxSupported {
				data.Supported = data.Supported[:i:i]
				break
			}
		}
		b.Data = &data
	}
	return &b
}

// The lengths, in bytes, to which texts are cut if many records share an answer.
const (
	briefText  = 200
	tightText  = 40
	briefFails = 100
)

// Fit reduces agents to the fields that distinguish them. agent.get returns all fields.
func (r SpawnResult) Fit() any {
	fit := SpawnResult{Agents: make([]Agent, len(r.Agents)), Failed: make([]SpawnError, len(r.Failed))}
	for _, n := range []int{briefText, tightText} {
		for i := range r.Agents {
			fit.Agents[i] = r.Agents[i].brief(n)
		}
		for i, f := range r.Failed {
			fit.Failed[i] = SpawnError{Index: f.Index, ID: f.ID, Error: f.Error.brief(n)}
		}
		if EncodedSize(fit) <= MaxResult {
			break
		}
	}
	return fit
}

// brief returns a short form of the error.
func (e *Error) brief(n int) *Error {
	if e == nil {
		return nil
	}
	return &Error{Code: e.Code, Message: cutText(e.Message, n), Data: &ErrorData{Kind: e.Code.String()}}
}

// brief returns a short form of the agent.
func (a *Agent) brief(n int) Agent {
	return Agent{ID: a.ID, Num: a.Num, Name: cutText(a.Name, n), Type: a.Type, Kind: a.Kind, Node: a.Node, Generation: a.Generation,
		Desired: a.Desired, Status: a.Status, Reason: a.Reason, Activity: a.Activity, CreatedAt: a.CreatedAt, StartedAt: a.StartedAt,
		LastSeq: a.LastSeq, Rev: a.Rev, Trimmed: true}
}

// Fit reduces tasks to the fields that distinguish them. task.get returns all fields.
func (r SubmitResult) Fit() any {
	fit := SubmitResult{Tasks: make([]Task, len(r.Tasks))}
	for _, n := range []int{briefText, tightText} {
		for i := range r.Tasks {
			fit.Tasks[i] = r.Tasks[i].brief(n)
		}
		if EncodedSize(fit) <= MaxResult {
			break
		}
	}
	return fit
}

// brief returns a short form of the task.
func (t *Task) brief(n int) Task {
	b := Task{ID: t.ID, Num: t.Num, Actor: cutText(t.Actor, n), State: t.State, Attempt: t.Attempt, LastTry: t.LastTry, Failure: t.Failure,
		CreatedAt: t.CreatedAt, StartedAt: t.StartedAt, EndedAt: t.EndedAt, Rev: t.Rev, Trimmed: true}
	b.Name, b.Key, b.Queue, b.Priority, b.Type, b.Agent, b.Parent = cutText(t.Name, n), t.Key, t.Queue, t.Priority, t.Type, t.Agent, t.Parent
	b.Input = Payload{Size: t.Input.len()}
	return b
}

func (p Payload) len() int { return max(p.Size, len(p.Text)+len(p.Base64)) }

// Fit leaves out the oldest attempts, and cuts the payloads if it must.
func (t Task) Fit() any {
	t.Trimmed = true
	t.Runs, t.Late = t.Runs[max(0, len(t.Runs)-briefFails/10):], nil
	if EncodedSize(t) <= MaxResult {
		return t
	}
	t.Input = t.Input.Cut(TaskPreview)
	if t.Result != nil {
		r := t.Result.Cut(TaskPreview)
		t.Result = &r
	}
	return t
}

// Fit keeps the reports on what did not go well, as many as there is room for, and then of the others. More says how many
// are left out.
func (r StopResult) Fit() any {
	fit := StopResult{Closed: r.Closed, Reports: []StopReport{}, Canceled: r.Canceled}
	if most := MaxResult / 4 / 20; len(fit.Canceled) > most {
		fit.Canceled, fit.MoreCanceled = fit.Canceled[:most:most], len(fit.Canceled)-most
	}
	room := MaxResult * 2 / 3
	for _, well := range []bool{false, true} {
		for _, p := range r.Reports {
			if p.Well() != well {
				continue
			}
			p.Error = p.Error.brief(briefText)
			if most := 16; len(p.Leftovers) > most {
				p.Leftovers = p.Leftovers[:most:most]
			}
			if room -= EncodedSize(p) + 1; room >= 0 {
				fit.Reports = append(fit.Reports, p)
				continue
			}
			if fit.More++; !well {
				fit.MoreFailed++
			}
		}
	}
	return fit
}

// Well reports whether the agent is gone, with nothing left.
func (p StopReport) Well() bool { return p.Error == nil && len(p.Leftovers) == 0 && !p.Status.Alive() }

// Fit names as many as there is room for.
func (r TaskCancelResult) Fit() any {
	most := MaxResult / 20
	return TaskCancelResult{Canceled: r.Canceled[:min(most, len(r.Canceled))], More: max(0, len(r.Canceled)-most)}
}

// Fit leaves out the values and cuts the errors.
func (r MemoryManyResult) Fit() any {
	fit := MemoryManyResult{Results: make([]MemoryOne, len(r.Results))}
	for i, one := range r.Results {
		if one.Entry != nil {
			e := *one.Entry
			e.Value = Payload{}
			one.Entry = &e
		}
		if e := one.Error; e != nil {
			one.Error = e.brief(briefText)
			if e.Data != nil {
				one.Error.Data.Field, one.Error.Data.Entry = e.Data.Field, e.Data.Entry
			}
		}
		fit.Results[i] = one
	}
	return fit
}

// Fit is that of its task.
func (a Aggregate) Fit() any { return Aggregate{Task: a.Task.Fit().(Task)} }

// EncodedLen is about how long the agent becomes in JSON, and not less.
func (a *Agent) EncodedLen() int {
	const rest = 1800 // names of fields, numbers, times, ids
	n := rest + jsonLen(a.Name) + jsonLen(a.Type) + jsonLen(string(a.Node)) + jsonLen(a.Question) + lenOf(a.Argv) + lenOf(a.EnvNames) + jsonLen(a.Cwd) + a.Folder.encodedLen() + lenOfMap(a.Labels) +
		lenOf(a.Tasks) + jsonLen(a.Request) + jsonLen(a.LastLine) + jsonLen(a.Summary) + jsonLen(a.Session)
	for _, p := range a.Prompts {
		n += 60 + jsonLen(p.Text)
	}
	if a.Exit != nil {
		n += a.Exit.encodedLen()
	}
	return n
}

// Shorten leaves out the last files, so that the changes fit a message. Total has their number still.
func (c *Changes) Shorten() {
	n := 0
	for i, f := range c.Files {
		if n += 160 + jsonLen(f.Path) + jsonLen(f.Old); n > MaxMessage/2 {
			c.Files = c.Files[:i]
			return
		}
	}
}

func (f *Folder) encodedLen() int {
	if f == nil {
		return 0
	}
	return 160 + jsonLen(f.Repo) + jsonLen(f.Top) + jsonLen(f.GitDir) + jsonLen(f.Branch) + jsonLen(f.Base) + jsonLen(f.From)
}

func (e *Exit) encodedLen() int {
	n := 100 + jsonLen(e.Message)
	for _, l := range e.Leftovers {
		n += 120 + jsonLen(l.Name) + jsonLen(l.User)
	}
	return n
}

// EncodedLen is likewise for a task.
func (t *Task) EncodedLen() int {
	const rest, each = 1600, 600
	n := rest + t.TaskSpec.encodedLen() + jsonLen(t.Actor) + jsonLen(t.Waiting) + jsonLen(t.Message) + jsonLen(t.Request)
	for _, id := range t.Asking {
		n += jsonLen(string(id)) + 1
	}
	for i := range t.Runs {
		r := &t.Runs[i]
		n += each + jsonLen(r.AgentName) + jsonLen(string(r.Node)) + jsonLen(r.Message)
	}
	for _, p := range t.Progress {
		n += each + jsonLen(p.Text)
	}
	for _, l := range t.Late {
		n += each + jsonLen(l.Text)
	}
	if t.Result != nil {
		n += t.Result.encodedLen()
	}
	if o := t.Orchestration; o != nil && o.Reduce != nil {
		n += rest + o.Reduce.encodedLen()
	}
	return n
}

func (s *TaskSpec) encodedLen() int {
	const rest = 500
	return rest + jsonLen(s.Key) + jsonLen(s.Name) + jsonLen(s.Queue) + jsonLen(s.Type) + jsonLen(string(s.Agent)) + lenOf(s.Capabilities) +
		lenOf(s.Argv) + lenOf(s.Args) + s.Input.encodedLen() + jsonLen(s.IdempotencyKey) + lenOf(s.DependsOn) + jsonLen(string(s.Parent)) + lenOfMap(s.Labels)
}

func (p Payload) encodedLen() int { return 60 + jsonLen(p.Text) + (len(p.Base64)+2)/3*4 }

// EncodedLen is likewise for an event.
func (e *Event) EncodedLen() int {
	const rest = 700
	n := rest + jsonLen(e.Actor) + jsonLen(e.Data.Text) + (len(e.Data.Base64)+2)/3*4
	if e.Data.Exit != nil {
		n += e.Data.Exit.encodedLen()
	}
	return n
}
