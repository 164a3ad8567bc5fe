package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/wire"
)

func taskCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "task", Aliases: []string{"tasks"}, Short: "Give agents work: submit, watch, cancel, retry, orchestrate",
		Long: `Give agents work. A task waits until an agent that can do it is free, or one can be started; a task
that fails for a temporary reason is tried again. TASK is an id, its unique beginning, or a name.`,
		Example: `  skein task submit --wait --input-file notes.txt -- wc -w
  skein task ls --state failed
  skein task watch
  skein task orchestrate --type reviewer --input main.go --input run.go`,
	}
	c.AddCommand(submitCommand(g), taskListCommand(g), taskGetCommand(g), taskWatchCommand(g), taskCancelCommand(g), taskRetryCommand(g),
		orchestrateCommand(g), resultsCommand(g))
	return c
}

func taskListCommand(g *global) *cobra.Command {
	var f wire.TaskFilter
	var states []string
	var parent string
	var quiet bool
	c := &cobra.Command{
		Use: "ls [QUERY]", Aliases: []string{"list"}, Short: "List tasks, newest first", Args: cobra.MaximumNArgs(1),
		Example: `  skein task ls
  skein task ls --state submitted --state working --limit 0
  skein task ls --dead
  skein task cancel $(skein task ls -q --queue nightly)`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				f.Query = args[0]
			}
			for _, s := range states {
				if !slices.Contains(wire.TaskStates, wire.TaskState(s)) {
					return usageError{fmt.Errorf("--state %q: allowed are %s", s, words(wire.TaskStates))}
				}
				f.States = append(f.States, wire.TaskState(s))
			}
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			if parent != "" {
				if f.Parent, err = resolveTask(cmd, c, parent); err != nil {
					return err
				}
			}
			res, err := c.TaskList(cmd.Context(), f)
			if err != nil {
				return err
			}
			return printTasks(cmd, g, res, quiet)
		},
	}
	fl := c.Flags()
	fl.StringSliceVar(&states, "state", nil, "tasks in these states: "+words(wire.TaskStates))
	fl.StringVar(&f.Queue, "queue", "", "tasks of this queue")
	fl.StringVar(&f.Type, "type", "", "tasks for this agent type")
	fl.StringVar(&parent, "parent", "", "the children of this task")
	fl.BoolVar(&f.DeadLetter, "dead", false, "tasks whose attempts are used up; skein task retry gives them new ones")
	fl.StringToStringVarP(&f.Labels, "label", "l", nil, "tasks with these labels, NAME=VALUE")
	fl.IntVar(&f.Limit, "limit", 50, "at most this many; 0 for all")
	fl.BoolVarP(&quiet, "quiet", "q", false, "ids only")
	return c
}

func printTasks(cmd *cobra.Command, g *global, res *wire.TaskListResult, quiet bool) error {
	switch {
	case g.json:
		return printJSON(cmd, res)
	case quiet:
		for _, t := range res.Tasks {
			printf(cmd, "%v\n", t.ID)
		}
		return nil
	case len(res.Tasks) == 0:
		cmd.PrintErrln("no tasks; submit one with `skein task submit`")
		return nil
	}
	w := newTable(cmd.OutOrStdout(), "ID", "STATE", optional{"PRIORITY", 3}, "NAME", optional{"FOR", 1}, optional{"ATTEMPT", 4}, optional{"AGENT", 2}, "AGE", "DETAIL")
	for _, t := range res.Tasks {
		w.row(t.ID, tinted{stateWord(&t), stateHue(&t)}, t.Priority, cmp.Or(shorten(t.Name, 30), "-"), doer(&t.TaskSpec),
			attempt(&t), agentOf(&t), age(time.Since(t.CreatedAt)), shorten(detail(&t), 70))
	}
	if err := w.flush(); err != nil {
		return err
	}
	if len(res.Tasks) < res.Total {
		printErrf(cmd, "skein: %d of %d tasks; --limit 0 shows all\n", len(res.Tasks), res.Total)
	}
	return nil
}

func taskCancelCommand(g *global) *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: "cancel TASK...", Short: "Cancel tasks, each with all below it", Args: cobra.MinimumNArgs(1),
		Long: "Cancel tasks, each with all below it. Agents that work on them are told to stop; agents that were started for one of them end.",
		Example: `  skein task cancel tq4k2
  skein task cancel nightly --reason 'the branch is gone'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			ids, err := resolveTasks(cmd, c, args...)
			if err != nil {
				return err
			}
			begins(cmd, g, "canceling", len(ids), "tasks, with all below them")
			res, err := c.TaskCancel(cmd.Context(), wire.TaskCancelParams{IDs: ids, Reason: reason})
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(cmd, res)
			}
			for _, id := range res.Canceled {
				printf(cmd, "%s  canceled\n", id)
			}
			if res.More > 0 {
				printErrf(cmd, "skein: and %d more tasks canceled\n", res.More)
			}
			if len(res.Canceled) == 0 {
				cmd.PrintErrln("nothing to cancel: the tasks had ended")
			}
			return nil
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "the reason, for other people to see")
	return c
}

func taskRetryCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "retry TASK...", Short: "Give tasks that ended without success new attempts", Args: cobra.MinimumNArgs(1),
		Example: `  skein task retry tq4k2
  skein task retry $(skein task ls --dead -q)`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			ids, err := resolveTasks(cmd, c, args...)
			if err != nil {
				return err
			}
			begins(cmd, g, "retrying", len(ids), "tasks")
			res := wire.SubmitResult{}
			for _, id := range ids {
				t, err := c.TaskRetry(cmd.Context(), id)
				if err != nil {
					return err
				}
				res.Tasks = append(res.Tasks, *t)
				if !g.json {
					more, attempts := t.LastTry-t.Attempt, "attempts"
					if more == 1 {
						attempts = "attempt"
					}
					printf(cmd, "%s  %s, %d %s more\n", t.ID, t.State, more, attempts)
				}
			}
			if g.json {
				return printJSON(cmd, res)
			}
			return nil
		},
	}
}
