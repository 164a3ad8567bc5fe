package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/wire"
)

func stopCommand(g *global) *cobra.Command {
	var all bool
	var typ string
	var grace time.Duration
	c := &cobra.Command{
		Use: "stop [AGENT...]", Short: "Stop agents, and verify that they are gone",
		Long: `Stop agents: SIGTERM to the process group, after the grace SIGKILL, then a check that no process of the group is left.
The command returns when that is verified.`,
		Example: `  skein stop a4k2 nightly
  skein stop --type shell --grace 1s
  skein stop --all`,
		RunE: func(cmd *cobra.Command, args []string) error {
			p := wire.StopParams{Scope: wire.ScopeAgent}
			switch {
			case all && typ == "" && len(args) == 0:
				p.Scope = wire.ScopeAll
			case typ != "" && !all && len(args) == 0:
				p.Scope, p.Type = wire.ScopeType, typ
			case all || typ != "" || len(args) == 0:
				return usageError{errors.New("name agents, or give --type, or --all; see skein stop --help")}
			}
			if cmd.Flags().Changed("grace") {
				ms := grace.Milliseconds()
				p.GraceMS = &ms
			}
			return stop(cmd, g, p, args)
		},
	}
	c.Flags().BoolVar(&all, "all", false, "every agent")
	c.Flags().StringVar(&typ, "type", "", "every agent of this type")
	c.Flags().DurationVar(&grace, "grace", 0, "between SIGTERM and SIGKILL, instead of the type's; 0s kills at once")
	return c
}

func stop(cmd *cobra.Command, g *global, p wire.StopParams, words []string) error {
	c, err := g.dial(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	if p.Scope == wire.ScopeAgent {
		if p.IDs, err = resolve(cmd.Context(), c, words...); err != nil {
			return err
		}
	}
	res, err := c.Stop(cmd.Context(), p)
	if err != nil {
		return err
	}
	left := 0
	for _, r := range res.Reports {
		left += len(r.Leftovers)
	}
	if err := printStopped(cmd, g, res); err != nil {
		return err
	}
	if left > 0 {
		return exitCode(exitLeftovers)
	}
	return nil
}

func printStopped(cmd *cobra.Command, g *global, res *wire.StopResult) error {
	if g.json {
		return printJSON(cmd, res)
	}
	for _, r := range res.Reports {
		how := fmt.Sprintf("%s in %d ms", r.Reason, r.TookMS)
		switch {
		case r.Error != nil:
			how = r.Error.Message
		case r.Already:
			how = fmt.Sprintf("had ended before (%s)", r.Reason)
		case r.Forced:
			how += ", SIGKILL was needed"
		}
		cmd.Printf("%s  %s\n", r.ID, how)
		for _, l := range r.Leftovers {
			cmd.PrintErrf("skein: process %d of agent %s outlived SIGKILL\n", l.PID, r.ID)
		}
	}
	if len(res.Reports) == 0 {
		cmd.PrintErrln("nothing to stop")
	}
	return nil
}
