package frame

import (
	"strconv"
	"strings"
)

func (v PaletteView) group(i int) string { return v.ID + "-list-" + strconv.Itoa(i) }

func option(group string, i int) string { return group + "-" + strconv.Itoa(i) }

// active is the id of the option that Enter chooses; "" if there is none.
func (v PaletteView) active() string {
	for i, g := range v.Groups {
		for j, o := range g.Options {
			if o.Active {
				return option(v.group(i), j)
			}
		}
	}
	return ""
}

func (v PaletteView) expanded() string { return strconv.FormatBool(len(v.Groups) > 0) }

func (o PaletteOption) selected() string { return strconv.FormatBool(o.Active) }

// shape is the class of its icon: glyphs are the shapes of states.
func (o PaletteOption) shape() string {
	if strings.HasPrefix(o.Icon, "s-") {
		return "glyph"
	}
	return "icon"
}

// paletteStories are the states of the command palette, by name.
func paletteStories() []struct {
	Name string
	View PaletteView
} {
	return []struct {
		Name string
		View PaletteView
	}{
		{"Find anything, before a text", PaletteView{ID: "story-palette-first", Groups: []PaletteGroup{
			{Title: "Used lately", Options: []PaletteOption{{Icon: "s-running", Title: "reviewer", Detail: [3]string{"go test ./..."}, Note: "Running", Href: "/", Active: true}}},
			{Title: "Commands", Options: []PaletteOption{{Icon: "i-plus", Title: "Spawn agents…"}, {Icon: "i-stop", Title: "Stop everything…", Detail: [3]string{"Asks first"}}}},
			{Title: "Pages", Options: []PaletteOption{{Icon: "i-send", Title: "Fleet", Href: "/"}, {Icon: "i-send", Title: "Inbox", Href: "/inbox"}}},
		}}},
		{"Find anything, with hits", PaletteView{ID: "story-palette-hits", Text: "deploy", Status: "6 results", Groups: []PaletteGroup{
			{Title: "Agents", Options: []PaletteOption{
				{Icon: "s-requires_action", Title: "deployer", Detail: [3]string{"May I ", "deploy", " to production?"}, Note: "Needs you", Href: "/", Active: true},
				{Icon: "s-failed", Title: "smoke-test", Detail: [3]string{"the ", "deploy", "ment does not answer: " + strings.Repeat("connection refused, ", 8)}, Note: "Failed", Href: "/"},
			}},
			{Title: "Tasks", Options: []PaletteOption{{Icon: "i-parts", Title: "deploy the docs", Note: "Working", Href: "/tasks"}, {Icon: "i-search", Title: "41 more in Tasks", Href: "/tasks", More: true}}},
			{Title: "In outputs", Note: "12 MiB of earlier output are no longer there: the log was full.", Options: []PaletteOption{
				{Icon: "i-search", Title: "smoke-test", Detail: [3]string{"14:02:11 ", "deploy", " failed: exit status 1"}, Note: "14:02:11", Href: "/", Code: true},
				{Icon: "i-search", Title: "Search further back than 13:40:00", More: true},
			}},
		}}},
		{"Find anything, without a hit", PaletteView{ID: "story-palette-none", Text: "xyzzy", Status: "Nothing was found.", Said: "In outputs: No line has it."}},
		{"Find anything, with an error", PaletteView{ID: "story-palette-error", Text: "deploy", Status: "1 result", Trouble: "There is no connection: only what this page knows is searched. Tasks could not be searched: The server did not answer in time.", Groups: []PaletteGroup{
			{Title: "Agents", Options: []PaletteOption{{Icon: "s-running", Title: "deployer", Note: "Running", Href: "/", Active: true}}},
		}}},
	}
}
