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

// Config configures an Endpoint.
type Config struct {
	API      *api.API
	Plane    *control.Plane
	Auth     *auth.Authenticator
	Limits   Limits
	Metrics  *telemetry.Metrics
	Renderer Renderer
	Origins  Origins
	Version  string // the version of this server, which clients are told
	Logger   *slog.Logger

	// Share is how many bytes the agent lanes of a session may have in flight together, in addition to LaneShare for each.
	// 0 means 8 MiB.
	Share int64
	// InputPatience is how long a lane with too many inputs in progress waits before it refuses one. 0 means 250 ms.
	InputPatience time.Duration
	// MaxStreams is how many streams a client may have open in a session. 0 means wire.MaxStreams.
	MaxStreams int64
	// MaxAfterEnd bounds what a client may still send on a lane after its end was written, in bytes. 0 means MaxAfterEnd.
	MaxAfterEnd int64
	// SnapshotPart is the number of agents in one part of a snapshot. 0 means SnapshotPart.
	SnapshotPart int
	// FreeMemory returns unused memory to the system. nil means debug.FreeOSMemory.
	FreeMemory func()
}

// Renderer renders records as parts of pages, for lanes to send.
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
	// Changes renders changed tasks for a watch. It returns nil if the watch asks for no HTML, or if too many changed at once.
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

	board    *board // of the fleet
	tasks    *hub
	reclaim  reclaimer
	draining atomic.Bool
}
