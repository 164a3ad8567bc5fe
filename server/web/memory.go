package web

import (
	"cmp"
	"net/http"
	"path"
	"strconv"
	"time"

	"skein.dev/skein/server/exchange"
	"skein.dev/skein/ui/login"
	"skein.dev/skein/ui/memory"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// memoryPages serves the pages of memory and their forms.
type memoryPages struct{ *site }

// routes adds the pages of memory and their forms.
func (s memoryPages) routes(in *http.ServeMux) {
	in.HandleFunc("GET /memory", s.memoryPage)
	in.HandleFunc("POST /memory", s.postMemory)
	in.HandleFunc("GET /memory/{namespace}", s.spacePage)
	in.HandleFunc("GET /memory/{namespace}/{key}", s.entryPage)
	in.HandleFunc("POST /memory/{namespace}/{key}", s.postEntry)
}

func (s memoryPages) memoryPage(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	form := memory.EntryForm{Open: q.Has("new"), New: true, Expires: "never", Unit: "m", Namespace: "demo"}
	s.showMemory(w, r, http.StatusOK, form)
}

func (s memoryPages) showMemory(w http.ResponseWriter, r *http.Request, status int, form memory.EntryForm) {
	s.page(w, r, status, memory.Memory(memory.MemoryView{
		Frame: s.frame(r), Namespaces: s.Plane.Memory.Namespaces().Namespaces, Search: s.searchMemory(r, ""), Form: form,
	}))
}

// searchMemory runs the search in a page's URL. It returns nil if there is none.
func (s memoryPages) searchMemory(r *http.Request, namespace string) *memory.MemorySearchView {
	query := r.URL.Query().Get("q")
	if query == "" {
		return nil
	}
	v, err := searchView(r.Context(), s.Plane, query, namespace)
	if err != nil {
		s.failed(r, "a search of memory failed", err)
	}
	return v
}

func (s memoryPages) spacePage(w http.ResponseWriter, r *http.Request) {
	m, q, name := s.Plane.Memory, r.URL.Query(), r.PathValue("namespace")
	v := memory.SpaceView{Frame: s.frame(r), Prefix: q.Get("prefix"), After: q.Get("after"),
		Cursor: m.Revision(), LogEpoch: m.Epoch()}
	page, err := m.List(r.Context(), wire.MemoryListParams{Namespace: name, Prefix: v.Prefix, After: v.After, Limit: memory.MaxEntries, Values: true})
	if err != nil {
		s.refuseMemory(w, r, err)
		return
	}
	v.Entries, v.Next, v.Total = page.Entries, page.Next, page.Total
	v.Namespace = namespaceOf(s.Plane, name)
	v.Search = s.searchMemory(r, name)
	v.Form = memory.EntryForm{Open: q.Has("new"), New: true, Expires: "never", Unit: "m", Namespace: name}
	v.Writers = writersOf(s.Plane, v.Entries...)
	s.page(w, r, http.StatusOK, memory.Space(v))
}

// refuseMemory answers with the error of a page of memory.
func (s memoryPages) refuseMemory(w http.ResponseWriter, r *http.Request, err error) {
	e := wire.AsError(err)
	if e.Code == wire.CodeInternal {
		s.failed(r, "a page of memory failed", err)
		s.refuse(w, r, http.StatusInternalServerError, "The entry could not be read; the server's log says why.")
		return
	}
	if !asksForPage(r) {
		s.refuse(w, r, http.StatusNotFound, e.Message)
		return
	}
	v := login.RefusedView{Status: http.StatusNotFound, Title: "There is no such entry", Detail: words.Sentence(e.Message), Back: "/memory", BackWord: "To memory", Nonce: nonce(w)}
	s.page(w, r, v.Status, login.Refused(v))
}

// entryNames returns the namespace and key of an entry's page. Keys that a path can't hold are in the query.
func entryNames(r *http.Request) wire.MemoryKeyParams {
	return wire.MemoryKeyParams{Namespace: r.PathValue("namespace"), Key: cmp.Or(r.URL.Query().Get("key"), r.PathValue("key"))}
}

func (s memoryPages) entryPage(w http.ResponseWriter, r *http.Request) {
	v, err := entryView(r.Context(), s.Plane, entryNames(r))
	if err != nil {
		s.refuseMemory(w, r, err)
		return
	}
	q := r.URL.Query()
	if q.Has("content") && !v.Gone() {
		s.entryContent(w, &v.Entry)
		return
	}
	v.Form, v.Deleting = memory.EntryFormOf(&v.Entry, v.Gone()), q.Has("delete")
	v.Form.Open = q.Has("edit")
	s.showEntry(w, r, http.StatusOK, v)
}

func (s memoryPages) showEntry(w http.ResponseWriter, r *http.Request, status int, v memory.EntryView) {
	if status == http.StatusOK && v.Entry.Revision == 0 && len(v.History) == 0 {
		status = http.StatusNotFound
	}
	v.Frame = s.frame(r)
	s.page(w, r, status, memory.Entry(v))
}

// entryContent serves a value as a file to save, whatever its content type: it must never be shown as a page of this server.
func (s memoryPages) entryContent(w http.ResponseWriter, e *wire.MemoryEntry) {
	b := e.Value.Bytes()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", attachment(path.Base(e.Key)))
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.Write(b)
}

// postMemory stores a new entry.
func (s memoryPages) postMemory(w http.ResponseWriter, r *http.Request) {
	form, err := memoryForm(r)
	if err == nil {
		form.New = true
		err = s.storeForm(r, form)
	}
	switch {
	case err == nil:
		redirect(w, r, words.EntryURL(form.Namespace, form.Key))
	case wire.AsError(err).Code == wire.CodeConflict:
		s.showConflict(w, r, form)
	default:
		s.logForm(r, err)
		s.showMemory(w, r, formStatusOf(err), form.Refused(err))
	}
}

// memoryForm reads a form of memory.
func memoryForm(r *http.Request) (memory.EntryForm, error) {
	if err := r.ParseForm(); exchange.IsTimeout(err) {
		return memory.EntryForm{}, exchange.BodyError(err)
	} else if err != nil {
		return memory.EntryForm{}, wire.Errorf(wire.CodeTooLarge, "the form could not be read: a value has at most %d bytes", wire.MaxMemoryValue).WithField("value")
	}
	return memory.ParseEntryForm(r.PostForm), nil
}

func (s memoryPages) storeForm(r *http.Request, form memory.EntryForm) error {
	p, err := form.Params(time.Now())
	if err != nil {
		return err
	}
	return s.do(r, wire.MethodMemoryStore, p)
}

// postEntry changes an entry, restores one of its versions or deletes it, unless it was changed meanwhile.
func (s memoryPages) postEntry(w http.ResponseWriter, r *http.Request) {
	k := entryNames(r)
	form, err := memoryForm(r)
	form.Namespace, form.Key, form.Fixed = k.Namespace, k.Key, true
	if err == nil {
		switch r.PostForm.Get("do") {
		case "delete":
			k.IfRevision = &form.Revision
			if err = s.do(r, wire.MethodMemoryDelete, k); err == nil {
				redirect(w, r, words.EntryURL(k.Namespace, k.Key))
				return
			}
		case "restore":
			if err = s.takeVersion(r, &form); err == nil {
				err = s.storeForm(r, form)
			}
		default:
			if words.Unmerged(form.Value) {
				err = wire.Errorf(wire.CodeInvalidParams, "there is still a marker between both versions: take out what you do not want, and the markers").WithField("value")
			} else {
				err = s.storeForm(r, form)
			}
		}
	}
	switch {
	case err == nil:
		redirect(w, r, words.EntryURL(k.Namespace, k.Key))
	case wire.AsError(err).Code == wire.CodeConflict && r.PostForm.Get("do") != "delete":
		s.showConflict(w, r, form)
	case wire.AsError(err).Code == wire.CodeConflict:
		s.refuseForm(w, r, wire.Errorf(wire.CodeConflict, "somebody changed the entry meanwhile: look at it, and delete it again if it is still to go"))
	default:
		s.logForm(r, err)
		v, err2 := entryView(r.Context(), s.Plane, k)
		if err2 != nil {
			s.refuseMemory(w, r, err2)
			return
		}
		v.Form = form.Refused(err)
		s.showEntry(w, r, formStatusOf(err), v)
	}
}

// takeVersion fills the form with an earlier value of the entry.
func (s memoryPages) takeVersion(r *http.Request, form *memory.EntryForm) error {
	version, err := strconv.ParseUint(r.PostForm.Get("version"), 10, 64)
	if err != nil {
		return wire.Errorf(wire.CodeInvalidParams, "say which version to restore")
	}
	v, err := entryView(r.Context(), s.Plane, wire.MemoryKeyParams{Namespace: form.Namespace, Key: form.Key})
	if err != nil {
		return err
	}
	for _, e := range v.History {
		if e.Revision == version && !e.Deleted {
			form.Value, form.ContentType, form.Expires, form.Version = string(e.Value.Bytes()), e.ContentType, "never", version
			return nil
		}
	}
	return wire.Errorf(wire.CodeNotFound, "revision %d is no longer kept", version)
}

// showConflict shows the current value beside the one that was not stored.
func (s memoryPages) showConflict(w http.ResponseWriter, r *http.Request, form memory.EntryForm) {
	v, err := entryView(r.Context(), s.Plane, wire.MemoryKeyParams{Namespace: form.Namespace, Key: form.Key})
	if err != nil {
		s.refuseMemory(w, r, err)
		return
	}
	v.Conflict = conflictOf(&v, form)
	v.Form = memory.EntryFormOf(&v.Entry, v.Gone())
	s.showEntry(w, r, http.StatusConflict, v)
}
