package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// taskFlags are the flags that make a task.
type taskFlags struct {
	spec          wire.TaskSpec
	agent, parent string
	priority      string
	queueTimeout  time.Duration
	runTimeout    time.Duration
	beatTimeout   time.Duration
	retries       int
	backoff       time.Duration
}

func (t *taskFlags) add(f *pflag.FlagSet) {
	f.StringVarP(&t.spec.Type, "type", "t", "", "type of the agent; default: shell, if there is a command and neither --agent nor --capability")
	f.StringVar(&t.agent, "agent", "", "only this agent")
	f.StringSliceVar(&t.spec.Capabilities, "capability", nil, "an agent that can do this, repeatable")
	f.StringVar(&t.spec.Name, "name", "", "name, for people")
	f.StringVarP(&t.priority, "priority", "p", "", "priority: "+words(wire.Priorities)+"; default normal")
	f.StringVar(&t.spec.Cwd, "cwd", "", "working folder of its process on the server; an absolute path, if the server is elsewhere")
	f.StringVar((*string)(&t.spec.Folder), "folder", "", "where its process works: shared (--cwd itself), fresh (a new folder), or worktree (a git worktree of the repository at --cwd)")
	f.StringVar(&t.spec.Queue, "queue", "", "queue; default "+wire.DefaultQueue)
	f.DurationVar(&t.queueTimeout, "timeout-queue", 0, "give up if no attempt begins within this time")
	f.DurationVar(&t.runTimeout, "timeout-run", 0, "the longest that an attempt may take")
	f.DurationVar(&t.beatTimeout, "timeout-heartbeat", 0, "the longest that the agent may be silent")
	f.IntVar(&t.retries, "retries", wire.DefaultAttempts-1, "further attempts after temporary failures")
	f.IntSliceVar(&t.spec.RetryOn, "retry-on", nil, "exit codes of the command that ask for another attempt, in addition to 75, as in 3,111; repeatable")
	f.DurationVar(&t.backoff, "backoff", time.Second, "pause before the second attempt, doubled with each further one")
	f.StringVar(&t.parent, "parent", "", "task that this one belongs to")
	f.StringVar(&t.spec.IdempotencyKey, "key", "", "idempotency key: a second submit with it makes no task and returns the first one")
	f.StringToStringVarP(&t.spec.Labels, "label", "l", nil, "label NAME=VALUE, repeatable")
}

// task gives the task that the flags and the command after -- mean.
func (t *taskFlags) task(cmd *cobra.Command, g *global, c *client.Client, command []string) (s wire.TaskSpec, err error) {
	s = t.spec
	s.Priority = wire.Priority(t.priority)
	s.Timeouts = wire.Timeouts{QueueMS: milliseconds(t.queueTimeout), RunMS: milliseconds(t.runTimeout), HeartbeatMS: milliseconds(t.beatTimeout)}
	s.Retry = wire.Retry{Max: t.retries + 1, BackoffMS: max(1, milliseconds(t.backoff))}
	if t.retries < 0 || t.backoff < 0 {
		return s, usageError{errors.New("--retries and --backoff must be 0 or more")}
	}
	if s.Cwd != "" {
		_, local, err := g.options()
		if err != nil {
			return s, err
		}
		if s.Cwd, err = onServer(s.Cwd, local); err != nil {
			return s, err
		}
	}
	if t.agent != "" {
		ids, err := resolve(cmd, c, t.agent)
		if err != nil {
			return s, err
		}
		s.Agent = ids[0]
	}
	if t.parent != "" {
		if s.Parent, err = resolveTask(cmd, c, t.parent); err != nil {
			return s, err
		}
	}
	return s, putCommand(cmd.Context(), c, &s, command)
}

// milliseconds rounds up: a bound of less than one is a bound.
func milliseconds(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}

// putCommand puts the words after -- where the task's type wants them.
func putCommand(ctx context.Context, c *client.Client, s *wire.TaskSpec, command []string) error {
	if len(command) == 0 {
		return nil
	}
	if s.Type == "" && s.Agent == "" && len(s.Capabilities) == 0 {
		s.Type = "shell"
	}
	types, err := c.Types(ctx)
	if err != nil {
		return err
	}
	s.Argv = command
	for _, t := range types {
		if t.Name == s.Type && len(t.Argv) > 0 {
			s.Argv, s.Args = nil, command
		}
	}
	return nil
}

// behindDash gives the words after --; there may be none before it.
func behindDash(cmd *cobra.Command, args []string) error {
	if n := cmd.ArgsLenAtDash(); n > 0 || n < 0 && len(args) > 0 {
		return fmt.Errorf("%q is not a flag: put the command after --", args[0])
	}
	return nil
}

func submitCommand(g *global) *cobra.Command {
	var t taskFlags
	var input, inputFile string
	var dependsOn []string
	var wait bool
	c := &cobra.Command{
		Use: "submit [flags] [-- COMMAND ARG...]", Short: "Submit a task", Args: behindDash,
		Long: `Submit a task, and print its id. --type, --agent or --capability say who can do it. What comes after -- is the
command of types that have none, such as shell, and added arguments for the others; there is no shell in between. A
command's input comes on its standard input, and what it prints on its standard output is the result.

With --wait the result, as it is, goes to standard output when the task is completed; the exit code is 7 when it failed
or was rejected, 8 when it was canceled. Ctrl-C leaves, and the task keeps running.`,
		Example: `  skein task submit --type worker --input 'summarize the log'
  skein task submit --wait --input-file notes.txt -- wc -w
  skein task submit --capability review --priority high --input-file diff.txt --retries 5 --backoff 10s
  skein task submit --depends-on tq4k2 --timeout-run 10m -- make deploy`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if input != "" && inputFile != "" {
				return usageError{errors.New("give --input or --input-file, not both")}
			}
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			s, err := t.task(cmd, g, c, args)
			if err != nil {
				return err
			}
			if input == "-" { // as everywhere: standard input
				input, inputFile = "", "-"
			}
			if s.Input, err = readInput(cmd, input, inputFile); err != nil {
				return err
			}
			ids, err := resolveTasks(cmd, c, dependsOn...)
			if err != nil {
				return err
			}
			for _, id := range ids {
				s.DependsOn = append(s.DependsOn, string(id))
			}
			return submit(cmd, g, c, s, wait)
		},
	}
	f := c.Flags()
	t.add(f)
	f.StringVarP(&input, "input", "i", "", "input, as text; - for standard input")
	f.StringVar(&inputFile, "input-file", "", "file with the input, - for standard input")
	f.BoolVar(&t.spec.NoInput, "no-input", false, "give its process no standard input (/dev/null), for a command that would read an empty one")
	f.StringSliceVar(&dependsOn, "depends-on", nil, "task that must complete first, repeatable")
	f.BoolVarP(&wait, "wait", "w", false, "wait for the end, and print the result")
	return c
}

func readInput(cmd *cobra.Command, text, file string) (wire.Payload, error) {
	if file == "" {
		return wire.NewPayload([]byte(text)), nil
	}
	b, err := readFile(cmd, file)
	return wire.NewPayload(b), err
}

func submit(cmd *cobra.Command, g *global, c *client.Client, s wire.TaskSpec, wait bool) error {
	ctx, cancel := answered(cmd.Context())
	defer cancel()
	res, err := c.TaskSubmit(ctx, wire.SubmitParams{Tasks: []wire.TaskSpec{s}})
	if err != nil {
		return err
	}
	if wait {
		return untilOver(cmd, g, c, res.Tasks[0].ID)
	}
	if g.json {
		return printJSON(cmd, res)
	}
	printf(cmd, "%v\n", res.Tasks[0].ID)
	return nil
}

// untilOver waits for the end of a task and prints its result as it is.
func untilOver(cmd *cobra.Command, g *global, c *client.Client, id wire.TaskID) error {
	for ch, err := range c.TaskWatch(cmd.Context(), wire.TaskWatchParams{Filter: wire.TaskFilter{IDs: []wire.TaskID{id}}}) {
		if err != nil {
			return leftRunning(cmd, err, id, "watch "+string(id))
		}
		if len(ch.Tasks) == 0 || !ch.Tasks[0].State.Terminal() {
			continue
		}
		t, err := c.TaskGet(cmd.Context(), id)
		if err != nil {
			return err
		}
		return printEnd(cmd, g, t)
	}
	return nil
}

// printEnd prints what became of a task, and ends with its exit code.
func printEnd(cmd *cobra.Command, g *global, t *wire.Task) error {
	if g.json {
		if err := printJSON(cmd, t); err != nil {
			return err
		}
	} else if t.Result != nil {
		if err := writeValue(cmd, t.Result.Bytes()); err != nil {
			return err
		}
	}
	return verdict(cmd, t)
}

// verdict is a task's end as an exit code; what was no success is told on standard error.
func verdict(cmd *cobra.Command, t *wire.Task) error {
	if t.State == wire.TaskCompleted {
		return nil
	}
	printErrf(cmd, "skein: task %s %s: %s\n", t.ID, stateWord(t), detail(t))
	if t.State == wire.TaskCanceled {
		return exitCode(exitCanceled)
	}
	return exitCode(exitTaskFailed)
}

// leftRunning says how to come back to a task that goes on, and how to end it, when it was Ctrl-C that ended the waiting.
func leftRunning(cmd *cobra.Command, err error, id wire.TaskID, again string) error {
	if cmd.Context().Err() == nil {
		return err
	}
	printErrf(cmd, "skein: task %s keeps running; see it again with: skein task %s\nskein: end it with: skein task cancel %s\n", id, again, id)
	return exitCode(exitInterrupted)
}
