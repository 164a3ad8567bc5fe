package model

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// maxResult bounds what a model is told of a tool call, in bytes: the beginning and the end.
const maxResult = 64 << 10

// commandGrace is the time between SIGTERM and SIGKILL for a command whose time is over, or whose turn was canceled.
const commandGrace = 2 * time.Second

// tool is something that a model may do.
type tool struct {
	function function
	kind     string             // of wire.ToolKinds
	command  *wire.ModelCommand // nil: it is a call
	method   string             // of the call
}

// function is how a model is told of a tool.
type function struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters"`
}

// offered are the tools of the agent.
func (s *session) offered() (tools []tool) {
	for i := range s.launch.Model.Commands {
		c := &s.launch.Model.Commands[i]
		about := cmp.Or(c.About, "Runs "+strings.Join(c.Argv, " "))
		tools = append(tools, tool{function: function{c.Name, about, commandParameters(c)}, kind: cmp.Or(c.Kind, "execute"), command: c})
	}
	for _, t := range s.launch.Tools {
		name := strings.ReplaceAll(t.Name, ".", "_") // a name of a function has no dots
		tools = append(tools, tool{function: function{name, t.About, t.Parameters}, kind: t.Kind, method: t.Name})
	}
	return tools
}

// commandParameters is the JSON Schema of what a model says with a command.
func commandParameters(c *wire.ModelCommand) json.RawMessage {
	if c.Args == "" {
		return json.RawMessage(`{"type":"object","properties":{},"additionalProperties":false}`)
	}
	b, _ := json.Marshal(map[string]any{
		"type": "object", "required": []string{"args"}, "additionalProperties": false,
		"properties": map[string]any{"args": map[string]any{"type": "array", "items": map[string]string{"type": "string"}, "description": c.Args}},
	})
	return b
}

// call makes a tool call, and returns what the model is told of it.
func (s *session) call(ctx context.Context, c *toolCall) (result string) {
	s.count++
	id := fmt.Sprintf("t%d", s.count) // that of the model need not be unique
	i := slices.IndexFunc(s.tools, func(t tool) bool { return t.function.Name == c.Function.Name })
	if i < 0 {
		s.announce(id, wire.Cut(c.Function.Name, 100), "other", nil, "failed", "there is no such tool")
		return "error: there is no such tool"
	}
	t := &s.tools[i]
	input := json.RawMessage(cmp.Or(strings.TrimSpace(c.Function.Arguments), "{}"))
	var args struct {
		Args []string `json:"args"`
	}
	if err := json.Unmarshal(input, &args); err != nil {
		s.announce(id, t.function.Name, t.kind, nil, "failed", "the arguments are no JSON of the right form: "+err.Error())
		return "error: the arguments make no sense: " + err.Error()
	}
	if ctx.Err() != nil {
		return "error: it was canceled before it began"
	}
	var err error
	if t.command != nil {
		result, err = s.runs(ctx, id, t, args.Args)
	} else {
		result, err = s.calls(ctx, id, t, input)
	}
	status, text := "completed", result
	if err != nil {
		status, text = "failed", err.Error()
		result = "error: " + text + "\n" + result
	}
	s.update(map[string]any{"sessionUpdate": "tool_call_update", "toolCallId": id, "status": status, "content": contentOf(text)})
	return ends(result)
}

// announce tells people of a tool call.
func (s *session) announce(id, title, kind string, input any, status, text string) {
	u := map[string]any{"sessionUpdate": "tool_call", "toolCallId": id, "title": title, "kind": kind, "status": status}
	if input != nil {
		u["rawInput"] = input
	}
	if text != "" {
		u["content"] = contentOf(text)
	}
	s.update(u)
}

func contentOf(text string) []any {
	return []any{map[string]any{"type": "content", "content": map[string]string{"type": "text", "text": ends(text)}}}
}

// calls makes a call that agents may make.
func (s *session) calls(ctx context.Context, id string, t *tool, params json.RawMessage) (string, error) {
	s.announce(id, t.method+" "+wire.Cut(string(params), 200), t.kind, params, "in_progress", "")
	type reply struct {
		result any
		err    error
	}
	answer := make(chan reply, 1)
	s.tell(runner.Call{Ctx: ctx, Method: t.method, Params: params, Reply: func(result any, err error) { answer <- reply{result, err} }})
	select {
	case r := <-answer:
		if r.err != nil {
			return "", errors.New(wire.AsError(r.err).Message)
		}
		b, err := json.Marshal(r.result)
		return string(b), err
	case <-ctx.Done():
		return "", errors.New("it was canceled")
	}
}

// runs runs a command, if it is permitted.
func (s *session) runs(ctx context.Context, id string, t *tool, args []string) (string, error) {
	if len(args) > 0 && t.command.Args == "" {
		s.announce(id, t.function.Name, t.kind, nil, "pending", "")
		return "", errors.New("this command takes no arguments")
	}
	argv := slices.Concat(t.command.Argv, args)
	line := commandLine(argv)
	input := map[string]any{"command": line}
	s.announce(id, line, t.kind, input, "pending", "")
	if !s.allowed[line] {
		switch s.request(ctx, "session/request_permission", map[string]any{
			"sessionId": s.launch.Agent,
			"toolCall":  map[string]any{"toolCallId": id, "title": line, "kind": t.kind, "rawInput": input},
			"options": []any{
				map[string]string{"optionId": "once", "name": "Allow", "kind": string(wire.AllowOnce)},
				map[string]string{"optionId": "always", "name": "Allow this command always", "kind": string(wire.AllowAlways)},
				map[string]string{"optionId": "reject", "name": "Reject", "kind": string(wire.RejectOnce)},
			},
		}) {
		case "once":
		case "always":
			s.allowed[line] = true
		default:
			if ctx.Err() != nil {
				return "", errors.New("it was canceled")
			}
			return "", errors.New("a person, or the policy of the agent's type, has rejected it")
		}
	}
	s.update(map[string]any{"sessionUpdate": "tool_call_update", "toolCallId": id, "status": "in_progress"})
	return s.execute(ctx, t.command, argv)
}

// commandLine writes a command as a shell would read it, so that a pattern of a policy can't take an argument for a second command, or
// two arguments for one.
func commandLine(argv []string) string {
	words := make([]string, len(argv))
	for i, arg := range argv {
		words[i] = arg
		if arg == "" || strings.ContainsFunc(arg, unsafe) {
			words[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

// unsafe reports whether a shell may not take a character as it is.
func unsafe(c rune) bool {
	return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("_-./=:,@%+", c))
}

// execute runs a command to its end, and returns what it printed. The error says how it ended, if not well.
func (s *session) execute(ctx context.Context, c *wire.ModelCommand, argv []string) (string, error) {
	limit := time.Duration(cmp.Or(c.TimeoutMS, wire.DefaultCommandTimeout)) * time.Millisecond
	env := map[string]string{}
	for k, v := range s.launch.Env {
		env[k] = v
	}
	if k := s.launch.Model.KeyEnv; k != "" {
		env[k] = ""
	}
	var out printed
	run, err := s.kind.processes.Start(ctx, runner.Launch{
		Agent: s.launch.Agent, Instance: s.launch.Instance, Argv: argv, Env: env, Cwd: s.launch.Cwd, NoInput: true,
	}, out.event)
	if err != nil {
		return "", errors.New(wire.AsError(err).Message)
	}
	s.mu.Lock()
	s.command = run
	s.mu.Unlock()
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	why := ""
	select {
	case <-run.Done():
	case <-timeout.C:
		why = fmt.Sprintf("it was stopped after %s", limit)
	case <-ctx.Done():
		why = "it was canceled"
	}
	if why != "" {
		s.mu.Lock()
		grace := s.grace
		s.mu.Unlock()
		s.stopCommand(context.Background(), run, grace)
		<-run.Done()
	}
	s.mu.Lock()
	s.command = nil
	s.mu.Unlock()
	text := out.text()
	exit := run.Exit()
	switch {
	case why != "":
		return text, errors.New(why)
	case exit.Signal != "":
		return text, fmt.Errorf("it ended by %s", exit.Signal)
	case exit.Code != 0:
		return text, fmt.Errorf("it ended with exit code %d", exit.Code)
	}
	return text, nil
}

// stopCommand stops a command, and notes what is left of it.
func (s *session) stopCommand(ctx context.Context, run runner.Session, grace time.Duration) {
	forced, left := run.Stop(ctx, grace)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forced = s.forced || forced
	for _, l := range left {
		if !slices.Contains(s.left, l) {
			s.left = append(s.left, l)
		}
	}
}

// printed keeps the beginning and the end of what a command prints.
type printed struct {
	mu   sync.Mutex
	head []byte
	tail []byte
	cut  int // bytes between the two
}

// event is the sink of a command.
func (p *printed) event(e runner.Event) error {
	o, is := e.(runner.Output)
	if !is {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	b := o.Bytes
	n := min(len(b), maxResult/2-len(p.head))
	p.head, b = append(p.head, b[:n]...), b[n:]
	p.tail = append(p.tail, b...)
	if more := len(p.tail) - maxResult/2; more > 0 {
		p.cut += more
		p.tail = append(p.tail[:0], p.tail[more:]...)
	}
	return nil
}

func (p *printed) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut == 0 {
		return strings.ToValidUTF8(string(slices.Concat(p.head, p.tail)), "�")
	}
	return strings.ToValidUTF8(fmt.Sprintf("%s\n… %d bytes are left out …\n%s", p.head, p.cut, p.tail), "�")
}

// ends is the beginning and the end of a text, if it is long.
func ends(text string) string {
	if len(text) <= maxResult+100 {
		return text
	}
	half := maxResult / 2
	return strings.ToValidUTF8(fmt.Sprintf("%s\n… %d bytes are left out …\n%s", text[:half], len(text)-2*half, text[len(text)-half:]), "")
}

// makeFolder creates the folder of the agent, if it is one of its own.
func makeFolder(l runner.Launch) error {
	if l.Cwd == "" {
		return nil
	}
	if l.CreateCwd {
		if err := os.MkdirAll(l.Cwd, 0o700); err != nil {
			return runner.SpawnError("its folder can't be created: %s", err)
		}
		return nil
	}
	if info, err := os.Stat(l.Cwd); err != nil || !info.IsDir() {
		return runner.SpawnError("its folder %s is not there", l.Cwd)
	}
	return nil
}
