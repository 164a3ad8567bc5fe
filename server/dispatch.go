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
var methods = []string{wire.MethodPing, wire.MethodSpawn, wire.MethodList, wire.MethodGet, wire.MethodInput, wire.MethodStop, wire.MethodTypes,
	wire.MethodAgentEvents, wire.MethodAgentSearch,
	wire.MethodAdmission, wire.MethodSetAdmission, wire.MethodNetwork,
	wire.MethodArtifactCreate, wire.MethodArtifactGet, wire.MethodArtifactList, wire.MethodArtifactDelete}

// laneMethods lists what the other lanes take.
var laneMethods = []string{wire.MethodHello, wire.MethodResync,
	wire.MethodTaskSubmit, wire.MethodTaskGet, wire.MethodTaskList, wire.MethodTaskCancel, wire.MethodTaskRetry, wire.MethodTaskOrchestrate, wire.MethodTaskWatch,
	wire.MethodMemoryStore, wire.MethodMemoryRetrieve, wire.MethodMemoryList, wire.MethodMemorySearch, wire.MethodMemoryDelete, wire.MethodMemoryHistory,
	wire.MethodMemoryNamespaces, wire.MethodMemorySetMany, wire.MethodMemoryGetMany, wire.MethodMemoryWatch, wire.MethodMemoryUnwatch}

// dispatch answers a request of the control lane. Requests with an effect are answered from the record when they come
// again, so that a client may send a request that it got no answer for once more.
func (c *conn) dispatch(ctx context.Context, _ *lane, m *wire.Message) (any, error) {
	p := c.s.plane
	switch m.Method {
	case wire.MethodPing:
		return call(m, func(v wire.Ping) (any, error) { return v, nil })
	case wire.MethodTypes:
		return call(m, func(v wire.TypesParams) (any, error) { return wire.TypesResult{Types: p.Types()}.Page(v.After), nil })
	case wire.MethodList:
		return call(m, func(f wire.Filter) (any, error) {
			if err := f.Check(); err != nil {
				return nil, err
			}
			return p.List(f).Page(f.Limit), nil
		})
	case wire.MethodGet:
		return call(m, func(v wire.AgentParams) (any, error) { return p.Get(v.ID) })
	case wire.MethodAgentEvents:
		return call(m, func(v wire.AgentEventsParams) (any, error) { return p.EventPage(ctx, v) })
	case wire.MethodAgentSearch:
		return call(m, func(v wire.AgentSearchParams) (any, error) { return p.Search(ctx, v) })
	case wire.MethodSpawn:
		return once(c, m, func(v wire.SpawnParams) (any, error) { return p.Spawn(ctx, c.caller(m), v) })
	case wire.MethodStop:
		// What was begun goes on without the client: it may ask again over its next session.
		return once(c, m, func(v wire.StopParams) (any, error) { return p.Stop(context.WithoutCancel(ctx), c.caller(m), v) })
	case wire.MethodInput:
		return once(c, m, func(v wire.InputParams) (any, error) { return c.input(ctx, v) })
	case wire.MethodAdmission:
		return p.Admission(), nil
	case wire.MethodSetAdmission:
		return once(c, m, func(v wire.AdmissionParams) (any, error) { return p.SetAdmission(ctx, c.caller(m), v) })
	case wire.MethodNetwork:
		return c.network(), nil
	case wire.MethodArtifactCreate, wire.MethodArtifactGet, wire.MethodArtifactList, wire.MethodArtifactDelete:
		return c.artifactRequests(ctx, m)
	case wire.MethodHello:
		return nil, wire.Errorf(wire.CodeInvalidRequest, "hello was said already")
	}
	return nil, unknownMethod(m, wire.LaneControl, methods...)
}

func unknownMethod(m *wire.Message, lane wire.Lane, methods ...string) error {
	return wire.Errorf(wire.CodeMethodNotFound, "there is no method %q; the %s lane takes %s", cut(m.Method, 64), lane, strings.Join(methods, ", ")).WithSupported(methods)
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

// once carries out a request that has an effect, or answers it from the record.
func once[P any](c *conn, m *wire.Message, f func(P) (any, error)) (any, error) {
	return c.once(m, func() (any, error) { return call(m, f) })
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
