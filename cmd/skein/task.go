package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func taskCommand(g *global) *cobra.Command {
	c := &cobra.Command{
		Use: "task", Aliases: []string{"tasks"}, Short: "Give agents work: submit, watch, cancel, retry, orchestrate",
		Long: `Give agents work. A task waits until an agent that can do it is free, or one can be started; what fails for reasons that
may pass is tried again. TASK is an id, its unique beginning, or a name.`,
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
	fl.IntVar(&f.Limit, "limit", 50, "at most so many; 0 for all")
	fl.BoolVarP(&quiet, "quiet", "q", false, "ids only")
	return c
}

func words[T ~string](all []T) string {
	s := make([]string, len(all))
	for i, v := range all {
		s[i] = string(v)
	}
	return strings.Join(s, ", ")
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
		cmd.PrintErrln("no tasks; give one with `skein task submit`")
		return nil
	}
	w := newTable(cmd.OutOrStdout(), "ID", "STATE", "PRIORITY", "NAME", "FOR", "ATTEMPT", "AGENT", "AGE", "DETAIL")
	for _, t := range res.Tasks {
		w.row(t.ID, stateWord(&t), t.Priority, cmp.Or(shorten(t.Name, 30), "-"), doer(&t.TaskSpec),
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

func stateWord(t *wire.Task) string {
	switch {
	case t.State == wire.TaskInputRequired:
		return "needs you"
	case t.DeadLetter:
		return "failed, dead letter"
	}
	return string(t.State)
}

// doer says who may do a task.
func doer(s *wire.TaskSpec) string {
	var all []string
	for _, v := range append([]string{s.Type, string(s.Agent)}, s.Capabilities...) {
		if v != "" {
			all = append(all, v)
		}
	}
	return cmp.Or(strings.Join(all, "+"), "-")
}

func attempt(t *wire.Task) string {
	if t.Orchestration != nil {
		return "-"
	}
	return fmt.Sprintf("%d of %d", t.Attempt, max(t.LastTry, t.Attempt))
}

// agentOf names the agent that has, or last had, a task.
func agentOf(t *wire.Task) string {
	if len(t.Runs) == 0 {
		return "-"
	}
	r := t.Runs[len(t.Runs)-1]
	return cmp.Or(r.AgentName, string(r.Agent), "-")
}

// detail is the one thing worth saying about a task, in a line.
func detail(t *wire.Task) string {
	o := t.Orchestration
	switch {
	case t.State == wire.TaskSubmitted && t.Position > 0:
		return fmt.Sprintf("number %d in line: %s", t.Position, t.Waiting)
	case t.State == wire.TaskSubmitted:
		return t.Waiting
	case o != nil && !t.State.Terminal():
		return fmt.Sprintf("%d of %d completed, %d failed", o.Completed, o.Children, o.Failed)
	case !t.State.Terminal() && len(t.Progress) > 0:
		return progressText(t.Progress[len(t.Progress)-1])
	case t.State == wire.TaskCompleted && t.Result != nil:
		return firstLine(*t.Result)
	case t.Failure != "":
		return strings.TrimSuffix(string(t.Failure)+": "+t.Message, ": ")
	}
	return t.Message
}

func progressText(p wire.Progress) string {
	if p.Fraction > 0 {
		return strings.TrimSpace(fmt.Sprintf("%.0f%% %s", 100*p.Fraction, p.Text))
	}
	return p.Text
}

// firstLine is what of a payload fits into a line.
func firstLine(p wire.Payload) string {
	if p.Base64 != nil {
		return fmt.Sprintf("%d bytes", max(p.Size, len(p.Base64)))
	}
	line, _, more := strings.Cut(strings.Trim(p.Text, "\n"), "\n")
	if more || p.Size > 0 {
		line += " …"
	}
	return line
}

var taskID = regexp.MustCompile(`^t[a-z2-7]{12}$`)

// resolveTasks finds the tasks that the words mean: ids, unique beginnings of ids, or names. Of several ended ones of a
// name it takes the newest, and says so.
func resolveTasks(cmd *cobra.Command, c *client.Client, words ...string) ([]wire.TaskID, error) {
	ids := make([]wire.TaskID, len(words))
	for i, w := range words {
		id, err := resolveTask(cmd, c, w)
		if err != nil {
			return nil, err
		}
		ids[i] = id
	}
	return ids, nil
}

func resolveTask(cmd *cobra.Command, c *client.Client, word string) (wire.TaskID, error) {
	ctx := cmd.Context()
	if taskID.MatchString(word) {
		return wire.TaskID(word), nil
	}
	res, err := c.TaskList(ctx, wire.TaskFilter{Query: word})
	if err != nil {
		return "", err
	}
	var named, open, begins []wire.TaskID
	for _, t := range res.Tasks {
		switch {
		case t.Name == word && !t.State.Terminal():
			open = append(open, t.ID)
			fallthrough
		case t.Name == word:
			named = append(named, t.ID)
		case word != "" && strings.HasPrefix(string(t.ID), word):
			begins = append(begins, t.ID)
		}
	}
	if len(open) == 0 && len(named) > 1 { // the newest stand first
		newestOf(cmd, "tasks", word, len(named), named[0], "task ls "+word)
		named = named[:1]
	}
	for _, found := range [][]wire.TaskID{open, named, begins} {
		if len(found) == 1 {
			return found[0], nil
		}
		if len(found) > 1 {
			return "", usageError{fmt.Errorf("%q could be any of %d tasks: %s; give more of the id", word, len(found), join(found))}
		}
	}
	return "", wire.Errorf(wire.CodeNotFound, "there is no task %q; `skein task ls` lists them", word)
}

func taskCancelCommand(g *global) *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: "cancel TASK...", Short: "Cancel tasks, each with all below it", Args: cobra.MinimumNArgs(1),
		Long: "Cancel tasks, each with all below it. The agents at work on them are told to let go; those that exist for one of them end.",
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
				cmd.PrintErrln("nothing to cancel: they were over")
			}
			return nil
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "for whoever wonders")
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
