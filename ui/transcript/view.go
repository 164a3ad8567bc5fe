package transcript

import (
	"context"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"skein.dev/skein/ui/words"
)

// View is a part of a conversation, rendered.
type View struct {
	HTML  string // of Entries, each an element with data-seq
	Seq   uint64 // of the newest event in it
	First uint64 // of its first entry; 0: it has none
	More  bool   // there are entries before it
}

// MaxShown is how many entries are rendered at once, and MaxHTML bounds their HTML, in bytes.
const (
	MaxShown = 80
	MaxHTML  = 256 << 10
)

// Newest renders the last entries.
func (l *Log) Newest(ctx context.Context) View { return l.view(ctx, l.entries, true) }

// After renders the entries that events after a seq have changed, the last ones if they are too many.
func (l *Log) After(ctx context.Context, seq uint64) View {
	changed := []*Entry{}
	for _, n := range l.entries {
		if n.Last > seq {
			changed = append(changed, n)
		}
	}
	return l.view(ctx, changed, true)
}

// Before renders the last entries before the one that begins at a seq. ok is false if the log has none.
func (l *Log) Before(ctx context.Context, seq uint64) (v View, ok bool) {
	i, _ := slices.BinarySearchFunc(l.entries, seq, func(n *Entry, seq uint64) int { return int(min(n.Seq, seq+1)) - int(seq) })
	return l.view(ctx, l.entries[:i], true), i > 0
}

// view renders the last of some entries.
func (l *Log) view(ctx context.Context, entries []*Entry, last bool) View {
	v := View{Seq: l.last, More: l.dropped}
	var parts []string
	size := 0
	for _, n := range slices.Backward(entries) {
		html := n.render(ctx)
		if size += len(html); size > MaxHTML && len(parts) > 0 || len(parts) == MaxShown {
			v.More = true
			break
		}
		parts, v.First = append(parts, html), n.Seq
	}
	slices.Reverse(parts)
	v.HTML = strings.Join(parts, "")
	return v
}

// render renders an entry, once for each time that it has changed.
func (n *Entry) render(ctx context.Context) string {
	if n.html == "" {
		var b strings.Builder
		if entry(n).Render(ctx, &b) != nil {
			return ""
		}
		n.html = b.String()
	}
	return n.html
}

// Shown is a part of a conversation in a page.
func (v View) Shown() templ.Component { return templ.Raw(v.HTML) }

// kindWord is what a tool does; "" if its title says so.
func (c *Call) kindWord() string {
	word := map[string]string{
		"read": "Read", "edit": "Edit", "delete": "Delete", "move": "Move", "search": "Search", "execute": "Run", "think": "Think", "fetch": "Fetch", "switch_mode": "Mode",
	}[c.Kind]
	if word == "" {
		word = "Tool"
	}
	if strings.HasPrefix(strings.ToLower(c.Title), strings.ToLower(word)) {
		return ""
	}
	return word
}

// name is what a call is called.
func (c *Call) name() string {
	switch {
	case c.Title != "":
		return c.Title
	case len(c.Paths) > 0:
		return c.Paths[0]
	}
	return "A call of a tool"
}

// glyph is the shape of its state, and stateWord says it.
func (c *Call) glyph() string {
	if c.State == "in_progress" {
		return "running"
	}
	return c.State
}

func (c *Call) stateWord() string {
	return map[string]string{"pending": "Waits", "in_progress": "Runs", "completed": "Done", "failed": "Failed"}[c.State]
}

// counts are the lines that its diffs add and remove.
func (c *Call) counts() (added, removed int) {
	for _, d := range c.Diffs {
		added, removed = added+d.Added, removed+d.Removed
	}
	return added, removed
}

// otherPaths are those that its title and its diffs do not name.
func (c *Call) otherPaths() (paths []string) {
	for _, p := range c.Paths {
		if !strings.Contains(c.name(), p) && !slices.ContainsFunc(c.Diffs, func(d Diff) bool { return d.Path == p }) {
			paths = append(paths, p)
		}
	}
	return paths
}

// inputShown is what it was called with, unless something else says so.
func (c *Call) inputShown() string {
	if len(c.Diffs) > 0 || strings.Contains(c.name(), c.Input) {
		return ""
	}
	return c.Input
}

// detailed reports whether there is more to show of it than its line.
func (c *Call) detailed() bool {
	return len(c.Diffs)+len(c.Texts)+len(c.Others)+len(c.otherPaths()) > 0 || c.inputShown() != ""
}

// maxOpen is how many rows of a diff are shown without being asked for.
const maxOpen = 40

// opens reports whether its details are shown at once: short diffs, and why it has failed.
func (c *Call) opens() bool {
	rows := 0
	for _, d := range c.Diffs {
		rows += len(d.Rows)
	}
	return c.State == "failed" || rows > 0 && rows <= maxOpen
}

// took is how long a call took; "" if it goes on, or took no second.
func (n *Entry) took() string {
	if d := n.Call.Ended.Sub(n.Time); n.Call.Over() && d >= 1e9 {
		return words.Span(d)
	}
	return ""
}

// gist is the first line of a text, for its summary.
func gist(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	text, cut := clip(strings.Trim(line, "*# "), 160)
	if cut {
		text += "…"
	}
	return text
}

// done counts the steps of a plan that are done.
func done(plan []Step) (n int) {
	for _, s := range plan {
		if s.State == "completed" {
			n++
		}
	}
	return n
}
