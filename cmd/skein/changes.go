package main

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// withAgent calls f with a connection, and the agent that a word names.
func withAgent(cmd *cobra.Command, g *global, word string, f func(c *client.Client, id wire.AgentID) error) error {
	c, err := g.dial(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	ids, err := resolve(cmd, c, word)
	if err != nil {
		return err
	}
	return f(c, ids[0])
}

func changesCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "changes [AGENT]", Short: "Show what an agent has changed in its folder, or list the git worktrees",
		Long: `Show what an agent has changed in its folder since it began: its branch, its commits, and the files with the lines that were added and
removed, whether they are committed or not. The folder must be in a git repository. Without AGENT, list the agents that have a git
worktree: those that run, and those that have ended and left work.`,
		Example: `  skein changes
  skein changes oc`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return listWorktrees(cmd, g)
			}
			return withAgent(cmd, g, args[0], func(c *client.Client, id wire.AgentID) error {
				res, err := c.Changes(cmd.Context(), wire.ChangesParams{ID: id})
				switch {
				case err != nil:
					return err
				case g.json:
					return printJSON(cmd, res)
				}
				return printChanges(cmd, res)
			})
		},
	}
}

// listWorktrees lists the agents that have one.
func listWorktrees(cmd *cobra.Command, g *global) error {
	c, err := g.dial(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	res, err := c.List(cmd.Context(), wire.Filter{})
	if err != nil {
		return err
	}
	all := []wire.Agent{}
	for _, a := range res.Agents {
		if a.Folder != nil && a.Folder.Mode == wire.FolderWorktree && a.Folder.State != wire.FolderRemoved && a.Folder.GitDir != "" {
			all = append(all, a)
		}
	}
	if g.json {
		return printJSON(cmd, all)
	}
	if len(all) == 0 {
		cmd.PrintErrln("no agent has a git worktree; skein spawn TYPE --folder worktree --cwd REPOSITORY gives it one")
		return nil
	}
	t := newTable(cmd.OutOrStdout(), "ID", "NAME", "STATUS", "BRANCH", "FOLDER")
	for _, a := range all {
		t.row(a.ID, a.Name, a.Status, a.Folder.Branch, a.Folder.Top)
	}
	return t.flush()
}

func printChanges(cmd *cobra.Command, c *wire.Changes) error {
	printf(cmd, "%s in %s, since %.12s%s\n", cmp.Or(c.Branch, "no branch"), c.Folder.Top, c.Base, of(c.Folder.From))
	for _, made := range c.Commits {
		printf(cmd, "commit %.12s  %s\n", made.ID, made.Subject)
	}
	if more := c.Count - len(c.Commits); more > 0 {
		printf(cmd, "and %d earlier commits\n", more)
	}
	if c.Total == 0 {
		printf(cmd, "no file differs\n")
	} else if err := printFiles(cmd, c); err != nil {
		return err
	}
	for _, l := range c.Left {
		printf(cmd, "left out: %s%s\n", prefixed(l.Path, ": "), l.Why)
	}
	if c.Open {
		printf(cmd, "not all of it is committed\n")
	}
	return nil
}

func of(branch string) string {
	if branch == "" {
		return ""
	}
	return " of " + branch
}

func prefixed(s, end string) string {
	if s == "" {
		return ""
	}
	return s + end
}

func printFiles(cmd *cobra.Command, c *wire.Changes) error {
	t := newTable(cmd.OutOrStdout(), "FILE", "", "ADDED", "REMOVED")
	for _, f := range c.Files {
		path := f.Path
		if f.Old != "" {
			path = f.Old + " -> " + f.Path
		}
		if f.Binary {
			t.row(path, f.Status, "binary", "")
			continue
		}
		t.row(path, f.Status, fmt.Sprintf("+%d", f.Added), fmt.Sprintf("-%d", f.Removed))
	}
	if err := t.flush(); err != nil {
		return err
	}
	if more := c.Total - len(c.Files); more > 0 {
		printf(cmd, "and %d more files\n", more)
	}
	printf(cmd, "%d files, +%d -%d lines\n", c.Total, c.Added, c.Removed)
	return nil
}

func diffCommand(g *global) *cobra.Command {
	var context int
	c := &cobra.Command{
		Use: "diff AGENT [FILE...]", Short: "Print what an agent has changed in its folder, as a diff",
		Long: `Print what an agent has changed in its folder since it began, as a unified diff: of the files that are named as skein changes lists
them, or of all. git apply takes what it prints.`,
		Example: `  skein diff oc
  skein diff oc main.go -U 10`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAgent(cmd, g, args[0], func(c *client.Client, id wire.AgentID) error {
				return printDiffs(cmd, g, c, id, args[1:], context)
			})
		},
	}
	c.Flags().IntVarP(&context, "unified", "U", 3, "lines around each change")
	return c
}

func printDiffs(cmd *cobra.Command, g *global, c *client.Client, id wire.AgentID, paths []string, context int) error {
	changes, err := c.Changes(cmd.Context(), wire.ChangesParams{ID: id})
	if err != nil {
		return err
	}
	whole := len(paths) == 0
	if whole {
		for _, f := range changes.Files {
			paths = append(paths, f.Path)
		}
	}
	all := []*wire.Diff{}
	for _, path := range paths {
		d, err := c.Diff(cmd.Context(), wire.DiffParams{ID: id, Path: path, Tree: changes.Tree, Base: changes.Base, Context: context})
		if err != nil {
			return err
		}
		all = append(all, d)
		if g.json {
			continue
		}
		if err := writeValue(cmd, []byte(d.Patch)); err != nil {
			return err
		}
		if d.Cut {
			printErrf(cmd, "skein: the diff of %s has more than %d KiB; the rest of it is not printed\n", path, wire.MaxPatch>>10)
		}
	}
	if g.json {
		return printJSON(cmd, all)
	}
	if more := changes.Total - len(changes.Files); more > 0 && whole {
		return fmt.Errorf("%d more files have changed, whose diffs are not printed: name them", more)
	}
	return nil
}

func commitCommand(g *global) *cobra.Command {
	var p wire.CommitParams
	c := &cobra.Command{
		Use: "commit AGENT -m MESSAGE", Short: "Commit what an agent has changed in its folder",
		Long: `Commit everything that an agent has changed in its folder and not committed itself, on the branch that is checked out there. The
hooks of the repository run. With --tree, which skein changes --json prints, nothing is committed if the folder has changed since.`,
		Example: `  skein commit oc -m 'Parse dates with a zone'`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if p.Message == "" {
				return usageError{errors.New("say with -m what the commit is about")}
			}
			return withAgent(cmd, g, args[0], func(c *client.Client, id wire.AgentID) error {
				p.ID = id
				res, err := c.Commit(cmd.Context(), p)
				switch {
				case err != nil:
					return err
				case g.json:
					return printJSON(cmd, res)
				}
				printf(cmd, "%.12s  %s\n", res.Commit.ID, cmp.Or(res.Branch, "no branch"))
				return nil
			})
		},
	}
	c.Flags().StringVarP(&p.Message, "message", "m", "", "the message of the commit")
	c.Flags().StringVar(&p.Tree, "tree", "", "of skein changes --json: commit that, or nothing")
	return c
}

func discardCommand(g *global) *cobra.Command {
	var p wire.DiscardParams
	var all bool
	c := &cobra.Command{
		Use: "discard AGENT (FILE... | --all)", Short: "Undo what an agent has changed in its git worktree",
		Long: `Undo what an agent has changed in its git worktree: in the files that are named as skein changes lists them, or, with --all,
everything, its commits too. The worktree of an agent that has ended goes with its branch. What was discarded is printed as the id of a
commit, which git keeps for two weeks, unless it is configured otherwise: git branch NAME ID brings it back.`,
		Example: `  skein discard oc notes.txt
  skein discard oc --all`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if p.Paths = args[1:]; all == (len(p.Paths) > 0) {
				return usageError{errors.New("name files, or give --all")}
			}
			return withAgent(cmd, g, args[0], func(c *client.Client, id wire.AgentID) error {
				p.ID = id
				res, err := c.Discard(cmd.Context(), p)
				switch {
				case err != nil:
					return err
				case g.json:
					return printJSON(cmd, res)
				}
				printf(cmd, "%s\n", res.Saved)
				return nil
			})
		},
	}
	c.Flags().BoolVar(&all, "all", false, "everything, the agent's commits too")
	c.Flags().BoolVar(&p.Force, "force", false, "also what skein changes lists as left out, for good")
	c.Flags().StringVar(&p.Tree, "tree", "", "of skein changes --json: discard that, or nothing")
	return c
}
