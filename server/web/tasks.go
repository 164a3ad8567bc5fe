package web

import (
	"context"
	"net/http"
	"slices"

	"skein.dev/skein/ui/login"
	"skein.dev/skein/ui/preview"
	"skein.dev/skein/ui/task"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// taskPages serves the pages of tasks and their forms.
type taskPages struct{ *site }

func (s taskPages) tasksPage(w http.ResponseWriter, r *http.Request) {
	tasks := s.Plane.Tasks.List(wire.TaskFilter{}).Tasks
	for i := range tasks {
		withQuestion(s.Plane, &tasks[i])
	}
	s.page(w, r, http.StatusOK, task.Tasks(task.TasksView{
		Frame: s.frame(r), Tasks: tasks, Types: s.Plane.Types(), Filter: task.ParseTaskFilter(r.URL.Query()),
	}))
}

func (s taskPages) taskPage(w http.ResponseWriter, r *http.Request) {
	id := wire.TaskID(r.PathValue("id"))
	t, err := s.Plane.Tasks.Get(id)
	if err != nil {
		s.refuseTask(w, r, id)
		return
	}
	withQuestion(s.Plane, &t)
	f := s.frame(r) // before the questions: the page goes on from its position
	asks, err := s.Plane.Asks.List(r.Context(), wire.AskListParams{Task: id})
	if err != nil {
		return // the client has left
	}
	below := slices.DeleteFunc(s.Plane.Tasks.List(wire.TaskFilter{Root: id}).Tasks, func(b wire.Task) bool { return b.ID == id })
	v := task.NewTaskView(f, t, s.above(t), below, s.Plane.Types())
	v.Kept, v.Graph = s.kept("", id), graphOf(s.Plane, id)
	v.Needs, v.Asks = s.needs(t), asks.Asks
	s.page(w, r, http.StatusOK, task.Task(v))
}

// needs returns the tasks that one depends on, as far as they are known.
func (s taskPages) needs(t wire.Task) (all []wire.Task) {
	for _, id := range t.DependsOn {
		if d, err := s.Plane.Tasks.Get(wire.TaskID(id)); err == nil {
			all = append(all, d)
		}
	}
	return all
}

// above returns a task's parents, topmost first.
func (s taskPages) above(t wire.Task) (all []wire.Task) {
	for t.Parent != "" {
		p, err := s.Plane.Tasks.Get(t.Parent)
		if err != nil {
			break
		}
		all = append(all, p)
		t = p
	}
	slices.Reverse(all)
	return all
}

func (s taskPages) refuseTask(w http.ResponseWriter, r *http.Request, id wire.TaskID) {
	detail := "There is no task " + wire.Cut(string(id), 40) + ". It may have been forgotten: the oldest tasks that are over are."
	if !asksForPage(r) {
		s.refuse(w, r, http.StatusNotFound, detail)
		return
	}
	v := login.RefusedView{Status: http.StatusNotFound, Title: "There is no such task", Detail: detail, Back: "/tasks", BackWord: "To the tasks", Nonce: nonce(w)}
	s.page(w, r, v.Status, login.Refused(v))
}

// taskPayload serves all bytes of a task's input or result, as a file.
func (s taskPages) taskPayload(part func(*wire.Task) *wire.Payload) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := wire.TaskID(r.PathValue("id"))
		t, err := s.Plane.Tasks.Get(id)
		if err != nil {
			s.refuseTask(w, r, id)
			return
		}
		p := part(&t)
		if p == nil {
			s.refuse(w, r, http.StatusNotFound, "Task "+string(id)+" has no result.")
			return
		}
		kind, ext := "application/octet-stream", ".bin"
		if p.Base64 == nil {
			kind, ext = "text/plain; charset=utf-8", ".txt"
			if _, ok := words.Pretty(p.Text); ok {
				kind, ext = "application/json", ".json"
			}
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Content-Disposition", `attachment; filename="`+string(t.ID)+ext+`"`)
		w.Write(p.Bytes())
	}
}

// payloadView serves a task's input or result to a browser as the picture that it is.
func (s taskPages) payloadView(part func(*wire.Task) *wire.Payload) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := wire.TaskID(r.PathValue("id"))
		t, err := s.Plane.Tasks.Get(id)
		if err != nil {
			s.refuseTask(w, r, id)
			return
		}
		var b []byte
		if p := part(&t); p != nil {
			b = p.Bytes()
		}
		form := preview.Sniff("", "", b[:min(len(b), preview.HeadBytes)])
		if !form.Browser() {
			s.refuse(w, r, http.StatusNotFound, "It is nothing that a browser shows. Download it.")
			return
		}
		viewHeaders(w.Header(), form, string(t.ID))
		w.Write(b)
	}
}

func taskInput(t *wire.Task) *wire.Payload  { return &t.Input }
func taskResult(t *wire.Task) *wire.Payload { return t.Result }

// postTask does something to a task and redirects back to its page.
func (s taskPages) postTask(do func(r *http.Request, id wire.TaskID) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := wire.TaskID(r.PathValue("id"))
		if err := do(r, id); err != nil {
			s.refuseForm(w, r, err)
			return
		}
		redirect(w, r, words.TaskURL(id))
	}
}

func (s taskPages) cancelTask(r *http.Request, id wire.TaskID) error {
	err := s.do(r, wire.MethodTaskCancel, wire.TaskCancelParams{IDs: []wire.TaskID{id}})
	if err == nil {
		s.seesEnd(r, id)
	}
	return err
}

// seesEnd waits until a task's end is stored: a page without JavaScript would show it as working forever.
func (s taskPages) seesEnd(r *http.Request, id wire.TaskID) {
	ctx, cancel := context.WithTimeout(r.Context(), endShown)
	defer cancel()
	s.Plane.Tasks.Wait(ctx, id)
}

func (s taskPages) retryTask(r *http.Request, id wire.TaskID) error {
	return s.do(r, wire.MethodTaskRetry, wire.TaskParams{ID: id})
}

func (s taskPages) stopTask(r *http.Request, id wire.TaskID) error {
	err := s.do(r, wire.MethodStop, wire.StopParams{Scope: wire.ScopeTask, Tasks: []wire.TaskID{id}})
	if err == nil {
		s.seesEnd(r, id)
	}
	return err
}
