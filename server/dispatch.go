package server

import (
	"context"
	"errors"
	"strings"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// inputTimeout is how long an input waits for an agent that does not read.
const inputTimeout = 10 * time.Second

// methods lists what the control lane takes.
var methods = []string{wire.MethodPing, wire.MethodSpawn, wire.MethodList, wire.MethodGet, wire.MethodInput, wire.MethodStop, wire.MethodTypes}

// dispatch answers a request of the control lane. Requests with an effect are answered from the record when they come
// again, so that a client may send a request that it got no answer for once more.
func (c *conn) dispatch(ctx context.Context, _ *lane, m *wire.Message) (any, error) {
	p := c.s.plane
	switch m.Method {
	case wire.MethodPing:
		return call(m, func(v wire.Ping) (any, error) { return v, nil })
	case wire.MethodTypes:
		return wire.TypesResult{Types: p.Types()}, nil
	case wire.MethodList:
		return call(m, func(f wire.Filter) (any, error) { return p.List(f), nil })
	case wire.MethodGet:
		return call(m, func(v wire.AgentParams) (any, error) { return p.Get(v.ID) })
	case wire.MethodSpawn:
		return c.once(m, func() (any, error) {
			return call(m, func(v wire.SpawnParams) (any, error) { return p.Spawn(ctx, c.actor(), v) })
		})
	case wire.MethodStop:
		return c.once(m, func() (any, error) {
			// What was begun goes on without the client: it may ask again over its next session.
			return call(m, func(v wire.StopParams) (any, error) { return p.Stop(context.WithoutCancel(ctx), c.actor(), v) })
		})
	case wire.MethodInput:
		return c.once(m, func() (any, error) {
			return call(m, func(v wire.InputParams) (any, error) { return c.input(ctx, v) })
		})
	case wire.MethodHello:
		return nil, wire.Errorf(wire.CodeInvalidRequest, "hello was said already")
	}
	return nil, wire.Errorf(wire.CodeMethodNotFound, "there is no method %q; the control lane takes %s", cut(m.Method, 64), strings.Join(methods, ", ")).WithSupported(methods)
}

// call reads the parameters and goes on with them.
func call[P any](m *wire.Message, f func(P) (any, error)) (any, error) {
	var v P
	if err := wire.DecodeParams(m.Params, &v); err != nil {
		return nil, err
	}
	return f(v)
}

// input writes to an agent, and waits for it to read.
func (c *conn) input(ctx context.Context, v wire.InputParams) (any, error) {
	err := c.s.plane.Input(ctx, c.actor(), v)
	if errors.Is(err, context.DeadlineExceeded) {
		err = wire.Errorf(wire.CodeTimeout, "agent %s did not read its input within %s", v.ID, inputTimeout)
	}
	return struct{}{}, err
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}
