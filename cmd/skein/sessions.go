package main

import (
	"cmp"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/wire"
)

func sessionsCommand(g *global) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "sessions AGENT", Short: "List the conversations that an agent can go on with", Args: cobra.ExactArgs(1),
		Long: `List the conversations that a running agent of kind acp knows, the newest first with most agents; a star marks the one that it is in. A new
agent goes on with one of them by skein spawn TYPE --session ID.`,
		Example: `  skein sessions oc
  skein sessions oc --all`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			ids, err := resolve(cmd, c, args[0])
			if err != nil {
				return err
			}
			var list wire.SessionsResult
			for p := (wire.SessionsParams{ID: ids[0]}); ; p.Cursor = list.Next {
				page, err := c.Sessions(cmd.Context(), p)
				if err != nil {
					return err
				}
				list.Sessions, list.Next = append(list.Sessions, page.Sessions...), page.Next
				if !all || page.Next == "" || len(page.Sessions) == 0 {
					break
				}
			}
			return printSessions(cmd, g, &list)
		},
	}
	c.Flags().BoolVarP(&all, "all", "a", false, "all pages, not only the first one of the agent")
	return c
}

func printSessions(cmd *cobra.Command, g *global, list *wire.SessionsResult) error {
	if g.json {
		return printJSON(cmd, list)
	}
	if len(list.Sessions) == 0 {
		cmd.PrintErrln("it knows no sessions")
		return nil
	}
	t := newTable(cmd.OutOrStdout(), "", "SESSION", "UPDATED", "FOLDER", "TITLE")
	for _, s := range list.Sessions {
		mark := ""
		if s.Current {
			mark = "*"
		}
		t.row(mark, s.ID, cmp.Or(s.UpdatedAt, "-"), cmp.Or(s.Cwd, "-"), s.Title)
	}
	if list.Next != "" {
		defer printErrf(cmd, "skein: there are more; see them with --all\n")
	}
	return t.flush()
}
