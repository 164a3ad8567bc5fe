package web

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"skein.dev/skein/server/api"
	"skein.dev/skein/server/auth"
	"skein.dev/skein/server/control"
	"skein.dev/skein/server/telemetry"
	"skein.dev/skein/webtransport/wire"
)

// Config is what the pages and forms work with.
type Config struct {
	API     *api.API
	Plane   *control.Plane
	Auth    *auth.Authenticator
	Metrics *telemetry.Metrics
	Reach   *Reach
	Logger  *slog.Logger

	Sessions  Sessions
	RPC       http.Handler // POST /rpc
	Store     Store
	Processes Processes

	URL       string // where a browser on this machine finds the server
	Version   string
	RaceDelay time.Duration      // how long clients wait for WebTransport before WebSocket joins the race; 0: wire.RaceDelay
	Lanes     []wire.LaneTraffic // the bounds of the lanes
	MaskOff   bool               // losses of connections are not masked
}

// Sessions is the endpoint of sessions.
type Sessions interface {
	ServeWebSocket(http.ResponseWriter, *http.Request)
	ServeWebTransport(http.ResponseWriter, *http.Request)
	Draining() bool
	SignOut(api.Principal)
}

// Store says whether it answers.
type Store interface {
	Healthy(context.Context) error
}

// Processes says how the processes of agents are contained.
type Processes interface {
	Containment() wire.Containment
}
