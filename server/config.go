package server

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// Config is what skein.yaml holds.
type Config struct {
	Types []wire.AgentType
}

// fileConfig is skein.yaml as it is written.
type fileConfig struct {
	AgentTypes map[string]fileType `yaml:"agent_types"`
}

type fileType struct {
	Kind         string            `yaml:"kind"`
	Description  string            `yaml:"description"`
	Argv         []string          `yaml:"argv"`
	Env          map[string]string `yaml:"env"`
	Cwd          string            `yaml:"cwd"`
	Script       string            `yaml:"script"`
	MaxInstances int               `yaml:"max_instances"`
	StopGrace    *time.Duration    `yaml:"stop_grace"`
	Capabilities []string          `yaml:"capabilities"`
	Labels       map[string]string `yaml:"labels"`
}

// ConfigExample is a complete skein.yaml, printed by --help.
const ConfigExample = `agent_types:
  reviewer:
    kind: exec                  # a process
    description: Reviews the diff of a branch
    argv: [my-reviewer, --json] # no shell
    cwd: /home/me/project
    env: {MODEL: small}
    max_instances: 3
    stop_grace: 10s             # from SIGTERM to SIGKILL
    capabilities: [review]
    labels: {team: core}
  drill:
    kind: scripted              # a script, run inside Skein
    script: |
      say working
      wait 2s
      exit 0
`

var fileFields = map[string][]string{
	"":            {"agent_types"},
	"agent_types": {"kind", "description", "argv", "env", "cwd", "script", "max_instances", "stop_grace", "capabilities", "labels"},
}

// builtinTypes work offline, with nothing installed.
var builtinTypes = []wire.AgentType{
	{Name: "shell", Kind: wire.KindExec, Builtin: true, Description: "Runs the command given at spawn: arguments, no shell string."},
	{Name: "scripted", Kind: wire.KindScripted, Builtin: true, Description: "A deterministic agent that follows a small script of lines, delays, questions, exits and crashes. Without a script it plays a demo."},
}

var typeName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// LoadConfig reads a skein.yaml. Without a path it gives the built-in types alone; a file adds types and may replace
// built-in ones. An error names file, line, field and what is allowed.
func LoadConfig(path string) (Config, error) {
	types := map[string]wire.AgentType{}
	for _, t := range builtinTypes {
		types[t.Name] = t
	}
	if path != "" {
		b, err := os.ReadFile(path)
		if err != nil {
			return Config{}, fmt.Errorf("read the configuration: %w", err)
		}
		own, err := parseConfig(path, b)
		if err != nil {
			return Config{}, err
		}
		for _, t := range own {
			types[t.Name] = t
		}
	}
	return Config{Types: slices.SortedFunc(maps.Values(types), func(a, b wire.AgentType) int { return strings.Compare(a.Name, b.Name) })}, nil
}

// ConfigError is a mistake in a configuration file.
type ConfigError struct {
	File  string
	Line  int
	Field string // such as agent_types.coder.kind
	Msg   string
}

func (e *ConfigError) Error() string {
	at := e.File
	if e.Line > 0 {
		at = fmt.Sprintf("%s:%d", e.File, e.Line)
	}
	if e.Field == "" {
		return at + ": " + e.Msg
	}
	return at + ": " + e.Field + ": " + e.Msg
}

func parseConfig(path string, b []byte) ([]wire.AgentType, error) {
	fail := func(line int, field, format string, args ...any) error {
		return &ConfigError{File: path, Line: line, Field: field, Msg: fmt.Sprintf(format, args...)}
	}
	file, err := parser.ParseBytes(b, 0)
	if err != nil {
		return nil, yamlError(path, err)
	}
	if len(file.Docs) > 1 {
		return nil, fail(file.Docs[1].GetToken().Position.Line, "", "one document is allowed")
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil, nil
	}
	c := &configReader{path: path, root: file.Docs[0].Body}
	if err := c.fields(c.root, "", ""); err != nil {
		return nil, err
	}
	var raw fileConfig
	if err := yaml.NodeToValue(c.root, &raw); err != nil {
		return nil, yamlError(path, err)
	}
	var types []wire.AgentType
	for _, name := range slices.Sorted(maps.Keys(raw.AgentTypes)) {
		t, err := c.agentType(name, raw.AgentTypes[name])
		if err != nil {
			return nil, err
		}
		types = append(types, t)
	}
	return types, nil
}

func yamlError(path string, err error) error {
	e := &ConfigError{File: path, Msg: err.Error()}
	var ye yaml.Error
	if errors.As(err, &ye) {
		e.Msg = ye.GetMessage()
		if t := ye.GetToken(); t != nil {
			e.Line = t.Position.Line
		}
	}
	return e
}

// configReader knows where each field stands.
type configReader struct {
	path string
	root ast.Node
}

// fields checks the names in a mapping and, one level down, in each agent type.
func (c *configReader) fields(n ast.Node, at, kind string) error {
	m, ok := n.(ast.MapNode)
	if !ok {
		return &ConfigError{c.path, line(n), at, fmt.Sprintf("must be a mapping with %s", strings.Join(fileFields[kind], ", "))}
	}
	for it := m.MapRange(); it.Next(); {
		key := it.Key().String()
		field := strings.TrimPrefix(at+"."+key, ".")
		if !slices.Contains(fileFields[kind], key) {
			return &ConfigError{c.path, line(it.Key()), field, fmt.Sprintf("unknown field; allowed are %s", strings.Join(fileFields[kind], ", "))}
		}
		if kind != "" || key != "agent_types" {
			continue
		}
		types, ok := it.Value().(ast.MapNode)
		if !ok {
			return &ConfigError{c.path, line(it.Value()), field, "must be a mapping from a type's name to its fields"}
		}
		for t := types.MapRange(); t.Next(); {
			if err := c.typeFields(t.Value(), field+"."+t.Key().String()); err != nil {
				return err
			}
		}
	}
	return nil
}

// fieldForms says what each field of an agent type holds, and where it is read to.
var fieldForms = map[string]struct {
	form string
	into func() any
}{
	"kind":          {"a word: " + kinds(), func() any { return new(string) }},
	"description":   {"a text", func() any { return new(string) }},
	"argv":          {"a list of strings, the command and its arguments, such as [make, test]", func() any { return new([]string) }},
	"env":           {"a mapping from names to values, such as {MODEL: small}", func() any { return new(map[string]string) }},
	"cwd":           {"an absolute path", func() any { return new(string) }},
	"script":        {"a text, one statement a line", func() any { return new(string) }},
	"max_instances": {"a whole number, 0 for no limit", func() any { return new(int) }},
	"stop_grace":    {"a duration, such as 10s", func() any { return new(time.Duration) }},
	"capabilities":  {"a list of words", func() any { return new([]string) }},
	"labels":        {"a mapping from names to values, such as {team: core}", func() any { return new(map[string]string) }},
}

// typeFields checks the names and the forms of an agent type's fields.
func (c *configReader) typeFields(n ast.Node, at string) error {
	if err := c.fields(n, at, "agent_types"); err != nil {
		return err
	}
	for it := n.(ast.MapNode).MapRange(); it.Next(); {
		f := fieldForms[it.Key().String()]
		if err := yaml.NodeToValue(it.Value(), f.into()); err != nil {
			return &ConfigError{c.path, line(it.Key()), at + "." + it.Key().String(), "must be " + f.form}
		}
	}
	return nil
}

func line(n ast.Node) int {
	if n == nil || n.GetToken() == nil {
		return 0
	}
	return n.GetToken().Position.Line
}

// where finds the line of a type's field, or of the type.
func (c *configReader) where(name, field string) int {
	p := (&yaml.PathBuilder{}).Root().Child("agent_types").Child(name)
	if field != "" {
		p = p.Child(field)
	}
	n, err := p.Build().FilterNode(c.root)
	if err != nil || n == nil {
		if field != "" {
			return c.where(name, "")
		}
		return 0
	}
	return line(n)
}

func (c *configReader) agentType(name string, f fileType) (wire.AgentType, error) {
	bad := func(field, format string, args ...any) error {
		at := "agent_types." + name
		if field != "" {
			at += "." + field
		}
		return &ConfigError{c.path, c.where(name, field), at, fmt.Sprintf(format, args...)}
	}
	t := wire.AgentType{
		Name: name, Kind: wire.Kind(f.Kind), Description: f.Description, Argv: f.Argv, Env: f.Env, Cwd: f.Cwd, Script: f.Script,
		MaxInstances: f.MaxInstances, Capabilities: f.Capabilities, Labels: f.Labels,
	}
	switch {
	case !typeName.MatchString(name):
		return t, bad("", "a type's name has 1 to 63 of a-z, 0-9, - and _, and starts with a letter or a digit")
	case f.Kind == "":
		return t, bad("", "kind is missing; allowed are %s", kinds())
	case !slices.Contains(wire.Kinds, t.Kind):
		return t, bad("kind", "%q is no kind; allowed are %s", f.Kind, kinds())
	case t.MaxInstances < 0:
		return t, bad("max_instances", "must be 0 (no limit) or more")
	case t.Cwd != "" && !filepath.IsAbs(t.Cwd):
		return t, bad("cwd", "%q is not an absolute path", t.Cwd)
	case t.Kind == wire.KindScripted && len(t.Argv) > 0:
		return t, bad("argv", "kind scripted takes a script, no argv")
	case t.Kind == wire.KindExec && t.Script != "":
		return t, bad("script", "kind exec takes argv, no script")
	case len(t.Argv) > 0 && t.Argv[0] == "":
		return t, bad("argv", "the command is empty")
	}
	for k := range t.Env {
		if k == "" || strings.ContainsAny(k, "=\x00") {
			return t, bad("env", "%q is no name for an environment variable", k)
		}
	}
	if t.Script != "" {
		if _, err := runner.ParseScript(t.Script); err != nil {
			return t, bad("script", "%s", wire.AsError(err).Message)
		}
	}
	if f.StopGrace != nil {
		if *f.StopGrace < 0 || *f.StopGrace > 10*time.Minute {
			return t, bad("stop_grace", "must be between 0s and 10m")
		}
		t.StopGraceMS = max(1, f.StopGrace.Milliseconds())
	}
	return t, nil
}

func kinds() string {
	var s []string
	for _, k := range wire.Kinds {
		s = append(s, string(k))
	}
	return strings.Join(s, ", ")
}
