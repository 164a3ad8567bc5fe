package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func pauseCommand(g *global) *cobra.Command {
	var p wire.PauseParams
	c := &cobra.Command{
		Use: "pause AGENT...", Short: "Give agents no more prompts and tasks until they are resumed",
		Long: `Pause agents: they get no more prompts and tasks, which wait. The turn or the task that an agent is at goes on. --freeze also stops
its processes by SIGSTOP, so that they use no processor; what they are connected to may give them up meanwhile. AGENT is an id, its
beginning, or a name.`,
		Example: `  skein pause coder
  skein pause coder --reason "the tests are being mended"
  skein pause build --freeze`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return eachAgent(cmd, g, "pausing", args, func(c *client.Client, ids []wire.AgentID) (*wire.PauseResult, error) {
				p.IDs = ids
				return c.Pause(cmd.Context(), p)
			})
		},
	}
	c.Flags().BoolVar(&p.Freeze, "freeze", false, "stop its processes, too")
	c.Flags().StringVar(&p.Reason, "reason", "", "why, for people")
	return c
}

func resumeCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "resume AGENT...", Short: "Let paused agents go on",
		Long:    "Let paused agents go on: they get the prompts and tasks that wait, and frozen processes continue. AGENT is an id, its beginning, or a name.",
		Example: "  skein resume coder",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return eachAgent(cmd, g, "resuming", args, func(c *client.Client, ids []wire.AgentID) (*wire.PauseResult, error) {
				return c.Resume(cmd.Context(), wire.ResumeParams{IDs: ids})
			})
		},
	}
}

// eachAgent does something, which doing names, with the agents that are named, and prints what became of each.
func eachAgent(cmd *cobra.Command, g *global, doing string, names []string, do func(*client.Client, []wire.AgentID) (*wire.PauseResult, error)) error {
	c, err := g.dial(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	ids, err := resolve(cmd, c, names...)
	if err != nil {
		return err
	}
	begins(cmd, g, doing, len(ids), "agents")
	res, err := do(c, ids)
	if err != nil {
		return err
	}
	if g.json {
		return printJSON(cmd, res)
	}
	bad := 0
	for _, r := range res.Reports {
		how := "goes on"
		switch {
		case r.Error != nil:
			how = r.Error.Message
			bad++
		case r.Pause != nil && r.Pause.Frozen:
			how = "frozen"
		case r.Pause != nil:
			how = "paused"
		}
		printf(cmd, "%s  %s\n", r.ID, how)
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d agents: see above", bad, len(res.Reports))
	}
	return nil
}
