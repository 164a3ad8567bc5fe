package wire

import (
	"slices"
	"strings"
)

// What can be chosen for the conversation with an agent, and the conversations that it can go on with. Both come from the Agent Client
// Protocol (agentclientprotocol.com, Session Config Options, Session Modes, Slash Commands, Session List).

// Bounds of what an agent offers. What is over them is left out.
const (
	MaxOptions      = 64        // of an agent
	MaxOptionValues = 500       // of an option
	MaxCommands     = 200       // of an agent
	MaxOptionID     = 256       // bytes of the id of an option, a value or a session, and of the name of a command
	MaxOptionText   = 300       // bytes of a name or a description
	MaxOffers       = 256 << 10 // bytes of all texts of an agent's options, and of its commands
	MaxSessionTitle = 200       // bytes of the title of a conversation
	MaxSessions     = 200       // in one answer
	MaxCursor       = 4 << 10   // bytes of SessionsParams.Cursor
)

// OfferKind says how an option is set.
type OfferKind string

const (
	OptionMode   OfferKind = "mode"   // session/set_mode
	OptionModel  OfferKind = "model"  // session/set_model, which is no part of the protocol any more
	OptionConfig OfferKind = "config" // session/set_config_option
)

// AgentOption is something that a person can choose for the conversation with an agent, such as its model.
type AgentOption struct {
	ID          string        `json:"id"`
	Name        string        `json:"name"`
	Description string        `json:"description,omitempty"`
	Category    string        `json:"category,omitempty"` // mode, model, model_config, thought_level, or a word of the agent's own
	Kind        OfferKind     `json:"kind"`
	Value       string        `json:"value"`             // the id of the present one
	Values      []OptionValue `json:"values"`            // in the order of the agent
	Boolean     bool          `json:"boolean,omitempty"` // its values are "true" and "false"
	More        int           `json:"more,omitempty"`    // how many further values the agent has, which can be set all the same
}

// OptionNamed finds an option by its id, or else the first of a category.
func OptionNamed(all []AgentOption, name string) (AgentOption, error) {
	i := slices.IndexFunc(all, func(o AgentOption) bool { return o.ID == name })
	if i < 0 && name != "" {
		i = slices.IndexFunc(all, func(o AgentOption) bool { return o.Category == name })
	}
	if i >= 0 {
		return all[i], nil
	}
	ids := []string{}
	for _, o := range all {
		ids = append(ids, o.ID)
	}
	has := "its options are " + strings.Join(ids, ", ")
	if len(ids) == 0 {
		has = "it has no options"
	}
	return AgentOption{}, Errorf(CodeInvalidParams, "the agent has no option %q: %s", Cut(name, 100), has).WithField("option").WithSupported(ids)
}

// OptionValue is a value of an option.
type OptionValue struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Group       string `json:"group,omitempty"` // the name of the group that it belongs to
}

// AgentCommand is a command of an agent. A prompt that begins with "/" and its name carries it out.
type AgentCommand struct {
	Name        string `json:"name"` // without the "/"
	Description string `json:"description,omitempty"`
	Hint        string `json:"hint,omitempty"` // what may follow the name; "": nothing
}

// OptionsResult is what an agent offers now.
type OptionsResult struct {
	Session  string         `json:"session"`         // the id of its conversation; "": it has none yet
	Title    string         `json:"title,omitempty"` // of the conversation, as the agent names it
	Options  []AgentOption  `json:"options"`
	Commands []AgentCommand `json:"commands"`
	Sessions bool           `json:"sessions,omitempty"` // it can list conversations
	Forks    bool           `json:"forks,omitempty"`    // another agent can go on in a copy of its conversation
}

// ConfigureParams set an option of an agent.
type ConfigureParams struct {
	ID     AgentID `json:"id"`
	Option string  `json:"option"` // its id, or its category
	Value  string  `json:"value"`  // the id of the value
}

// SessionsParams ask for conversations that an agent can go on with.
type SessionsParams struct {
	ID     AgentID `json:"id"`
	Cursor string  `json:"cursor,omitempty"` // Next of the page before; "": the first
}

// SessionsResult is a page of them, in the order of the agent.
type SessionsResult struct {
	Sessions []AgentSession `json:"sessions"`
	Next     string         `json:"next,omitempty"` // "": there are no more
}

// AgentSession is a conversation that an agent can go on with.
type AgentSession struct {
	ID        string `json:"id"`
	Title     string `json:"title,omitempty"`
	Cwd       string `json:"cwd,omitempty"`
	UpdatedAt string `json:"updated_at,omitempty"` // as the agent writes it: ISO 8601
	Current   bool   `json:"current,omitempty"`    // the agent has it open
}
