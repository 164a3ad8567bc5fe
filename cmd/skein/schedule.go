package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func scheduleCommand(g *global) *cobra.Command {
	list := scheduleList(g)
	c := &cobra.Command{
		Use: "schedule", Aliases: []string{"schedules"}, Short: "Submit tasks at set times: once, or by a cron expression", Args: cobra.NoArgs,
		Long: `Submit tasks at set times: once, or again and again by a cron expression in a time zone. Without a verb, list the schedules.
SCHEDULE is a name or an id.`,
		Example: `  skein schedule add report --cron '0 9 * * 1-5' --tz Europe/Berlin -- make report
  skein schedule add party --at '2026-12-24 18:00' --type worker --input 'wish everybody well'
  skein schedule
  skein schedule show report
  skein schedule run report`,
		RunE: list.RunE,
	}
	c.AddCommand(list, scheduleAdd(g), scheduleShow(g), schedulePause(g), scheduleResume(g), scheduleRun(g), scheduleDelete(g))
	return c
}

func scheduleList(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "list [QUERY]", Aliases: []string{"ls"}, Short: "List the schedules, by name", Args: cobra.MaximumNArgs(1),
		Example: `  skein schedule list
  skein schedule list report --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			res, err := c.Schedules(cmd.Context(), wire.ScheduleListParams{Query: strings.Join(args, "")})
			switch {
			case err != nil:
				return err
			case g.json:
				return printJSON(cmd, res)
			case len(res.Schedules) == 0:
				cmd.PrintErrln("no schedules; add one with `skein schedule add NAME --cron '0 9 * * 1-5' -- COMMAND`")
				return nil
			}
			w := newTable(cmd.OutOrStdout(), "NAME", "WHEN", "ZONE", "NEXT", "LAST")
			for i := range res.Schedules {
				s := &res.Schedules[i]
				w.row(shorten(s.Name, 40), shorten(cmp.Or(s.Words, s.Cron), 60), s.Zone, scheduleNext(s), scheduleLast(s))
			}
			return w.flush()
		},
	}
}

// zoned writes an instant as a clock in the time zone of a schedule shows it, if that zone is known here.
func zoned(s *wire.Schedule, t time.Time) string {
	zone, err := time.LoadLocation(s.Zone)
	if err != nil {
		zone = time.UTC
	}
	return t.In(zone).Format("Mon 2006-01-02 15:04:05 MST")
}

func scheduleNext(s *wire.Schedule) string {
	switch {
	case s.Fault != "":
		return "can't run: " + shorten(s.Fault, 60)
	case s.Paused:
		return "paused"
	case len(s.Next) == 0:
		return "over"
	}
	return fmt.Sprintf("in %s, %s", age(max(time.Until(s.Next[0]), 0)), zoned(s, s.Next[0]))
}

func scheduleLast(s *wire.Schedule) string {
	if len(s.Runs) == 0 {
		return "-"
	}
	r := &s.Runs[0]
	text := outcomeText(s, r)
	if r.Reason != "" {
		text += ": " + r.Reason
	}
	return fmt.Sprintf("%s ago: %s", age(max(time.Since(r.Due), 0)), shorten(text, 70))
}

// outcomeText is what became of a run.
func outcomeText(s *wire.Schedule, r *wire.ScheduleRun) string {
	text := string(r.Outcome)
	switch {
	case r.Outcome == wire.ScheduleSubmitted:
		text += " " + string(r.Task)
		if r.Task == s.Last && s.State != "" {
			text += " (" + string(s.State) + ")"
		}
	case r.Count >= wire.MaxMissed:
		text += fmt.Sprintf(" %d times or more", r.Count)
	case r.Count > 1:
		text += fmt.Sprintf(" %d times", r.Count)
	}
	return text
}

func scheduleAdd(g *global) *cobra.Command {
	var t taskFlags
	var p wire.ScheduleSetParams
	var input, inputFile, overlap, missed string
	var replace, dry bool
	c := &cobra.Command{
		Use: "add NAME (--cron EXPRESSION | --at TIME) [flags] [-- COMMAND ARG...]", Short: "Add a schedule", Args: func(cmd *cobra.Command, args []string) error {
			if n := cmd.ArgsLenAtDash(); n != 1 && (n >= 0 || len(args) != 1) {
				return errors.New("give one name, and the command after --")
			}
			return nil
		},
		Long: `Add a schedule, and print its id and when it runs. The task is described as for skein task submit.

An EXPRESSION has five fields: minute, hour, day of the month, month, day of the week (0 and 7 are Sunday), each a *, a number, a
list, a range or a step; or it is @hourly, @daily, @weekly, @monthly or @yearly. If both fields for days are restricted, a day
matches if either does. TIME is one of the time zone, as in 2026-12-24T18:00, or has its offset, as in 2026-12-24T18:00:00+01:00.

When clocks are moved on, a run in the time left out happens at that moment; of a time that clocks show twice, the first is run.
An expression for every hour (such as */15 * * * *) simply goes on.`,
		Example: `  skein schedule add report --cron '0 9 * * 1-5' --tz Europe/Berlin -- make report
  skein schedule add tick --cron '*/15 * * * *' --overlap queue --type worker --input 'look at the queue'
  skein schedule add party --at 2026-12-24T18:00 --missed once -- ./party.sh
  skein schedule add report --replace --cron @daily -- make report
  skein schedule add x --dry-run --cron '0 0 29 2 *'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if input != "" && inputFile != "" {
				return usageError{errors.New("give --input or --input-file, not both")}
			}
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			if dry {
				return previewSchedule(cmd, g, c, p.ScheduleTime)
			}
			p.Name, p.Overlap, p.Missed = args[0], wire.Overlap(overlap), wire.Missed(missed)
			if p.Task, err = t.task(cmd, g, c, args[1:]); err != nil {
				return err
			}
			if input == "-" {
				input, inputFile = "", "-"
			}
			if p.Task.Input, err = readInput(cmd, input, inputFile); err != nil {
				return err
			}
			if replace {
				old, err := c.Schedule(cmd.Context(), wire.ScheduleID(p.Name))
				switch {
				case err == nil:
					p.ID = old.ID
				case wire.AsError(err).Code != wire.CodeNotFound:
					return err
				}
			}
			ctx, cancel := answered(cmd.Context())
			defer cancel()
			s, err := c.ScheduleSet(ctx, p)
			if e := wire.AsError(err); err != nil && e.Code == wire.CodeConflict && !replace {
				printErrf(cmd, "skein: --replace changes the schedule of that name\n")
			}
			return printSet(cmd, g, s, err)
		},
	}
	f := c.Flags()
	f.StringVar(&p.Cron, "cron", "", "when, again and again: an expression, such as '0 9 * * 1-5'")
	f.StringVar(&p.At, "at", "", "when, once: a time, such as '2026-12-24 18:00'")
	f.StringVar(&p.Zone, "tz", "", "time zone, such as Europe/Berlin; default: the server's")
	f.StringVar(&overlap, "overlap", "", "what becomes of a run that is due while the task of the one before still works: skip it (default), or queue it")
	f.StringVar(&missed, "missed", "", "what becomes of runs that were due while it was paused, or Skein was down: skip them (default), or make up for them once")
	f.BoolVar(&p.Paused, "paused", false, "do not run before `skein schedule resume`")
	f.BoolVar(&replace, "replace", false, "replace the schedule of that name, if there is one")
	f.BoolVar(&dry, "dry-run", false, "only print when it would run")
	task := pflag.NewFlagSet("task", pflag.ContinueOnError)
	t.add(task)
	task.VisitAll(func(flag *pflag.Flag) {
		switch flag.Name {
		case "parent", "key": // each run is a task of its own
			return
		case "name":
			flag.Name, flag.Usage = "task-name", "name of the tasks, for people; default: the schedule's"
		}
		f.AddFlag(flag)
	})
	f.StringVarP(&input, "input", "i", "", "input of each task, as text; - for standard input")
	f.StringVar(&inputFile, "input-file", "", "file with the input, as it is now; - for standard input")
	f.BoolVar(&t.spec.NoInput, "no-input", false, "give the process no standard input (/dev/null)")
	return c
}

func previewSchedule(cmd *cobra.Command, g *global, c *client.Client, t wire.ScheduleTime) error {
	r, err := c.SchedulePreview(cmd.Context(), t)
	switch {
	case err != nil:
		return err
	case g.json:
		return printJSON(cmd, r)
	}
	printf(cmd, "%s (%s)\n", r.Words, r.Zone)
	for _, at := range r.Next {
		printf(cmd, "  %s\n", zoned(&wire.Schedule{Zone: r.Zone}, at))
	}
	return nil
}

// printSet prints the outcome of a change.
func printSet(cmd *cobra.Command, g *global, s *wire.Schedule, err error) error {
	switch {
	case err != nil:
		return err
	case g.json:
		return printJSON(cmd, s)
	}
	printf(cmd, "%s  %s: %s (%s); next: %s\n", s.ID, s.Name, cmp.Or(s.Words, s.Cron), s.Zone, scheduleNext(s))
	return nil
}

func scheduleShow(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "show SCHEDULE", Aliases: []string{"get"}, Short: "Show a schedule: when it runs, its next and last runs, its task", Args: cobra.ExactArgs(1),
		Example: `  skein schedule show report
  skein schedule show report --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			s, err := c.Schedule(cmd.Context(), wire.ScheduleID(args[0]))
			switch {
			case err != nil:
				return err
			case g.json:
				return printJSON(cmd, s)
			}
			return printSchedule(cmd.OutOrStdout(), s)
		},
	}
}

func printSchedule(out io.Writer, s *wire.Schedule) error {
	var b bytes.Buffer
	w := newTable(&b)
	task := s.Task
	fields := [][2]string{
		{"schedule", string(s.ID)}, {"name", s.Name}, {"when", s.Words}, {"expression", s.Cron}, {"time zone", s.Zone}, {"overlap", string(s.Overlap)},
		{"missed", string(s.Missed)}, {"fault", s.Fault}, {"changed", strings.TrimSuffix(moment(s.UpdatedAt)+" by "+s.Actor, " by ")},
		{"task for", doer(&task)}, {"command", strings.Join(append(task.Argv[:len(task.Argv):len(task.Argv)], task.Args...), " ")}, {"queue", task.Queue},
		{"priority", string(task.Priority)}, {"timeouts", timeoutsText(task.Timeouts)}, {"labels", labelsText(task.Labels)}, {"next", scheduleNext(s)},
	}
	if s.At != nil {
		fields[2][1] = "once, at " + zoned(s, *s.At)
	}
	for _, f := range fields {
		if f[1] != "" {
			w.row(f[0], f[1])
		}
	}
	for i, at := range s.Next {
		if i > 0 {
			w.row("", zoned(s, at))
		}
	}
	if wait := s.Waiting; wait != nil {
		text := "the run of " + zoned(s, wait.Due)
		if wait.Behind != "" {
			text += ", until task " + string(wait.Behind) + " is over"
		}
		w.row("waiting", text)
	}
	if len(s.Runs) > 0 {
		w.row("last runs")
	}
	for i := range s.Runs {
		r := &s.Runs[i]
		text := outcomeText(s, r)
		if r.From != nil {
			text += ", from " + zoned(s, *r.From)
		}
		if r.By != "" {
			text += ", by hand (" + r.By + ")"
		}
		w.row("  "+zoned(s, r.Due), strings.TrimSuffix(text+": "+r.Reason, ": "))
	}
	w.flush()
	printPayload(&b, "input", &task.Input)
	_, err := b.WriteTo(out)
	return err
}

func schedulePause(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "pause SCHEDULE", Short: "Keep a schedule from running", Args: cobra.ExactArgs(1), Example: `  skein schedule pause report`,
		Long: "Keep a schedule from running until it is resumed. A task of it that works goes on.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			s, err := c.SchedulePause(cmd.Context(), wire.ScheduleID(args[0]))
			return printSet(cmd, g, s, err)
		},
	}
}

func scheduleResume(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "resume SCHEDULE", Short: "Let a schedule run again", Args: cobra.ExactArgs(1), Example: `  skein schedule resume report`,
		Long: "Let a schedule run again. The runs that were due meanwhile count as missed; with --missed once, one is made up for all of them.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			s, err := c.ScheduleResume(cmd.Context(), wire.ScheduleID(args[0]))
			return printSet(cmd, g, s, err)
		},
	}
}

func scheduleRun(g *global) *cobra.Command {
	var wait bool
	c := &cobra.Command{
		Use: "run SCHEDULE", Short: "Submit the task of a schedule now, once", Args: cobra.ExactArgs(1),
		Long: "Submit the task of a schedule now, whether it is paused or its last task still works, and print the task's id.",
		Example: `  skein schedule run report
  skein schedule run report --wait`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			ctx, cancel := answered(cmd.Context())
			defer cancel()
			t, err := c.ScheduleRun(ctx, wire.ScheduleID(args[0]))
			switch {
			case err != nil:
				return err
			case wait:
				return untilOver(cmd, g, c, t.ID)
			case g.json:
				return printJSON(cmd, t)
			}
			printf(cmd, "%v\n", t.ID)
			return nil
		},
	}
	c.Flags().BoolVarP(&wait, "wait", "w", false, "wait for the end of the task, and print the result")
	return c
}

func scheduleDelete(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "delete SCHEDULE...", Aliases: []string{"rm"}, Short: "Delete schedules; their tasks stay", Args: cobra.MinimumNArgs(1), Example: `  skein schedule delete report`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			for _, id := range args {
				if err := c.ScheduleDelete(cmd.Context(), wire.ScheduleID(id)); err != nil {
					return err
				}
				if !g.json {
					printf(cmd, "%s  deleted\n", id)
				}
			}
			if g.json {
				return printJSON(cmd, map[string]any{"deleted": args})
			}
			return nil
		},
	}
}
