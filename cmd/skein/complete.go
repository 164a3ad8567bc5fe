package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// completeTime bounds how long a shell waits for what a word may be.
const completeTime = 2 * time.Second

// found are words with what they mean, as cobra takes them.
type found = []cobra.Completion

// completers find what a word of the command line may be, by what its usage calls it. args are the words before it.
var completers = map[string]func(ctx context.Context, c *client.Client, args []string) (found, error){
	"AGENT":     completeAgents,
	"TASK":      completeTasks,
	"TYPE":      completeTypes,
	"NODE":      nil,
	"NAMESPACE": completeNamespaces,
	"KEY":       completeKeys,
	"ARTIFACT":  completeArtifacts,
	"ID":        completeAsks,
	"SCHEDULE":  completeSchedules,
}

// flagValues say the same of flags.
var flagValues = map[string]string{"agent": "AGENT", "task": "TASK", "parent": "TASK", "depends-on": "TASK", "type": "TYPE"}

// flagWords are the values of flags that have few.
var flagWords = map[string][]string{
	"transport": {client.Auto, client.WebTransport, client.WebSocket},
	"priority":  wordsOf(wire.Priorities),
	"status":    wordsOf(wire.Statuses),
	"folder":    wordsOf(wire.FolderModes),
}

func wordsOf[T ~string](all []T) (words []string) {
	for _, w := range all {
		words = append(words, string(w))
	}
	return words
}

// completes makes shells complete the words of a command, and of those below it.
func completes(root *cobra.Command, g *global) {
	for _, c := range root.Commands() {
		completes(c, g)
	}
	names := placeholders(root.Use)
	if len(names) > 0 && root.ValidArgsFunction == nil {
		root.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) (found, cobra.ShellCompDirective) {
			at := names[min(len(args), len(names)-1)]
			switch {
			case len(args) < len(names) || strings.HasSuffix(at, "..."):
				return complete(cmd, g, at, args)
			case strings.Contains(cmd.Use, "-- COMMAND"):
				return nil, cobra.ShellCompDirectiveDefault
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
	}
	for flag, name := range flagValues {
		if root.Flags().Lookup(flag) != nil {
			root.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, args []string, _ string) (found, cobra.ShellCompDirective) {
				return complete(cmd, g, name, args)
			})
		}
	}
	for flag, words := range flagWords {
		if root.Flags().Lookup(flag) != nil || root.PersistentFlags().Lookup(flag) != nil {
			root.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
		}
	}
}

// placeholders are what a usage calls the words of a command, such as "AGENT...", one or several of which a word may be: "AGENT|TASK".
func placeholders(usage string) (names []string) {
	for _, word := range strings.Fields(usage)[1:] {
		word = strings.Trim(word, "[]()")
		if word == "flags" || strings.HasPrefix(word, "-") {
			break
		}
		if word != "|" {
			names = append(names, word)
		}
	}
	return names
}

func complete(cmd *cobra.Command, g *global, at string, args []string) (all found, _ cobra.ShellCompDirective) {
	directive := cobra.ShellCompDirectiveNoFileComp
	for name := range strings.SplitSeq(at, "|") {
		f, known := completers[strings.TrimSuffix(name, "...")]
		if !known {
			directive = cobra.ShellCompDirectiveDefault // it may be a file
		}
		if f == nil {
			continue
		}
		words, err := ask(cmd, g, func(ctx context.Context, c *client.Client) (found, error) { return f(ctx, c, args) })
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		all = append(all, words...)
	}
	return all, directive
}

// ask asks the server, briefly and in silence.
func ask(cmd *cobra.Command, g *global, f func(ctx context.Context, c *client.Client) (found, error)) (found, error) {
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	defer cmd.SetContext(ctx) // a word may be several things, each of which is asked for
	ctx, cancel := context.WithTimeout(ctx, completeTime)
	defer cancel()
	cmd.SetContext(ctx)
	cmd.SetErr(io.Discard)
	if err := fromEnv(cmd.Flags()); err != nil {
		return nil, err
	}
	c, err := g.dial(cmd)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return f(ctx, c)
}

// word is one with what it means.
func word(text, means string) cobra.Completion {
	return cobra.CompletionWithDesc(safe(text), safe(strings.Join(strings.Fields(means), " ")))
}

// plain reports whether a name stands for itself in a shell, and is no flag. A shell inserts the part that several names have in
// common as it is.
func plain(name string) bool {
	return name != "" && !strings.HasPrefix(name, "-") && !strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.,:/@%+", r)
	})
}

// completeAgents gives names and ids: a plain name that only one agent has, and else the id.
func completeAgents(ctx context.Context, c *client.Client, _ []string) (all found, _ error) {
	res, err := c.List(ctx, wire.Filter{})
	if err != nil {
		return nil, err
	}
	named := map[string]int{}
	for _, a := range res.Agents {
		named[a.Name]++
	}
	for _, a := range res.Agents {
		means := a.Type + ", " + statusWord(&a)
		if named[a.Name] == 1 && plain(a.Name) {
			all = append(all, word(a.Name, means))
			continue
		}
		all = append(all, word(string(a.ID), a.Name+", "+means))
	}
	return all, nil
}

func completeTasks(ctx context.Context, c *client.Client, _ []string) (all found, _ error) {
	res, err := c.TaskList(ctx, wire.TaskFilter{Limit: 100})
	if err != nil {
		return nil, err
	}
	for _, t := range res.Tasks {
		all = append(all, word(string(t.ID), stateWord(&t)+", "+shorten(t.Name+" "+doer(&t.TaskSpec), 60)))
	}
	return all, nil
}

func completeTypes(ctx context.Context, c *client.Client, _ []string) (all found, _ error) {
	types, err := c.Types(ctx)
	for _, t := range types {
		all = append(all, word(t.Name, shorten(t.Description, 60)))
	}
	return all, err
}

func completeNamespaces(ctx context.Context, c *client.Client, _ []string) (all found, _ error) {
	res, err := c.MemoryNamespaces(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range res.Namespaces {
		all = append(all, word(n.Name, fmt.Sprintf("%d keys", n.Keys)))
	}
	return all, nil
}

func completeKeys(ctx context.Context, c *client.Client, args []string) (all found, _ error) {
	if len(args) == 0 {
		return nil, nil
	}
	res, err := c.MemoryList(ctx, wire.MemoryListParams{Namespace: args[0]})
	if err != nil {
		return nil, err
	}
	for _, e := range res.Entries {
		all = append(all, word(e.Key, bytesWord(int64(e.Size))))
	}
	return all, nil
}

func completeArtifacts(ctx context.Context, c *client.Client, _ []string) (all found, _ error) {
	res, err := c.ArtifactList(ctx, wire.ArtifactFilter{})
	if err != nil {
		return nil, err
	}
	for _, a := range res.Artifacts {
		all = append(all, word(string(a.ID), shorten(a.Name, 60)))
	}
	return all, nil
}

func completeAsks(ctx context.Context, c *client.Client, _ []string) (all found, _ error) {
	res, err := c.Asks(ctx, wire.AskListParams{})
	if err != nil {
		return nil, err
	}
	for _, a := range res.Asks {
		all = append(all, word(string(a.ID), a.Name+": "+askLine(&a)))
	}
	return all, nil
}

func completeSchedules(ctx context.Context, c *client.Client, _ []string) (all found, _ error) {
	res, err := c.Schedules(ctx, wire.ScheduleListParams{})
	if err != nil {
		return nil, err
	}
	for _, s := range res.Schedules {
		all = append(all, word(s.Name, cmp.Or(s.Words, s.Cron)))
	}
	return all, nil
}
