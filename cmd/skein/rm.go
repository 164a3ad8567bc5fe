package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/wire"
)

func removeCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "rm AGENT...", Short: "Remove agents that have ended, with what they have printed",
		Long: `Remove agents that have ended, with their logs. Their tasks and artifacts stay. So does a folder that was made for an agent if there are
files in it, and an agent whose worktree has work that is nowhere else is not removed. AGENT is an id, its beginning, or a name.
The server removes the oldest by itself: see --keep-exited and --keep-exited-for of skein serve.`,
		Example: `  skein rm a4k2 nightly
  skein rm $(skein ps -q --status exited --type shell)`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return removeAgents(cmd, g, args) },
	}
}

func removeAgents(cmd *cobra.Command, g *global, names []string) error {
	c, err := g.dial(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	ids, err := resolve(cmd, c, names...)
	if err != nil {
		return err
	}
	res, err := c.Remove(cmd.Context(), wire.RemoveParams{IDs: ids})
	if err != nil {
		return err
	}
	if g.json {
		return printJSON(cmd, res)
	}
	bad := 0
	for _, r := range res.Reports {
		how := "removed"
		switch {
		case r.Error != nil:
			how = r.Error.Message
			bad++
		case r.Folder != "":
			how += "; its folder has files, and stays: " + r.Folder
		}
		printf(cmd, "%s  %s\n", r.ID, how)
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d agents were not removed: see above", bad, len(res.Reports))
	}
	return nil
}
