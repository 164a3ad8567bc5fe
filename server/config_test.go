package server

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"skein.dev/skein/webtransport/wire"
)

func TestBadConfigurations(t *testing.T) {
	for name, c := range map[string]struct {
		yaml  string
		line  int
		field string
		parts []string // other parts of the message
	}{
		"an unknown section":        {"agent_types: {}\nagents: {}\n", 2, "agents", []string{"unknown", "agent_types"}},
		"an unknown field":          {"agent_types:\n  coder:\n    kind: exec\n    comand: [x]\n", 4, "agent_types.coder.comand", []string{"unknown", "argv", "max_instances"}},
		"not a mapping":             {"- coder\n", 1, "", []string{"mapping", "agent_types"}},
		"only a word":               {"coder\n", 1, "", []string{"mapping"}},
		"types in a list":           {"agent_types:\n  - coder\n", 2, "agent_types", []string{"mapping"}},
		"a type that is a word":     {"agent_types:\n  coder: exec\n", 2, "agent_types.coder", []string{"mapping", "kind"}},
		"no kind":                   {"agent_types:\n  coder:\n    argv: [x]\n", 3, "agent_types.coder", []string{"kind", "exec", "scripted"}},
		"an unknown kind":           {"agent_types:\n  coder:\n    argv: [x]\n    kind: docker\n", 4, "agent_types.coder.kind", []string{"docker", "exec", "scripted"}},
		"a command line":            {"agent_types:\n  coder:\n    kind: exec\n    argv: make test\n", 4, "argv", nil},
		"an empty command":          {"agent_types:\n  coder:\n    kind: exec\n    argv: [\"\", x]\n", 4, "agent_types.coder.argv", []string{"empty"}},
		"a cap that is a word":      {"agent_types:\n  coder:\n    kind: exec\n    max_instances: three\n", 4, "max_instances", nil},
		"a negative cap":            {"agent_types:\n  coder:\n    kind: exec\n    max_instances: -1\n", 4, "agent_types.coder.max_instances", []string{"0"}},
		"a grace that is a word":    {"agent_types:\n  coder:\n    kind: exec\n    stop_grace: soon\n", 4, "stop_grace", nil},
		"a grace that is too long":  {"agent_types:\n  coder:\n    kind: exec\n    stop_grace: 11m\n", 4, "agent_types.coder.stop_grace", []string{"0s", "10m"}},
		"a negative grace":          {"agent_types:\n  coder:\n    kind: exec\n    stop_grace: -1s\n", 4, "agent_types.coder.stop_grace", []string{"0s", "10m"}},
		"a relative folder":         {"agent_types:\n  coder:\n    kind: exec\n    cwd: work\n", 4, "agent_types.coder.cwd", []string{"work", "absolute"}},
		"an environment list":       {"agent_types:\n  coder:\n    kind: exec\n    env: [A=1]\n", 4, "env", nil},
		"a name with =":             {"agent_types:\n  coder:\n    kind: exec\n    env:\n      A=B: c\n", 5, "agent_types.coder.env", []string{"A=B"}},
		"labels in a list":          {"agent_types:\n  coder:\n    kind: exec\n    labels: [a]\n", 4, "labels", nil},
		"a script for exec":         {"agent_types:\n  coder:\n    kind: exec\n    script: say x\n", 4, "agent_types.coder.script", []string{"argv"}},
		"a command for a script":    {"agent_types:\n  drill:\n    kind: scripted\n    argv: [x]\n", 4, "agent_types.drill.argv", []string{"exec"}},
		"a bad script":              {"agent_types:\n  drill:\n    kind: scripted\n    script: |\n      say hello\n      fly away\n", 4, "agent_types.drill.script", []string{"line 2", "fly", "say", "exit"}},
		"a name in capitals":        {"agent_types:\n  Coder:\n    kind: exec\n", 3, "agent_types.Coder", []string{"a-z"}},
		"a name that is too long":   {"agent_types:\n  " + strings.Repeat("x", 64) + ":\n    kind: exec\n", 3, "agent_types." + strings.Repeat("x", 64), []string{"63"}},
		"a type twice":              {"agent_types:\n  coder:\n    kind: exec\n  coder:\n    kind: scripted\n", 4, "coder", nil},
		"a field twice":             {"agent_types:\n  coder:\n    kind: exec\n    kind: scripted\n", 4, "kind", nil},
		"tasks of no kind":          {"agent_types:\n  coder:\n    kind: exec\n    tasks: mail\n", 4, "agent_types.coder.tasks", []string{"mail", "lines", "process"}},
		"a script as a process":     {"agent_types:\n  coder:\n    kind: scripted\n    tasks: process\n", 4, "agent_types.coder.tasks", []string{"exec"}},
		"lines without a command":   {"agent_types:\n  coder:\n    kind: exec\n    tasks: lines\n", 4, "agent_types.coder.tasks", []string{"argv"}},
		"many tasks, and no way":    {"agent_types:\n  coder:\n    kind: exec\n    max_tasks: 3\n", 4, "agent_types.coder.max_tasks", []string{"tasks: lines"}},
		"an exit code of success":   {"agent_types:\n  coder:\n    kind: exec\n    tasks: process\n    retry_on: [75, 0]\n", 5, "agent_types.coder.retry_on", []string{"0", "1 to 255"}},
		"exit codes of no process":  {"agent_types:\n  coder:\n    kind: exec\n    argv: [x]\n    tasks: lines\n    retry_on: [75]\n", 6, "agent_types.coder.retry_on", []string{"tasks: process"}},
		"an exit code in words":     {"agent_types:\n  coder:\n    kind: exec\n    retry_on: busy\n", 4, "retry_on", []string{"list of exit codes"}},
		"a restart that is a word":  {"agent_types:\n  coder:\n    kind: exec\n    restart: always\n", 4, "agent_types.coder.restart", []string{"mode"}},
		"a restart of no mode":      {"agent_types:\n  coder:\n    kind: exec\n    restart: {mode: always}\n", 4, "agent_types.coder.restart", []string{"always", "fail, delay"}},
		"a namespace with capitals": {"agent_types:\n  coder:\n    kind: exec\n    memory: [Team]\n", 4, "agent_types.coder.memory", []string{"Team"}},
		"no such folder":            {"agent_types:\n  coder:\n    kind: exec\n    folder: lane\n", 4, "agent_types.coder.folder", []string{"lane", "worktree"}},
		"a folder that is a number": {"agent_types:\n  coder:\n    kind: exec\n    folder: [1]\n", 4, "agent_types.coder.folder", []string{"worktree"}},
		"a field of no folder":      {"agent_types:\n  coder:\n    kind: exec\n    folder: {mode: worktree, bass: main}\n", 4, "agent_types.coder.folder", []string{"bass", "worktree"}},
		"a fresh folder that is":    {"agent_types:\n  coder:\n    kind: exec\n    cwd: /srv\n    folder: fresh\n", 5, "agent_types.coder.folder", []string{"cwd"}},
		"a base of no worktree":     {"agent_types:\n  coder:\n    kind: exec\n    folder: {base: main}\n", 4, "agent_types.coder.folder", []string{"base", "worktree"}},
		"a copy from elsewhere":     {"agent_types:\n  coder:\n    kind: exec\n    folder: {mode: worktree, copy: [../x]}\n", 4, "agent_types.coder.folder", []string{"../x"}},
		"a worktree far away":       {"agent_types:\n  far:\n    kind: remote\n    folder: worktree\n", 4, "agent_types.far.folder", []string{"acp, exec"}},
		"a lease of a process":      {"agent_types:\n  coder:\n    kind: exec\n    lease: 1m\n", 4, "agent_types.coder.lease", []string{"remote"}},
		"a lease that is too short": {"agent_types:\n  far:\n    kind: remote\n    lease: 1ms\n", 4, "agent_types.far.lease", []string{"1s"}},
		"a heartbeat far away":      {"agent_types:\n  far:\n    kind: remote\n    heartbeat: 1m\n", 4, "agent_types.far.heartbeat", []string{"lease"}},
		"a folder far away":         {"agent_types:\n  far:\n    kind: remote\n    cwd: /srv\n", 3, "agent_types.far", []string{"dials in"}},
		"a budget of nothing":       {"agent_types:\n  local:\n    kind: acp\n    argv: [x]\n    budget: {agent: {}}\n", 5, "agent_types.local.budget", []string{"nothing", "tokens"}},
		"a budget then nothing":     {"agent_types:\n  local:\n    kind: acp\n    argv: [x]\n    budget: {agent: {turns: 3}, then: cry}\n", 5, "agent_types.local.budget", []string{"cry", "warn, pause, stop"}},
		"tokens of a process":       {"agent_types:\n  coder:\n    kind: exec\n    budget: {agent: {tokens: 3}}\n", 4, "agent_types.coder.budget", []string{"acp, openai"}},
		"a day of wall time":        {"budget: {day: {wall: 3h}}\n", 1, "budget", []string{"wall"}},
		"a budget in words":         {"budget: {day: {cost: much}}\n", 1, "budget", []string{"mapping", "cost"}},
		"a lane that is none":       {"lanes: {fast: 1MB}\n", 1, "lanes.fast", []string{"bulk"}},
		"a rate that is none":       {"agent_types: {}\nlanes: {bulk: quick}\n", 2, "lanes.bulk", []string{"quick", "50MB"}},
		"a class that is none":      {"writers: {urgent: 8}\n", 1, "writers.urgent", []string{"low"}},
		"a negative cap of all":     {"max_agents: -1\n", 1, "max_agents", []string{"0"}},
		"no namespace":              {"agent_types:\n  coder:\n    kind: exec\n    memory: [\"\"]\n", 4, "agent_types.coder.memory", []string{"a-z"}},
		"a namespace with a hole":   {"agent_types:\n  coder:\n    kind: exec\n    memory: [\"a*b\"]\n", 4, "agent_types.coder.memory", []string{"a*b", "end"}},
		"a capability that rings":   {"agent_types:\n  coder:\n    kind: exec\n    capabilities: [\"a\\ab\"]\n", 4, "agent_types.coder.capabilities", []string{`"a\ab"`}},
		"a label of two lines":      {"agent_types:\n  coder:\n    kind: exec\n    labels: {team: \"a\\nb\"}\n", 4, "agent_types.coder.labels", []string{`"a\nb"`}},
		"a stdin of no kind":        {"agent_types:\n  coder:\n    kind: exec\n    stdin: tty\n", 4, "agent_types.coder.stdin", []string{"tty", "pipe, none"}},
		"lines without stdin":       {"agent_types:\n  coder:\n    kind: exec\n    argv: [x]\n    tasks: lines\n    stdin: none\n", 6, "agent_types.coder.stdin", []string{"lines"}},
		"a hook that is a line":     {"max_agents: 1\nask_hook: notify-send Skein\n", 2, "ask_hook", []string{"[notify-send, Skein]"}},
		"a hook of nothing":         {"max_agents: 1\nask_hook: []\n", 2, "ask_hook", []string{"[notify-send, Skein]"}},
		"push in a word":            {"max_agents: 1\npush: off\n", 2, "push", []string{"{off: true}"}},
		"a field of push":           {"push: {offf: true}\n", 1, "push", []string{"{off: true}"}},
		"whom nobody can write to":  {"max_agents: 1\npush: {subject: me@example.com}\n", 2, "push", []string{"mailto:me@example.com"}},
		"a mail with a space":       {"push: {subject: \"mailto: me@example.com\"}\n", 1, "push", []string{"subject"}},
		"a field of a policy":       {"agent_types:\n  coder:\n    kind: acp\n    argv: [x]\n    permissions:\n      rule: []\n", 6, "agent_types.coder.permissions", []string{`"rule"`, "rules"}},
		"options of a process":      {"agent_types:\n  coder:\n    kind: exec\n    argv: [x]\n    options: {model: a}\n", 5, "agent_types.coder.options", []string{"acp"}},
		"an option that is a list":  {"agent_types:\n  coder:\n    kind: acp\n    argv: [x]\n    options: {model: [a]}\n", 5, "agent_types.coder.options", []string{"thought_level: high"}},
		"a mode twice":              {"agent_types:\n  coder:\n    kind: acp\n    argv: [x]\n    mode: a\n    options: {mode: b}\n", 6, "agent_types.coder.options", []string{"once"}},
		"no model":                  {"agent_types:\n  local:\n    kind: openai\n", 3, "agent_types.local", []string{"model is missing", "url"}},
		"a model of a process":      {"agent_types:\n  coder:\n    kind: exec\n    model: {url: http://a/v1, name: b}\n", 4, "agent_types.coder.model", []string{"openai"}},
		"a model without a name":    {"agent_types:\n  local:\n    kind: openai\n    model: {url: http://a/v1}\n", 4, "agent_types.local.model", []string{"name"}},
		"a model at no address":     {"agent_types:\n  local:\n    kind: openai\n    model: {url: localhost, name: b}\n", 4, "agent_types.local.model", []string{"http://localhost:11434/v1"}},
		"a key in an address":       {"agent_types:\n  local:\n    kind: openai\n    model: {url: \"http://k:s@a/v1\", name: b}\n", 4, "agent_types.local.model", []string{"key_env"}},
		"a field of a model":        {"agent_types:\n  local:\n    kind: openai\n    model:\n      url: http://a/v1\n      name: b\n      key: s3cret\n", 7, "agent_types.local.model", []string{`"key"`}},
		"a command of no argv":      {"agent_types:\n  local:\n    kind: openai\n    model: {url: http://a/v1, name: b, commands: {test: {}}}\n", 4, "agent_types.local.model", []string{"commands.test", "argv"}},
		"a command named a method":  {"agent_types:\n  local:\n    kind: openai\n    model: {url: http://a/v1, name: b, commands: {memory_store: {argv: [x]}}}\n", 4, "agent_types.local.model", []string{"memory_store"}},
		"a command named a wait":    {"agent_types:\n  local:\n    kind: openai\n    model: {url: http://a/v1, name: b, commands: {task_wait: {argv: [x]}}}\n", 4, "agent_types.local.model", []string{"task_wait"}},
		"an option that JSON lacks": {"agent_types:\n  local:\n    kind: openai\n    model: {url: http://a/v1, name: b, options: {temperature: .nan}}\n", 4, "agent_types.local.model", []string{"options", "NaN"}},
		"a stall without a unit":    {"agent_types:\n  local:\n    kind: openai\n    model:\n      url: http://a/v1\n      name: b\n      stall: 5\n", 7, "agent_types.local.model", []string{`"5"`, "duration"}},
		"a command of a text":       {"agent_types:\n  local:\n    kind: openai\n    model:\n      url: http://a/v1\n      name: b\n      commands:\n        test: {argv: make}\n", 8, "agent_types.local.model", []string{`"make"`}},
		"an option that is ours":    {"agent_types:\n  local:\n    kind: openai\n    model: {url: http://a/v1, name: b, options: {stream: false}}\n", 4, "agent_types.local.model", []string{"stream"}},
		"two documents":             {"agent_types: {}\n---\nagent_types: {}\n", 3, "", []string{"one document"}},
		"a brace that does not end": {"agent_types: {coder: {kind: exec}\n", 1, "", nil},
		"a tab":                     {"agent_types:\n\tcoder: {}\n", 2, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, "skein.yaml", c.yaml)
			_, err := LoadConfig(path)
			var ce *ConfigError
			if !errors.As(err, &ce) {
				t.Fatalf("%v", err)
			}
			text := strings.TrimPrefix(err.Error(), path)
			if ce.File != path || ce.Line != c.line {
				t.Errorf("%q is at line %d, want %d", text, ce.Line, c.line)
			}
			if ce.Line == 0 || !strings.HasPrefix(text, fmt.Sprintf(":%d: ", ce.Line)) {
				t.Errorf("%q does not begin with the place", text)
			}
			for _, part := range append(c.parts, c.field) {
				if !strings.Contains(text, part) {
					t.Errorf("%q does not name %q", text, part)
				}
			}
			if strings.Contains(text, "fileType") || strings.Contains(text, "Go struct") || strings.Contains(text, "Go value") {
				t.Errorf("%q talks about Skein's insides", text)
			}
		})
	}
}

func TestConfigurationsThatAreMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "skein.yaml")
	if _, err := LoadConfig(path); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
}

func TestBuiltinTypes(t *testing.T) {
	for name, path := range map[string]string{
		"no file": "", "an empty file": write(t, "a.yaml", ""), "comments alone": write(t, "b.yaml", "# nothing\n\n"), "no types": write(t, "c.yaml", "agent_types: {}\n"),
	} {
		c, err := LoadConfig(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(c.Types) != 4 || c.Types[0].Name != "remote" || c.Types[0].Kind != wire.KindRemote || c.Types[1].Name != "scripted" || c.Types[1].Kind != wire.KindScripted ||
			c.Types[2].Name != "shell" || c.Types[2].Kind != wire.KindExec || c.Types[3].Name != "worker" || c.Types[3].Tasks != wire.TasksLines {
			t.Errorf("%s: %+v", name, c.Types)
		}
		for _, at := range c.Types {
			if !at.Builtin || at.Description == "" || len(at.Argv) > 0 {
				t.Errorf("%s: %+v", name, at)
			}
		}
	}
}

func TestAGoodConfiguration(t *testing.T) {
	c, err := LoadConfig(write(t, "skein.yaml", `# types of ours
agent_types:
  reviewer:
    kind: exec
    description: Reviews
    argv: [review, --json, "a b"]
    env: {MODEL: small, EMPTY: ""}
    cwd: /srv/project
    max_instances: 3
    stop_grace: 1m30s
    capabilities: [review, comment]
    labels: {team: core}
  at-once: {kind: exec, argv: ["true"], stop_grace: 0s, stdin: none}
  drill: {kind: scripted, script: "say hello\nexit 3"}
  coder:
    {kind: exec, argv: [code], tasks: lines, max_tasks: 2, idle_stop: 1m, coordinator: true, memory: [a, "team.*"], heartbeat: 10s, stall: 20s,
    restart: {mode: delay, attempts: 5, interval: 1h, delay: 1s}}
  job: {kind: exec, argv: [job], tasks: process, retry_on: [3, 111], budget: {agent: {wall: 1h}, then: stop}}
  far: {kind: remote, max_tasks: 3, lease: 2m, memory: [a]}
  tree: {kind: exec, argv: [x], cwd: /srv, folder: {mode: worktree, base: main, copy: [.env, "config/*.local"]}}
  apart: {kind: exec, argv: [x], cwd: /srv, folder: {share: false}}
  fresh: {kind: exec, argv: [x], folder: fresh}
  shell: {kind: exec, argv: [bash, -lc]} # instead of the built-in one
`))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]wire.AgentType{}
	for _, at := range c.Types {
		got[at.Name] = at
	}
	for _, want := range []wire.AgentType{
		{Name: "reviewer", Kind: wire.KindExec, Description: "Reviews", Argv: []string{"review", "--json", "a b"}, Env: map[string]string{"MODEL": "small", "EMPTY": ""},
			Cwd: "/srv/project", MaxInstances: 3, StopGraceMS: 90_000, Capabilities: []string{"review", "comment"}, Labels: map[string]string{"team": "core"}},
		{Name: "at-once", Kind: wire.KindExec, Argv: []string{"true"}, StopGraceMS: 1, Stdin: wire.StdinNone},
		{Name: "drill", Kind: wire.KindScripted, Script: "say hello\nexit 3"},
		{Name: "shell", Kind: wire.KindExec, Argv: []string{"bash", "-lc"}},
		{Name: "job", Kind: wire.KindExec, Argv: []string{"job"}, Tasks: wire.TasksProcess, RetryOn: []int{3, 111},
			Budget: &wire.Budget{Agent: &wire.Limit{WallMS: 3_600_000}, Then: wire.BudgetStop}},
		{Name: "far", Kind: wire.KindRemote, Tasks: wire.TasksLines, MaxTasks: 3, LeaseMS: 120_000, Memory: []string{"a"}},
		{Name: "tree", Kind: wire.KindExec, Argv: []string{"x"}, Cwd: "/srv",
			Folder: &wire.FolderPolicy{Mode: wire.FolderWorktree, Base: "main", Copy: []string{".env", "config/*.local"}}},
		{Name: "apart", Kind: wire.KindExec, Argv: []string{"x"}, Cwd: "/srv", Folder: &wire.FolderPolicy{Share: new(bool)}},
		{Name: "fresh", Kind: wire.KindExec, Argv: []string{"x"}, Folder: &wire.FolderPolicy{Mode: wire.FolderFresh}},
		{Name: "coder", Kind: wire.KindExec, Argv: []string{"code"}, Tasks: wire.TasksLines, MaxTasks: 2, IdleStopMS: 60_000, Coordinator: true,
			Memory: []string{"a", "team.*"}, HeartbeatMS: 10_000, StallMS: 20_000,
			Restart: &wire.RestartPolicy{Mode: wire.RestartDelay, Attempts: 5, IntervalMS: 3_600_000, DelayMS: 1000}},
	} {
		if !reflect.DeepEqual(got[want.Name], want) {
			t.Errorf("%s is\n%+v, want\n%+v", want.Name, got[want.Name], want)
		}
	}
	if len(got) != 13 || !got["scripted"].Builtin || !got["remote"].Builtin {
		t.Errorf("%d types", len(got))
	}
}

func TestTheExampleIsGood(t *testing.T) {
	c, err := LoadConfig(write(t, "skein.yaml", ConfigExample))
	if err != nil {
		t.Fatal(err)
	}
	if b := c.Budget; b == nil || b.Day.Cost != 50 || b.Then != wire.BudgetPause {
		t.Errorf("the budget of all is %+v", b)
	}
	if len(c.Types) != 11 || c.MaxAgents != 200 || c.Lanes.Rates[wire.LaneBulk] != 50e6 || c.Lanes.Writers[wire.ClassLow] != 8 {
		t.Errorf("%+v", c)
	}
	if rate, ok := c.Lanes.Rates[wire.LaneMemory]; !ok || rate != 0 {
		t.Errorf("memory has the rate %d", rate)
	}
}

func TestAConfiguredServer(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "out")
	config := write(t, "skein.yaml", `agent_types:
  greeter:
    kind: exec
    argv: [sh, -c, 'echo "$GREETING $0 $1" > `+out+`']
    env: {GREETING: hello}
    max_instances: 1
    labels: {team: core}
  waiter: {kind: scripted, script: read, max_instances: 2}
`)
	n := start(t, func(o *Options) { o.ConfigFile = config })
	p := n.join(t, wire.WebSocket)
	res := result[wire.SpawnResult](t, p.call(t, "1", wire.MethodSpawn, wire.SpawnParams{Type: "greeter", Args: []string{"dear", "world"}, Labels: map[string]string{"run": "1"}}))
	lane, _ := p.attach(t, wire.Header{Agent: res.Agents[0].ID, Follow: true})
	_, end := lane.events(t)
	if b, err := os.ReadFile(out); string(b) != "hello dear world\n" || end.Agent.Labels["team"] != "core" || end.Agent.Labels["run"] != "1" {
		t.Errorf("the file holds %q, %v; labels %v", b, err, end.Agent.Labels)
	}
	isError(t, p.call(t, "2", wire.MethodSpawn, wire.SpawnParams{Type: "waiter", Count: 3}), wire.CodeExhausted, "count")
	p.call(t, "3", wire.MethodSpawn, wire.SpawnParams{Type: "waiter", Count: 2})
	m := p.call(t, "4", wire.MethodSpawn, wire.SpawnParams{Type: "waiter"})
	if isError(t, m, wire.CodeExhausted, "count"); m.Error != nil && !strings.Contains(m.Error.Message, "max_instances") {
		t.Errorf("the reason does not say what holds it: %v", m.Error)
	}
	for _, at := range result[wire.TypesResult](t, p.call(t, "5", wire.MethodTypes, nil)).Types {
		if at.Name == "waiter" && (at.Running != 2 || at.MaxInstances != 2) {
			t.Errorf("%+v", at)
		}
	}
}

// TestEveryFieldCanBeWritten checks that no field of a type is refused as unknown.
func TestEveryFieldCanBeWritten(t *testing.T) {
	t.Parallel()
	for f := range reflect.TypeFor[fileType]().Fields() {
		name := f.Tag.Get("yaml")
		if !slices.Contains(fileFields["agent_types"], name) {
			t.Errorf("%s is refused as an unknown field", name)
		}
		if _, known := fieldForms[name]; !known {
			t.Errorf("%s has no form", name)
		}
	}
	path := filepath.Join(t.TempDir(), "skein.yaml")
	if err := os.WriteFile(path, []byte("agent_types:\n  claude:\n    kind: exec\n    argv: [claude]\n    tty: true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := LoadConfig(path); err != nil || !c.Types[0].TTY {
		t.Errorf("%+v, %v", c.Types, err)
	}
	// JSON is YAML, whose keys have quotes.
	if err := os.WriteFile(path, []byte(`{"agent_types": {"claude": {"kind": "exec", 'argv': ["claude"], "tty": true}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := LoadConfig(path); err != nil || !c.Types[0].TTY || c.Types[0].Argv[0] != "claude" {
		t.Errorf("as JSON: %+v, %v", c.Types, err)
	}
}

func TestOptionsMayBeTrueOrANumber(t *testing.T) {
	c, err := parseConfig("x", []byte("agent_types:\n  coder:\n    kind: acp\n    argv: [x]\n    options: {model: small, fast: true, retries: 3}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(c.Types[0].Options), "map[fast:true model:small retries:3]"; got != want {
		t.Errorf("the options are %s, want %s", got, want)
	}
}
