package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/wire"
)

func taskWatchCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "watch [TASK]", Short: "Print what happens to tasks, as it happens", Args: cobra.MaximumNArgs(1),
		Long: `Print what happens to tasks, a line for each change: first those that are open, then every change until Ctrl-C. With a
TASK, it and all below it, until it is over; the exit code is then 7 if it failed, 8 if it was canceled.`,
		Example: `  skein task watch
  skein task watch tq4k2
  skein task watch --json | jq -c '{id, state}'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			var p wire.TaskWatchParams
			if len(args) == 1 {
				if p.Filter.Root, err = resolveTask(cmd, c, args[0]); err != nil {
					return err
				}
				if _, err := c.TaskGet(cmd.Context(), p.Filter.Root); err != nil {
					return err
				}
			}
			lines := taskLines{cmd: cmd, g: g, root: p.Filter.Root, shown: map[wire.TaskID]string{}}
			for ch, err := range c.TaskWatch(cmd.Context(), p) {
				if err != nil && lines.root != "" {
					return leftRunning(cmd, err, lines.root, "watch "+string(lines.root))
				}
				if err != nil {
					return interrupted(cmd, err)
				}
				slices.SortFunc(ch.Tasks, func(a, b wire.Task) int { return cmp.Compare(lines.when(&a), lines.when(&b)) })
				for _, t := range ch.Tasks {
					if err := lines.print(&t, ch.Reset); err != nil {
						return err
					}
				}
				for _, t := range ch.Tasks {
					if t.ID == lines.root && t.State.Terminal() {
						return verdict(cmd, &t)
					}
				}
			}
			return nil
		},
	}
}

// taskLines prints tasks, each when its line changes.
type taskLines struct {
	cmd   *cobra.Command
	g     *global
	root  wire.TaskID
	shown map[wire.TaskID]string // the last line of those that are open
}

// when orders the tasks of one change: the one that everything belongs to comes last.
func (l *taskLines) when(t *wire.Task) int64 {
	switch {
	case t.ID == l.root:
		return math.MaxInt64
	case t.EndedAt != nil:
		return t.EndedAt.UnixNano()
	}
	return math.MaxInt64 - 1
}

// interrupted is no error when it was Ctrl-C that ended a command that goes on until then.
func interrupted(cmd *cobra.Command, err error) error {
	if cmd.Context().Err() != nil {
		return nil
	}
	return err
}

func (l *taskLines) print(t *wire.Task, first bool) error {
	line := fmt.Sprintf("%s  %-19s  %s", t.ID, stateWord(t), strings.TrimRight(fmt.Sprintf("%-20s  %s", shorten(cmp.Or(t.Name, doer(&t.TaskSpec)), 30), detail(t)), " "))
	if l.shown[t.ID] == line || first && l.root == "" && t.State.Terminal() {
		return nil
	}
	l.shown[t.ID] = line
	if t.State.Terminal() {
		delete(l.shown, t.ID)
	}
	if l.g.json {
		return printJSONLine(l.cmd, t)
	}
	return printf(l.cmd, "%s  %s\n", time.Now().Format(time.TimeOnly), line)
}
