package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func typesCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "types", Short: "List the agent types", Args: cobra.NoArgs,
		Example: `  skein types
  skein types --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			types, err := c.Types(cmd.Context())
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(cmd, wire.TypesResult{Types: types})
			}
			w := newTable(cmd.OutOrStdout(), "TYPE", "KIND", "ALIVE", optional{"TASKS", 3}, optional{"CAPABILITIES", 2}, optional{"COMMAND", 1}, "DESCRIPTION")
			for _, t := range types {
				w.row(t.Name, t.Kind, aliveWord(&t), tasksWord(&t), cmp.Or(strings.Join(t.Capabilities, ","), "-"),
					shorten(commandWord(&t), 40), shorten(t.Description, 70))
			}
			return w.flush()
		},
	}
}

// commandWord is what agents of a type run.
func commandWord(t *wire.AgentType) string {
	if t.Model != nil {
		return t.Model.Name + " at " + t.Model.URL
	}
	return strings.Join(t.Argv, " ")
}

// aliveWord is how many agents of a type there are and may be.
func aliveWord(t *wire.AgentType) string {
	s := fmt.Sprint(t.Running)
	if t.MaxInstances > 0 {
		s = fmt.Sprintf("%d of %d", t.Running, t.MaxInstances)
	}
	if t.Closed {
		s += ", closed"
	}
	return s
}

// tasksWord is how agents of a type take tasks.
func tasksWord(t *wire.AgentType) string {
	s := cmp.Or(string(t.Tasks), "-")
	if t.MaxTasks > 1 {
		s = fmt.Sprintf("%s, %d at once", s, t.MaxTasks)
	}
	if t.Coordinator {
		s += ", coordinator"
	}
	return s
}

func loginCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "login", Short: "Print a URL that signs a browser in, once", Args: cobra.NoArgs,
		Example: `  skein login
  skein login --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, _, err := g.options()
			if err != nil {
				return err
			}
			url, err := client.LoginURL(cmd.Context(), o)
			if err != nil {
				return fmt.Errorf("%w: %w", errUnreachable, err)
			}
			if g.json {
				return printJSON(cmd, map[string]string{"url": url})
			}
			printf(cmd, "%v\n", url)
			return nil
		},
	}
}
