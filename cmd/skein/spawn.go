package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func spawnCommand(g *global) *cobra.Command {
	var p wire.SpawnParams
	var scriptFile, goesOn string
	var follow, wait, tty bool
	c := &cobra.Command{
		Use: "spawn TYPE [flags] [-- COMMAND ARG...]", Short: "Start one agent, or a batch",
		Args: func(cmd *cobra.Command, args []string) error {
			if goesOn != "" {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.MinimumNArgs(1)(cmd, args)
		},
		Long: `Start one agent, or a batch of --count. What comes after -- is the command of types that have none, such as shell, and
added arguments for the others. There is no shell in between: use sh -c '…' for one.

A command of a server on this machine runs in the current folder, unless --cwd or the type names another. With --folder worktree
it runs in a git worktree of that folder's repository, on a branch of its own; skein changes shows what it has done there.

An agent of kind acp goes on with a conversation of another time: with --continue AGENT, that of an agent that has ended; with --session ID, one
that skein sessions lists. With --fork it goes on in a copy of that, also of an agent that is alive, if such agents can do that.`,
		Example: `  skein spawn shell -- make test
  skein spawn shell --name nightly -- sh -c 'date > f'
  skein spawn shell --no-input -- rg needle
  skein spawn shell --tty --name editor -- vim notes.txt
  skein spawn shell --folder worktree -- make generate
  skein spawn scripted --count 5
  skein spawn scripted --script-file drill.txt --follow
  skein spawn --continue oc
  skein spawn opencode --session ses_dd362c24fffe`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if goesOn != "" {
				return spawn(cmd, g, p, nil, goesOn, scriptFile, follow, wait)
			}
			p.Type = args[0]
			if tty {
				p.TTY = &wire.Size{}
				if isTerminal(os.Stdout) {
					size := ownSize()
					p.TTY = &size
				}
			}
			return spawn(cmd, g, p, args[1:], "", scriptFile, follow, wait)
		},
	}
	f := c.Flags()
	f.StringVar(&p.Name, "name", "", "name of the agent; a batch adds -1, -2 …")
	f.IntVarP(&p.Count, "count", "n", 1, "how many")
	f.StringVar(&p.Cwd, "cwd", "", "working folder on the server; an absolute path, if the server is elsewhere")
	f.StringVar((*string)(&p.Folder), "folder", "", "where it works: shared (--cwd itself), fresh (a new folder), or worktree (a git worktree of the repository at --cwd)")
	f.StringVar(&p.Base, "base", "", "branch or commit that its worktree begins at; default: what the repository has checked out")
	f.BoolVar(&p.Share, "share", false, "let other agents work in its folder at the same time")
	f.StringToStringVarP(&p.Env, "env", "e", nil, "environment variable NAME=VALUE, repeatable")
	f.StringToStringVarP(&p.Labels, "label", "l", nil, "label NAME=VALUE, repeatable")
	f.BoolVar(&tty, "tty", false, "give it a terminal, as large as yours: skein attach and its page show it")
	f.BoolVar(&p.NoInput, "no-input", false, "give it no standard input (/dev/null): nothing can be sent to it, and it never waits for input")
	f.BoolVar(&p.Fork, "fork", false, "go on in a copy of that conversation, which stays as it is")
	f.StringVar(&p.Session, "session", "", "the conversation that it goes on with, for types of kind acp")
	f.StringVar(&goesOn, "continue", "", "an agent of kind acp that has ended: a new one of its type goes on with its conversation, in its folder")
	f.StringVar(&p.Script, "script", "", "script of a scripted agent; lines are separated by newlines")
	f.StringVar(&scriptFile, "script-file", "", "file with the script, - for standard input")
	f.BoolVarP(&follow, "follow", "f", false, "print its output until it ends, and exit with its exit code")
	f.BoolVarP(&wait, "wait", "w", false, "wait until it ends, and exit with its exit code")
	return c
}

// spawn starts agents. goesOn is an agent whose conversation they go on with, or "".
func spawn(cmd *cobra.Command, g *global, p wire.SpawnParams, rest []string, goesOn, scriptFile string, follow, wait bool) error {
	if (follow || wait) && p.Count > 1 {
		return usageError{errors.New("--follow and --wait are for one agent")}
	}
	if scriptFile != "" {
		b, err := readFile(cmd, scriptFile)
		if err != nil {
			return err
		}
		p.Script = string(b)
	}
	_, local, err := g.options()
	if err != nil {
		return err
	}
	p.Command = rest
	if p.Cwd, err = onServer(p.Cwd, local); err != nil {
		return err
	}
	if local {
		if p.DefaultCwd, err = os.Getwd(); err != nil {
			return err
		}
	}
	c, err := g.dial(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	if goesOn != "" {
		if err := likeBefore(cmd, c, goesOn, &p); err != nil {
			return err
		}
	}
	ctx, cancel := answered(cmd.Context())
	defer cancel()
	res, err := c.Spawn(ctx, p)
	if err != nil {
		return err
	}
	if follow || wait {
		return untilExit(cmd, c, res.Agents[0].ID, follow)
	}
	if err := printSpawned(cmd, g, res); err != nil {
		return err
	}
	if len(res.Failed) > 0 {
		return exitCode(exitFailed)
	}
	return nil
}

// likeBefore makes a spawn one of an agent that goes on with another's conversation.
func likeBefore(cmd *cobra.Command, c *client.Client, word string, p *wire.SpawnParams) error {
	ids, err := resolve(cmd, c, word)
	if err != nil {
		return err
	}
	a, err := c.Get(cmd.Context(), ids[0])
	switch {
	case err != nil:
		return err
	case a.Session == "":
		return wire.Errorf(wire.CodePrecondition, "agent %s had no conversation to go on with", a.ID)
	}
	p.Type, p.Session, p.Cwd = a.Type, a.Session, cmp.Or(p.Cwd, a.Cwd)
	if p.Fork { // beside that agent
		p.Folder, p.Share = cmp.Or(p.Folder, wire.FolderShared), true
	}
	return nil
}

func readFile(cmd *cobra.Command, path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(cmd.InOrStdin())
	}
	return os.ReadFile(path)
}

func printSpawned(cmd *cobra.Command, g *global, res *wire.SpawnResult) error {
	if g.json {
		return printJSON(cmd, res)
	}
	for _, a := range res.Agents {
		printf(cmd, "%s  %s\n", a.ID, a.Name)
	}
	for _, f := range res.Failed {
		printErrf(cmd, "skein: agent %d of the batch: %s\n", f.Index+1, f.Error.Message)
	}
	return nil
}

// untilExit waits for the agent's end, and ends with its exit code.
func untilExit(cmd *cobra.Command, c *client.Client, id wire.AgentID, output bool) error {
	for e, err := range c.Events(cmd.Context(), id, client.EventOptions{Follow: true}) {
		if err != nil {
			return leftAgent(cmd, err, id)
		}
		if output {
			printOutput(cmd, e)
		}
		if e.Type != wire.EventExited || e.Data.Exit == nil {
			continue
		}
		switch x := e.Data.Exit; {
		case x.Code > 0:
			return exitCode(x.Code)
		case x.Code < 0:
			return fmt.Errorf("agent %s %s: %s", id, e.Data.Reason, x.Message)
		}
	}
	return nil
}

// leftAgent says how to come back to an agent that goes on, and how to stop it, when it was Ctrl-C that ended the command.
func leftAgent(cmd *cobra.Command, err error, id wire.AgentID) error {
	if cmd.Context().Err() == nil {
		return err
	}
	printErrf(cmd, "skein: agent %s keeps running; follow it again with: skein logs -f %s\nskein: stop it with: skein stop %s\n", id, id, id)
	return exitCode(exitInterrupted)
}

func printOutput(cmd *cobra.Command, e wire.Event) {
	switch e.Type {
	case wire.EventStdout, wire.EventTTY:
		cmd.OutOrStdout().Write(e.Data.Bytes())
	case wire.EventStderr:
		cmd.ErrOrStderr().Write(e.Data.Bytes())
	}
}

// onServer is a folder that the user named, as the server would: one on this machine may be relative.
func onServer(dir string, local bool) (string, error) {
	if dir == "" || !local {
		return dir, nil
	}
	return filepath.Abs(dir)
}
