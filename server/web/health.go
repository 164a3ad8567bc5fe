package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// readyTimeout bounds the check of the store, so that a probe gets its answer within a second.
const readyTimeout = 800 * time.Millisecond

func (s *site) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	switch err := s.Store.Healthy(ctx); {
	case s.Sessions.Draining():
		http.Error(w, "stopping", http.StatusServiceUnavailable)
	case errors.Is(err, &wire.Error{Code: wire.CodeUnavailable}): // it says itself why, such as a full disk
		http.Error(w, wire.AsError(err).Message, http.StatusServiceUnavailable)
	case err != nil:
		s.Logger.Error("the store does not answer", "err", err)
		http.Error(w, "the store does not answer", http.StatusServiceUnavailable)
	default:
		fmt.Fprintln(w, "ok")
	}
}
