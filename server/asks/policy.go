package asks

import (
	"fmt"
	"regexp"
	"strings"

	"skein.dev/skein/webtransport/wire"
)

// decide returns what the permissions of a type say about a request for a tool, and by which rule.
func decide(p *wire.Permissions, tool *wire.AskTool) (d wire.PermissionDecision, rule string) {
	if p == nil {
		return wire.PermissionAsk, ""
	}
	if tool == nil {
		tool = &wire.AskTool{}
	}
	for i, r := range p.Rules {
		if matches(r, tool) {
			return r.Decision, fmt.Sprintf("rule %d: %s", i+1, describe(r))
		}
		if r.Decision == wire.PermissionDeny && r.Command != "" && (r.Kind == "" || r.Kind == tool.Kind) && tool.Command != "" && tool.Cut {
			return wire.PermissionAsk, "" // what is not known of it may be denied
		}
	}
	if p.Otherwise == "" {
		return wire.PermissionAsk, ""
	}
	return p.Otherwise, "otherwise: " + string(p.Otherwise)
}

func describe(r wire.PermissionRule) string {
	s := string(r.Decision)
	if r.Kind != "" {
		s += " " + r.Kind
	}
	if r.Command != "" {
		s += fmt.Sprintf(" %q", r.Command)
	}
	return s
}

// shellMeta is what makes several commands of one for a shell, or redirects it.
const shellMeta = ";&|<>`$()\n\r"

// quotes removes what quotes for a shell. The commands of models are quoted where a shell would need it: curl 'http://a/?b'.
var quotes = strings.NewReplacer("'", "", `"`, "", `\`, "")

// matches reports whether a rule is about a tool. A rule that denies also matches a command that hides in another one, or in quotes.
func matches(r wire.PermissionRule, tool *wire.AskTool) bool {
	if r.Kind != "" && r.Kind != tool.Kind {
		return false
	}
	if r.Command == "" {
		return true
	}
	if tool.Command == "" || tool.Cut {
		return false
	}
	pattern := glob(r.Command)
	if r.Decision != wire.PermissionAllow {
		for _, command := range []string{tool.Command, quotes.Replace(tool.Command)} {
			for part := range strings.FieldsFuncSeq(command, func(c rune) bool { return strings.ContainsRune(shellMeta, c) }) {
				if pattern.MatchString(strings.TrimSpace(part)) {
					return true
				}
			}
		}
	} else if strings.ContainsFunc(tool.Command, func(c rune) bool {
		return strings.ContainsRune(shellMeta, c) && !strings.ContainsRune(r.Command, c)
	}) {
		return false
	}
	return pattern.MatchString(strings.TrimSpace(tool.Command))
}

// glob returns the expression of a pattern in which * stands for any characters.
func glob(pattern string) *regexp.Regexp {
	parts := strings.Split(pattern, "*")
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	return regexp.MustCompile(`(?s)^` + strings.Join(parts, ".*") + `$`)
}

// choose returns the first option that allows, or rejects, this time; else the first that does so always. nil: there is none.
func choose(options []wire.AskOption, allow bool) *wire.AskOption {
	kinds := []wire.OptionKind{wire.RejectOnce, wire.RejectAlways}
	if allow {
		kinds = []wire.OptionKind{wire.AllowOnce, wire.AllowAlways}
	}
	for _, kind := range kinds {
		for i := range options {
			if options[i].Kind == kind {
				return &options[i]
			}
		}
	}
	return nil
}

// bounded returns options with texts that a page has room for.
func bounded(options []wire.AskOption) []wire.AskOption {
	var all []wire.AskOption
	for _, o := range options[:min(len(options), wire.MaxAskOptions)] {
		if o.ID != "" && len(o.ID) <= wire.MaxAskOption {
			o.Name, o.Kind = cut(o.Name, wire.MaxAskOption), wire.OptionKind(cut(string(o.Kind), wire.MaxAskOption))
			all = append(all, o)
		}
	}
	return all
}

// partSize is what a path or a diff takes in a record besides its texts.
const partSize = 32

// bound cuts what an agent wants to do to what a record has room for.
func bound(t *wire.AskTool) *wire.AskTool {
	if t == nil {
		return nil
	}
	out, left := wire.AskTool{Kind: cut(t.Kind, wire.MaxAskOption), Cut: t.Cut}, wire.MaxAskTool
	take := func(s string) string {
		short := cut(s, max(left, len("…")))
		out.Cut = out.Cut || short != s
		left = max(0, left-len(short))
		return short
	}
	fits := func() bool {
		if left <= partSize {
			out.Cut = true
			return false
		}
		left -= partSize
		return true
	}
	out.Command = take(t.Command)
	for _, p := range t.Paths {
		if !fits() {
			break
		}
		out.Paths = append(out.Paths, take(p))
	}
	for _, d := range t.Diffs {
		if !fits() {
			break
		}
		cutDiff := wire.AskDiff{Path: take(d.Path)}
		if d.Old != nil {
			old := take(*d.Old)
			cutDiff.Old = &old
		}
		cutDiff.New = take(d.New)
		out.Diffs = append(out.Diffs, cutDiff)
	}
	return &out
}
