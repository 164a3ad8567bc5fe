package api

import (
	"context"
	"encoding/json"
	"reflect"
	"sync"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// Tool is a method as models are told of it: those that Skein runs, and those of whoever comes by MCP.
type Tool struct {
	runner.Tool
	Effect   wire.Effect
	Destroys bool // what it does can't be undone
}

// told is what models are told of a method, besides its name.
type told struct {
	about    string
	kind     string // of wire.ToolKinds
	params   reflect.Type
	fields   map[string]string // what its parameters are, where their names don't say it
	without  []string          // parameters that are for pages alone
	destroys bool
}

func of[P any]() reflect.Type { return reflect.TypeFor[P]() }

const (
	pageAfter = "next of the page before"
	value     = "give text, or base64 for bytes that are no text"
)

// tells has the methods that models are told of. Those that it lacks need a session, or are for pages.
var tells = map[string]told{
	wire.MethodTypes: {about: "Lists the types of agents that can be spawned.", kind: "read", params: of[wire.TypesParams](), fields: map[string]string{"after": pageAfter}},
	wire.MethodList: {about: "Lists agents: their state, what they do, whether they need a person.", kind: "read", params: of[wire.Filter](),
		fields: map[string]string{"needs": "only those that need a person", "query": "a part of id, name, type, command or last line", "after": pageAfter,
			"status": "any of pending, starting, running, stopping, exited, unknown, lost"}},
	wire.MethodGet: {about: "Returns one agent.", kind: "read", params: of[wire.AgentParams]()},
	wire.MethodSpawn: {about: "Starts agents of a type.", kind: "execute", params: of[wire.SpawnParams](), without: []string{"default_cwd", "command"},
		fields: map[string]string{"count": "how many; 1 if left out", "argv": "the command, for a type that has none", "args": "added to the command of the type", "session": "the conversation that it goes on with, as agent_sessions or the record of an agent names it", "fork": "go on in a copy of session, which stays as it is", "cwd": "the working folder, an absolute path"}},
	wire.MethodInput: {about: "Writes to the standard input of an agent, which must end with a newline for most, or gives an agent that converses a prompt.", kind: "execute", params: of[wire.InputParams](), without: []string{"question"},
		fields: map[string]string{"eof": "close its standard input afterwards", "replace": "the id of a prompt that waits, which the text takes the place of", "interrupt": "first cancel what it does for its prompt"}},
	wire.MethodPause: {about: "Pauses agents: they get no more prompts and tasks until they are resumed.", kind: "execute", params: of[wire.PauseParams](), fields: map[string]string{"ids": "the ids of the agents", "freeze": "also stop their processes until then", "reason": "why, for people"}},
	wire.MethodGoOn:  {about: "Lets paused agents go on. One that waits to start again after a failure starts at once.", kind: "execute", params: of[wire.ResumeParams](), fields: map[string]string{"ids": "the ids of the agents"}},
	wire.MethodRestart: {about: "Ends the process of an agent and starts another one in its place, which goes on with its conversation where the agent can. In place of an agent that has ended, one like it is spawned.", kind: "delete", params: of[wire.RestartParams](), destroys: true,
		fields: map[string]string{"grace_ms": "milliseconds from SIGTERM to SIGKILL; 0 kills at once"}},
	wire.MethodRemove: {about: "Removes agents that have ended, with what they have printed. Their tasks and artifacts stay, and so does work in their folders.", kind: "delete", params: of[wire.RemoveParams](), destroys: true,
		fields: map[string]string{"ids": "the ids of the agents"}},
	wire.MethodSummary: {about: "Sets the line that says what an agent is doing now, which people see beside its name. Set your own when you begin something else.", kind: "think", params: of[wire.SummaryParams](),
		fields: map[string]string{"id": "of another agent; left out, it is your own", "text": "a few words, such as: fixing the parser, 3 of 7 tests left"}},
	wire.MethodUsage:   {about: "Returns what agents have spent: turns, tokens and cost, by day and type, and how much of the budgets for today.", kind: "read", params: of[wire.UsageParams](), fields: map[string]string{"days": "how many days, including today"}},
	wire.MethodChanges: {about: "Returns what an agent has changed in its folder since it began, as git sees it: files with added and removed lines, commits, what is not committed.", kind: "read", params: of[wire.ChangesParams]()},
	wire.MethodDiff: {about: "Returns the unified diff of one file that an agent has changed.", kind: "read", params: of[wire.DiffParams](),
		fields: map[string]string{"path": "of agent.changes", "tree": "of agent.changes; if left out, as the folder is now", "base": "of agent.changes", "context": "lines around each change; 3 if left out"}},
	wire.MethodCommit: {about: "Commits what an agent has changed and not committed itself.", kind: "execute", params: of[wire.CommitParams](),
		fields: map[string]string{"tree": "of agent.changes: if the folder has changed since, nothing is committed"}},
	wire.MethodDiscard: {about: "Undoes what an agent has changed in its git worktree: some files, or everything, its commits too. The worktree of an agent that has ended is removed.", kind: "delete", params: of[wire.DiscardParams](), destroys: true,
		fields: map[string]string{"paths": "of agent.changes; if left out, everything", "tree": "of agent.changes: if the folder has changed since, nothing is discarded",
			"force": "also what agent.changes has in left, for good; without it, nothing is discarded if there is any"}},
	wire.MethodDrop:    {about: "Drops a prompt that waits for its turn, and returns its text.", kind: "edit", params: of[wire.DropParams](), fields: map[string]string{"prompt": "the id of the prompt"}},
	wire.MethodOptions: {about: "Returns what can be chosen for the conversation with an agent, such as its model, and its slash commands.", kind: "read", params: of[wire.AgentParams]()},
	wire.MethodConfigure: {about: "Sets an option of an agent, such as its model or mode.", kind: "edit", params: of[wire.ConfigureParams](),
		fields: map[string]string{"option": "the id of the option, or its category", "value": "the id of one of its values"}},
	wire.MethodSessions: {about: "Lists conversations that an agent can go on with, in a new agent that is spawned with session.", kind: "read", params: of[wire.SessionsParams](), fields: map[string]string{"cursor": pageAfter}},
	wire.MethodStop: {about: "Stops agents, verifies that none of their processes is left, and reports on each.", kind: "delete", params: of[wire.StopParams](), destroys: true,
		fields: map[string]string{"scope": "agent (the default; see ids), task (see tasks), type, node or all", "grace_ms": "milliseconds from SIGTERM to SIGKILL; 0 kills at once"}},
	wire.MethodAgentEvents: {about: "Reads the log of an agent: output, and what happened to it.", kind: "read", params: of[wire.AgentEventsParams](), without: []string{"html"},
		fields: map[string]string{"newest": "the last events instead of the first", "after": "a seq", "before": "a seq", "which": "output, or what is no output"}},
	wire.MethodAgentSearch: {about: "Searches the output of an agent for lines.", kind: "search", params: of[wire.AgentSearchParams](), fields: map[string]string{"regexp": "query is a regular expression of RE2", "case": "case matters"}},
	wire.MethodFleetAt: {about: "Returns which agents were alive at a time, what each did, and what it showed.", kind: "read", params: of[wire.FleetAtParams](),
		fields: map[string]string{"at": "RFC 3339", "ids": "only these", "pictures": "so many of the first come with what they showed"}},
	wire.MethodLogSearch: {about: "Searches the output of all agents for lines, from the newest back.", kind: "search", params: of[wire.LogSearchParams](), fields: map[string]string{"regexp": "query is a regular expression of RE2", "case": "case matters", "before": "before of an earlier answer"}},
	wire.MethodAskList: {about: "Lists what agents ask people: questions and requests for permission.", kind: "read", params: of[wire.AskListParams](), without: []string{"html"},
		fields: map[string]string{"all": "also those that have ended", "since": "position of an earlier answer: answer when something has changed, or after wait_ms"}},
	wire.MethodAskGet: {about: "Returns one question of an agent, with its options.", kind: "read", params: of[wire.AskParams]()},
	wire.MethodAskAnswer: {about: "Answers a question of an agent, by one of its options or by a text.", kind: "execute", params: of[wire.AskAnswerParams](),
		fields: map[string]string{"prompt": "prompt of the question as it was read: the answer is refused if the question has changed since"}},
	wire.MethodAdmission:    {about: "Says whether agents may be spawned.", kind: "read", params: of[struct{}]()},
	wire.MethodSetAdmission: {about: "Opens or closes the spawning of agents.", kind: "edit", params: of[wire.AdmissionParams](), fields: map[string]string{"type": "of this type alone"}},

	wire.MethodArtifactList: {about: "Lists artifacts, the files that agents and tasks made.", kind: "read", params: of[wire.ArtifactFilter](), fields: map[string]string{"after": pageAfter, "query": "a part of the id or the name"}},
	wire.MethodArtifactGet:  {about: "Describes one artifact.", kind: "read", params: of[wire.ArtifactParams]()},
	wire.MethodArtifactRead: {about: "Reads some bytes of an artifact: text, or base64 if they are none.", kind: "read", params: of[wire.ArtifactReadParams](),
		fields: map[string]string{"offset": "next of the part before", "length": "bytes, 262144 at most; 65536 if left out"}},
	wire.MethodArtifactDelete: {about: "Deletes an artifact.", kind: "delete", params: of[wire.ArtifactParams](), destroys: true},

	wire.MethodTaskSubmit: {about: "Submits tasks to agents of a type, to one agent, or to whoever has the capabilities. It does not wait for them.", kind: "execute", params: of[wire.SubmitParams](),
		fields: map[string]string{"tasks": "of each, at least one of type, agent and capabilities; input.text is what the agent is told; depends_on has ids of tasks, or #key of one in the same list"}},
	wire.MethodTaskOrchestrate: {about: "Submits one task for each of several inputs, and gathers their results in a task of its own.", kind: "execute", params: of[wire.OrchestrateParams](),
		fields: map[string]string{"mode": "what the result is", "task": "of each child; its input is one of inputs"}},
	wire.MethodTaskGet:  {about: "Returns one task: its state, and its result when it is over.", kind: "read", params: of[wire.TaskParams]()},
	wire.MethodTaskWait: {about: "Waits until a task is over, and returns it with its result.", kind: "read", params: of[wire.TaskParams]()},
	wire.MethodTaskList: {about: "Lists tasks, the newest first.", kind: "read", params: of[wire.TaskFilter](),
		fields: map[string]string{"states": "any of submitted, working, input_required, completed, failed, canceled, rejected", "after": pageAfter, "query": "a part of id, name, type, input or message"}},
	wire.MethodTaskCancel: {about: "Cancels tasks, each with all below it.", kind: "delete", params: of[wire.TaskCancelParams](), destroys: true},
	wire.MethodTaskRetry:  {about: "Tries a failed task again.", kind: "execute", params: of[wire.TaskParams]()},

	wire.MethodScheduleSet: {about: "Creates a schedule, which submits a task at a time or by a cron expression, or replaces one.", kind: "edit", params: of[wire.ScheduleSetParams](),
		fields: map[string]string{"id": "the id or the name of the schedule to replace", "task": "as in task_submit", "at": "one time, as in RFC 3339", "cron": "five fields, or @daily and the like",
			"zone": "such as Europe/Berlin; that of the server if left out", "if_revision": "only if it has this revision", "overlap": "when the task before still works: skip or queue", "missed": "what Skein was not there for: skip, or run once"}},
	wire.MethodScheduleList: {about: "Lists schedules: when each runs next, and what became of its last runs.", kind: "read", params: of[wire.ScheduleListParams](), without: []string{"html", "page"},
		fields: map[string]string{"after": pageAfter, "query": "a part of the name", "since": "position of an earlier answer: answer when something has changed, or after wait_ms"}},
	wire.MethodScheduleGet:     {about: "Returns one schedule, by its id or its name.", kind: "read", params: of[wire.ScheduleParams]()},
	wire.MethodScheduleDelete:  {about: "Deletes a schedule. Tasks that it has submitted stay.", kind: "delete", params: of[wire.ScheduleParams](), destroys: true},
	wire.MethodSchedulePause:   {about: "Pauses a schedule.", kind: "edit", params: of[wire.ScheduleParams]()},
	wire.MethodScheduleResume:  {about: "Resumes a schedule that was paused.", kind: "edit", params: of[wire.ScheduleParams]()},
	wire.MethodScheduleRun:     {about: "Submits the task of a schedule now, once.", kind: "execute", params: of[wire.ScheduleParams]()},
	wire.MethodSchedulePreview: {about: "Says when a schedule would run, without making one.", kind: "read", params: of[wire.SchedulePreviewParams](), without: []string{"html"}},

	wire.MethodMemoryStore: {about: "Stores a value in the memory that agents share.", kind: "edit", params: of[wire.MemoryStoreParams](),
		fields: map[string]string{"value": value, "ttl": "milliseconds until it expires", "if_revision": "only if the entry has this revision; 0: only if there is none"}},
	wire.MethodMemoryRetrieve: {about: "Reads a value from the memory that agents share.", kind: "read", params: of[wire.MemoryKeyParams](), without: []string{"if_revision"}},
	wire.MethodMemoryList:     {about: "Lists the keys of a namespace of memory.", kind: "read", params: of[wire.MemoryListParams](), fields: map[string]string{"values": "with values, as many as fit", "after": "a key"}},
	wire.MethodMemorySearch: {about: "Searches keys and values of memory for words, the best matches first.", kind: "search", params: of[wire.MemorySearchParams](),
		fields: map[string]string{"query": "words, \"phrases\" and prefix*, all of which must occur", "namespaces": "all if left out"}},
	wire.MethodMemoryDelete:     {about: "Deletes an entry of memory.", kind: "delete", params: of[wire.MemoryKeyParams](), destroys: true},
	wire.MethodMemoryHistory:    {about: "Reads the past values of a key of memory, the newest first.", kind: "read", params: of[wire.MemoryHistoryParams]()},
	wire.MethodMemoryNamespaces: {about: "Lists the namespaces of memory.", kind: "read", params: of[wire.MemoryNamespacesParams](), fields: map[string]string{"after": pageAfter}},
	wire.MethodMemorySetMany:    {about: "Stores several values in memory, each for itself.", kind: "edit", params: of[wire.MemorySetManyParams]()},
	wire.MethodMemoryGetMany:    {about: "Reads several values from memory.", kind: "read", params: of[wire.MemoryGetManyParams]()},
}

// allTools has a tool for each method of tells, in the order of wire.Methods.
var allTools = sync.OnceValue(func() (tools []Tool) {
	add := func(name string, effect wire.Effect) {
		if t, is := tells[name]; is {
			tools = append(tools, Tool{Tool: runner.Tool{Name: name, About: t.about, Kind: t.kind, Parameters: t.schema()}, Effect: effect, Destroys: t.destroys})
		}
	}
	for _, m := range wire.Methods {
		add(m.Name, m.Effect)
		if m.Name == wire.MethodTaskGet {
			add(wire.MethodTaskWait, wire.Reads)
		}
	}
	return tools
})

// Tools are those of a person.
func Tools() []Tool { return allTools() }

// ToolsOf are those of an agent: what its type allows.
func ToolsOf(typ wire.AgentType) (tools []Tool) {
	for _, t := range allTools() {
		if mayAgent(typ, t.Name) == nil && (len(typ.Memory) > 0 || wire.MethodNamed(t.Name) == nil || wire.MethodNamed(t.Name).Agents != wire.WithMemory) {
			tools = append(tools, t)
		}
	}
	return tools
}

// schema is the JSON Schema (draft 2020-12) of the parameters.
func (t told) schema() json.RawMessage {
	s, err := jsonschema.ForType(t.params, &jsonschema.ForOptions{TypeSchemas: map[reflect.Type]*jsonschema.Schema{
		of[[]byte]():          {Type: "string", ContentEncoding: "base64"},
		of[json.RawMessage](): {},
		of[time.Duration]():   {Type: "integer"},
		of[wire.Priority]():   {Type: "string", Enum: []any{"critical", "high", "normal", "low"}},
	}})
	if err != nil {
		panic(err) // a test makes them all
	}
	for _, name := range t.without {
		delete(s.Properties, name)
	}
	for name, about := range t.fields {
		s.Properties[name].Description = about
	}
	simple(s)
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return b
}

// simple makes a schema one that small models understand: what may be left out need not be null.
func simple(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	if len(s.Types) == 2 && s.Types[0] == "null" {
		s.Type, s.Types = s.Types[1], nil
	}
	s.PropertyOrder = nil
	for _, p := range s.Properties {
		simple(p)
	}
	simple(s.Items)
	simple(s.AdditionalProperties)
}

// CallTool makes a call of a tool of a person.
func (a *API) CallTool(ctx context.Context, by Asker, name string, params json.RawMessage) (any, error) {
	if name == wire.MethodTaskWait {
		return noun.With(params, func(v wire.TaskParams) (any, error) { return a.plane.Tasks.Wait(ctx, v.ID) })
	}
	if _, is := tells[name]; !is {
		return nil, wire.Errorf(wire.CodeMethodNotFound, "there is no tool %.64q", name)
	}
	if name == wire.MethodInput {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, InputTimeout)
		defer cancel()
	}
	return a.Call(ctx, by, &wire.Message{Method: name, Params: params})
}
