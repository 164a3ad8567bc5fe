package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/wire"
)

func inboxShow(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show the whole of what an agent asks", Args: cobra.ExactArgs(1),
		Long: `Show what an agent asks: the text, what it wants to do (the command, the changes of files), and what can be answered. ID may be a
unique beginning.`,
		Example: `  skein inbox show q3f7
  skein inbox show q3f7k2vwyx5ma --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			a, err := resolveAsk(cmd, c, args[0])
			switch {
			case err != nil:
				return err
			case g.json:
				return printJSON(cmd, a)
			}
			return printAsk(cmd.OutOrStdout(), a)
		},
	}
}

// printAsk shows the whole of a question, in colours on a terminal.
func printAsk(out io.Writer, a *wire.Ask) error {
	f, isFile := out.(*os.File)
	inColour := isFile && colours(f)
	tool := cmp.Or(a.Tool, &wire.AskTool{})
	var b bytes.Buffer
	w := newTable(&b)
	for _, field := range askFields(a, tool) {
		if field[1] != "" {
			w.row(field[0], field[1])
		}
	}
	w.flush()
	fmt.Fprintf(&b, "asks\n%s\n", indent(safeText(a.Text), "  "))
	if tool.Command != "" {
		fmt.Fprintf(&b, "command\n%s\n", indent(safeText(tool.Command), "  "))
	}
	if len(tool.Paths) > 0 {
		fmt.Fprintln(&b, "files")
	}
	for _, p := range tool.Paths {
		fmt.Fprintf(&b, "  %s\n", safe(p))
	}
	if len(tool.Diffs) > 0 {
		fmt.Fprintln(&b, "changes")
	}
	for _, d := range tool.Diffs {
		for _, line := range unified(d) {
			fmt.Fprintf(&b, "  %s\n", coloured(line, inColour))
		}
	}
	if tool.Cut {
		fmt.Fprintln(&b, "cut: it wants to do more than fits here, and the rest is not known")
	}
	printOptions(&b, a.Options)
	_, err := b.WriteTo(out)
	return err
}

func askFields(a *wire.Ask, tool *wire.AskTool) [][2]string {
	fields := [][2]string{
		{"question", string(a.ID)}, {"agent", fmt.Sprintf("%s (%s), of type %s", a.Name, a.Agent, a.Type)}, {"task", string(a.Task)},
		{"kind", strings.TrimSuffix(string(a.Kind)+": "+tool.Kind, ": ")},
		{"since", fmt.Sprintf("%s, %s ago", moment(a.Since), age(time.Since(a.Since)))},
	}
	if a.Expires != nil {
		fields = append(fields, [2]string{"time left", askTime(a) + ", then it is refused"})
	}
	if a.State == wire.AskPending && a.Kind == wire.AskTerminal {
		fields = append(fields, [2]string{"answer", fmt.Sprintf("in its terminal: skein attach %s", a.Agent)})
	}
	if a.Ended != nil {
		fields = append(fields, [2]string{"ended", moment(*a.Ended)})
	}
	return append(fields, [2]string{"state", cmp.Or(endText(a), "waits")}, [2]string{"prompt", a.Prompt})
}

// printOptions numbers the options, for whoever chooses one.
func printOptions(b *bytes.Buffer, options []wire.AskOption) {
	if len(options) == 0 {
		return
	}
	fmt.Fprintln(b, "options")
	w := newTable(b)
	for i, o := range options {
		w.row(fmt.Sprintf("  %d", i+1), o.Name, o.ID, string(o.Kind))
	}
	w.flush()
}

// coloured is a harmless line of a diff.
func coloured(line string, colours bool) string {
	line = escaped(line, "\t")
	colour := map[byte]string{'-': "31", '+': "32", '@': "36"}[line[0]]
	if !colours || colour == "" {
		return line
	}
	return "\x1b[" + colour + "m" + line + "\x1b[m"
}
