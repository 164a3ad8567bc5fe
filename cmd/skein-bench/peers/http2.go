package peers

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
)

func serveHTTP2(ctx context.Context, addr string, ready func(net.Addr)) error {
	return serveTLS(ctx, addr, ready, true, func(w http.ResponseWriter, r *http.Request) {
		from, err := strconv.Atoi(r.FormValue("from"))
		if err != nil {
			http.Error(w, "which sender?", http.StatusBadRequest)
			return
		}
		out := http.NewResponseController(w)
		speak(r.Context(), from, func(b []byte) error {
			if _, err := w.Write(append(b, '\n')); err != nil {
				return err
			}
			return out.Flush()
		})
	})
}

func followHTTP2(ctx context.Context, addr string, take func(message)) error {
	t := &http.Transport{TLSClientConfig: anyCertificate(), Protocols: protocols(true)}
	conn, err := t.NewClientConn(ctx, "https", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	return each(ctx, func(ctx context.Context, from int) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("https://%s/?from=%d", addr, from), nil)
		if err != nil {
			return err
		}
		res, err := conn.RoundTrip(r)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		return readLines(res.Body, take)
	})
}
