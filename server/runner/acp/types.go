package acp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// The parts of ACP v1 that Skein reads and writes. Fields that are not here are kept in updates as they came.

const protocolVersion = 1

// maxItems bounds a list that an agent sends.
const maxItems = 1000

// few is a list that is read as far as maxItems go: an empty item has 3 bytes in JSON, and up to 200 in memory.
type few[T any] []T

// UnmarshalJSON implements json.Unmarshaler.
func (f *few[T]) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	switch begin, err := d.Token(); {
	case err != nil:
		return err
	case begin == nil:
		return nil
	case begin != json.Delim('['):
		return fmt.Errorf("there is no list but %v", begin)
	}
	*f = few[T]{}
	for len(*f) < maxItems && d.More() {
		var v T
		if err := d.Decode(&v); err != nil {
			return err
		}
		*f = append(*f, v)
	}
	return nil
}

// maybe is something that an agent may send in a form of its own. It is zero then, and the rest of the message counts all the same.
type maybe[T any] struct {
	is bool
	v  T
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *maybe[T]) UnmarshalJSON(b []byte) error {
	var v *T
	if json.Unmarshal(b, &v) == nil && v != nil {
		m.is, m.v = true, *v
	}
	return nil
}

type initializeParams struct {
	ProtocolVersion    int                `json:"protocolVersion"`
	ClientCapabilities clientCapabilities `json:"clientCapabilities"`
	ClientInfo         info               `json:"clientInfo"`
}

// clientCapabilities are what Skein offers to agents: neither files nor terminals. They read and write files, and run commands, themselves.
type clientCapabilities struct {
	FS       struct{ ReadTextFile, WriteTextFile bool } `json:"fs"`
	Terminal bool                                       `json:"terminal"`
}

// MarshalJSON implements json.Marshaler.
func (clientCapabilities) MarshalJSON() ([]byte, error) {
	return []byte(`{"fs":{"readTextFile":false,"writeTextFile":false},"terminal":false,"session":{"configOptions":{"boolean":{}}}}`), nil
}

type info struct {
	Name    string `json:"name"`
	Title   string `json:"title,omitempty"`
	Version string `json:"version"`
}

type initializeResult struct {
	ProtocolVersion json.RawMessage `json:"protocolVersion"`
	AuthMethods     few[authMethod] `json:"authMethods"`
	Capabilities    struct {
		MCP struct {
			HTTP bool `json:"http"`
		} `json:"mcpCapabilities"`
		Load     maybe[bool] `json:"loadSession"`
		Sessions maybe[struct {
			Resume maybe[struct{}] `json:"resume"`
			List   maybe[struct{}] `json:"list"`
			Fork   maybe[struct{}] `json:"fork"` // unstable in version 1: it may change
		}] `json:"sessionCapabilities"`
	} `json:"agentCapabilities"`
	AgentInfo *info `json:"agentInfo"`
}

func (r *initializeResult) can() abilities {
	c := &r.Capabilities
	return abilities{load: c.Load.v, resume: c.Sessions.v.Resume.is, list: c.Sessions.v.List.is, fork: c.Sessions.v.Fork.is}
}

type authMethod struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Type        string            `json:"type"` // "", agent; "terminal": a command that a person runs
	Args        []string          `json:"args"`
	Env         map[string]string `json:"env"`
	Meta        struct {
		Terminal *struct {
			Command string   `json:"command"`
			Args    []string `json:"args"`
		} `json:"terminal-auth"`
	} `json:"_meta"`
}

// openParams are those of session/new, and, with a SessionID, of session/load, session/resume and session/fork.
type openParams struct {
	SessionID  string      `json:"sessionId,omitempty"`
	Cwd        string      `json:"cwd"`
	MCPServers []mcpServer `json:"mcpServers"`
}

// mcpServer is a server of MCP that an agent is told of: one over HTTP, or a command.
type mcpServer struct {
	Type    string   `json:"type,omitempty"` // http; "": a command
	Name    string   `json:"name"`
	URL     string   `json:"url,omitempty"`
	Headers []pair   `json:"headers,omitempty"`
	Command string   `json:"command,omitempty"`
	Args    []string `json:"args,omitempty"`
	Env     []pair   `json:"env,omitempty"`
}

type pair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// mcpServers are those of Skein, as an agent takes them.
func mcpServers(at *runner.MCP, http bool) []mcpServer {
	switch {
	case at == nil:
	case http:
		return []mcpServer{{Type: "http", Name: "skein", URL: at.URL, Headers: []pair{{"Authorization", "Bearer " + at.Token}}}}
	case len(at.Command) > 0:
		return []mcpServer{{Name: "skein", Command: at.Command[0], Args: at.Command[1:],
			Env: []pair{{runner.EnvServer, strings.TrimSuffix(at.URL, wire.MCPPath)}, {runner.EnvToken, at.Token}}}}
	}
	return []mcpServer{}
}

type promptParams struct {
	SessionID string        `json:"sessionId"`
	Prompt    []contentText `json:"prompt"`
}

type contentText struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type promptResult struct {
	StopReason string       `json:"stopReason"`
	Usage      maybe[usage] `json:"usage"`
	Meta       maybe[struct {
		Quota maybe[quota] `json:"quota"`
	}] `json:"_meta"`
}

type permissionParams struct {
	ToolCall toolCall    `json:"toolCall"`
	Options  few[option] `json:"options"`
}

type option struct {
	ID   string `json:"optionId"`
	Name string `json:"name"`
	Kind string `json:"kind"`
}

type toolCall struct {
	ID       string           `json:"toolCallId"`
	Title    *string          `json:"title"`
	Kind     *string          `json:"kind"`
	Status   *string          `json:"status"`
	RawInput json.RawMessage  `json:"rawInput"`
	Content  few[toolContent] `json:"content"`
	Places   few[place]       `json:"locations"`
}

type place struct {
	Path string `json:"path"`
}

// toolContent is what a tool call shows: content, or a diff.
type toolContent struct {
	Type    string  `json:"type"`
	Content content `json:"content"`
	Path    string  `json:"path"`
	OldText *string `json:"oldText"`
	NewText string  `json:"newText"`
}

// content is one block of content.
type content struct {
	Type     string          `json:"type"`
	Text     string          `json:"text"`
	URI      string          `json:"uri"`
	Name     string          `json:"name"`
	Title    string          `json:"title"`
	MIME     string          `json:"mimeType"`
	Data     length          `json:"data"` // base64
	Size     maybe[float64]  `json:"size"` // bytes
	Resource maybe[resource] `json:"resource"`
}

// resource is one that is embedded.
type resource struct {
	URI  string `json:"uri"`
	MIME string `json:"mimeType"`
	Text length `json:"text"`
	Blob length `json:"blob"` // base64
}

// length is how long a text is in JSON, which is not kept.
type length int

// UnmarshalJSON implements json.Unmarshaler.
func (n *length) UnmarshalJSON(b []byte) error {
	*n = length(max(0, len(b)-2)) // without its quotes
	return nil
}

// outcome answers a request for permission.
type outcome struct {
	Outcome struct {
		Outcome  string `json:"outcome"` // selected, cancelled
		OptionID string `json:"optionId,omitempty"`
	} `json:"outcome"`
}

func selected(option string) (o outcome) {
	o.Outcome.Outcome, o.Outcome.OptionID = "selected", option
	return o
}

func cancelled() (o outcome) {
	o.Outcome.Outcome = "cancelled"
	return o
}

// update is a session/update, of any kind.
type update struct {
	Kind     string          `json:"sessionUpdate"`
	Content  json.RawMessage `json:"content"` // one block, or those of a tool call
	Entries  few[entry]      `json:"entries"`
	ModeID   string          `json:"currentModeId"`
	Config   json.RawMessage `json:"configOptions"`
	Commands json.RawMessage `json:"availableCommands"`
	Title    json.RawMessage `json:"title"` // of the session; null: none any more
	Used     maybe[float64]  `json:"used"`  // of the context, in tokens
	Size     maybe[float64]  `json:"size"`
	Cost     maybe[cost]     `json:"cost"`
	Meta     maybe[struct {
		Usage maybe[usage] `json:"usage"`
	}] `json:"_meta"`
}

// entry is one of a plan.
type entry struct {
	Content string `json:"content"`
	Status  string `json:"status"`
}

// usage counts tokens. Its names are those of PromptResponse.usage in ACP.
type usage struct {
	Input   float64 `json:"inputTokens"`
	Output  float64 `json:"outputTokens"`
	Cached  float64 `json:"cachedReadTokens"`
	Thought float64 `json:"thoughtTokens"`
}

// quota is how Gemini CLI counts.
type quota struct {
	Tokens maybe[struct {
		Input  float64 `json:"input_tokens"`
		Output float64 `json:"output_tokens"`
	}] `json:"token_count"`
}

// cost is what usage_update says of the session's.
type cost struct {
	Amount   float64 `json:"amount"`
	Currency string  `json:"currency"`
}
