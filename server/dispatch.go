package server

import (
	"context"
	"strings"

	"skein.dev/skein/server/api"
	"skein.dev/skein/webtransport/wire"
)

// dispatch answers a request of the control lane.
func (c *conn) dispatch(ctx context.Context, _ *lane, m *wire.Message) (any, error) {
	switch m.Method {
	case wire.MethodNetwork:
		return c.network(), nil
	case wire.MethodAgentRender:
		return call(m, func(v wire.AgentRenderParams) (any, error) { return c.s.renderAgents(ctx, v) })
	case wire.MethodHello:
		return nil, wire.Errorf(wire.CodeInvalidRequest, "hello was said already")
	}
	return c.call(ctx, wire.LaneControl, m)
}

// call carries out a request that a lane takes. Requests with an effect are answered from the reply cache when they come
// again, so that a client may send a request that it got no answer for once more.
func (c *conn) call(ctx context.Context, lane wire.Lane, m *wire.Message) (any, error) {
	if row := wire.MethodNamed(m.Method); row == nil || row.Lane != lane && row.Lane != "" {
		return nil, unknownMethod(m, lane)
	}
	res, err := c.s.api.Call(ctx, c.asker(), m)
	if events, ok := res.(wire.AgentEventsResult); ok && err == nil {
		return c.s.renderEvents(ctx, m, events)
	}
	return res, err
}

// asker is who asks over this session.
func (c *conn) asker() api.Asker {
	return api.Asker{Principal: c.who, Client: c.client, Gone: c.ctx.Done()}
}

func unknownMethod(m *wire.Message, lane wire.Lane) error {
	takes := wire.MethodsOf(lane)
	if lane == wire.LaneControl {
		takes = append([]string{wire.MethodPing}, takes...)
	}
	return wire.Errorf(wire.CodeMethodNotFound, "there is no method %q; the %s lane takes %s", cut(m.Method, 64), lane, strings.Join(takes, ", ")).WithSupported(takes)
}

// healthRequests takes the pings of the health lane.
func (c *conn) healthRequests(_ context.Context, _ *lane, m *wire.Message) (any, error) {
	if m.Method != wire.MethodPing {
		return nil, wire.Errorf(wire.CodeMethodNotFound, "the health lane takes %s only", wire.MethodPing)
	}
	return call(m, func(v wire.Ping) (any, error) { return v, nil })
}

// call reads the parameters and goes on with them.
func call[P any](m *wire.Message, f func(P) (any, error)) (any, error) {
	var v P
	if err := wire.DecodeParams(m.Params, &v); err != nil {
		return nil, err
	}
	return f(v)
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}
