package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/wire"
)

func dropCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "drop AGENT [PROMPT]", Aliases: []string{"prompts"}, Short: "Drop a prompt that waits for its turn, or list those that wait",
		Long: `Drop a prompt that waits for its turn at an agent, and print its whole text, for whoever wants to change it and send it again; skein send
--replace changes it in its place. Without PROMPT, list the prompts that wait, the next one first. The prompt of a task goes with skein task cancel.`,
		Example: `  skein drop oc
  skein drop oc p3`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			ids, err := resolve(cmd, c, args[0])
			if err != nil {
				return err
			}
			if len(args) == 1 {
				a, err := c.Get(cmd.Context(), ids[0])
				if err != nil {
					return err
				}
				return printPrompts(cmd, g, a)
			}
			res, err := c.Drop(cmd.Context(), wire.DropParams{ID: ids[0], Prompt: args[1]})
			switch {
			case err != nil:
				return err
			case g.json:
				return printJSON(cmd, res)
			}
			return writeValue(cmd, []byte(res.Text+"\n"))
		},
	}
}

// printPrompts lists the prompts that wait for an agent.
func printPrompts(cmd *cobra.Command, g *global, a *wire.Agent) error {
	if g.json {
		return printJSON(cmd, a.Prompts)
	}
	if len(a.Prompts) == 0 {
		cmd.PrintErrln("no prompt waits")
		return nil
	}
	t := newTable(cmd.OutOrStdout(), "PROMPT", "FOR", "TEXT")
	for _, p := range a.Prompts {
		of := "-"
		if p.Task != "" {
			of = fmt.Sprintf("task %s", p.Task)
		}
		text, _, more := strings.Cut(p.Text, "\n")
		if more {
			text += " …"
		}
		t.row(p.ID, of, text)
	}
	return t.flush()
}
