package acp

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// permission handles a session/request_permission.
func (s *session) permission(m *message) {
	var p permissionParams
	if err := json.Unmarshal(m.Params, &p); err != nil {
		s.conn.reply(m.ID, nil, &rpcError{Code: codeInvalidParams, Message: err.Error()})
		return
	}
	t := s.tool(&p.ToolCall)
	w := &permission{id: m.ID, tool: t.id}
	for _, o := range p.Options {
		if len(o.ID) <= wire.MaxAskOption && len(w.options) < wire.MaxAskOptions {
			w.options = append(w.options, wire.AskOption{ID: o.ID, Name: short(cmp.Or(o.Name, o.ID), maxWord), Kind: wire.OptionKind(short(o.Kind, wire.MaxAskOption))})
		}
	}
	if len(w.options) == 0 {
		s.log("it asks for a permission without an option that could be chosen, and was refused: %s", oneLine(t.name()))
		s.conn.reply(m.ID, cancelled(), nil)
		return
	}
	s.ask(w, t)
}

// ask asks people, or the policy of the agent's type, about a tool call, unless the turn was canceled.
func (s *session) ask(w *permission, t *tool) {
	s.mu.Lock()
	full := len(s.open) >= maxPermissions
	if full || s.stopped || s.now != nil && s.now.canceled {
		s.mu.Unlock()
		s.conn.reply(w.id, cancelled(), nil)
		if full {
			s.log("it waits for %d permissions already; one more was refused", maxPermissions)
		}
		return
	}
	key := newKey()
	shown := t.describe()
	w.shown = sumOf(shown)
	s.open[key] = w
	task := wire.TaskID("")
	if s.now != nil {
		task = s.now.task
	}
	text := short(t.name(), wire.MaxAskText)
	s.mu.Unlock()
	s.tell(runner.Permission{Key: key, Task: task, Text: text, Tool: shown, Options: w.options, Answer: func(a *wire.AskAnswer) {
		if !s.take(key) {
			return
		}
		if a == nil {
			s.conn.reply(w.id, cancelled(), nil)
		} else {
			s.conn.reply(w.id, selected(a.Option), nil)
		}
	}})
}

// keys counts the keys of permissions: of an agent that is started again, those of another process don't mean the new ones.
var keys atomic.Int64

func newKey() string { return fmt.Sprintf("permission %d", keys.Add(1)) }

// take removes an open permission. It reports whether it was open.
func (s *session) take(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, is := s.open[key]
	delete(s.open, key)
	return is
}

// opens returns the open permissions that match.
func (s *session) opens(match func(*permission) bool) map[string]*permission {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[string]*permission{}
	for key, w := range s.open {
		if match(w) {
			found[key] = w
		}
	}
	return found
}

// withdraw answers every open permission as cancelled.
func (s *session) withdraw(why string) {
	for key, w := range s.opens(func(*permission) bool { return true }) {
		if s.take(key) {
			s.conn.reply(w.id, cancelled(), nil)
			s.tell(runner.Withdrawn{Key: key, Reason: why})
		}
	}
}

// revoke ends a permission that the agent itself does not want any more.
func (s *session) revoke(id json.RawMessage) {
	for key, w := range s.opens(func(w *permission) bool { return string(w.id) == string(id) }) {
		if s.take(key) {
			s.conn.reply(w.id, nil, &rpcError{Code: codeCanceled, Message: "Request cancelled"})
			s.tell(runner.Withdrawn{Key: key, Reason: "the agent does not wait for it any more"})
		}
	}
}

// changed asks again about a tool call that is not what was shown any more.
func (s *session) changed(t *tool) {
	for key, w := range s.opens(func(w *permission) bool { return w.tool == t.id }) {
		s.mu.Lock()
		same := w.shown == sumOf(t.describe())
		s.mu.Unlock()
		if !same && s.take(key) {
			s.tell(runner.Withdrawn{Key: key, Reason: "the agent has changed what it asks for"})
			s.ask(w, t)
		}
	}
}

func sumOf(t *wire.AskTool) [sha256.Size]byte {
	b, _ := json.Marshal(t) // of strings alone
	return sha256.Sum256(b)
}

// tool adds what a message says to what is known of a tool call.
func (s *session) tool(c *toolCall) *tool {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := short(c.ID, maxWord)
	t := s.tools[id]
	if t == nil {
		t = &tool{id: id}
		s.tools[id] = t
	}
	if c.Title != nil {
		t.title = short(strings.TrimSpace(*c.Title), wire.MaxAskText)
	}
	if c.Kind != nil {
		t.kind = short(*c.Kind, maxWord)
	}
	if c.Status != nil {
		t.status = short(*c.Status, maxWord)
	}
	if len(c.RawInput) > 0 {
		t.input = c.RawInput
	}
	if c.Content != nil {
		t.content = c.Content
	}
	if c.Places != nil {
		t.paths = nil
		for _, p := range c.Places {
			t.paths = append(t.paths, p.Path)
		}
	}
	t.more = len(t.content) >= maxItems || len(t.paths) >= maxItems
	s.remember(t)
	return t
}

// remember counts what is known of a tool call, and forgets those that were not heard of for longest. The caller holds mu.
func (s *session) remember(t *tool) {
	s.called = append(slices.DeleteFunc(s.called, func(o *tool) bool { return o == t }), t)
	s.size -= t.size
	t.size = len(t.id) + len(t.title) + len(t.input)
	for _, c := range t.content {
		t.size += 300 + len(c.Type) + len(c.Path) + len(c.NewText) + len(c.Content.Type) + len(c.Content.Text) + len(c.Content.URI) + len(c.Content.Name) + len(c.Content.Title) + len(c.Content.MIME) +
			len(c.Content.Resource.v.URI) + len(c.Content.Resource.v.MIME)
		if c.OldText != nil {
			t.size += len(*c.OldText)
		}
	}
	for _, p := range t.paths {
		t.size += 16 + len(p)
	}
	s.size += t.size
	for len(s.called) > 1 && (len(s.called) > maxTools || s.size > maxToolBytes) {
		old := s.called[0]
		s.called, s.size = slices.Delete(s.called, 0, 1), s.size-old.size
		delete(s.tools, old.id)
	}
}

// name is what a person is told that it does.
func (t *tool) name() string {
	return cmp.Or(t.title, t.command(), t.kind, "a tool")
}

// command is what a tool call executes, as far as the agent says it.
func (t *tool) command() string {
	var in map[string]json.RawMessage // a struct would take "Command" for "command", which is not what the agent runs
	json.Unmarshal(t.input, &in)
	var all []string // of which the agent may run either
	for _, key := range []string{"command", "cmd"} {
		if line := commandLine(in[key], in["args"]); line != "" && !slices.Contains(all, line) {
			all = append(all, line)
		}
	}
	return strings.Join(all, "\n")
}

// commandLine is a command as people write it.
func commandLine(command, args json.RawMessage) string {
	var line string
	var argv, more []string
	switch {
	case json.Unmarshal(command, &line) == nil && line != "":
		argv = []string{line}
	case json.Unmarshal(command, &argv) != nil || len(argv) == 0:
		return ""
	case len(argv) == 3 && (argv[1] == "-c" || argv[1] == "-lc") && slices.Contains(shells, path.Base(argv[0])):
		argv = argv[2:]
	}
	if json.Unmarshal(args, &more) != nil && len(args) > 0 {
		more = []string{string(args)}
	}
	return strings.Join(append(argv, more...), " ")
}

// shells are programs that run what follows -c.
var shells = []string{"sh", "bash", "dash", "ash", "ksh", "zsh", "fish"}

// describe is what the tool call wants to do. The caller holds session.mu.
func (t *tool) describe() *wire.AskTool {
	d := &wire.AskTool{Kind: t.kind, Command: t.command(), Paths: t.paths, Cut: t.more}
	for _, c := range t.content {
		if c.Type == "diff" {
			d.Diffs = append(d.Diffs, wire.AskDiff{Path: c.Path, Old: c.OldText, New: c.NewText})
		}
	}
	return d
}
