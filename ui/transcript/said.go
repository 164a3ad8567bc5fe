package transcript

import (
	"cmp"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"skein.dev/skein/server/screen"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

const (
	maxSteps    = 100
	maxStepText = 400 // bytes
	maxName     = 300 // bytes of a name or a title
)

// update handles a SessionUpdate.
func (l *Log) update(e wire.Event) {
	u, err := parse(e.Data.Text)
	if err != nil {
		return
	}
	switch u.Kind {
	case "user_message_chunk": // of a conversation that it goes on with
		l.say(e, User, &u)
	case "agent_message_chunk":
		l.say(e, Message, &u)
	case "agent_thought_chunk":
		l.say(e, Thought, &u)
	case "tool_call", "tool_call_update":
		l.tool(e, &u)
	case "plan":
		l.plan(e, &u)
	case wire.UpdateNote:
		l.note(e, "input", words.Upper(words.Clean(wire.Cut(u.Text, maxStepText))), "")
	case "current_mode_update":
		l.note(e, "input", "Mode", words.Clean(wire.Cut(u.ModeID, maxName)))
	}
}

// say adds a piece to what is being said, or begins it.
func (l *Log) say(e wire.Event, kind Kind, u *update) {
	b := blockOf(u.Content)
	text := printable(b.Text)
	if label := b.label(); label != "" {
		text = "[" + label + "]"
	}
	n := l.latest()
	if n == nil || n.Kind != kind || !n.Open || n.message != u.Message {
		if text = strings.TrimLeft(text, " \n"); text == "" {
			return // agents tell of their tokens in messages without text
		}
		l.closeAll()
		n = l.begin(e, kind)
		n.Open, n.message = true, u.Message
	} else if text == "" || n.Cut {
		return
	}
	l.touch(n)
	n.Text, n.Cut = clip(n.Text+text, maxText)
}

// plan shows a plan. One that follows on another takes its place.
func (l *Log) plan(e wire.Event, u *update) {
	l.closeAll()
	n := l.latest()
	if n == nil || n.Kind != Plan {
		n = l.begin(e, Plan)
	}
	l.touch(n)
	n.Plan = nil
	for _, raw := range u.Entries[:min(len(u.Entries), maxSteps)] {
		var s struct{ Content, Status string }
		if json.Unmarshal(raw, &s) != nil {
			continue
		}
		if s.Status != "completed" && s.Status != "in_progress" {
			s.Status = "pending"
		}
		n.Plan = append(n.Plan, Step{words.Clean(wire.Cut(s.Content, maxStepText)), s.Status})
	}
}

// label names a block that is no text; "" is one that is.
func (b *block) label() string {
	if b.Type == "" || b.Type == "text" {
		return ""
	}
	var r struct {
		URI  string `json:"uri"`
		MIME string `json:"mimeType"`
	}
	json.Unmarshal(b.Resource, &r)
	kind := map[string]string{"image": "Image", "audio": "Audio"}[b.Type]
	name := cmp.Or(b.Title, b.Name, b.URI, r.URI)
	all := []string{}
	for _, s := range []string{kind, name, cmp.Or(b.MIME, r.MIME)} {
		if s = words.Clean(wire.Cut(s, maxName)); s != "" {
			all = append(all, s)
		}
	}
	return strings.Join(all, ", ")
}

// printable is a text of several lines without escape sequences and control characters.
func printable(s string) string {
	s = screen.Strip(s)
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && screen.Unprintable(r) {
			return -1
		}
		return r
	}, s)
}

// clip cuts a text at a number of bytes, between characters.
func clip(s string, most int) (_ string, cut bool) {
	if len(s) <= most {
		return s, false
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most], true
}
