package api

import (
	"context"
	"strings"

	"skein.dev/skein/webtransport/wire"
)

// CallOn carries out a request that came on a lane, if the lane takes its method.
func (a *API) CallOn(ctx context.Context, lane wire.Lane, by Asker, m *wire.Message) (any, error) {
	if row := wire.MethodNamed(m.Method); row == nil || row.Lane != lane && row.Lane != "" {
		return nil, unknownMethod(m, lane)
	}
	return a.Call(ctx, by, m)
}

func unknownMethod(m *wire.Message, lane wire.Lane) error {
	takes := wire.MethodsOf(lane)
	if lane == wire.LaneControl {
		takes = append([]string{wire.MethodPing}, takes...)
	}
	return wire.Errorf(wire.CodeMethodNotFound, "there is no method %q; the %s lane takes %s", wire.Cut(m.Method, 64), lane, strings.Join(takes, ", ")).WithSupported(takes)
}
