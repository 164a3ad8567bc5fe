package session

import (
	"context"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// dispatch answers a request of the control lane.
func (c *conn) dispatch(ctx context.Context, _ *lane, m *wire.Message) (any, error) {
	switch m.Method {
	case wire.MethodNetwork:
		return c.network(), nil
	case wire.MethodAgentRender:
		return noun.With(m.Params, func(v wire.AgentRenderParams) (any, error) { return c.s.Renderer.Agents(ctx, v) })
	case wire.MethodArtifactRender:
		return noun.With(m.Params, func(v wire.ArtifactRenderParams) (any, error) { return c.s.Renderer.Artifacts(ctx, v) })
	case wire.MethodHello:
		return nil, wire.Errorf(wire.CodeInvalidRequest, "hello was already said")
	}
	return c.call(ctx, wire.LaneControl, m)
}

// call carries out a request that a lane takes. Requests with an effect are answered from the reply cache when they come
// again, so that a client may send a request that it got no answer for once more.
func (c *conn) call(ctx context.Context, lane wire.Lane, m *wire.Message) (any, error) {
	res, err := c.s.API.CallOn(ctx, lane, c.asker(), m)
	if err != nil {
		return res, err
	}
	switch m.Method {
	case wire.MethodAgentEvents:
		if v, ok := res.(wire.AgentEventsResult); ok {
			return c.s.Renderer.Events(ctx, m, v)
		}
	case wire.MethodAdmission:
		if v, ok := res.(wire.Admission); ok {
			return c.s.Renderer.Admission(ctx, m, v)
		}
	}
	return res, nil
}

// healthRequests takes the pings of the health lane.
func (c *conn) healthRequests(_ context.Context, _ *lane, m *wire.Message) (any, error) {
	if m.Method != wire.MethodPing {
		return nil, wire.Errorf(wire.CodeMethodNotFound, "the health lane takes %s only", wire.MethodPing)
	}
	return noun.With(m.Params, func(v wire.Ping) (any, error) { return v, nil })
}
