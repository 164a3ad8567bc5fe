package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// maxEarlyBody bounds a request that is sent without a session, in bytes, because the first packets of a connection hold
// little more. A longer request waits.
const maxEarlyBody = 8 << 10

// early is a connection that was started from the cache. Requests are sent on it before it has a session: those that may
// be replayed (wire.ReplaySafe) in the very first packets. A request that is not answered that way is repeated in the
// session with the same id.
type early struct {
	conn  *webtransport.QUICConn
	url   string // of the endpoint
	o     Options
	id    string          // of the Client
	ctx   context.Context // of the Client
	log   *slog.Logger
	calls *calls
}

func (e *early) handshake(ctx context.Context) error {
	select {
	case <-e.conn.HandshakeComplete():
		return nil
	case <-e.conn.Context().Done():
		return context.Cause(e.conn.Context())
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *early) document(ctx context.Context) (*wire.Connect, error) {
	b, err := e.do(ctx, "/connect", nil)
	if err != nil {
		return nil, err
	}
	var doc wire.Connect
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("the answer is no Skein document: %w", err)
	}
	return &doc, resolve(&doc, e.o.URL)
}

func (e *early) do(ctx context.Context, path string, body []byte) ([]byte, error) {
	endpoint, err := url.Parse(e.url)
	if err != nil {
		return nil, err
	}
	base := strings.TrimSuffix(endpoint.Path, wire.WebTransportPath)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+path, nil)
	if err != nil {
		return nil, err
	}
	h := req.Header
	h.Set("Authorization", "Bearer "+e.o.Token)
	h.Set("Accept", "application/json")
	h.Set("Content-Type", "application/json")
	h.Set(wire.ClientIDHeader, e.id)
	h.Set(wire.ClientNameHeader, e.o.Name)
	res, err := e.conn.Do(ctx, req, body)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, &StatusError{Status: res.StatusCode}
	}
	return b, nil
}

// send sends a request on a stream of its own, so that none waits for another's reply. If that fails, the request is
// repeated in the session.
func (e *early) send(p *pendingCall) {
	if wire.NeedsSession(p.method) || len(p.line) > maxEarlyBody {
		return
	}
	body := append(append([]byte{'['}, bytes.TrimSpace(p.line)...), ']')
	go func() {
		ctx := e.ctx
		if !wire.ReplaySafe(p.method) && e.handshake(ctx) != nil {
			return
		}
		b, err := e.do(ctx, wire.RPCPath, body)
		if se := new(StatusError); errors.As(err, &se) && se.Status == http.StatusTooEarly && e.handshake(ctx) == nil {
			b, err = e.do(ctx, wire.RPCPath, body)
		}
		var answers []json.RawMessage
		if err == nil {
			err = json.Unmarshal(b, &answers)
		}
		if err != nil {
			e.log.Debug("a request gets its answer over the session", "method", p.method, "err", err)
			return
		}
		for _, a := range answers {
			if m, err := wire.ParseAnswer(a); err == nil && m.IsResponse() {
				e.calls.answered(m)
			}
		}
	}()
}
