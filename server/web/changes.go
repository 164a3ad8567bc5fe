package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"skein.dev/skein/ui/changes"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// changesPages serves the page of what an agent has changed in its folder, and its forms.
type changesPages struct{ *site }

// routes adds the page and its forms.
func (s changesPages) routes(in *http.ServeMux) {
	in.HandleFunc("GET /agents/{id}/changes", s.changesPage)
	in.HandleFunc("POST /agents/{id}/changes/commit", s.withForm(s.postCommit))
	in.HandleFunc("POST /agents/{id}/changes/discard", s.withForm(s.postDiscard))
	in.HandleFunc("POST /agents/{id}/changes/comment", s.withForm(s.postComment))
}

// changesPage shows it; with file and part=1, only the diff of that file; with part=summary, a few lines of it; with
// part=stamp, a text that is another one when the folder has changed.
func (s changesPages) changesPage(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	switch q.Get("part") {
	case "1":
		s.diffPart(w, r)
		return
	case "stamp":
		s.stampPart(w, r)
		return
	case "summary":
		s.summaryPart(w, r)
		return
	}
	saved := q.Get("saved")
	if strings.Trim(saved, "0123456789abcdef") != "" || len(saved) > 64 {
		saved = ""
	}
	s.show(w, r, http.StatusOK, changes.View{Saved: saved})
}

func (s changesPages) stampPart(w http.ResponseWriter, r *http.Request) {
	stamp, err := s.Plane.StampOf(r.Context(), wire.AgentID(r.PathValue("id")))
	if err != nil {
		http.Error(w, wire.AsError(err).Message, formStatusOf(err))
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprint(w, stamp)
}

func (s changesPages) summaryPart(w http.ResponseWriter, r *http.Request) {
	c, err := s.Plane.ChangesOf(r.Context(), wire.ChangesParams{ID: wire.AgentID(r.PathValue("id"))})
	if err != nil { // which is what the place for it shows
		s.page(w, r, http.StatusOK, changes.NoSummary(words.Sentence(wire.AsError(err).Message)))
		return
	}
	s.page(w, r, http.StatusOK, changes.Summary(c))
}

func (s changesPages) diffPart(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	d, err := s.Plane.DiffOf(r.Context(), wire.DiffParams{ID: wire.AgentID(r.PathValue("id")), Path: q.Get("file"), Tree: q.Get("tree"), Base: q.Get("base")})
	if err != nil {
		http.Error(w, words.Sentence(wire.AsError(err).Message), formStatusOf(err))
		return
	}
	s.page(w, r, http.StatusOK, changes.Diff(d))
}

// show shows the page.
func (s changesPages) show(w http.ResponseWriter, r *http.Request, status int, v changes.View) {
	a, err := s.Plane.Get(wire.AgentID(r.PathValue("id")))
	if err != nil {
		s.refuse(w, r, http.StatusNotFound, "There is no agent "+wire.Cut(r.PathValue("id"), 40)+". If there was one, it was removed, as agents are some time after their end. Its tasks and artifacts stay.")
		return
	}
	v.Agent, v.Frame = a, s.frame(r)
	if v.Changes, err = s.Plane.ChangesOf(r.Context(), wire.ChangesParams{ID: a.ID}); err != nil {
		s.logForm(r, err)
		v.Why = words.Sentence(wire.AsError(err).Message)
	} else {
		v.Diffs = s.diffs(r, &a, v.Changes)
	}
	s.page(w, r, status, changes.Changes(v))
}

// diffs returns the diffs that the page shows from the beginning: of the first files, and of the one that was asked for.
func (s changesPages) diffs(r *http.Request, a *wire.Agent, c *wire.Changes) map[string]*wire.Diff {
	all, lines := map[string]*wire.Diff{}, 0
	for i, f := range c.Files {
		asked := r.URL.Query().Get("file") == f.Path
		if lines += f.Added + f.Removed; !asked && (i >= changes.MaxOpenFiles || lines > changes.MaxOpenLines) {
			continue
		}
		d, err := s.Plane.DiffOf(r.Context(), wire.DiffParams{ID: a.ID, Path: f.Path, Tree: c.Tree, Base: c.Base})
		if err != nil {
			s.logForm(r, err)
			continue
		}
		all[f.Path] = d
	}
	return all
}

func (s changesPages) postCommit(w http.ResponseWriter, r *http.Request) {
	p := wire.CommitParams{ID: wire.AgentID(r.PathValue("id")), Message: lineEnds(r.PostForm.Get("message")), Tree: r.PostForm.Get("tree")}
	if err := s.do(r, wire.MethodCommit, p); err != nil {
		s.logForm(r, err)
		s.show(w, r, formStatusOf(err), changes.View{Refused: words.Sentence(wire.AsError(err).Message), Message: p.Message})
		return
	}
	redirect(w, r, changes.URL(p.ID))
}

func (s changesPages) postDiscard(w http.ResponseWriter, r *http.Request) {
	p := wire.DiscardParams{ID: wire.AgentID(r.PathValue("id")), Paths: r.PostForm["path"], Tree: r.PostForm.Get("tree"), Force: r.PostForm.Has("force")}
	done, err := s.call(r, wire.MethodDiscard, p)
	if err != nil {
		s.logForm(r, err)
		s.show(w, r, formStatusOf(err), changes.View{Refused: words.Sentence(wire.AsError(err).Message)})
		return
	}
	to := changes.URL(p.ID)
	if res, ok := done.(*wire.DiscardResult); ok {
		to += "?" + url.Values{"saved": {res.Saved}}.Encode()
	}
	redirect(w, r, to)
}

// postComment tells an agent what somebody says of its changes: of a line, if the form names one.
func (s changesPages) postComment(w http.ResponseWriter, r *http.Request) {
	id := wire.AgentID(r.PathValue("id"))
	a, err := s.Plane.Get(id)
	text := strings.TrimSpace(lineEnds(r.PostForm.Get("text")))
	switch {
	case err == nil && text == "":
		err = wire.Errorf(wire.CodeInvalidParams, "the comment says nothing").WithField("text")
	case err == nil:
		err = s.do(r, wire.MethodInput, wire.InputParams{ID: id, Text: comment(&a, r.PostForm, text)})
	}
	switch {
	case err != nil:
		s.refuseForm(w, r, err)
	case asksForPage(r):
		redirect(w, r, changes.URL(id))
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// comment is a comment as an agent reads it. In a terminal it is one line, since the end of each would send it. Control characters are left out:
// they are keys there, and what is quoted may have any.
func comment(a *wire.Agent, form url.Values, text string) string {
	text = printable(text)
	if path := oneLine(form.Get("path")); path != "" {
		where := "On " + path
		if n := oneLine(form.Get("line")); n != "" {
			where += ", line " + n
			if form.Get("side") == "old" {
				where += " of what was there before"
			}
		}
		if quoted := oneLine(form.Get("code")); quoted != "" {
			where += ": `" + wire.Cut(quoted, 200) + "`"
		}
		text = where + "\n" + text
	}
	if a.TTY != nil {
		return oneLine(text) + "\r"
	}
	return text + "\n"
}

// printable leaves out control characters, but for the ends of lines and tabs.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s)
}

func oneLine(s string) string { return strings.Join(strings.Fields(printable(s)), " ") }

// lineEnds undoes what a form does to the ends of lines.
func lineEnds(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }
