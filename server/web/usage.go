package web

import (
	"net/http"

	"skein.dev/skein/ui/usage"
	"skein.dev/skein/webtransport/wire"
)

// usagePages serves the page of what agents have spent.
type usagePages struct{ *site }

// usagePage shows it, or with part=1 only what changes of it.
func (s usagePages) usagePage(w http.ResponseWriter, r *http.Request) {
	spent, err := s.Plane.Usage.List(wire.UsageParams{Days: usage.Days})
	if err != nil { // of a number of days that is none
		http.Error(w, wire.AsError(err).Message, http.StatusInternalServerError)
		return
	}
	v := usage.View{Frame: s.frame(r), Usage: spent}
	if r.URL.Query().Has("part") {
		s.page(w, r, http.StatusOK, usage.Live(v))
		return
	}
	s.page(w, r, http.StatusOK, usage.Usage(v))
}
