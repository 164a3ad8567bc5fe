package server

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// fileModel is the model of an agent type as it is written.
type fileModel struct {
	URL       string                 `yaml:"url"`
	Name      string                 `yaml:"name"`
	KeyEnv    string                 `yaml:"key_env"`
	KeyFile   string                 `yaml:"key_file"`
	System    string                 `yaml:"system"`
	Options   map[string]any         `yaml:"options"`
	MaxTokens int                    `yaml:"max_tokens"`
	MaxCalls  int                    `yaml:"max_calls"`
	Stall     time.Duration          `yaml:"stall"`
	Commands  map[string]fileCommand `yaml:"commands"`
}

type fileCommand struct {
	About   string        `yaml:"about"`
	Argv    []string      `yaml:"argv"`
	Args    string        `yaml:"args"`
	Kind    string        `yaml:"kind"`
	Timeout time.Duration `yaml:"timeout"`
}

// commandName is what models call a command by. The calls that agents make have names that begin otherwise.
var commandName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

// model returns the model of a type, or what is wrong with it.
func (f *fileModel) model() (*wire.Model, string) {
	m := &wire.Model{URL: f.URL, Name: f.Name, KeyEnv: f.KeyEnv, KeyFile: f.KeyFile, System: f.System, Options: f.Options, MaxTokens: f.MaxTokens,
		MaxCalls: f.MaxCalls, StallMS: f.Stall.Milliseconds()}
	at, err := url.Parse(f.URL)
	switch {
	case f.URL == "":
		return nil, "url is missing: where the endpoint is, such as http://localhost:11434/v1"
	case err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "":
		return nil, fmt.Sprintf("url: %q is no address of http or https, such as http://localhost:11434/v1", f.URL)
	case at.User != nil || at.RawQuery != "" || at.Fragment != "":
		return nil, "url: it has more than an address; a key goes into key_env or key_file"
	case f.Name == "":
		return nil, "name is missing: the model, as the endpoint knows it"
	case f.KeyEnv != "" && f.KeyFile != "":
		return nil, "give key_env or key_file, not both"
	case f.KeyFile != "" && !filepath.IsAbs(f.KeyFile):
		return nil, fmt.Sprintf("key_file: %q is not an absolute path", f.KeyFile)
	case f.MaxTokens < 0 || f.MaxCalls < 0 || f.Stall < 0:
		return nil, "max_tokens, max_calls and stall must not be negative"
	case len(f.Commands) > wire.MaxModelCommands:
		return nil, fmt.Sprintf("commands: there are %d, %d are allowed", len(f.Commands), wire.MaxModelCommands)
	}
	for _, own := range []string{"model", "messages", "stream", "stream_options", "tools", "max_tokens", "max_completion_tokens", "n"} {
		if _, has := f.Options[own]; has {
			return nil, fmt.Sprintf("options: %s is not for you to set here", own)
		}
	}
	if _, err := json.Marshal(f.Options); err != nil {
		return nil, fmt.Sprintf("options: they are sent as JSON, which has no such value: %s", err)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Commands)) {
		c := f.Commands[name]
		method := strings.Replace(name, "_", ".", 1)
		switch {
		case !commandName.MatchString(name) || method == wire.MethodTaskWait || wire.MethodNamed(method) != nil:
			return nil, fmt.Sprintf("commands: %q can't be the name of a command: it has 1 to 63 of a-z, 0-9, - and _, begins with a letter, and is no method of Skein", name)
		case len(c.Argv) == 0 || c.Argv[0] == "":
			return nil, fmt.Sprintf("commands.%s: argv is missing: the command and its arguments, such as [go, test]", name)
		case c.Kind != "" && !slices.Contains(wire.ToolKinds, c.Kind):
			return nil, fmt.Sprintf("commands.%s: kind: %q is none of %v", name, c.Kind, wire.ToolKinds)
		case c.Timeout < 0:
			return nil, fmt.Sprintf("commands.%s: timeout must not be negative", name)
		}
		m.Commands = append(m.Commands, wire.ModelCommand{Name: name, About: c.About, Argv: c.Argv, Args: c.Args, Kind: c.Kind, TimeoutMS: c.Timeout.Milliseconds()})
	}
	return m, ""
}
