package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// stopFlags say what a stop is about.
type stopFlags struct {
	scope, typ  string
	all, reopen bool
	grace       time.Duration
}

func stopCommand(g *global) *cobra.Command {
	var o stopFlags
	c := &cobra.Command{
		Use: "stop [AGENT...|TASK...|TYPE|NODE]", Short: "Stop agents, and verify that they are gone",
		Long: `Stop agents: SIGTERM to all processes of an agent, SIGKILL after the grace, then a check that none is left, even of those
that left its group, its session or its environment (skein doctor says how they are found). The command returns when that
is verified. It names the processes that could not be ended, with exit code 6; each later stop of the agent tries to end
them again. --scope says what the arguments name:

  agent  the agents that are named; this is the default
  task   the tasks that are named, with all below them: they are canceled, and agents that were started for one of them end
  type   every agent of a type (--type TYPE)
  node   every agent of a node, by default the server's own
  all    every agent (--all)

A stop of a type, a node or all closes admission first: what is stopped stays stopped, and nothing new
starts until skein admission open. --reopen opens it when all are gone. The tasks that the agents worked on are canceled.`,
		Example: `  skein stop a4k2 nightly
  skein stop --scope task tq4k2
  skein stop --type shell --grace 1s
  skein stop --all
  skein stop --all --reopen`,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := o.params(args)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("grace") {
				ms := o.grace.Milliseconds()
				p.GraceMS = &ms
			}
			return stop(cmd, g, p, args)
		},
	}
	f := c.Flags()
	f.StringVar(&o.scope, "scope", "", "what is named: "+words(wire.StopScopes))
	f.BoolVar(&o.all, "all", false, "every agent: --scope all")
	f.StringVar(&o.typ, "type", "", "every agent of this type: --scope type")
	f.BoolVar(&o.reopen, "reopen", false, "open admission again when all are gone")
	f.DurationVar(&o.grace, "grace", 0, "between SIGTERM and SIGKILL, instead of the type's; 0s kills at once")
	return c
}

// params puts flags and names together. The names of agents and tasks are still to be found.
func (o *stopFlags) params(names []string) (p wire.StopParams, err error) {
	p = wire.StopParams{Scope: wire.StopScope(o.scope), Type: o.typ, Reopen: o.reopen}
	switch {
	case o.all && o.typ != "", o.all && p.Scope != "" && p.Scope != wire.ScopeAll, o.typ != "" && p.Scope != "" && p.Scope != wire.ScopeType:
		return p, usageError{errors.New("--scope, --type and --all contradict each other; see skein stop --help")}
	case p.Scope != "" && !slices.Contains(wire.StopScopes, p.Scope):
		return p, usageError{fmt.Errorf("--scope %q: allowed are %s", o.scope, words(wire.StopScopes))}
	case o.all:
		p.Scope = wire.ScopeAll
	case o.typ != "":
		p.Scope = wire.ScopeType
	}
	p.Scope = cmp.Or(p.Scope, wire.ScopeAgent)
	if p.Scope == wire.ScopeType && p.Type == "" && len(names) == 1 {
		p.Type, names = names[0], nil
	}
	if p.Scope == wire.ScopeNode && len(names) == 1 {
		p.Node, names = wire.NodeID(names[0]), nil
	}
	narrow := p.Scope == wire.ScopeAgent || p.Scope == wire.ScopeTask
	switch {
	case narrow && len(names) == 0 && o.scope == "":
		return p, usageError{errors.New("name agents, or give --type, --all or --scope; see skein stop --help")}
	case narrow && len(names) == 0, p.Scope == wire.ScopeType && p.Type == "":
		return p, usageError{fmt.Errorf("name the %s to stop; see skein stop --help", p.Scope)}
	case !narrow && len(names) > 0:
		return p, usageError{fmt.Errorf("%q: a stop with --scope %s takes no names; see skein stop --help", names[0], p.Scope)}
	case narrow && o.reopen:
		return p, usageError{errors.New("--reopen goes with a stop that closes admission: of a type, a node or all")}
	}
	return p, nil
}

func stop(cmd *cobra.Command, g *global, p wire.StopParams, names []string) error {
	c, err := g.dial(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	switch {
	case p.Scope == wire.ScopeAgent:
		p.IDs, err = resolve(cmd, c, names...)
	case p.Scope == wire.ScopeTask:
		p.Tasks, err = resolveTasks(cmd, c, names...)
	case p.Scope == wire.ScopeNode && p.Node == "":
		p.Node, err = ownNode(cmd.Context(), c)
	}
	if err != nil {
		return err
	}
	begins(cmd, g, "stopping", len(p.IDs), "agents")
	begins(cmd, g, "stopping", len(p.Tasks), "tasks, with all below them")
	res, err := c.Stop(cmd.Context(), p)
	if err != nil {
		return err
	}
	left := res.MoreFailed
	for _, r := range res.Reports {
		left += len(r.Leftovers)
	}
	if err := printStopped(cmd, g, p, res); err != nil {
		return err
	}
	if left > 0 {
		return exitCode(exitLeftovers)
	}
	return nil
}

// ownNode is the node of the server that a command talks to.
func ownNode(ctx context.Context, c *client.Client) (wire.NodeID, error) {
	conn, err := c.Connected(ctx)
	return conn.Node, err
}

func printStopped(cmd *cobra.Command, g *global, p wire.StopParams, res *wire.StopResult) error {
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
			if r.Cleared > 0 {
				how += fmt.Sprintf("; processes that it left are gone now: %d", r.Cleared)
			}
		case len(r.Leftovers) > 0:
			how = fmt.Sprintf("not completely ended after %d ms; processes left: %d", r.TookMS, len(r.Leftovers))
		case r.Note != "":
			how += ": " + r.Note
		case r.Forced:
			how += ", SIGKILL was needed"
		}
		printf(cmd, "%s  %s\n", r.ID, how)
		for _, l := range r.Leftovers {
			printErrf(cmd, "skein: left of agent %s: %s; a later stop tries again\n", r.ID, l)
		}
	}
	for _, id := range res.Canceled {
		printf(cmd, "%s  canceled\n", id)
	}
	if res.More > 0 {
		printErrf(cmd, "skein: and %d more agents, which do not fit into one answer; %d of them are not gone\n", res.More, res.MoreFailed)
	}
	if res.MoreCanceled > 0 {
		printErrf(cmd, "skein: and %d more tasks canceled\n", res.MoreCanceled)
	}
	if len(res.Reports)+len(res.Canceled) == 0 {
		cmd.PrintErrln("nothing to stop")
	}
	if res.Closed && p.Type != "" {
		printErrf(cmd, "skein: admission is closed for %s: none starts until `skein admission open %s`\n", p.Type, p.Type)
	} else if res.Closed {
		cmd.PrintErrln("skein: admission is closed: no agent and no task starts until `skein admission open`")
	}
	return nil
}
