package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// resolve finds the agents that the words mean: ids, unique beginnings of ids, or names. Of several ended ones of a name
// it takes the newest, and says so.
func resolve(cmd *cobra.Command, c *client.Client, words ...string) ([]wire.AgentID, error) {
	res, err := c.List(cmd.Context(), wire.Filter{})
	if err != nil {
		return nil, err
	}
	var ids []wire.AgentID
	for _, w := range words {
		id, err := one(cmd, res.Agents, w)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// one finds an agent; the newest stand first.
func one(cmd *cobra.Command, agents []wire.Agent, word string) (wire.AgentID, error) {
	var named, alive, begins []wire.AgentID
	for _, a := range agents {
		switch {
		case string(a.ID) == word:
			return a.ID, nil
		case a.Name == word:
			named = append(named, a.ID)
			if a.Status.Alive() {
				alive = append(alive, a.ID)
			}
		case strings.HasPrefix(string(a.ID), word):
			begins = append(begins, a.ID)
		}
	}
	if len(alive) == 0 && len(named) > 1 {
		newestOf(cmd, "agents", word, len(named), named[0], "ps -a "+word)
		named = named[:1]
	}
	for _, found := range [][]wire.AgentID{alive, named, begins} {
		if len(found) == 1 {
			return found[0], nil
		}
		if len(found) > 1 {
			return "", usageError{fmt.Errorf("%q could be any of %d agents: %s; give more characters of the id", word, len(found), join(found))}
		}
	}
	return "", wire.Errorf(wire.CodeNotFound, "there is no agent %q; `skein ps -a` lists them all", word)
}

var taskID = regexp.MustCompile(`^t[a-z2-7]{12}$`)

// resolveTasks finds the tasks that the words mean: ids, unique beginnings of ids, or names. Of several ended ones of a
// name it takes the newest, and says so.
func resolveTasks(cmd *cobra.Command, c *client.Client, words ...string) ([]wire.TaskID, error) {
	ids := make([]wire.TaskID, len(words))
	for i, w := range words {
		id, err := resolveTask(cmd, c, w)
		if err != nil {
			return nil, err
		}
		ids[i] = id
	}
	return ids, nil
}

func resolveTask(cmd *cobra.Command, c *client.Client, word string) (wire.TaskID, error) {
	ctx := cmd.Context()
	if taskID.MatchString(word) {
		return wire.TaskID(word), nil
	}
	res, err := c.TaskList(ctx, wire.TaskFilter{Query: word})
	if err != nil {
		return "", err
	}
	var named, open, begins []wire.TaskID
	for _, t := range res.Tasks {
		switch {
		case t.Name == word && !t.State.Terminal():
			open = append(open, t.ID)
			fallthrough
		case t.Name == word:
			named = append(named, t.ID)
		case word != "" && strings.HasPrefix(string(t.ID), word):
			begins = append(begins, t.ID)
		}
	}
	if len(open) == 0 && len(named) > 1 { // the newest stand first
		newestOf(cmd, "tasks", word, len(named), named[0], "task ls "+word)
		named = named[:1]
	}
	for _, found := range [][]wire.TaskID{open, named, begins} {
		if len(found) == 1 {
			return found[0], nil
		}
		if len(found) > 1 {
			return "", usageError{fmt.Errorf("%q could be any of %d tasks: %s; give more characters of the id", word, len(found), join(found))}
		}
	}
	return "", wire.Errorf(wire.CodeNotFound, "there is no task %q; `skein task ls` lists them", word)
}

// newestOf says which of several ended ones of a name was taken.
func newestOf[T ~string](cmd *cobra.Command, what, name string, n int, id T, list string) {
	printErrf(cmd, "skein: %d %s are called %q and have ended; this is the newest, %s (skein %s lists them)\n", n, what, name, id, list)
}

func join[T ~string](ids []T) string {
	s := make([]string, 0, len(ids))
	for _, id := range ids[:min(len(ids), 5)] {
		s = append(s, string(id))
	}
	if len(ids) > 5 {
		s = append(s, "…")
	}
	return strings.Join(s, ", ")
}
