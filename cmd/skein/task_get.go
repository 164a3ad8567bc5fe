package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/wire"
)

func taskGetCommand(g *global) *cobra.Command {
	var result bool
	c := &cobra.Command{
		Use: "get TASK", Short: "Show a task: its record, attempts, progress, result", Args: cobra.ExactArgs(1),
		Example: `  skein task get tq4k2
  skein task get nightly --result > report.txt
  skein task get tq4k2 --json`,
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
			t, err := c.TaskGet(cmd.Context(), id)
			switch {
			case err != nil:
				return err
			case g.json:
				return printJSON(cmd, t)
			case !result:
				return printTask(cmd.OutOrStdout(), t)
			case t.Result == nil:
				return wire.Errorf(wire.CodePrecondition, "task %s (%s) has no result", t.ID, stateWord(t))
			}
			return writeValue(cmd, t.Result.Bytes())
		},
	}
	c.Flags().BoolVar(&result, "result", false, "print the result alone, as it is")
	return c
}

// printTask shows the whole record.
func printTask(out io.Writer, t *wire.Task) error {
	var b bytes.Buffer
	w := newTable(&b)
	for _, f := range taskFields(t) {
		if f[1] != "" {
			w.row(f[0], f[1])
		}
	}
	if len(t.Runs) > 0 {
		w.row("attempts")
	}
	for _, r := range t.Runs {
		w.row(fmt.Sprintf("  %d", r.Attempt), runText(r))
	}
	if len(t.Progress) > 0 {
		w.row("progress")
	}
	for _, p := range t.Progress {
		w.row("  "+moment(p.Time), progressText(p))
	}
	for _, l := range t.Late {
		w.row("late answer", fmt.Sprintf("of attempt %d, at %s: %s", l.Attempt, moment(l.Time), firstLine(wire.Payload{Text: l.Text})))
	}
	w.flush()
	printPayload(&b, "input", &t.Input)
	printPayload(&b, "result", t.Result)
	_, err := b.WriteTo(out)
	return err
}

func taskFields(t *wire.Task) [][2]string {
	fields := [][2]string{
		{"task", string(t.ID)}, {"name", t.Name}, {"state", stateWord(t)}, {"waiting", t.Waiting}, {"message", t.Message}, {"failure", string(t.Failure)},
		{"for", doer(&t.TaskSpec)}, {"command", strings.Join(append(slices.Clone(t.Argv), t.Args...), " ")}, {"folder", folderText(&t.TaskSpec)}, {"queue", t.Queue}, {"priority", string(t.Priority)},
		{"attempt", attempt(t)}, {"timeouts", timeoutsText(t.Timeouts)}, {"key", t.IdempotencyKey}, {"depends on", strings.Join(t.DependsOn, ", ")},
		{"parent", string(t.Parent)}, {"labels", labelsText(t.Labels)},
		{"submitted", strings.TrimSuffix(moment(t.CreatedAt)+" by "+t.Actor, " by ")},
	}
	if t.Position > 0 {
		fields[3][1] = fmt.Sprintf("%s (number %d in line)", t.Waiting, t.Position)
	}
	if t.State == wire.TaskInputRequired {
		fields = append(fields, [2]string{"answer", "skein inbox"})
	}
	if o := t.Orchestration; o != nil {
		mode := string(o.Mode)
		if o.Quorum > 0 {
			mode = fmt.Sprintf("%s of %d", mode, o.Quorum)
		}
		fields = append(fields, [2]string{"children", fmt.Sprintf("%d, mode %s: %d completed, %d failed", o.Children, mode, o.Completed, o.Failed)})
	}
	if at := t.EndedAt; at != nil {
		fields = append(fields, [2]string{"ended", fmt.Sprintf("%s, after %s", moment(*at), at.Sub(t.CreatedAt).Round(time.Millisecond))})
	}
	return fields
}

// folderText says where a task is to be done; "": where its type says.
func folderText(s *wire.TaskSpec) string {
	switch {
	case s.Folder == wire.FolderWorktree:
		return "a git worktree of " + cmp.Or(s.Cwd, "its type's folder")
	case s.Folder == wire.FolderFresh:
		return "a new, empty one"
	}
	return s.Cwd
}

func runText(r wire.Run) string {
	s := fmt.Sprintf("%s, from %s", strings.TrimSpace(r.AgentName+" "+string(r.Agent)), moment(r.StartedAt))
	if r.EndedAt != nil {
		s += fmt.Sprintf(", %s", r.EndedAt.Sub(r.StartedAt).Round(time.Millisecond))
	}
	if why := strings.TrimSuffix(string(r.Failure)+": "+r.Message, ": "); why != "" {
		s += ", " + strings.TrimPrefix(why, ": ")
	}
	return s
}

func timeoutsText(t wire.Timeouts) string {
	var all []string
	for _, v := range []struct {
		name string
		ms   int64
	}{{"queue", t.QueueMS}, {"run", t.RunMS}, {"heartbeat", t.HeartbeatMS}} {
		if v.ms > 0 {
			all = append(all, fmt.Sprintf("%s %s", v.name, time.Duration(v.ms)*time.Millisecond))
		}
	}
	return strings.Join(all, ", ")
}

func labelsText(labels map[string]string) string {
	var all []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, k+"="+labels[k])
	}
	return strings.Join(all, ", ")
}

func printPayload(b *bytes.Buffer, name string, p *wire.Payload) {
	if p == nil || len(p.Bytes()) == 0 {
		return
	}
	if p.Base64 != nil {
		fmt.Fprintf(b, "%s  %s that are not text\n", name, firstLine(*p))
		return
	}
	fmt.Fprintf(b, "%s\n%s\n", name, indent(safeText(cmp.Or(p.Text, " ")), "  "))
}
