package exchange

import (
	"encoding/json"
	"net/http"

	"skein.dev/skein/webtransport/wire"
)

// WriteJSON answers with v, which nobody on the way is to keep.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

// Early reports whether a request came before the handshake was done, as early data that anyone may have sent again (RFC 8470).
func Early(r *http.Request) bool { return r.TLS != nil && !r.TLS.HandshakeComplete }

// NotEarly refuses early data everywhere but at POST /rpc, which decides by the method.
func NotEarly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if Early(r) && r.URL.Path != wire.RPCPath {
			w.Header().Set("Cache-Control", "no-store")
			http.Error(w, "this is not accepted as early data: send it again after the handshake", http.StatusTooEarly)
			return
		}
		next.ServeHTTP(w, r)
	})
}
