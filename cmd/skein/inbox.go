package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func inboxCommand(g *global) *cobra.Command {
	var p wire.AskListParams
	var agent string
	var watch bool
	c := &cobra.Command{
		Use: "inbox", Short: "List what agents ask, and answer them", Args: cobra.NoArgs,
		Long: `List the agents that wait for a person, the longest first: questions, which a text answers; requests for permission, which one of
their options answers; and programs that wait in their terminals. Identical ones of agents of one type are one line.

With --watch, print what waits, then each new one and how each ends, until Ctrl-C.`,
		Example: `  skein inbox
  skein inbox --all --agent reviewer
  skein inbox --watch
  skein inbox show q3f7
  skein inbox answer q3f7 yes, go on`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			if agent != "" {
				ids, err := resolve(cmd, c, agent)
				if err != nil {
					return err
				}
				p.Agent = ids[0]
			}
			if watch {
				return watchInbox(cmd, g, c, p)
			}
			res, err := c.Asks(cmd.Context(), p)
			if err != nil {
				return err
			}
			return printAsks(cmd, g, res, p.All)
		},
	}
	f := c.Flags()
	f.BoolVarP(&p.All, "all", "a", false, "those that have ended too, and how; with --watch, those that a policy answered at once")
	f.StringVar(&agent, "agent", "", "what this agent asks")
	f.BoolVarP(&watch, "watch", "W", false, "keep running: print each new one, and how each ends")
	c.AddCommand(inboxShow(g), inboxAnswer(g))
	return c
}

// askGroup has the pending questions that one answer fits: identical ones, of agents of one type.
type askGroup []wire.Ask

func same(a, b *wire.Ask) bool {
	return a.State == wire.AskPending && b.State == wire.AskPending && a.Type == b.Type && a.Prompt == b.Prompt
}

// grouped keeps the order. One that has ended stands for itself.
func grouped(asks []wire.Ask) (all []askGroup) {
	for _, a := range asks {
		i := slices.IndexFunc(all, func(gr askGroup) bool { return same(&gr[0], &a) })
		if i >= 0 {
			all[i] = append(all[i], a)
		} else {
			all = append(all, askGroup{a})
		}
	}
	return all
}

func printAsks(cmd *cobra.Command, g *global, res *wire.AskListResult, ended bool) error {
	switch {
	case g.json:
		return printJSON(cmd, res)
	case len(res.Asks) == 0 && ended:
		cmd.PrintErrln("no agent has asked anything")
		return nil
	case len(res.Asks) == 0:
		cmd.PrintErrln("no agent waits for you; `skein inbox --all` lists what was asked before")
		return nil
	}
	limit := slices.ContainsFunc(res.Asks, func(a wire.Ask) bool { return a.Expires != nil })
	w := newTable(cmd.OutOrStdout(), "ID", "AGE", "AGENT", optional{"TYPE", 1}, "ASKS", onlyIf(limit, "TIME LEFT"), onlyIf(ended, "ENDED"))
	waits, alike := false, false
	for _, gr := range grouped(res.Asks) {
		a := &gr[0]
		agents := a.Name
		if len(gr) > 1 {
			agents += fmt.Sprintf(" and %d more", len(gr)-1)
		}
		waits = waits || a.State == wire.AskPending && a.Kind != wire.AskTerminal
		alike = alike || len(gr) > 1 && a.Kind != wire.AskTerminal
		w.row(a.ID, age(time.Since(a.Since)), shorten(agents, 60), a.Type, askLine(a), onlyIf(limit, askTime(a)), onlyIf(ended, dash(shorten(endText(a), 80))))
	}
	if err := w.flush(); err != nil {
		return err
	}
	if more := res.Total - len(res.Asks); more > 0 {
		printErrf(cmd, "skein: %d more do not fit into one answer; --agent chooses\n", more)
	}
	if waits {
		cmd.PrintErrln("skein: see one whole with `skein inbox show ID`, answer it with `skein inbox answer ID`")
	}
	if alike {
		cmd.PrintErrln("skein: one answer for all that a line stands for: `skein inbox answer --group ID`")
	}
	return nil
}

// askLine is what is asked, in a line; it may be cut.
func askLine(a *wire.Ask) string {
	line := a.Text
	if t := a.Tool; t != nil {
		what := t.Command
		if what == "" {
			what = strings.Join(t.Paths, ", ")
		}
		if !strings.Contains(line, what) {
			line += ": " + what
		}
	}
	line = shorten(strings.Join(strings.Fields(line), " "), 80)
	if a.Kind == wire.AskTerminal && a.State == wire.AskPending {
		line += fmt.Sprintf(" (skein attach %s)", a.Agent)
	}
	return line
}

func askTime(a *wire.Ask) string {
	if a.Expires == nil {
		return "-"
	}
	return age(max(time.Until(*a.Expires), 0))
}

// endText is how a question has ended; "" while it waits.
func endText(a *wire.Ask) string {
	switch a.State {
	case wire.AskPending:
		return ""
	case wire.AskResolved:
		return "answered: " + answerText(a)
	case wire.AskExpired:
		return "expired: " + cmp.Or(a.Reason, "nobody has answered in time")
	}
	return strings.TrimSuffix(string(a.State)+": "+a.Reason, ": ")
}

// answerText is what was answered, and by whom.
func answerText(a *wire.Ask) string {
	if a.Answer == nil {
		return a.Reason
	}
	said := a.Answer.Text
	if o := a.Option(a.Answer.Option); o != nil {
		said = cmp.Or(o.Name, o.ID)
	}
	by := a.Answer.By
	if by == wire.ByPolicy {
		by = cmp.Or(a.Answer.Rule, "the policy of its type")
	}
	return said + ", by " + by
}

var askID = regexp.MustCompile(`^q[a-z2-7]{12}$`)

// resolveAsk finds the question that an id, or a unique beginning of one, means. Of several, it takes the only one that waits.
func resolveAsk(cmd *cobra.Command, c *client.Client, word string) (*wire.Ask, error) {
	if askID.MatchString(word) {
		return c.Ask(cmd.Context(), wire.AskID(word))
	}
	res, err := c.Asks(cmd.Context(), wire.AskListParams{All: true})
	if err != nil {
		return nil, err
	}
	var waiting, begins []wire.AskID
	for _, a := range res.Asks {
		if word == "" || !strings.HasPrefix(string(a.ID), word) {
			continue
		}
		begins = append(begins, a.ID)
		if a.State == wire.AskPending {
			waiting = append(waiting, a.ID)
		}
	}
	for _, found := range [][]wire.AskID{waiting, begins} {
		if len(found) == 1 {
			i := slices.IndexFunc(res.Asks, func(a wire.Ask) bool { return a.ID == found[0] })
			return &res.Asks[i], nil
		}
		if len(found) > 1 {
			return nil, usageError{fmt.Errorf("%q could be any of %d questions: %s; give more characters of the id", word, len(found), join(found))}
		}
	}
	return nil, wire.Errorf(wire.CodeNotFound, "there is no question %q; `skein inbox --all` lists them", word)
}
