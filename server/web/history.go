package web

import (
	"net/http"
	"time"

	"skein.dev/skein/ui/wall"
	"skein.dev/skein/webtransport/wire"
)

// historyPage shows what the agents did at a time: at=TIME, as RFC 3339 has it; now without it. With part=moment it is only what changes with
// the time, for the script.
func (s wallPages) historyPage(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	p := wire.FleetAtParams{Pictures: wire.MaxPastPictures, Rows: wall.PastRows, Cols: wall.PastCols}
	if at := q.Get("at"); at != "" {
		var err error
		if p.At, err = time.Parse(time.RFC3339, at); err != nil {
			s.refuse(w, r, http.StatusBadRequest, wire.Cut(at, 40)+" is no time. A moment has the form 2026-01-05T14:05:00Z.")
			return
		}
	}
	past, err := s.Plane.At(r.Context(), p)
	if err != nil {
		s.failed(r, "the past could not be read", err)
		s.refuse(w, r, http.StatusInternalServerError, "The log could not be read; the server's log says why.")
		return
	}
	v := wall.HistoryView{Frame: s.frame(r), Past: *past}
	if q.Get("part") == "moment" {
		s.page(w, r, http.StatusOK, wall.Moment(v))
		return
	}
	s.page(w, r, http.StatusOK, wall.History(v))
}
