package transcript

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"skein.dev/skein/server/linediff"
	"skein.dev/skein/ui/changes"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

const (
	maxTool     = 16 << 10 // bytes of the texts of a call
	maxToolText = 200      // lines of one
	maxInput    = 4 << 10  // bytes
	maxRows     = 300      // of the diffs of a call
	maxRowText  = 500      // bytes
	maxPaths    = 20
	around      = 3 // lines around a change
)

// tool begins a call of a tool, or changes one.
func (l *Log) tool(e wire.Event, u *update) {
	id, _ := clip(u.Tool, maxName)
	n := l.calls[id]
	if n == nil || id == "" {
		l.closeAll()
		n = l.begin(e, Tool)
		n.Call = &Call{ID: id, Kind: "other", State: "pending"}
		if l.calls == nil {
			l.calls = map[string]*Entry{}
		}
		l.calls[id] = n
	}
	l.touch(n)
	c := n.Call
	over := c.Over()
	c.take(u)
	if c.Over() && !over {
		c.Ended = e.Time
	}
}

// take changes what an update gives: lists take the place of those before.
func (c *Call) take(u *update) {
	if s := words.Clean(wire.Cut(word(u.Title), maxName)); s != "" {
		c.Title = s
	}
	if s := word(u.ToolKind); slices.Contains(wire.ToolKinds, s) {
		c.Kind = s
	}
	if s := word(u.Status); slices.Contains([]string{"pending", "in_progress", "completed", "failed"}, s) {
		c.State = s
	}
	if s := input(u.RawInput); s != "" {
		c.Input = s
	}
	if places := list(u.Places); len(places) > 0 {
		c.Paths = nil
		for _, raw := range places[:min(len(places), maxPaths)] {
			if p := words.Clean(wire.Cut(blockOf(raw).Path, maxName)); p != "" && !slices.Contains(c.Paths, p) {
				c.Paths = append(c.Paths, p)
			}
		}
	}
	if len(u.Content) > 0 && u.Content[0] == '[' {
		c.show(list(u.Content))
	}
}

// input is what a tool was called with: the command if it is one, otherwise JSON.
func input(raw json.RawMessage) string {
	var command struct {
		Command json.RawMessage `json:"command"`
	}
	if len(raw) == 0 || string(raw) == "null" || string(raw) == "{}" {
		return ""
	}
	json.Unmarshal(raw, &command)
	text := word(command.Command)
	if argv := list(command.Command); text == "" && len(argv) > 0 {
		args := []string{}
		for _, a := range argv {
			args = append(args, word(a))
		}
		text = words.JoinArgv(args)
	}
	if text == "" {
		var b bytes.Buffer
		if json.Indent(&b, raw, "", "  ") != nil {
			return ""
		}
		text = b.String()
	}
	text, cut := clip(printable(text), maxInput)
	if cut {
		text += "…"
	}
	return text
}

// show sets what a call shows.
func (c *Call) show(content []json.RawMessage) {
	c.Diffs, c.Texts, c.Others, c.Cut = nil, nil, nil, len(content) == maxItems
	rows, room := maxRows, maxTool
	for _, raw := range content {
		b := blockOf(raw)
		if b.Type == "diff" {
			d := diffOf(&b, rows)
			rows -= len(d.Rows)
			c.Diffs = append(c.Diffs, d)
			continue
		}
		in := blockOf(b.Content)
		if label := in.label(); label != "" {
			c.Others = append(c.Others, label)
		} else if text := strings.Trim(printable(in.Text), "\n"); text != "" && room == 0 {
			c.Cut = true
		} else if text != "" {
			text, cut := firstLines(text, room)
			room -= len(text)
			c.Cut = c.Cut || cut
			c.Texts = append(c.Texts, text)
		}
	}
}

// firstLines are the first lines of a text that fit. A fence of Markdown that is cut off is closed.
func firstLines(s string, room int) (text string, cut bool) {
	text, cut = clip(s, room)
	lines := strings.SplitAfterN(text, "\n", maxToolText+1)
	if len(lines) > maxToolText {
		text, cut = strings.Join(lines[:maxToolText], ""), true
	}
	if fence := openFence(text); cut && fence != "" {
		text = strings.TrimRight(text, "\n") + "\n" + fence
	}
	return text, cut
}

// openFence is the fence that a text begins with, if it does not end there (CommonMark, 4.5).
func openFence(text string) string {
	mark := text[:len(text)-len(strings.TrimLeft(text, "`"))]
	if len(mark) < 3 || strings.HasSuffix(strings.TrimRight(text, "\n"), "\n"+mark) {
		return ""
	}
	return mark
}

// diffOf compares what a file was with what it is now, line by line, and keeps a number of rows.
func diffOf(b *block, most int) Diff {
	old := ""
	if b.OldText != nil {
		old = *b.OldText
	}
	d := Diff{Path: words.Clean(wire.Cut(b.Path, maxName)), New: b.OldText == nil}
	all := linediff.Of(strings.TrimSuffix(old, "\n"), strings.TrimSuffix(b.NewText, "\n"))
	for i, line := range near(all) {
		switch line.Op {
		case "+":
			d.Added++
		case "-":
			d.Removed++
		}
		if i >= most {
			d.More++
			continue
		}
		d.Rows = append(d.Rows, rowOf(line))
	}
	return d
}

func rowOf(l linediff.Line) changes.Row {
	if l.Op == "…" {
		return changes.Row{Op: '@'}
	}
	return changes.Row{Op: l.Op[0], Text: wire.Cut(printable(l.Text), maxRowText)}
}

// near are the lines of a comparison that differ, with some around them; "…" is for others between.
func near(all []linediff.Line) (shown []linediff.Line) {
	next := 0 // the first line that was not looked at
	for i, l := range all {
		if l.Op == " " {
			continue
		}
		from := max(next, i-around)
		if from > next && len(shown) > 0 {
			shown = append(shown, linediff.Line{Op: "…"})
		}
		end := i + 1
		for end < len(all) && end <= i+around && all[end].Op == " " {
			end++
		}
		if from < end {
			shown = append(shown, all[from:end]...)
		}
		next = max(next, end)
	}
	return shown
}
