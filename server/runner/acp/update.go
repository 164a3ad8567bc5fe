package acp

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// say writes a piece of the conversation as output.
func (s *session) say(b block, text string) {
	if text == "" {
		return
	}
	s.telling.Lock()
	defer s.telling.Unlock()
	begins := s.screen.in != b || b == blockNote
	if begins && b == blockMessage {
		if text = strings.TrimLeft(text, " \n"); text == "" {
			return
		}
	}
	if begins && b == blockUser {
		text = "› " + text
	}
	if text = dimmed(b, text); begins && s.screen.mid {
		text = "\n" + text
	}
	if b == blockNote {
		text += "\n"
	}
	s.screen = screen{in: b, mid: !strings.HasSuffix(text, "\n")}
	s.write(text)
}

// note says what no update of the agent does, as output and in the conversation.
func (s *session) note(text string) {
	if text == "" {
		return
	}
	s.say(blockNote, text)
	s.tell(runner.ConversationNote(text))
}

// write writes output. The caller holds telling.
func (s *session) write(text string) {
	for len(text) > 0 {
		n := min(len(text), wire.MaxOutput)
		if n < len(text) {
			n -= runner.Unfinished([]byte(text[:n]))
		}
		if i := strings.LastIndexByte(text[:n], '\n'); i >= 0 { // output ends with a line, if it can
			n = i + 1
		}
		s.sink(runner.Output{Stream: wire.EventStdout, Bytes: []byte(text[:n])})
		text = text[n:]
	}
}

// dimmed sets thoughts and notes apart from what the agent says.
func dimmed(b block, text string) string {
	if b == blockMessage || b == blockUser {
		return text
	}
	end := ""
	if strings.HasSuffix(text, "\n") {
		text, end = text[:len(text)-1], "\n"
	}
	return "\x1b[2m" + text + "\x1b[22m" + end
}

// tellEnd ends the last line.
func (s *session) tellEnd() {
	s.telling.Lock()
	defer s.telling.Unlock()
	if s.screen.mid {
		s.sink(runner.Output{Stream: wire.EventStdout, Bytes: []byte("\n")})
	}
}

// updated handles an update of the session.
func (s *session) updated(raw json.RawMessage) {
	s.mu.Lock()
	past := s.past
	s.mu.Unlock()
	var u update
	err := json.Unmarshal(raw, &u)
	if past == pastShown && slices.Contains(pastKinds, u.Kind) {
		s.showsPast()
	}
	switch {
	case past == pastHidden:
	case len(raw) <= maxUpdate:
		s.tell(runner.Conversation{JSON: slices.Clone(raw)})
	default:
		s.log("an update of %d bytes was too long to be kept", len(raw))
	}
	if err != nil || s.offered(&u) {
		return
	}
	if past == pastNone {
		s.said(&u, raw)
		return
	}
	s.mu.Lock()
	s.told = s.told || strings.HasSuffix(u.Kind, "_message_chunk")
	s.mu.Unlock()
	if past == pastShown {
		s.saidBefore(&u, raw)
	}
}

// pastKinds are the kinds of updates that tell what was said.
var pastKinds = []string{"user_message_chunk", "agent_message_chunk", "agent_thought_chunk", "tool_call", "tool_call_update", "plan"}

// offered handles an update that says what the agent offers. It reports whether it is one.
func (s *session) offered(u *update) bool {
	switch u.Kind {
	case "config_option_update":
		s.offer(func(o *offers) { o.config = configOptions(u.Config) })
	case "available_commands_update":
		s.offer(func(o *offers) { o.commands = commands(u.Commands) })
	case "session_info_update":
		if len(u.Title) > 0 {
			var title string
			json.Unmarshal(u.Title, &title)
			s.offer(func(o *offers) { o.title = line(title, wire.MaxSessionTitle) })
			s.summarize()
		}
	case "current_mode_update":
		s.offer(func(o *offers) { o.inMode(u.ModeID) })
		if s.inTime() {
			s.say(blockNote, "Mode "+oneLine(u.ModeID))
		}
	default:
		return false
	}
	return true
}

// inTime reports whether updates tell of what happens now.
func (s *session) inTime() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.past == pastNone
}

// saidBefore shows what was said in a session that is loaded. It is neither an answer nor work of this agent, and costs it nothing.
func (s *session) saidBefore(u *update, raw json.RawMessage) {
	switch u.Kind {
	case "user_message_chunk":
		s.say(blockUser, u.text())
	case "agent_message_chunk":
		s.say(blockMessage, u.text())
	case "usage_update":
		s.mu.Lock()
		s.bill.context(u) // from which the cost of what follows is counted
		s.mu.Unlock()
	case "agent_thought_chunk", "tool_call", "tool_call_update", "plan":
		s.said(u, raw)
	}
}

// said handles what the agent says and does.
func (s *session) said(u *update, raw json.RawMessage) {
	switch u.Kind {
	case "agent_message_chunk":
		text := u.text()
		s.mu.Lock()
		if p := s.now; p != nil && p.answer.Len()+len(text) <= maxText {
			p.answer.WriteString(text)
		}
		s.mu.Unlock()
		s.say(blockMessage, text)
		if tokens := u.Meta.v.Usage; tokens.is {
			s.mu.Lock()
			s.bill.chunk(&tokens.v)
			s.mu.Unlock()
		}
	case "agent_thought_chunk":
		s.say(blockThought, u.text())
	case "tool_call", "tool_call_update":
		s.toolCalled(raw)
	case "plan":
		lines, doing := []string{"Plan"}, ""
		for _, e := range u.Entries {
			if e.Status == "in_progress" && doing == "" {
				doing = oneLine(e.Content)
			}
			mark := map[string]string{"completed": "✓", "in_progress": "▸"}[e.Status]
			lines = append(lines, cmp.Or(mark, "·")+" "+oneLine(e.Content))
		}
		s.say(blockNote, strings.Join(lines, "\n"))
		s.does(doing)
	case "usage_update":
		s.mu.Lock()
		spent := s.bill.context(u)
		s.mu.Unlock()
		s.tell(runner.Spent{Spent: spent})
	}
}

// does notes the entry of its plan that the agent is at; "": none.
func (s *session) does(entry string) {
	s.mu.Lock()
	was := s.doing
	s.doing = entry
	s.mu.Unlock()
	if entry != was {
		s.summarize()
	}
}

// summarize says what the agent does: the entry of its plan that it is at, or else the title of the conversation.
func (s *session) summarize() {
	s.mu.Lock()
	text := cmp.Or(s.doing, s.offers.title)
	s.mu.Unlock()
	s.tell(runner.Summary{Text: text, Derived: true})
}

// toolCalled handles what an agent says of a tool call.
func (s *session) toolCalled(raw json.RawMessage) {
	var c toolCall
	if json.Unmarshal(raw, &c) != nil {
		var least struct {
			ID     string  `json:"toolCallId"`
			Title  *string `json:"title"`
			Status *string `json:"status"`
		}
		if json.Unmarshal(raw, &least) != nil {
			return
		}
		c = toolCall{ID: least.ID, Title: least.Title, Status: least.Status}
	}
	s.mu.Lock()
	_, known := s.tools[short(c.ID, maxWord)]
	if s.now != nil {
		s.now.answer.Reset() // what it has said so far was not its last word
	}
	s.mu.Unlock()
	t := s.tool(&c)
	s.mu.Lock()
	n := t.note()
	again := n.head == t.shown
	t.shown = n.head
	s.mu.Unlock()
	if !again {
		s.sayTool(t.id, n, known)
	}
	s.changed(t)
}

// sayTool writes the line of a tool call. Of one that was written already and goes on, it is written only in its own place.
func (s *session) sayTool(id string, n toolNote, known bool) {
	s.telling.Lock()
	defer s.telling.Unlock()
	text := dimmed(blockNote, n.head)
	switch {
	case s.screen.tool == id && id != "":
		text = "\r\x1b[K" + text
	case known && !n.over:
		return
	case s.screen.mid:
		text = "\n" + text
	}
	s.screen = screen{in: blockNote, mid: true, tool: id}
	if n.over {
		text += "\n" + n.under
		s.screen.mid, s.screen.tool = false, ""
	}
	s.write(text)
}

// text is that of the block of content that an update has.
func (u *update) text() string {
	var c content
	json.Unmarshal(u.Content, &c)
	return textOf(&c)
}
