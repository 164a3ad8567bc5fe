package wire

import (
	"encoding/json"
	"strings"
)

// Effect says what a request changes.
type Effect uint8

const (
	// Reads is the effect of requests that change nothing.
	Reads Effect = iota
	// Repeats is the effect of requests that are idempotent. The server keeps their answers all the same.
	Repeats
	// Once is the effect of requests that must be carried out once. The server keeps the answer under the id of the request
	// and returns it when the request is repeated. The effects on a session, such as a watch, end with the session.
	Once
)

// Access says which agents may use a method in requests of their own.
type Access uint8

const (
	// NoAgent allows no agents.
	NoAgent Access = iota
	// WithMemory allows agents whose types name namespaces, for these namespaces.
	WithMemory
	// Coordinators allows agents whose types are coordinators.
	Coordinators
	// WithTasks allows all agents, for what is their own, and what is of the tasks that they work on, and of those that these depend on
	// or are parts of. Coordinators are allowed all.
	WithTasks
)

// Method describes a method of the protocol.
type Method struct {
	Name   string
	Lane   Lane // that takes its requests; "": any lane that takes requests
	Effect Effect
	// Session says that its requests are about the session that they come in, so that they need one.
	Session bool
	// Races says that its requests are sent as datagrams too. It is for requests that a person waits for. The server
	// carries out only the first copy.
	Races bool
	// Quick says that it takes less time than starting a goroutine.
	Quick bool
	// Order names parameters. Requests that agree in them are carried out in their order; all others may overtake each other.
	Order []string
	// Agents says which agents may use it on the line protocol.
	Agents Access
}

// Methods has every method of skein.v1, by lane, in the order of docs/protocol.md. Servers and clients read the properties of
// methods from here, and the list in the JavaScript library is generated from it (make generate).
var Methods = []Method{
	{Name: MethodPing, Quick: true},
	{Name: MethodHello, Lane: LaneControl, Effect: Once, Session: true},
	{Name: MethodSpawn, Lane: LaneControl, Effect: Once},
	{Name: MethodList, Lane: LaneControl},
	{Name: MethodGet, Lane: LaneControl, Quick: true},
	{Name: MethodInput, Lane: LaneControl, Effect: Once, Races: true, Order: []string{"id"}},
	{Name: MethodDrop, Lane: LaneControl, Effect: Once},
	{Name: MethodOptions, Lane: LaneControl},
	{Name: MethodConfigure, Lane: LaneControl, Effect: Once},
	{Name: MethodSessions, Lane: LaneControl},
	{Name: MethodPause, Lane: LaneControl, Effect: Repeats},
	{Name: MethodGoOn, Lane: LaneControl, Effect: Repeats},
	{Name: MethodRestart, Lane: LaneControl, Effect: Once},
	{Name: MethodRemove, Lane: LaneControl, Effect: Once},
	{Name: MethodSummary, Lane: LaneControl, Effect: Once, Order: []string{"id"}, Agents: WithTasks},
	{Name: MethodUsage, Lane: LaneControl},
	{Name: MethodChanges, Lane: LaneControl},
	{Name: MethodDiff, Lane: LaneControl},
	{Name: MethodCommit, Lane: LaneControl, Effect: Once, Order: []string{"id"}},
	{Name: MethodDiscard, Lane: LaneControl, Effect: Once, Order: []string{"id"}},
	{Name: MethodStop, Lane: LaneControl, Effect: Repeats, Races: true},
	{Name: MethodAskList, Lane: LaneControl},
	{Name: MethodAskGet, Lane: LaneControl},
	{Name: MethodAskAnswer, Lane: LaneControl, Effect: Once, Races: true},
	{Name: MethodTypes, Lane: LaneControl},
	{Name: MethodAgentEvents, Lane: LaneControl},
	{Name: MethodAgentSearch, Lane: LaneControl},
	{Name: MethodLogSearch, Lane: LaneControl},
	{Name: MethodFleetAt, Lane: LaneControl},
	{Name: MethodAgentRender, Lane: LaneControl, Session: true},
	{Name: MethodAdmission, Lane: LaneControl},
	{Name: MethodSetAdmission, Lane: LaneControl, Effect: Once},
	{Name: MethodNetwork, Lane: LaneControl, Session: true, Quick: true},
	{Name: MethodArtifactCreate, Lane: LaneControl, Effect: Once},
	{Name: MethodArtifactGet, Lane: LaneControl, Agents: WithTasks},
	{Name: MethodArtifactList, Lane: LaneControl, Agents: WithTasks},
	{Name: MethodArtifactRead, Lane: LaneControl, Agents: WithTasks},
	{Name: MethodArtifactDelete, Lane: LaneControl, Effect: Once},
	{Name: MethodArtifactRender, Lane: LaneControl, Session: true},

	{Name: MethodResync, Lane: LaneStatus, Effect: Once, Session: true},

	{Name: MethodTaskSubmit, Lane: LaneTask, Effect: Once, Agents: Coordinators},
	{Name: MethodTaskGet, Lane: LaneTask, Quick: true, Agents: Coordinators},
	{Name: MethodTaskList, Lane: LaneTask, Agents: Coordinators},
	{Name: MethodTaskCancel, Lane: LaneTask, Effect: Repeats, Races: true, Agents: Coordinators},
	{Name: MethodTaskRetry, Lane: LaneTask, Effect: Once},
	{Name: MethodTaskOrchestrate, Lane: LaneTask, Effect: Once, Agents: Coordinators},
	{Name: MethodTaskWatch, Lane: LaneTask, Effect: Once, Session: true},
	{Name: MethodTaskRender, Lane: LaneTask, Session: true},
	{Name: MethodScheduleSet, Lane: LaneTask, Effect: Once},
	{Name: MethodScheduleList, Lane: LaneTask},
	{Name: MethodScheduleGet, Lane: LaneTask},
	{Name: MethodScheduleDelete, Lane: LaneTask, Effect: Once},
	{Name: MethodSchedulePause, Lane: LaneTask, Effect: Repeats},
	{Name: MethodScheduleResume, Lane: LaneTask, Effect: Repeats},
	{Name: MethodScheduleRun, Lane: LaneTask, Effect: Once},
	{Name: MethodSchedulePreview, Lane: LaneTask},

	{Name: MethodMemoryStore, Lane: LaneMemory, Effect: Once, Order: []string{"namespace", "key"}, Agents: WithMemory},
	{Name: MethodMemoryRetrieve, Lane: LaneMemory, Quick: true, Agents: WithMemory},
	{Name: MethodMemoryList, Lane: LaneMemory, Agents: WithMemory},
	{Name: MethodMemorySearch, Lane: LaneMemory, Agents: WithMemory},
	{Name: MethodMemoryDelete, Lane: LaneMemory, Effect: Once, Order: []string{"namespace", "key"}, Agents: WithMemory},
	{Name: MethodMemoryHistory, Lane: LaneMemory, Agents: WithMemory},
	{Name: MethodMemoryNamespaces, Lane: LaneMemory},
	{Name: MethodMemorySetMany, Lane: LaneMemory, Effect: Once, Agents: WithMemory},
	{Name: MethodMemoryGetMany, Lane: LaneMemory, Agents: WithMemory},
	{Name: MethodMemoryWatch, Lane: LaneMemory, Effect: Once, Session: true},
	{Name: MethodMemoryUnwatch, Lane: LaneMemory, Effect: Once, Session: true},
	{Name: MethodMemoryRender, Lane: LaneMemory},
}

var methodsByName = func() map[string]*Method {
	all := make(map[string]*Method, len(Methods))
	for i := range Methods {
		all[Methods[i].Name] = &Methods[i]
	}
	return all
}()

// MethodNamed returns the method with a name, or nil if there is none.
func MethodNamed(name string) *Method { return methodsByName[name] }

// MethodsOf returns the names of the methods that a lane takes besides hello and ping.
func MethodsOf(lane Lane) (names []string) {
	for _, m := range Methods {
		if m.Lane == lane && m.Name != MethodHello {
			names = append(names, m.Name)
		}
	}
	return names
}

// ReplaySafe reports whether the requests of a method take effect once, however often they are sent, because the server keeps
// their answers under their ids. TLS early data, which an attacker can replay, carries only such requests.
func ReplaySafe(method string) bool {
	m := MethodNamed(method)
	return m != nil && m.Effect != Reads && !m.Session
}

// Repeatable reports whether the requests of a method can be carried out twice without harm, so that a client may repeat them
// after any time.
func Repeatable(method string) bool {
	m := MethodNamed(method)
	return m != nil && m.Effect != Once
}

// NeedsSession reports whether the requests of a method are about the session that they come in.
func NeedsSession(method string) bool {
	m := MethodNamed(method)
	return m != nil && m.Session
}

// Races reports whether the requests of a method are sent as datagrams too.
func Races(method string) bool {
	m := MethodNamed(method)
	return m != nil && m.Races
}

// LaneOf returns the lane that takes the requests of a method. For unknown methods, the beginning of the name decides.
func LaneOf(method string) Lane {
	switch m := MethodNamed(method); {
	case m != nil && m.Lane != "":
		return m.Lane
	case strings.HasPrefix(method, "memory."):
		return LaneMemory
	case strings.HasPrefix(method, "task."), strings.HasPrefix(method, "schedule."):
		return LaneTask
	}
	return LaneControl
}

// OrderKey returns a key such that requests with the same key must be carried out in their order: the inputs of an agent, and
// the writes of a memory entry. It returns "" for requests without such an order.
func (m *Message) OrderKey() string {
	row := MethodNamed(m.Method)
	if row == nil || row.Order == nil {
		return ""
	}
	var p struct {
		ID        string `json:"id"`
		Namespace string `json:"namespace"`
		Key       string `json:"key"`
	}
	json.Unmarshal(m.Params, &p) // invalid parameters are refused later
	key := string(row.Lane)
	for _, name := range row.Order {
		key += "\x00" + map[string]string{"id": p.ID, "namespace": p.Namespace, "key": p.Key}[name]
	}
	return key
}
