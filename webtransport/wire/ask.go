package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"
)

// AskID identifies a question and is never reused: "q" and twelve characters of lower-case base32.
type AskID string

// AskState says whether a question waits. The states are those of requests for permission in ACP v2.
type AskState string

const (
	AskPending  AskState = "pending"  // it waits for a person
	AskResolved AskState = "resolved" // it was answered
	AskCanceled AskState = "canceled" // its agent does not wait for the answer any more; Reason says why
	AskExpired  AskState = "expired"  // nobody answered within the time limit of the type
)

// AskKind says what kind of a question it is.
type AskKind string

const (
	AskQuestion   AskKind = "question"   // a text answers it
	AskPermission AskKind = "permission" // whether the agent may do something; one of the options answers it
	AskTerminal   AskKind = "terminal"   // its program waits in its terminal; what is typed there answers it
)

// OptionKind says what an option of a permission means (ACP, PermissionOptionKind).
type OptionKind string

const (
	AllowOnce    OptionKind = "allow_once"
	AllowAlways  OptionKind = "allow_always"
	RejectOnce   OptionKind = "reject_once"
	RejectAlways OptionKind = "reject_always"
)

// Allows reports whether the option lets the agent go on.
func (k OptionKind) Allows() bool { return k == AllowOnce || k == AllowAlways }

// AskOption is one of the answers that a permission can have.
type AskOption struct {
	ID   string     `json:"id"`
	Name string     `json:"name"` // for people
	Kind OptionKind `json:"kind"`
}

// AskTool is what an agent wants to do.
type AskTool struct {
	Kind    string    `json:"kind,omitempty"`    // read, edit, delete, move, search, execute, think, fetch, other (ACP, ToolKind)
	Command string    `json:"command,omitempty"` // of execute: what runs, as the agent says it
	Paths   []string  `json:"paths,omitempty"`   // of files that it is about
	Diffs   []AskDiff `json:"diffs,omitempty"`
	Cut     bool      `json:"cut,omitempty"` // there is more than fits
}

// ToolKinds are what a tool may do (ACP, ToolKind).
var ToolKinds = []string{"read", "edit", "delete", "move", "search", "execute", "think", "fetch", "switch_mode", "other"}

// AskDiff is a change of a file.
type AskDiff struct {
	Path string  `json:"path"`
	Old  *string `json:"old,omitempty"` // nil: the file is new
	New  string  `json:"new"`
}

// Bounds of a question.
const (
	MaxAskText    = 4 << 10  // bytes
	MaxAskTool    = 64 << 10 // bytes of its texts; a longer diff is cut
	MaxAskOptions = 32
	MaxAskOption  = 200 // bytes of a name
)

// Ask is something that an agent waits for a person to say. It is answered once.
type Ask struct {
	ID         AskID       `json:"id"`
	Agent      AgentID     `json:"agent"`
	Name       string      `json:"name"` // of the agent
	Type       string      `json:"type"` // of the agent
	Generation int         `json:"generation"`
	Task       TaskID      `json:"task,omitempty"`
	Kind       AskKind     `json:"kind"`
	Text       string      `json:"text"`
	Tool       *AskTool    `json:"tool,omitempty"`
	Options    []AskOption `json:"options,omitempty"`
	// Prompt identifies what a person was shown: an answer names it, and is refused if it changed since.
	Prompt  string     `json:"prompt"`
	ByID    bool       `json:"by_id,omitempty"` // ask.answer answers it, and nothing that is written to the agent; so it is with all permissions
	State   AskState   `json:"state"`
	Since   time.Time  `json:"since"`
	Expires *time.Time `json:"expires,omitempty"` // nil: when its agent ends
	Reason  string     `json:"reason,omitempty"`  // why it was canceled
	Answer  *AskAnswer `json:"answer,omitempty"`
	Ended   *time.Time `json:"ended,omitempty"`
}

// AskAnswer is what a question was answered with: the id of an option, or a text.
type AskAnswer struct {
	Option string     `json:"option,omitempty"`
	Kind   OptionKind `json:"kind,omitempty"` // of the option
	Text   string     `json:"text,omitempty"`
	By     string     `json:"by"`             // who answered; "policy": nobody did, by Rule
	Rule   string     `json:"rule,omitempty"` // of the type's permissions
}

// ByPolicy is the By of an automatic answer.
const ByPolicy = "policy"

// Option returns the option with an id, or nil.
func (a *Ask) Option(id string) *AskOption {
	if i := slices.IndexFunc(a.Options, func(o AskOption) bool { return o.ID == id }); i >= 0 {
		return &a.Options[i]
	}
	return nil
}

// PromptOf returns what identifies the content of a question.
func (a *Ask) PromptOf() string {
	b, _ := json.Marshal([]any{a.Kind, a.Text, a.Tool, a.Options}) // of strings alone
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// AskListParams choose questions. An empty field does not restrict.
type AskListParams struct {
	Agent AgentID `json:"agent,omitempty"`
	Task  TaskID  `json:"task,omitempty"` // that the agent works on
	All   bool    `json:"all,omitempty"`  // ended ones too, after the pending ones, the newest first
	// Since is the Position of an earlier answer: the server answers when something has changed since then, or after WaitMS.
	Since  string `json:"since,omitempty"`
	WaitMS int64  `json:"wait_ms,omitempty"` // at most MaxAskWait
	Limit  int    `json:"limit,omitempty"`   // 0: MaxPage, which is also the maximum
	Count  bool   `json:"count,omitempty"`   // how many wait, and no questions
	HTML   bool   `json:"html,omitempty"`    // as the pages show them, too; the questions are then without tool and options, and shortened
}

// MaxAskWait bounds AskListParams.WaitMS.
const MaxAskWait = 25 * time.Second

// AskListResult has questions: those that wait, the oldest first, then those that have ended, the newest first.
type AskListResult struct {
	Asks     []Ask  `json:"asks"`
	Pending  int    `json:"pending"` // how many wait, whether they are listed or not
	Total    int    `json:"total"`   // how many match
	Position string `json:"position"`
	HTML     string `json:"html,omitempty"`
}

// Page cuts a list to what fits a message.
func (r AskListResult) Page(limit int) AskListResult {
	r.Asks = r.Asks[:PageOf(r.Asks, limit)]
	return r
}

// AskParams name a question.
type AskParams struct {
	ID AskID `json:"id"`
}

// AskAnswerParams answer a question, by one of Option and Text.
type AskAnswerParams struct {
	ID     AskID  `json:"id"`
	Prompt string `json:"prompt"` // Ask.Prompt of what the person was shown
	Option string `json:"option,omitempty"`
	Text   string `json:"text,omitempty"`
}

// Permissions is how the requests for permission of a type's agents are answered.
type Permissions struct {
	Rules     []PermissionRule   `json:"rules,omitempty"` // the first that matches decides
	Otherwise PermissionDecision `json:"otherwise,omitempty"`
	LimitMS   int64              `json:"limit_ms,omitempty"` // how long people have; then it is denied. 0: no limit
}

// PermissionDecision is what becomes of a request for permission.
type PermissionDecision string

const (
	PermissionAsk   PermissionDecision = "ask" // a person decides; it is the default
	PermissionAllow PermissionDecision = "allow"
	PermissionDeny  PermissionDecision = "deny"
)

// PermissionRule decides on the requests that match it. An empty field matches all.
type PermissionRule struct {
	Decision PermissionDecision `json:"decision"`
	Kind     string             `json:"kind,omitempty"` // of the tool
	// Command is a pattern for the whole command: * stands for any characters. In a rule that allows, it matches no command with what a shell makes
	// several commands of, or redirects by (; & | < > ` $ and line ends), unless the pattern itself has that character.
	Command string `json:"command,omitempty"`
}
