package web

import (
	"context"
	"net/http"
	"time"

	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/login"
	"skein.dev/skein/ui/schedule"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// schedulePages serves the pages of schedules and their forms.
type schedulePages struct{ *site }

// routes adds the pages of schedules and their forms.
func (s schedulePages) routes(in *http.ServeMux) {
	in.HandleFunc("GET /schedules", s.schedulesPage)
	in.HandleFunc("POST /schedules", s.withForm(s.postNew))
	in.HandleFunc("GET /schedules/new", s.newPage)
	in.HandleFunc("GET /schedules/{id}", s.schedulePage)
	in.HandleFunc("POST /schedules/{id}", s.withForm(s.postEdit))
	for act, method := range map[string]string{"run": wire.MethodScheduleRun, "pause": wire.MethodSchedulePause, "resume": wire.MethodScheduleResume, "delete": wire.MethodScheduleDelete} {
		in.HandleFunc("POST /schedules/{id}/"+act, s.withForm(s.postAct(act, method)))
	}
}

func (s schedulePages) schedulesPage(w http.ResponseWriter, r *http.Request) {
	all, err := s.Plane.Schedules.List(r.Context(), wire.ScheduleListParams{})
	if err != nil {
		return // the client has left
	}
	v := schedule.ListView{Frame: s.frame(r), Schedules: all.Schedules[:min(len(all.Schedules), schedule.MaxShown)], Total: all.Total, Position: all.Position}
	s.page(w, r, http.StatusOK, schedule.Schedules(v))
}

func (s schedulePages) newPage(w http.ResponseWriter, r *http.Request) {
	s.showNew(w, r, http.StatusOK, schedule.NewForm(s.Plane.Schedules.Zone(), s.Plane.Types()))
}

func (s schedulePages) showNew(w http.ResponseWriter, r *http.Request, status int, form schedule.Form) {
	s.page(w, r, status, schedule.New(schedule.NewView{Frame: s.frame(r), Form: form, Types: s.Plane.Types()}))
}

func (s schedulePages) schedulePage(w http.ResponseWriter, r *http.Request) {
	v, ok := s.view(w, r)
	if !ok {
		return
	}
	q := r.URL.Query()
	v.Deleting = q.Has("delete")
	if q.Has("edit") {
		form := schedule.FormOf(&v.Schedule)
		v.Form = &form
	}
	s.show(w, r, http.StatusOK, v)
}

func (s schedulePages) show(w http.ResponseWriter, r *http.Request, status int, v schedule.OneView) {
	v.Frame, v.Types = s.frame(r), s.Plane.Types()
	s.page(w, r, status, schedule.Schedule(v))
}

// view reads the schedule of a page. Without one, it answers the request.
func (s schedulePages) view(w http.ResponseWriter, r *http.Request) (v schedule.OneView, ok bool) {
	v.Position = s.Plane.Schedules.Position() // first, so that no change is left out
	rec, err := s.Plane.Schedules.Get(wire.ScheduleID(r.PathValue("id")))
	if err == nil {
		v.Schedule = *rec
		return v, true
	}
	detail := words.Sentence(wire.AsError(err).Message)
	if !asksForPage(r) {
		s.refuse(w, r, http.StatusNotFound, detail)
		return v, false
	}
	refused := login.RefusedView{Status: http.StatusNotFound, Title: "There is no such schedule", Detail: detail, Back: "/schedules", BackWord: "To the schedules", Nonce: nonce(w)}
	s.page(w, r, refused.Status, login.Refused(refused))
	return v, false
}

// postNew makes a schedule, or shows when it would run.
func (s schedulePages) postNew(w http.ResponseWriter, r *http.Request) {
	form := schedule.ParseForm(r.PostForm)
	if s.set(w, r, &form, nil, func(status int) { s.showNew(w, r, status, form) }) {
		redirect(w, r, "/schedules")
	}
}

// postEdit changes a schedule, or shows when it would run.
func (s schedulePages) postEdit(w http.ResponseWriter, r *http.Request) {
	v, ok := s.view(w, r)
	if !ok {
		return
	}
	form := schedule.ParseForm(r.PostForm)
	form.ID = v.Schedule.ID
	v.Form = &form
	if s.set(w, r, &form, &v.Schedule, func(status int) { s.show(w, r, status, v) }) {
		redirect(w, r, schedule.URL(form.ID))
	}
}

// set carries out a form. If it was refused, or asks for a preview, it shows the form again, as it was filled in.
func (s schedulePages) set(w http.ResponseWriter, r *http.Request, form *schedule.Form, old *wire.Schedule, show func(status int)) bool {
	preview, err := s.Plane.Schedules.Preview(form.Time())
	if err == nil {
		form.Preview = preview
	}
	if r.PostForm.Get("do") == "preview" {
		if err != nil {
			*form = form.Refused(err)
		}
		show(http.StatusOK)
		return false
	}
	p, err := form.Params(old, s.Plane.Types())
	if err == nil {
		err = s.do(r, wire.MethodScheduleSet, p)
	}
	if err != nil {
		s.logForm(r, err)
		*form = form.Refused(err)
		show(formStatusOf(err))
	}
	return err == nil
}

// postAct does something to a schedule and redirects back.
func (s schedulePages) postAct(act, method string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := s.do(r, method, wire.ScheduleParams{ID: wire.ScheduleID(r.PathValue("id"))}); err != nil {
			s.refuseForm(w, r, err)
			return
		}
		if act == "delete" {
			redirect(w, r, "/schedules")
			return
		}
		s.back(w, r, "/schedules")
	}
}

// Schedules answers a schedule.list.
func (f *Fragments) Schedules(ctx context.Context, p wire.ScheduleListParams) (wire.ScheduleListResult, error) {
	r, err := f.plane.Schedules.List(ctx, p)
	if err != nil || !p.HTML {
		return r.Page(p.Limit), err
	}
	r.HTML = f.schedules(ctx, p, r)
	r.Schedules, r.Next = []wire.Schedule{}, ""
	return r, nil
}

// schedules renders all schedules, or one of them. If they do not fit a message, it tries half of them, and so on.
func (f *Fragments) schedules(ctx context.Context, p wire.ScheduleListParams, r wire.ScheduleListResult) string {
	now := frame.Frame{Now: time.Now()}
	if p.Page != "" {
		rec, err := f.plane.Schedules.Get(p.Page)
		if err != nil {
			return ""
		}
		html := f.html(ctx, schedule.LiveOne(schedule.OneView{Frame: now, Schedule: *rec}))
		if len(html) > maxHTML {
			return ""
		}
		return html
	}
	for n := min(len(r.Schedules), schedule.MaxShown); ; n /= 2 {
		if html := f.html(ctx, schedule.Live(schedule.ListView{Frame: now, Schedules: r.Schedules[:n], Total: r.Total})); len(html) <= maxHTML || n == 0 {
			return html
		}
	}
}

// SchedulePreview answers a schedule.preview.
func (f *Fragments) SchedulePreview(ctx context.Context, p wire.SchedulePreviewParams) (*wire.SchedulePreview, error) {
	r, err := f.plane.Schedules.Preview(p.ScheduleTime)
	if err == nil && p.HTML {
		r.HTML = f.html(ctx, schedule.Preview(r, time.Now()))
	}
	return r, err
}
