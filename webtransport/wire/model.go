package wire

// Model is the model of agents of kind openai, and what it may do. It has no key, only where the key is.
type Model struct {
	URL       string         `json:"url"`                  // of the endpoint, without /chat/completions: http://localhost:11434/v1
	Name      string         `json:"name"`                 // of the model, as the endpoint knows it
	KeyEnv    string         `json:"key_env,omitempty"`    // the server's environment variable that has the key
	KeyFile   string         `json:"key_file,omitempty"`   // the file that has the key
	System    string         `json:"system,omitempty"`     // the system prompt; empty: one that says what the agent can do
	Options   map[string]any `json:"options,omitempty"`    // more fields of each request, such as temperature
	MaxTokens int            `json:"max_tokens,omitempty"` // of an answer; 0: what the endpoint allows
	MaxCalls  int            `json:"max_calls,omitempty"`  // answers in a turn; 0: DefaultModelCalls
	StallMS   int64          `json:"stall,omitempty"`      // milliseconds that the endpoint may be silent; 0: DefaultModelStall
	Commands  []ModelCommand `json:"commands,omitempty"`   // that the model may run, in the folder of the agent
}

// ModelCommand is a command that a model may run. A model's call of it is subject to the permissions of the type.
type ModelCommand struct {
	Name      string   `json:"name"`
	About     string   `json:"about,omitempty"`   // for the model
	Argv      []string `json:"argv"`              // no shell
	Args      string   `json:"args,omitempty"`    // what arguments the model may add; empty: none
	Kind      string   `json:"kind,omitempty"`    // one of ToolKinds; empty: execute
	TimeoutMS int64    `json:"timeout,omitempty"` // 0: DefaultCommandTimeout
}

const (
	DefaultModelCalls     = 50
	DefaultModelStall     = 5 * 60_000  // milliseconds
	DefaultCommandTimeout = 10 * 60_000 // milliseconds
	MaxModelCommands      = 64
)
