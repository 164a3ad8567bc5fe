package main

import (
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/wire"
)

func summaryCommand(g *global) *cobra.Command {
	var agent string
	c := &cobra.Command{
		Use: "summary [TEXT...]", Short: "Say in a line what an agent is doing now",
		Long: `Set the line that says what an agent is doing now, which people see beside its name. An agent that runs this says it of itself, since
its environment variable SKEIN_AGENT_ID names it. The newest line counts; without a text there is none. Of a long text the beginning is kept.`,
		Example: `  skein summary "fixing the parser, 3 of 7 tests left"
  skein summary --agent coder "on hold until Monday"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if agent == "" {
				agent = os.Getenv("SKEIN_AGENT_ID")
			}
			if agent == "" {
				return usageError{errors.New("say whose summary it is: --agent AGENT; see skein summary --help")}
			}
			return summarize(cmd, g, agent, strings.Join(args, " "))
		},
	}
	c.Flags().StringVar(&agent, "agent", "", "whose it is, if it is not that of the agent that runs this")
	return c
}

func summarize(cmd *cobra.Command, g *global, agent, text string) error {
	c, err := g.dial(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	ids, err := resolve(cmd, c, agent)
	if err != nil {
		return err
	}
	res, err := c.Summarize(cmd.Context(), wire.SummaryParams{ID: ids[0], Text: text})
	if err != nil || !g.json {
		return err
	}
	return printJSON(cmd, res)
}
