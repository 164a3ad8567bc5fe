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

// call carries out a request if its lane allows it. A repeated request with an effect is answered from the reply cache, so
// that a client may send a request again if it got no answer.
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

// healthRequests answers the pings of the health lane.
func (c *conn) healthRequests(_ context.Context, _ *lane, m *wire.Message) (any, error) {
	if m.Method != wire.MethodPing {
		return nil, wire.Errorf(wire.CodeMethodNotFound, "the health lane takes %s only", wire.MethodPing)
	}
	return noun.With(m.Params, func(v wire.Ping) (any, error) { return v, nil })
}
