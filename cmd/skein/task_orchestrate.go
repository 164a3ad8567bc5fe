package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func orchestrateCommand(g *global) *cobra.Command {
	var t taskFlags
	var p wire.OrchestrateParams
	var mode, inputsFile, reduceType string
	var inputs, reduceArgs []string
	var quiet, detach bool
	c := &cobra.Command{
		Use: "orchestrate [flags] [-- COMMAND ARG...]", Short: "Give many inputs to agents, and collect the results", Args: behindDash,
		Long: `Give many inputs to agents, one task each, and collect the results. A line is printed for each result as it completes: the
index of its input (from 0), its state, the beginning of its output. At the end comes the aggregate, by --mode:

  all      when every task has ended: the results as JSON
  first    the output of the first that completes; the others are canceled
  quorum   as soon as --quorum tasks completed, their results as JSON; the others are canceled
  reduce   the output of another task, of --reduce-type, which gets all results as JSON

Ctrl-C leaves, and the tasks keep running; skein task results shows them again. Exit codes: as for skein task submit --wait.`,
		Example: `  skein task orchestrate --type reviewer --input main.go --input run.go
  skein task orchestrate --mode quorum --quorum 2 --input 1 --input 2 --input 3 -- solver
  skein task orchestrate --inputs-file urls.txt --reduce-type summarizer -- curl -s -K -
  skein task orchestrate --type worker --inputs-file lines.txt --mode first --quiet`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			if p.Task, err = t.task(cmd, g, c, args); err != nil {
				return err
			}
			if p.Inputs, err = readInputs(cmd, inputs, inputsFile); err != nil {
				return err
			}
			p.Name, p.Parent = p.Task.Name, p.Task.Parent
			switch p.Mode = wire.AggregateMode(mode); {
			case p.Mode == "" && reduceType != "":
				p.Mode = wire.AggregateReduce
			case p.Mode == "" && p.Quorum > 0:
				p.Mode = wire.AggregateQuorum
			}
			if reduceType != "" {
				p.Reduce = &wire.TaskSpec{Type: reduceType}
				if err := putCommand(cmd.Context(), c, p.Reduce, reduceArgs); err != nil {
					return err
				}
			}
			return orchestrate(cmd, g, c, p, quiet, detach)
		},
	}
	f := c.Flags()
	t.add(f)
	f.StringVarP(&mode, "mode", "m", "", "when it is complete: "+words(wire.AggregateModes)+"; default all")
	f.IntVar(&p.Quorum, "quorum", 0, "mode quorum: how many must complete")
	f.StringVar(&reduceType, "reduce-type", "", "mode reduce: type of the agent that combines all results into one")
	f.StringArrayVar(&reduceArgs, "reduce-arg", nil, "mode reduce: argument of its command, repeatable")
	f.BoolVar(&p.FailFast, "fail-fast", false, "fail all when the first one fails")
	f.StringArrayVarP(&inputs, "input", "i", nil, "input of one task, repeatable")
	f.StringVar(&inputsFile, "inputs-file", "", "file with one input per line, - for standard input")
	f.BoolVarP(&quiet, "quiet", "q", false, "print the aggregate alone")
	f.BoolVarP(&detach, "detach", "d", false, "print the id and don't wait")
	return c
}

// readInputs gives the inputs: the flags', then the file's lines.
func readInputs(cmd *cobra.Command, texts []string, file string) (inputs []wire.Payload, _ error) {
	for _, text := range texts {
		inputs = append(inputs, wire.NewPayload([]byte(text)))
	}
	if file != "" {
		b, err := readFile(cmd, file)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(b)) {
			inputs = append(inputs, wire.NewPayload([]byte(strings.TrimRight(line, "\r\n"))))
		}
	}
	if len(inputs) == 0 {
		return nil, usageError{errors.New("there is nothing to do: give --input or --inputs-file")}
	}
	return inputs, nil
}

func orchestrate(cmd *cobra.Command, g *global, c *client.Client, p wire.OrchestrateParams, quiet, detach bool) error {
	ctx, cancel := answered(cmd.Context())
	defer cancel()
	t, err := c.TaskOrchestrate(ctx, p)
	switch {
	case err != nil:
		return err
	case detach && g.json:
		return printJSON(cmd, t)
	case detach:
		printf(cmd, "%v\n", t.ID)
		return nil
	}
	return printResults(cmd, g, c, t.ID, 0, quiet)
}

func resultsCommand(g *global) *cobra.Command {
	var after int
	var quiet bool
	c := &cobra.Command{
		Use: "results TASK", Short: "Print an orchestration's results, as they complete", Args: cobra.ExactArgs(1),
		Long: "Print an orchestration's results in the order of completion, wait for those that are still to come, and print the aggregate at the end, as skein task orchestrate does.",
		Example: `  skein task results tq4k2
  skein task results tq4k2 --after 17
  skein task results tq4k2 --quiet > all.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			id, err := resolveTask(cmd, c, args[0])
			if err != nil {
				return err
			}
			return printResults(cmd, g, c, id, after, quiet)
		},
	}
	c.Flags().IntVar(&after, "after", 0, "skip this many of the first results")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print the aggregate alone")
	return c
}

// printResults prints results as they complete, then the aggregate.
func printResults(cmd *cobra.Command, g *global, c *client.Client, id wire.TaskID, after int, quiet bool) error {
	results := c.TaskResults(cmd.Context(), id, after)
	for res, err := range results.All() {
		if err == nil && !quiet {
			err = printResult(cmd, g, res)
		}
		if err != nil {
			return leftRunning(cmd, err, id, fmt.Sprintf("results %s --after %d", id, results.Last()))
		}
	}
	t, err := results.Aggregate()
	if err != nil {
		return err
	}
	if g.json {
		if err := printJSONLine(cmd, wire.Aggregate{Task: *t}); err != nil {
			return err
		}
		return verdict(cmd, t)
	}
	if o := t.Orchestration; !quiet && t.State == wire.TaskCompleted {
		printErrf(cmd, "skein: task %s completed: %d of %d completed, %d failed\n", t.ID, o.Completed, o.Children, o.Failed)
	}
	return printEnd(cmd, g, t)
}

func printResult(cmd *cobra.Command, g *global, r wire.Result) error {
	if g.json {
		return printJSONLine(cmd, r)
	}
	text := strings.TrimSuffix(string(r.Failure)+": "+r.Message, ": ")
	if r.Output != nil {
		text = firstLine(*r.Output)
	}
	return printf(cmd, "%d\t%s\t%s\n", r.Index, r.State, strings.TrimPrefix(text, ": "))
}
