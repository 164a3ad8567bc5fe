package session

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"skein.dev/skein/server/api"
	"skein.dev/skein/server/auth"
	"skein.dev/skein/server/control"
	"skein.dev/skein/server/telemetry"
	"skein.dev/skein/webtransport/wire"
)

// Config is what an Endpoint works with.
type Config struct {
	API      *api.API
	Plane    *control.Plane
	Auth     *auth.Authenticator
	Limits   Limits
	Metrics  *telemetry.Metrics
	Renderer Renderer
	Origins  Origins
	Version  string // of this server, for clients to read
	Logger   *slog.Logger

	// Share is how many bytes the agent lanes of a session may have under way together, beside LaneShare for each. 0: 8 MiB.
	Share int64
	// InputPatience is how long a lane that has too many inputs in work waits before it refuses one. 0: 250 ms.
	InputPatience time.Duration
	// FreeMemory gives memory that is not used any more back to the system. nil: debug.FreeOSMemory.
	FreeMemory func()
}

// Renderer renders what lanes send as parts of pages.
type Renderer interface {
	// Agents answers an agent.render.
	Agents(context.Context, wire.AgentRenderParams) (any, error)
	// Artifacts answers an artifact.render.
	Artifacts(context.Context, wire.ArtifactRenderParams) (any, error)
	// Events answers an agent.events, which may ask for HTML.
	Events(context.Context, *wire.Message, wire.AgentEventsResult) (any, error)
	// Admission answers an admission.get, which may ask for HTML.
	Admission(context.Context, *wire.Message, wire.Admission) (any, error)
	// Tasks answers a task.render.
	Tasks(context.Context, wire.TaskRenderParams) (any, error)
	// Changes renders what changed for a watch; nil when the watch asks for no HTML, or for too much at once.
	Changes(ctx context.Context, p wire.TaskWatchParams, changed []wire.Task) map[wire.TaskID]string
	// Result renders the outcome of a child of an orchestration.
	Result(context.Context, wire.Result) string
}

// Origins says which pages may open sessions.
type Origins interface {
	Allowed(*http.Request) bool
}

// shared is what the sessions of an endpoint share.
type shared struct {
	Config // static

	agents   *hub // of the fleet
	tasks    *hub
	reclaim  reclaimer
	draining atomic.Bool
}
