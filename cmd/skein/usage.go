package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/wire"
)

func usageCommand(g *global) *cobra.Command {
	var p wire.UsageParams
	c := &cobra.Command{
		Use: "usage", Short: "Show what agents have spent, by day and type",
		Long: `Show what the agents of each type have spent on each day: turns, tokens in and out, and cost, as far as the agents report it. "?" after
the tokens says that some turns reported none. Days begin at midnight in the server's time zone. Below are the budgets for today that
skein.yaml sets.`,
		Example: `  skein usage
  skein usage --days 30 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			res, err := c.Usage(cmd.Context(), p)
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(cmd, res)
			}
			return printUsage(cmd, res)
		},
	}
	c.Flags().IntVar(&p.Days, "days", 7, "how many days, including today")
	return c
}

func printUsage(cmd *cobra.Command, res *wire.UsageResult) error {
	if len(res.Days) == 0 {
		cmd.PrintErrln("no agent with a model has had a turn in this time")
	} else {
		t := newTable(cmd.OutOrStdout(), "DAY", "TYPE", "TURNS", "IN", "OUT", "COST")
		for _, d := range res.Days {
			in, out := tokensOf(d.Spent)
			t.row(d.Day, d.Type, d.Turns, in, out, costOf(d.Spent))
		}
		t.flush()
	}
	for _, b := range res.Budgets {
		of := "all agents"
		if b.Type != "" {
			of = "type " + b.Type
		}
		state := "within"
		if b.Over != "" {
			state = "spent: " + b.Over
		}
		printf(cmd, "budget of %s for today (%s, then %s): %s\n", of, limitText(b.Limit), b.Then, state)
	}
	return nil
}

// tokensOf are the tokens of turns of which some or all may have reported none.
func tokensOf(s wire.Spent) (in, out string) {
	switch {
	case s.Unknown >= s.Turns && s.Input+s.Output == 0:
		return "?", "?"
	case s.Unknown > 0:
		return fmt.Sprintf("%d?", s.Input), fmt.Sprintf("%d?", s.Output)
	}
	return fmt.Sprint(s.Input), fmt.Sprint(s.Output)
}

func costOf(s wire.Spent) string {
	if s.Currency == "" {
		return "?"
	}
	return fmt.Sprintf("%.2f %s", s.Cost, s.Currency)
}

func limitText(l wire.Limit) string {
	var words []string
	if l.Tokens > 0 {
		words = append(words, fmt.Sprintf("%d tokens", l.Tokens))
	}
	if l.Cost > 0 {
		words = append(words, fmt.Sprintf("cost %g", l.Cost))
	}
	if l.Turns > 0 {
		words = append(words, fmt.Sprintf("%d turns", l.Turns))
	}
	return cmp.Or(strings.Join(words, ", "), "nothing")
}
