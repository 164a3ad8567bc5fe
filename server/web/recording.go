package web

import (
	"errors"
	"io"
	"net/http"

	"skein.dev/skein/server/cast"
	"skein.dev/skein/webtransport/wire"
)

// recording serves what an agent has done up to now as a recording for terminal players, without what was written to it. It reads the
// log piece by piece, as the client takes it.
func (s *site) recording(w http.ResponseWriter, r *http.Request) {
	id := wire.AgentID(r.PathValue("id"))
	f, at, err := s.Plane.Follow(r.Context(), wire.Header{Agent: id})
	if err != nil {
		if wire.AsError(err).Code == wire.CodeNotFound {
			s.refuse(w, r, http.StatusNotFound, "There is no agent "+wire.Cut(string(id), 40)+". If there was one, it was removed, as agents are some time after their end. Its tasks and artifacts stay.")
			return
		}
		s.failed(r, "a recording failed", err)
		s.refuse(w, r, http.StatusInternalServerError, "The agent's events could not be read; the server's log says why.")
		return
	}
	h := w.Header()
	h.Set("Content-Type", cast.MediaType)
	h.Set("Content-Disposition", attachment(string(at.Agent.ID)+cast.Extension))
	h.Set("Cache-Control", "no-store")
	rec := cast.New(w, at.Agent, cast.Options{})
	err = record(rec, func() ([]wire.Event, error) { return f.Next(r.Context()) })
	if err != nil {
		s.failed(r, "a recording failed", err)
		panic(http.ErrAbortHandler) // so that the client does not take what it has for all of it
	}
}

// record adds pages of events to a recording, to their end.
func record(rec *cast.Recording, next func() ([]wire.Event, error)) error {
	for {
		events, err := next()
		if errors.Is(err, io.EOF) {
			return rec.End()
		}
		if err != nil {
			return err
		}
		for _, e := range events {
			if err := rec.Event(e); err != nil {
				return err
			}
		}
	}
}
