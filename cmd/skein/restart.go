package main

import (
	"time"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/wire"
)

func restartCommand(g *global) *cobra.Command {
	var grace time.Duration
	c := &cobra.Command{
		Use: "restart AGENT...", Short: "End the processes of agents and start others in their place",
		Long: `Restart agents, one after the other: the process of each ends as by skein stop, and another one takes its place, which goes on with
its conversation where the agent can. It keeps its id, its log, its folder and its environment. In place of an agent that has ended, one
like it is spawned. AGENT is an id, its beginning, or a name.`,
		Example: `  skein restart coder
  skein restart build --grace 0s`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p := wire.RestartParams{}
			if cmd.Flags().Changed("grace") {
				ms := grace.Milliseconds()
				p.GraceMS = &ms
			}
			return restartAll(cmd, g, args, p)
		},
	}
	c.Flags().DurationVar(&grace, "grace", 0, "time between SIGTERM and SIGKILL (default: the type's)")
	return c
}

func restartAll(cmd *cobra.Command, g *global, names []string, p wire.RestartParams) error {
	c, err := g.dial(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	ids, err := resolve(cmd, c, names...)
	if err != nil {
		return err
	}
	begins(cmd, g, "restarting", len(ids), "agents")
	for _, p.ID = range ids {
		r, err := c.Restart(cmd.Context(), p)
		switch {
		case err != nil:
			return err
		case g.json:
			if err := printJSON(cmd, r); err != nil {
				return err
			}
		case r.Spawned:
			printf(cmd, "%s  spawned in place of %s\n", r.Agent.ID, p.ID)
		default:
			printf(cmd, "%s  restarted\n", r.Agent.ID)
		}
	}
	return nil
}
