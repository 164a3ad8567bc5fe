package wire

import (
	"encoding/json"
	"strings"
)

// Effect is what carrying out a request changes.
type Effect uint8

const (
	// Reads: nothing.
	Reads Effect = iota
	// Repeats: something, and the same however often it is carried out. The server keeps its answer all the same.
	Repeats
	// Once: something that must happen once. The server keeps the answer under the request's id, and answers a repeated one
	// from there; what it does to a session, such as a watch, ends with that.
	Once
)

// Access is which agents may use a method, in requests of their own.
type Access uint8

const (
	// NoAgent: none.
	NoAgent Access = iota
	// WithMemory: those whose type names the namespaces, in these.
	WithMemory
	// Coordinators: those whose type says coordinator.
	Coordinators
)

// Method is what the protocol says of a method: a row of Methods.
type Method struct {
	Name   string
	Lane   Lane // that takes its requests; "": any that takes requests
	Effect Effect
	// Session: its requests are about the session that they come in, and there is none without.
	Session bool
	// Races: its requests are sent as datagrams too. Whoever waits for one of them waits at the keyboard, and the server
	// acts once whatever comes twice.
	Races bool
	// Quick: it is done before a goroutine would be there.
	Quick bool
	// Order names the parameters of which requests that agree keep their order, while everything else overtakes them.
	Order []string
	// Agents may use it, on the line protocol.
	Agents Access
}

// Methods is every method of skein.v1, by lane, in the order in which they are named to people (docs/protocol.md). Servers
// and clients read what they do from here; the JavaScript library's list is made from it (make generate).
var Methods = []Method{
	{Name: MethodPing, Quick: true},
	{Name: MethodHello, Lane: LaneControl, Effect: Once, Session: true},
	{Name: MethodSpawn, Lane: LaneControl, Effect: Once},
	{Name: MethodList, Lane: LaneControl},
	{Name: MethodGet, Lane: LaneControl, Quick: true},
	{Name: MethodInput, Lane: LaneControl, Effect: Once, Races: true, Order: []string{"id"}},
	{Name: MethodStop, Lane: LaneControl, Effect: Repeats, Races: true},
	{Name: MethodTypes, Lane: LaneControl},
	{Name: MethodAgentEvents, Lane: LaneControl},
	{Name: MethodAgentSearch, Lane: LaneControl},
	{Name: MethodAgentRender, Lane: LaneControl, Session: true},
	{Name: MethodAdmission, Lane: LaneControl},
	{Name: MethodSetAdmission, Lane: LaneControl, Effect: Once},
	{Name: MethodNetwork, Lane: LaneControl, Session: true, Quick: true},
	{Name: MethodArtifactCreate, Lane: LaneControl, Effect: Once},
	{Name: MethodArtifactGet, Lane: LaneControl},
	{Name: MethodArtifactList, Lane: LaneControl},
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
}

var methodsByName = func() map[string]*Method {
	all := make(map[string]*Method, len(Methods))
	for i := range Methods {
		all[Methods[i].Name] = &Methods[i]
	}
	return all
}()

// MethodNamed finds a method; nil: there is none.
func MethodNamed(name string) *Method { return methodsByName[name] }

// MethodsOf names the methods that a lane takes besides ping.
func MethodsOf(lane Lane) (names []string) {
	for _, m := range Methods {
		if m.Lane == lane && m.Name != MethodHello {
			names = append(names, m.Name)
		}
	}
	return names
}

// ReplaySafe reports whether a method's requests have their effect once however often they come, for the server keeps
// a record of them under their id. TLS early data, which anyone may send again, carries these and no others.
func ReplaySafe(method string) bool {
	m := MethodNamed(method)
	return m != nil && m.Effect != Reads && !m.Session
}

// Repeatable reports whether a method's requests may be done twice without harm, so that they may be sent again at any age.
func Repeatable(method string) bool {
	m := MethodNamed(method)
	return m != nil && m.Effect != Once
}

// NeedsSession reports whether a method's requests are about the session that they come in.
func NeedsSession(method string) bool {
	m := MethodNamed(method)
	return m != nil && m.Session
}

// Races reports whether the requests of a method are sent as datagrams too.
func Races(method string) bool {
	m := MethodNamed(method)
	return m != nil && m.Races
}

// LaneOf is the lane that takes a method's requests. One that this version does not know goes by the beginning of its name.
func LaneOf(method string) Lane {
	switch m := MethodNamed(method); {
	case m != nil && m.Lane != "":
		return m.Lane
	case strings.HasPrefix(method, "memory."):
		return LaneMemory
	case strings.HasPrefix(method, "task."):
		return LaneTask
	}
	return LaneControl
}

// OrderKey names what a request must keep its place for, while everything else overtakes it: the inputs of one agent, the
// writes of one memory entry. "": nothing.
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
	json.Unmarshal(m.Params, &p) // a bad one is refused later
	key := string(row.Lane)
	for _, name := range row.Order {
		key += "\x00" + map[string]string{"id": p.ID, "namespace": p.Namespace, "key": p.Key}[name]
	}
	return key
}
