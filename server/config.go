package server

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/server/runner/scripted"
	"skein.dev/skein/server/session"
	"skein.dev/skein/webtransport/wire"
)

// Config is what skein.yaml holds.
type Config struct {
	Types     []wire.AgentType
	MaxAgents int // alive at once; 0: no limit
	Lanes     session.Limits
	Budget    *wire.Budget // of all agents; nil: none
	AskHook   []string     // the command for each question that waits; empty: none
	Push      PushConfig
}

// fileConfig is skein.yaml as it is written.
type fileConfig struct {
	AgentTypes map[string]fileType `yaml:"agent_types"`
	MaxAgents  int                 `yaml:"max_agents"`
	Lanes      map[string]string   `yaml:"lanes"`
	Writers    map[string]int      `yaml:"writers"`
	Budget     *fileBudget         `yaml:"budget"`
	AskHook    []string            `yaml:"ask_hook"`
	Push       *filePush           `yaml:"push"`
}

type fileType struct {
	Kind         string            `yaml:"kind"`
	Description  string            `yaml:"description"`
	Argv         []string          `yaml:"argv"`
	Env          map[string]string `yaml:"env"`
	Cwd          string            `yaml:"cwd"`
	Folder       *fileFolder       `yaml:"folder"`
	Stdin        string            `yaml:"stdin"`
	TTY          bool              `yaml:"tty"`
	Mode         string            `yaml:"mode"`
	Options      map[string]any    `yaml:"options"`
	Model        *fileModel        `yaml:"model"`
	Permissions  *filePermissions  `yaml:"permissions"`
	Script       string            `yaml:"script"`
	MaxInstances int               `yaml:"max_instances"`
	StopGrace    *time.Duration    `yaml:"stop_grace"`
	Capabilities []string          `yaml:"capabilities"`
	Labels       map[string]string `yaml:"labels"`
	Tasks        string            `yaml:"tasks"`
	MaxTasks     int               `yaml:"max_tasks"`
	RetryOn      []int             `yaml:"retry_on"`
	IdleStop     time.Duration     `yaml:"idle_stop"`
	Coordinator  bool              `yaml:"coordinator"`
	Memory       []string          `yaml:"memory"`
	Restart      *fileRestart      `yaml:"restart"`
	Heartbeat    time.Duration     `yaml:"heartbeat"`
	Stall        time.Duration     `yaml:"stall"`
	Lease        time.Duration     `yaml:"lease"`
	Budget       *fileBudget       `yaml:"budget"`
}

type fileRestart struct {
	Mode     string        `yaml:"mode"`
	Attempts int           `yaml:"attempts"`
	Interval time.Duration `yaml:"interval"`
	Delay    time.Duration `yaml:"delay"`
}

type filePermissions struct {
	Rules []struct {
		Decision string `yaml:"decision"`
		Kind     string `yaml:"kind"`
		Command  string `yaml:"command"`
	} `yaml:"rules"`
	Otherwise string        `yaml:"otherwise"`
	Limit     time.Duration `yaml:"limit"`
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
    tasks: lines                # takes tasks as JSON-RPC lines on stdin (docs/agents.md)
    max_tasks: 1                # how many one agent works on at once
    idle_stop: 5m               # how long an agent that was started for a task may have none
    memory: [reviews, "team.*"] # namespaces that it may use
    restart: {mode: delay, attempts: 3, interval: 10m, delay: 5s}
    heartbeat: 1m               # an agent that is silent for longer is unknown, for three times as long lost
    stall: 5m                   # an agent that is silent at a task for longer is shown as stalled
  coder:
    kind: acp                   # a coding agent that speaks the Agent Client Protocol
    argv: [opencode, acp]
    cwd: /home/me/project
    folder: {mode: worktree, base: main, copy: [.env]}   # each agent has a git worktree of its own, on a branch of its own
  count:
    kind: exec
    argv: [wc, -w]
    tasks: process              # one process per task: stdin is the input, stdout the result
    retry_on: [111]             # exit codes after which a task is tried again, in addition to 75
  search:
    kind: exec
    argv: [rg, --json]
    stdin: none                 # /dev/null, instead of a pipe that waits for what people type
  local:
    kind: openai                # a model behind an OpenAI-compatible endpoint
    model:
      url: http://localhost:11434/v1
      name: qwen3
      key_env: MODEL_KEY        # or key_file; without either, no key is sent
      commands:                 # what it may run in its folder, as far as permissions let it
        test: {argv: [go, test], args: the packages to test, timeout: 5m}
    permissions: {rules: [{decision: allow, command: "go test *"}], otherwise: ask}
    budget:                     # as far as its agents report what they use
      agent: {tokens: 2000000, turns: 100, wall: 8h}
      day: {tokens: 20000000}   # all agents of the type
      then: pause               # or stop, or warn
  builder:
    kind: remote                # programs that dial in, with serve() of a client library
    max_tasks: 4                # unless they say how many they take
    lease: 2m                   # how long one may be away before it is lost
  drill:
    kind: scripted              # a script, run inside Skein
    script: |
      say working
      wait 2s
      exit 0
max_agents: 200                 # alive at once, of all types
lanes: {bulk: 50MB, memory: none}   # bytes a second and session, each way
writers: {low: 8}               # bulk writes under way in a session at once, so that they don't hold up the rest
budget: {day: {cost: 50}, then: pause}   # of all agents, each day
ask_hook: [/etc/skein/asked]    # runs for each question of an agent (docs/agents.md)
push: {subject: "mailto:me@example.com"}   # whom push services of browsers may write to (docs/operating.md)
`

var fileFields = map[string][]string{
	"": {"agent_types", "max_agents", "lanes", "writers", "budget", "ask_hook", "push"},
	"agent_types": {"kind", "description", "argv", "env", "cwd", "folder", "stdin", "tty", "mode", "options", "model", "script", "max_instances", "stop_grace", "capabilities", "labels",
		"tasks", "max_tasks", "retry_on", "idle_stop", "coordinator", "memory", "restart", "heartbeat", "stall", "lease", "permissions", "budget"},
}

// builtinTypes work offline, with nothing installed.
var builtinTypes = []wire.AgentType{
	{Name: "shell", Kind: wire.KindExec, Builtin: true, Tasks: wire.TasksProcess, Capabilities: []string{"shell"},
		Description: "Runs the command given at spawn: arguments, no shell string. A task is one command: its input on stdin, its output the result."},
	{Name: "scripted", Kind: wire.KindScripted, Builtin: true, Description: "A deterministic agent that follows a small script of lines, delays, questions, exits and crashes. Without a script it plays a demo."},
	{Name: "worker", Kind: wire.KindScripted, Builtin: true, Tasks: wire.TasksLines, Capabilities: []string{"demo"}, Script: scripted.Worker,
		IdleStopMS: time.Minute.Milliseconds(), Memory: []string{"demo"},
		Description: "A deterministic agent that takes tasks: it works on each for a moment and gives its input back. Started by the scheduler when there are tasks for it."},
	{Name: wire.DefaultWorkerType, Kind: wire.KindRemote, Builtin: true, Tasks: wire.TasksLines, Memory: sharedMemory,
		Description: "A program that dials in from wherever it runs, with serve() of a client library, and takes tasks."},
}

// sharedMemory is what agents that converse may use of memory, unless their type says otherwise.
var sharedMemory = []string{"shared"}

var typeName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// LoadConfig reads a skein.yaml. Without a path it gives the built-in types alone; a file adds types and may replace
// built-in ones. An error names file, line, field and what is allowed.
func LoadConfig(path string) (Config, error) {
	conf := Config{}
	types := map[string]wire.AgentType{}
	for _, t := range builtinTypes {
		types[t.Name] = t
	}
	if path != "" {
		b, err := os.ReadFile(path)
		if err != nil {
			return Config{}, fmt.Errorf("read the configuration: %w", err)
		}
		if conf, err = parseConfig(path, b); err != nil {
			return Config{}, err
		}
		for _, t := range conf.Types {
			types[t.Name] = t
		}
	}
	conf.Types = slices.SortedFunc(maps.Values(types), func(a, b wire.AgentType) int { return strings.Compare(a.Name, b.Name) })
	return conf, nil
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

func parseConfig(path string, b []byte) (conf Config, err error) {
	fail := func(line int, field, format string, args ...any) error {
		return &ConfigError{File: path, Line: line, Field: field, Msg: fmt.Sprintf(format, args...)}
	}
	file, err := parser.ParseBytes(b, 0)
	if err != nil {
		return conf, yamlError(path, err)
	}
	if len(file.Docs) > 1 {
		return conf, fail(file.Docs[1].GetToken().Position.Line, "", "one document is allowed")
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return conf, nil
	}
	c := &configReader{path: path, root: file.Docs[0].Body}
	if err := c.fields(c.root, "", ""); err != nil {
		return conf, err
	}
	var raw fileConfig
	if err := yaml.NodeToValue(c.root, &raw); err != nil {
		return conf, yamlError(path, err)
	}
	for _, name := range slices.Sorted(maps.Keys(raw.AgentTypes)) {
		t, err := c.agentType(name, raw.AgentTypes[name])
		if err != nil {
			return conf, err
		}
		conf.Types = append(conf.Types, t)
	}
	if conf.MaxAgents = raw.MaxAgents; conf.MaxAgents < 0 {
		return conf, fail(c.topLine("max_agents"), "max_agents", "must be 0 (no limit) or more")
	}
	conf.AskHook = raw.AskHook
	if raw.Budget != nil {
		b, err := budget(raw.Budget)
		if err != "" {
			return conf, fail(c.topLine("budget"), "budget", "%s", err)
		}
		conf.Budget = b
	}
	if conf.Push, err = raw.Push.read(); err != nil {
		return conf, fail(c.topLine("push"), "push", "%s", err)
	}
	for name, v := range raw.Lanes {
		if err := conf.Lanes.SetRate(name, v); err != nil {
			return conf, fail(c.topLine("lanes"), "lanes."+name, "%s", err)
		}
	}
	for class, n := range raw.Writers {
		if err := conf.Lanes.SetWriters(class, n); err != nil {
			return conf, fail(c.topLine("writers"), "writers."+class, "%s", err)
		}
	}
	return conf, nil
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
		key := keyName(it.Key())
		field := strings.TrimPrefix(at+"."+key, ".")
		if !slices.Contains(fileFields[kind], key) {
			return &ConfigError{c.path, line(it.Key()), field, fmt.Sprintf("unknown field; allowed are %s", strings.Join(fileFields[kind], ", "))}
		}
		var argv []string
		if kind == "" && key == "ask_hook" && (yaml.NodeToValue(it.Value(), &argv) != nil || len(argv) == 0 || argv[0] == "") {
			return &ConfigError{c.path, line(it.Key()), field, "must be a list of a command and its arguments, such as [notify-send, Skein]"}
		}
		if kind == "" && key == "push" && yaml.NodeToValue(it.Value(), new(filePush), yaml.Strict()) != nil {
			return &ConfigError{c.path, line(it.Key()), field, "must be " + pushForm}
		}
		if kind == "" && key == "budget" && yaml.NodeToValue(it.Value(), new(fileBudget), yaml.Strict()) != nil {
			return &ConfigError{c.path, line(it.Key()), field, "must be " + budgetForm}
		}
		if kind != "" || key != "agent_types" {
			continue
		}
		types, ok := it.Value().(ast.MapNode)
		if !ok {
			return &ConfigError{c.path, line(it.Value()), field, "must be a mapping from a type's name to its fields"}
		}
		for t := types.MapRange(); t.Next(); {
			if err := c.typeFields(t.Value(), field+"."+keyName(t.Key())); err != nil {
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
	"kind":          {"a word: " + kindsThat(anything), func() any { return new(string) }},
	"description":   {"a text", func() any { return new(string) }},
	"argv":          {"a list of strings, the command and its arguments, such as [make, test]", func() any { return new([]string) }},
	"env":           {"a mapping from names to values, such as {MODEL: small}", func() any { return new(map[string]string) }},
	"cwd":           {"an absolute path", func() any { return new(string) }},
	"folder":        {folderForm, func() any { return new(fileFolder) }},
	"stdin":         {"pipe or none", func() any { return new(string) }},
	"tty":           {"true or false", func() any { return new(bool) }},
	"options":       {"a mapping from options to values that the agent knows, such as {model: small, thought_level: high}", func() any { return new(map[string]any) }},
	"mode":          {"a word that the agent knows, such as default", func() any { return new(string) }},
	"model":         {"a mapping such as {url: http://localhost:11434/v1, name: qwen3, commands: {test: {argv: [go, test]}}}", func() any { return new(fileModel) }},
	"script":        {"a text, one statement a line", func() any { return new(string) }},
	"max_instances": {"a whole number, 0 for no limit", func() any { return new(int) }},
	"stop_grace":    {"a duration, such as 10s", func() any { return new(time.Duration) }},
	"capabilities":  {"a list of words", func() any { return new([]string) }},
	"labels":        {"a mapping from names to values, such as {team: core}", func() any { return new(map[string]string) }},
	"tasks":         {"lines, process or prompt", func() any { return new(string) }},
	"max_tasks":     {"a whole number, 0 for one", func() any { return new(int) }},
	"retry_on":      {"a list of exit codes, such as [75, 111]", func() any { return new([]int) }},
	"idle_stop":     {"a duration, such as 5m", func() any { return new(time.Duration) }},
	"coordinator":   {"true or false", func() any { return new(bool) }},
	"memory":        {"a list of namespaces, such as [reviews, \"team.*\"]", func() any { return new([]string) }},
	"restart":       {"a mapping such as {mode: delay, attempts: 3, interval: 10m, delay: 5s}", func() any { return new(fileRestart) }},
	"heartbeat":     {"a duration, such as 1m", func() any { return new(time.Duration) }},
	"stall":         {"a duration, such as 5m", func() any { return new(time.Duration) }},
	"lease":         {"a duration, such as 30s", func() any { return new(time.Duration) }},
	"budget":        {budgetForm, func() any { return new(fileBudget) }},
	"permissions":   {"a mapping such as {rules: [{decision: allow, kind: read}], otherwise: ask, limit: 10m}", func() any { return new(filePermissions) }},
}

// typeFields checks the names and the forms of an agent type's fields.
func (c *configReader) typeFields(n ast.Node, at string) error {
	if err := c.fields(n, at, "agent_types"); err != nil {
		return err
	}
	for it := n.(ast.MapNode).MapRange(); it.Next(); {
		f := fieldForms[keyName(it.Key())]
		if err := yaml.NodeToValue(it.Value(), f.into(), yaml.Strict()); err != nil {
			msg, at := "must be "+f.form, at+"."+keyName(it.Key())
			if unknown := new(yaml.UnknownFieldError); errors.As(err, &unknown) {
				return &ConfigError{c.path, unknown.GetToken().Position.Line, at, unknown.GetMessage() + "; it " + msg}
			}
			if wrong := yaml.Error(nil); isMapping(it.Value()) && errors.As(err, &wrong) && wrong.GetToken() != nil {
				return &ConfigError{c.path, wrong.GetToken().Position.Line, at, misfit(wrong) + "; it " + msg}
			}
			return &ConfigError{c.path, line(it.Key()), at, msg}
		}
	}
	return nil
}

func isMapping(n ast.Node) bool {
	_, is := n.(ast.MapNode)
	return is
}

// misfit says which value inside of a mapping is of the wrong form.
func misfit(err yaml.Error) string {
	value := wire.Cut(err.GetToken().Value, 60)
	if t := new(yaml.TypeError); errors.As(err, &t) && t.DstType == reflect.TypeFor[time.Duration]() {
		return fmt.Sprintf("%q is no duration, such as 5m", value)
	}
	return fmt.Sprintf("%q does not fit where it is", value)
}

// keyName is a key without quotes.
func keyName(n ast.MapKeyNode) string {
	if t := n.GetToken(); t != nil {
		return t.Value
	}
	return n.String()
}

func line(n ast.Node) int {
	if n == nil || n.GetToken() == nil {
		return 0
	}
	return n.GetToken().Position.Line
}

// topLine finds the line of a field of the whole file.
func (c *configReader) topLine(field string) int {
	n, err := (&yaml.PathBuilder{}).Root().Child(field).Build().FilterNode(c.root)
	if err != nil {
		return 0
	}
	return line(n)
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
		MaxInstances: f.MaxInstances, Capabilities: f.Capabilities, Labels: f.Labels, Tasks: wire.TaskMode(f.Tasks), MaxTasks: f.MaxTasks, RetryOn: f.RetryOn,
		IdleStopMS: f.IdleStop.Milliseconds(), Coordinator: f.Coordinator, Memory: f.Memory, HeartbeatMS: f.Heartbeat.Milliseconds(), StallMS: f.Stall.Milliseconds(),
		LeaseMS: f.Lease.Milliseconds(),
	}
	t.TTY, t.Mode = f.TTY, f.Mode
	options, plain := plainValues(f.Options)
	t.Options = options
	if t.Kind == wire.KindRemote {
		t.Tasks = cmp.Or(t.Tasks, wire.TasksLines)
	}
	if f.Stdin != "pipe" {
		t.Stdin = wire.StdinMode(f.Stdin)
	}
	kind, known := kinds[t.Kind]
	switch {
	case !typeName.MatchString(name):
		return t, bad("", "a type's name has 1 to 63 of a-z, 0-9, - and _, and starts with a letter or a digit")
	case f.Kind == "":
		return t, bad("", "kind is missing; allowed are %s", kindsThat(anything))
	case !known:
		return t, bad("kind", "%q is no kind; allowed are %s", f.Kind, kindsThat(anything))
	case t.MaxInstances < 0:
		return t, bad("max_instances", "must be 0 (no limit) or more")
	case t.Cwd != "" && !filepath.IsAbs(t.Cwd):
		return t, bad("cwd", "%q is not an absolute path", t.Cwd)
	case !kind.Command && len(t.Argv) > 0:
		return t, bad("argv", "goes with kind %s", kindsThat(func(c runner.Capabilities) bool { return c.Command }))
	case !kind.Script && t.Script != "":
		return t, bad("script", "goes with kind %s; a command is its argv", kindsThat(func(c runner.Capabilities) bool { return c.Script }))
	case !kind.Model && f.Model != nil:
		return t, bad("model", "goes with kind %s", kindsThat(func(c runner.Capabilities) bool { return c.Model }))
	case kind.Model && f.Model == nil:
		return t, bad("", "model is missing: %s", fieldForms["model"].form)
	case kind.Model && t.Mode != "":
		return t, bad("mode", "a model has none")
	case !kind.Sessions && len(t.Options) > 0:
		return t, bad("options", "goes with kind %s", kindsThat(func(c runner.Capabilities) bool { return c.Sessions }))
	case !plain:
		return t, bad("options", "must be %s", fieldForms["options"].form)
	case len(t.Options) > wire.MaxOptions:
		return t, bad("options", "more than %d", wire.MaxOptions)
	case t.Mode != "" && t.Options["mode"] != "":
		return t, bad("options", "mode is a field of its own, and given there: give it once")
	case len(t.Argv) > 0 && t.Argv[0] == "":
		return t, bad("argv", "the command is empty")
	case t.Tasks != wire.TasksNone && !t.Tasks.Shared() && t.Tasks != wire.TasksProcess:
		return t, bad("tasks", "%q is no way to take tasks; allowed are lines, process, prompt", f.Tasks)
	case t.Tasks != wire.TasksNone && !slices.Contains(kind.Tasks, t.Tasks):
		return t, bad("tasks", "%s goes with kind %s", t.Tasks, kindsThat(func(c runner.Capabilities) bool { return slices.Contains(c.Tasks, t.Tasks) }))
	case t.Tasks.Shared() && kind.Command && len(t.Argv) == 0:
		return t, bad("tasks", "%s needs an argv: the scheduler starts such agents by itself", t.Tasks)
	case f.Stdin != "" && f.Stdin != "pipe" && t.Stdin != wire.StdinNone:
		return t, bad("stdin", "%q is no standard input; allowed are pipe, none", f.Stdin)
	case t.Stdin == wire.StdinNone && (t.Tasks == wire.TasksLines || !kind.Command || kind.Permissions):
		return t, bad("stdin", "none goes with kind exec, and not with tasks: lines, which come on standard input")
	case t.TTY && (!kind.Command || t.Tasks == wire.TasksLines || t.Stdin == wire.StdinNone || kind.Permissions):
		return t, bad("tty", "goes with kind exec, and neither with tasks: lines nor with stdin: none")
	case t.Mode != "" && !kind.Permissions:
		return t, bad("mode", "goes with kind %s", kindsThat(func(c runner.Capabilities) bool { return c.Permissions }))
	case t.MaxTasks < 0 || t.MaxTasks > 0 && t.Tasks != wire.TasksLines:
		return t, bad("max_tasks", "goes with tasks: lines, and must be 0 (one) or more")
	case len(t.RetryOn) > 0 && t.Tasks != wire.TasksProcess:
		return t, bad("retry_on", "goes with tasks: process")
	case wire.CheckRetryOn(t.RetryOn) != "":
		return t, bad("retry_on", "%s", wire.CheckRetryOn(t.RetryOn))
	case t.Kind == wire.KindRemote && (f.Restart != nil || f.IdleStop != 0 || len(t.Env) > 0 || t.Cwd != ""):
		return t, bad("", "a program that dials in starts where it is: restart, idle_stop, env and cwd don't go with kind remote")
	case t.Kind == wire.KindRemote && f.Heartbeat != 0:
		return t, bad("heartbeat", "a program that dials in has a lease: its connection is its sign of life")
	case f.Lease != 0 && t.Kind != wire.KindRemote:
		return t, bad("lease", "goes with kind remote")
	case f.Lease < 0 || f.Lease > 0 && f.Lease < time.Second || f.Lease > 24*time.Hour:
		return t, bad("lease", "must be between 1s and 24h")
	case f.IdleStop < 0 || f.Heartbeat < 0 || f.Stall < 0:
		return t, bad("", "idle_stop, heartbeat and stall must be 0 (never) or more")
	}
	for field, words := range map[string][]string{"capabilities": t.Capabilities, "labels": slices.AppendSeq(slices.Collect(maps.Keys(t.Labels)), maps.Values(t.Labels))} {
		if err := wire.CheckNames(field, words...); err != nil {
			return t, bad(field, "%s", wire.AsError(err).Message)
		}
	}
	for _, ns := range t.Memory {
		if !namespacePattern.MatchString(ns) {
			return t, bad("memory", "%q is no namespace: 1 to 64 of a-z, 0-9, dot, - and _, and * at the end", ns)
		}
	}
	if kind.Permissions && f.Memory == nil {
		t.Memory = sharedMemory
	}
	if f.Model != nil {
		m, err := f.Model.model()
		if err != "" {
			return t, bad("model", "%s", err)
		}
		t.Model = m
		if t.Tasks == wire.TasksNone {
			t.Tasks = wire.TasksPrompt
		}
	}
	if f.Restart != nil {
		r, err := restartPolicy(f.Restart)
		if err != "" {
			return t, bad("restart", "%s", err)
		}
		t.Restart = r
	}
	if f.Budget != nil {
		b, err := budget(f.Budget)
		if err == "" && !kind.Permissions && !f.Budget.onlyTime() {
			err = "tokens, cost and turns go with kind " + kindsThat(func(c runner.Capabilities) bool { return c.Permissions }) + "; other agents report none"
		}
		if err != "" {
			return t, bad("budget", "%s", err)
		}
		t.Budget = b
	}
	if f.Folder != nil {
		p, err := folder(f.Folder, t.Cwd)
		if err == "" && !kind.Folder {
			err = "goes with kind " + kindsThat(func(c runner.Capabilities) bool { return c.Folder })
		}
		if err != "" {
			return t, bad("folder", "%s", err)
		}
		t.Folder = p
	}
	if f.Permissions != nil {
		p, err := permissions(f.Permissions)
		if err == "" && !kind.Permissions {
			err = "goes with kind " + kindsThat(func(c runner.Capabilities) bool { return c.Permissions })
		}
		if err != "" {
			return t, bad("permissions", "%s", err)
		}
		t.Permissions = p
	}
	for k := range t.Env {
		if k == "" || strings.ContainsAny(k, "=\x00") {
			return t, bad("env", "%q is no name for an environment variable", k)
		}
	}
	if t.Script != "" {
		if _, err := scripted.ParseScript(t.Script); err != nil {
			return t, bad("script", "%s", wire.AsError(err).Message)
		}
	}
	if f.StopGrace != nil {
		if *f.StopGrace < 0 || *f.StopGrace > 10*time.Minute {
			return t, bad("stop_grace", "must be between 0s and 10m")
		}
		t.StopGraceMS = max(1, f.StopGrace.Milliseconds())
	}
	if size := wire.EncodedSize(t); size > wire.MaxRecord {
		return t, bad("", "has %d bytes as JSON, %d are allowed; put what is large into a file", size, wire.MaxRecord)
	}
	return t, nil
}

var namespacePattern = regexp.MustCompile(`^([a-z0-9][a-z0-9._-]{0,63}\*?|\*)$`)

// restartPolicy fills in what a policy leaves out; problem says what is wrong with it.
func restartPolicy(f *fileRestart) (r *wire.RestartPolicy, problem string) {
	r = &wire.RestartPolicy{Mode: wire.RestartMode(cmp.Or(f.Mode, string(wire.RestartFail))), Attempts: cmp.Or(f.Attempts, 2),
		IntervalMS: cmp.Or(f.Interval, 30*time.Minute).Milliseconds(), DelayMS: cmp.Or(f.Delay, 15*time.Second).Milliseconds()}
	switch {
	case r.Mode != wire.RestartFail && r.Mode != wire.RestartDelay:
		return nil, fmt.Sprintf("mode %q; allowed are fail, delay", f.Mode)
	case r.Attempts < 1 || r.Attempts > 1000:
		return nil, "attempts must be between 1 and 1000"
	case r.IntervalMS <= 0 || r.DelayMS < 0:
		return nil, "interval must be more than 0s, and delay 0s or more"
	}
	return r, ""
}

// permissions reads how requests for permission are answered; problem says what is wrong with it.
func permissions(f *filePermissions) (p *wire.Permissions, problem string) {
	decisions := []wire.PermissionDecision{wire.PermissionAsk, wire.PermissionAllow, wire.PermissionDeny}
	p = &wire.Permissions{Otherwise: cmp.Or(wire.PermissionDecision(f.Otherwise), wire.PermissionAsk), LimitMS: f.Limit.Milliseconds()}
	for i, r := range f.Rules {
		rule := wire.PermissionRule{Decision: wire.PermissionDecision(r.Decision), Kind: r.Kind, Command: r.Command}
		if !slices.Contains(decisions, rule.Decision) {
			return nil, fmt.Sprintf("rule %d: decision %q; allowed are ask, allow, deny", i+1, r.Decision)
		}
		if r.Kind != "" && !slices.Contains(wire.ToolKinds, r.Kind) {
			return nil, fmt.Sprintf("rule %d: kind %q; allowed are %s", i+1, r.Kind, strings.Join(wire.ToolKinds, ", "))
		}
		p.Rules = append(p.Rules, rule)
	}
	switch {
	case !slices.Contains(decisions, p.Otherwise):
		return nil, fmt.Sprintf("otherwise %q; allowed are ask, allow, deny", f.Otherwise)
	case f.Limit < 0 || f.Limit > 0 && f.Limit < time.Second:
		return nil, "limit must be 0s (no limit), or 1s and more"
	}
	return p, ""
}

func anything(runner.Capabilities) bool { return true }
