package web

import (
	"context"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/a-h/templ"

	"skein.dev/skein/server/control"
	"skein.dev/skein/ui/agent"
	"skein.dev/skein/ui/artifact"
	"skein.dev/skein/ui/fleet"
	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/task"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

const (
	// maxFragments is how many rendered agents and tasks are kept. Beyond that all are dropped, and those that are still
	// watched are rendered again.
	maxFragments = 4096
	// maxHTML bounds the HTML of one message, in bytes, so that it fits even with JSON's escapes.
	maxHTML = 384 << 10
)

// Fragments renders agents and tasks as parts of pages, for the lanes that watch them. A change is rendered once, however
// many clients watch, since the HTML does not depend on the viewer.
type Fragments struct {
	// static
	plane *control.Plane
	base  string // the prefix of every path
	talks *transcripts

	mu  sync.Mutex // not held while something is rendered
	all map[fragmentKey]fragment
}

type fragmentKey struct{ as, id any }

// fragment is the HTML of a record.
type fragment struct {
	record any
	html   string
}

// NewFragments returns Fragments whose links begin with base.
func NewFragments(plane *control.Plane, base string) *Fragments {
	return &Fragments{plane: plane, base: base, talks: &transcripts{page: plane.EventPage}}
}

func (f *Fragments) get(as, id, record any, render func() string) string {
	key := fragmentKey{as, id}
	f.mu.Lock()
	known, ok := f.all[key]
	f.mu.Unlock()
	if ok && reflect.DeepEqual(known.record, record) { // compared whole, because progress and places change without a new revision
		return known.html
	}
	html := render()
	if html == "" { // it could not be rendered now, but may be the next time
		return ""
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.all) >= maxFragments || f.all == nil {
		f.all = map[fragmentKey]fragment{}
	}
	f.all[key] = fragment{record, html}
	return html
}

// html renders a component as on the pages of this server. It goes on if the caller leaves, since others may wait for it, too.
func (f *Fragments) html(ctx context.Context, c templ.Component) string {
	var b strings.Builder
	if err := c.Render(frame.WithBase(context.WithoutCancel(ctx), f.base), &b); err != nil {
		return ""
	}
	return b.String()
}

// renderTask renders a task as a part of a page. It returns "" if the task is gone or its HTML fits no message.
func (f *Fragments) renderTask(ctx context.Context, as wire.TaskHTML, t wire.Task) string {
	if as == wire.TaskAsPage { // the page has whole payloads
		var err error
		if t, err = f.plane.Tasks.Get(t.ID); err != nil {
			return ""
		}
	}
	if as == wire.TaskAsGraph {
		return f.renderGraph(ctx, t.ID)
	}
	withQuestion(f.plane, &t)
	html := f.get(as, t.ID, t, func() string { return f.html(ctx, task.TaskFragment(as, &t, time.Now())) })
	if len(html) > maxHTML {
		return ""
	}
	return html
}

// renderGraph renders the graph of the tasks that depend on each other, on the page of one of them.
func (f *Fragments) renderGraph(ctx context.Context, id wire.TaskID) string {
	v := graphOf(f.plane, id)
	return f.get(wire.TaskAsGraph, id, v, func() string { return f.html(ctx, task.GraphFragment(v)) })
}

// graphOf returns the tasks that depend on each other, for the page of one of them.
func graphOf(plane *control.Plane, id wire.TaskID) task.GraphView {
	r := plane.Tasks.Related(id)
	return task.NewGraphView(id, r.Tasks, r.Left, r.More, r.Least)
}

// Changes renders changed tasks for a watch. It returns nil if the watch asks for no HTML, or if too many changed at once.
func (f *Fragments) Changes(ctx context.Context, p wire.TaskWatchParams, changed []wire.Task) map[wire.TaskID]string {
	if p.HTML == "" || len(changed) > wire.MaxRender {
		return nil
	}
	return f.renderAll(ctx, changed, func(t *wire.Task) wire.TaskHTML {
		if p.HTML == wire.TaskAsPage && t.ID != p.Filter.Root {
			return wire.TaskAsTwig
		}
		return p.HTML
	})
}

// renderAll renders as many tasks as fit a message.
func (f *Fragments) renderAll(ctx context.Context, tasks []wire.Task, as func(*wire.Task) wire.TaskHTML) map[wire.TaskID]string {
	all, left := make(map[wire.TaskID]string, len(tasks)), maxHTML
	for i := range tasks {
		html := f.renderTask(ctx, as(&tasks[i]), tasks[i])
		if left -= len(html); left < 0 {
			break
		}
		if html != "" {
			all[tasks[i].ID] = html
		}
	}
	return all
}

// Tasks answers a task.render.
func (f *Fragments) Tasks(ctx context.Context, p wire.TaskRenderParams) (any, error) {
	if err := p.HTML.Check(); err != nil {
		return nil, err
	}
	switch {
	case p.HTML == "":
		return nil, wire.Errorf(wire.CodeInvalidParams, "html is missing: row, card, page, twig or graph").WithField("html")
	case len(p.IDs) == 0 || len(p.IDs) > wire.MaxRender:
		return nil, wire.Errorf(wire.CodeInvalidParams, "ids has %d tasks: 1 to %d are rendered", len(p.IDs), wire.MaxRender).WithField("ids")
	}
	var tasks []wire.Task
	for _, id := range p.IDs {
		if t, err := f.plane.Tasks.Get(id); err == nil {
			tasks = append(tasks, t)
		}
	}
	return wire.TaskRenderResult{HTML: f.renderAll(ctx, tasks, func(*wire.Task) wire.TaskHTML { return p.HTML })}, nil
}

// Agents answers an agent.render. Values that change all the time do not make it render an agent again.
func (f *Fragments) Agents(ctx context.Context, p wire.AgentRenderParams) (any, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	switch p.HTML {
	case wire.AgentAsPeek:
		return f.peek(ctx, p.IDs[0])
	case wire.AgentAsTranscript:
		return f.transcript(ctx, p)
	}
	all, left := make(map[wire.AgentID]string, len(p.IDs)), maxHTML
	for _, id := range p.IDs {
		a, err := f.plane.Get(id)
		if err != nil {
			continue
		}
		t, _ := f.plane.Type(a.Type)
		html := f.get(p.HTML, id, fleet.Still(a), func() string { return f.html(ctx, agent.AgentFragment(p.HTML, &a, t, time.Now())) })
		if left -= len(html); left < 0 {
			break
		}
		if html != "" {
			all[id] = html
		}
	}
	return wire.AgentRenderResult{HTML: all}, nil
}

// Events answers an agent.events that asks for HTML. Events whose HTML does not fit are left for the next request.
func (f *Fragments) Events(ctx context.Context, m *wire.Message, res wire.AgentEventsResult) (any, error) {
	var p wire.AgentEventsParams
	if err := wire.DecodeParams(m.Params, &p); err != nil || !p.HTML {
		return res, err
	}
	res.HTML = map[uint64]string{}
	left, n := maxHTML, len(res.Events)
	for i := range n {
		if p.Newest {
			i = n - 1 - i
		}
		e := &res.Events[i]
		html := ""
		if c := agent.MomentFragment(*e, time.Now()); c != nil {
			html = f.html(ctx, c)
			res.HTML[e.Seq] = html
		}
		if left -= len(html); left < 0 {
			delete(res.HTML, e.Seq)
			res.More = true
			if p.Newest {
				res.Events = res.Events[i+1:]
			} else {
				res.Events = res.Events[:i]
			}
			break
		}
		e.Data = wire.EventData{}
	}
	return res, nil
}

// Admission answers an admission.get that asks for HTML.
func (f *Fragments) Admission(ctx context.Context, m *wire.Message, a wire.Admission) (any, error) {
	var p wire.AdmissionGetParams
	if err := wire.DecodeParams(m.Params, &p); err != nil || !p.HTML {
		return a, err
	}
	return wire.AdmissionResult{Admission: a, HTML: f.html(ctx, frame.Admission(a, time.Now()))}, nil
}

// Artifacts answers an artifact.render.
func (f *Fragments) Artifacts(ctx context.Context, p wire.ArtifactRenderParams) (any, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	var v artifact.ArtifactsView
	v.Now = time.Now()
	for _, id := range p.IDs {
		if a, err := f.plane.Artifacts.Get(id); err == nil {
			v.Artifacts = append(v.Artifacts, a)
		}
	}
	nameSources(f.plane, &v)
	all, left := make(map[wire.ArtifactID]string, len(v.Artifacts)), maxHTML
	for i := range v.Artifacts {
		html := f.html(ctx, artifact.ArtifactFragment(p.HTML, &v.Artifacts[i], v))
		if left -= len(html); left < 0 {
			break
		}
		all[v.Artifacts[i].ID] = html
	}
	return wire.ArtifactRenderResult{HTML: all}, nil
}

// nameSources finds the names of the agents and tasks that a page of artifacts refers to.
func nameSources(plane *control.Plane, v *artifact.ArtifactsView) {
	v.Agents, v.Tasks = map[wire.AgentID]string{}, map[wire.TaskID]string{}
	agent := func(id wire.AgentID) {
		if a, err := plane.Get(id); id != "" && err == nil {
			v.Agents[id] = a.Name
		}
	}
	task := func(id wire.TaskID) {
		if t, err := plane.Tasks.Get(id); id != "" && err == nil {
			v.Tasks[id] = words.TaskTitle(&t)
		}
	}
	agent(v.Filter.Agent)
	task(v.Filter.Task)
	for _, a := range v.Artifacts {
		agent(a.Agent)
		task(a.Task)
	}
}

// Result renders a child's outcome as on the page of its orchestration.
func (f *Fragments) Result(ctx context.Context, r wire.Result) string {
	return f.html(ctx, task.TaskResult(r))
}

// withQuestion puts the question of the agent that works on a task into the task's message, for the page.
func withQuestion(plane *control.Plane, t *wire.Task) {
	if n := len(t.Runs); n > 0 && t.State == wire.TaskInputRequired {
		if a, err := plane.Get(t.Runs[n-1].Agent); err == nil {
			t.Message = a.Question
		}
	}
}
