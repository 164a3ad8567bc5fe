package web

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"skein.dev/skein/server/api"
	"skein.dev/skein/server/auth"
	"skein.dev/skein/server/control"
	"skein.dev/skein/server/push"
	"skein.dev/skein/server/telemetry"
	"skein.dev/skein/ui/fleet"
	"skein.dev/skein/webtransport/wire"
)

// Config configures the pages and forms.
type Config struct {
	API     *api.API
	Plane   *control.Plane
	Auth    *auth.Authenticator
	Metrics *telemetry.Metrics
	Reach   *Reach
	Logger  *slog.Logger

	Sessions  Sessions
	RPC       http.Handler // POST /rpc
	MCP       http.Handler // /mcp, which knows who asks by itself
	Push      *push.Push   // nil: browsers can't subscribe
	Store     Store
	Processes Processes
	Fragments *Fragments

	URL       string // the URL of the server for a browser on this machine
	Version   string
	RaceDelay time.Duration      // how long clients wait for WebTransport before WebSocket joins the race; 0: wire.RaceDelay
	Lanes     []wire.LaneTraffic // the limits of the lanes
	MaskOff   bool               // whether loss masking is off
	Start     Start              // what an empty fleet offers
}

// Start is what the page of an empty fleet says of the coding agents of this machine.
type Start = fleet.Start

// Known is a coding agent that Skein knows how to run.
type Known = fleet.Known

// Sessions is the endpoint of sessions, as far as pages need it.
type Sessions interface {
	ServeWebSocket(http.ResponseWriter, *http.Request)
	ServeWebTransport(http.ResponseWriter, *http.Request)
	Draining() bool
	SignOut(api.Principal)
}

// Store checks whether the store answers.
type Store interface {
	Healthy(context.Context) error
}

// Processes tells how the processes of agents are contained.
type Processes interface {
	Containment() wire.Containment
}
