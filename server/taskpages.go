package server

import (
	"context"
	"net/http"
	"slices"
	"time"

	"skein.dev/skein/server/web"
	"skein.dev/skein/static"
	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/login"
	"skein.dev/skein/ui/task"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// frame is what every page has around it.
func (s *Server) frame(r *http.Request) frame.Frame {
	return frame.Frame{Node: s.plane.Node(), Version: s.o.Version, Epoch: s.plane.Epoch(), Now: time.Now(), Assets: static.URL, Theme: frame.Theme(r),
		Admission: s.plane.Admission()}
}

func (s *Server) tasksPage(w http.ResponseWriter, r *http.Request) {
	tasks := s.plane.Tasks.List(wire.TaskFilter{}).Tasks
	for i := range tasks {
		web.WithQuestion(s.plane, &tasks[i])
	}
	s.page(w, r, http.StatusOK, task.Tasks(task.TasksView{
		Frame: s.frame(r), Tasks: tasks, Types: s.plane.Types(), Filter: task.ParseTaskFilter(r.URL.Query()),
	}))
}

func (s *Server) taskPage(w http.ResponseWriter, r *http.Request) {
	id := wire.TaskID(r.PathValue("id"))
	t, err := s.plane.Tasks.Get(id)
	if err != nil {
		s.refuseTask(w, r, id)
		return
	}
	web.WithQuestion(s.plane, &t)
	below := slices.DeleteFunc(s.plane.Tasks.List(wire.TaskFilter{Root: id}).Tasks, func(b wire.Task) bool { return b.ID == id })
	v := task.NewTaskView(s.frame(r), t, s.above(t), below, s.plane.Types())
	v.Kept = s.kept("", id)
	s.page(w, r, http.StatusOK, task.Task(v))
}

// above gives a task's parents, the topmost first.
func (s *Server) above(t wire.Task) (all []wire.Task) {
	for t.Parent != "" {
		p, err := s.plane.Tasks.Get(t.Parent)
		if err != nil {
			break
		}
		all = append(all, p)
		t = p
	}
	slices.Reverse(all)
	return all
}

func (s *Server) refuseTask(w http.ResponseWriter, r *http.Request, id wire.TaskID) {
	detail := "There is no task " + wire.Cut(string(id), 40) + ". It may have been forgotten: the oldest tasks that are over are."
	if !asksForPage(r) {
		s.refuse(w, r, http.StatusNotFound, detail)
		return
	}
	v := login.RefusedView{Status: http.StatusNotFound, Title: "There is no such task", Detail: detail, Back: "/tasks", BackWord: "To the tasks", Nonce: nonce(w)}
	s.page(w, r, v.Status, login.Refused(v))
}

// taskPayload gives all bytes of a task's input or result, as a file.
func (s *Server) taskPayload(part func(*wire.Task) *wire.Payload) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := wire.TaskID(r.PathValue("id"))
		t, err := s.plane.Tasks.Get(id)
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

func taskInput(t *wire.Task) *wire.Payload  { return &t.Input }
func taskResult(t *wire.Task) *wire.Payload { return t.Result }

// postTask does something to a task and leads back to its page.
func (s *Server) postTask(do func(r *http.Request, id wire.TaskID) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := wire.TaskID(r.PathValue("id"))
		if err := do(r, id); err != nil {
			s.refuseForm(w, r, err)
			return
		}
		redirect(w, r, words.TaskURL(id))
	}
}

func (s *Server) cancelTask(r *http.Request, id wire.TaskID) error {
	err := s.do(r, wire.MethodTaskCancel, wire.TaskCancelParams{IDs: []wire.TaskID{id}})
	if err == nil {
		s.seesEnd(r, id)
	}
	return err
}

// endShown is how long a page waits for what has happened, and is not stored yet: the end of a task whose form it is, or what
// an agent that exited printed last.
const endShown = 2 * time.Second

// seesEnd waits until a task's end is stored: a page without script would show it at work for ever.
func (s *Server) seesEnd(r *http.Request, id wire.TaskID) {
	ctx, cancel := context.WithTimeout(r.Context(), endShown)
	defer cancel()
	s.plane.Tasks.Wait(ctx, id)
}

func (s *Server) retryTask(r *http.Request, id wire.TaskID) error {
	return s.do(r, wire.MethodTaskRetry, wire.TaskParams{ID: id})
}

func (s *Server) stopTask(r *http.Request, id wire.TaskID) error {
	err := s.do(r, wire.MethodStop, wire.StopParams{Scope: wire.ScopeTask, Tasks: []wire.TaskID{id}})
	if err == nil {
		s.seesEnd(r, id)
	}
	return err
}
