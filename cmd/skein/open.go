package main

import (
	"errors"
	"net/url"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func openCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "open [AGENT|TASK]", Short: "Print the link of a page: the fleet's, an agent's, or a task's", Args: cobra.MaximumNArgs(1),
		Long: `Print the link of the fleet's page, or of that of an agent or a task, which are given by id, its beginning, or name. The browser must
be signed in: skein login prints a link that does that, once.`,
		Example: `  skein open
  xdg-open "$(skein open nightly)"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, _, err := g.options()
			if err != nil {
				return err
			}
			path := "/"
			if len(args) == 1 {
				c, err := g.dial(cmd)
				if err != nil {
					return err
				}
				defer c.Close()
				if path, err = pageOf(cmd, c, args[0]); err != nil {
					return err
				}
			}
			link, err := url.JoinPath(o.URL, path)
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(cmd, map[string]string{"url": link})
			}
			return printf(cmd, "%s\n", link)
		},
	}
}

// pageOf is the path of the page of an agent, or of a task. A name is rather that of a task than that of its process.
func pageOf(cmd *cobra.Command, c *client.Client, word string) (string, error) {
	ids, err := resolve(cmd, c, word)
	if err == nil {
		if a, err := c.Get(cmd.Context(), ids[0]); err == nil && a.ForTask != "" && a.Name == word {
			return "tasks/" + url.PathEscape(string(a.ForTask)), nil
		}
		return "agents/" + url.PathEscape(string(ids[0])), nil
	}
	task, other := resolveTask(cmd, c, word)
	if errors.Is(err, &wire.Error{Code: wire.CodeNotFound}) && other == nil {
		_, other = c.TaskGet(cmd.Context(), task)
	}
	if other == nil {
		return "tasks/" + url.PathEscape(string(task)), nil
	}
	return "", err
}
