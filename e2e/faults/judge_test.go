package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// verdict says what is wrong after a fault, by what the server knows and what its agents did; nil: nothing.
func verdict(ctx context.Context, witness *client.Client, j job, r ready, s sent, events map[wire.AgentID][]seen) error {
	var wrong []error
	for _, id := range append([]wire.AgentID{r.Sink}, r.Counters...) {
		logged, err := logOf(ctx, witness, id)
		if err != nil {
			return err
		}
		if err := sameEvents(events[id], logged); err != nil {
			wrong = append(wrong, fmt.Errorf("the events of %s: %w", id, err))
		}
		if id == r.Sink {
			continue
		}
		if err := counts(events[id]); err != nil {
			wrong = append(wrong, fmt.Errorf("the lines of %s: %w", id, err))
		}
	}
	var numbers, names []string
	for n := range s.Inputs {
		numbers = append(numbers, strconv.Itoa(n+1))
	}
	for name := range s.Spawned {
		names = append(names, name)
	}
	if err := eachOnce(j.Inputs, numbers); err != nil {
		wrong = append(wrong, fmt.Errorf("inputs: %w", err))
	}
	if err := eachOnce(j.Spawns, names); err != nil {
		wrong = append(wrong, fmt.Errorf("spawned processes: %w", err))
	}
	if err := sameAgents(ctx, witness, j, s.Spawned); err != nil {
		wrong = append(wrong, fmt.Errorf("spawned agents: %w", err))
	}
	if len(s.Spawned) == 0 || s.Inputs == 0 {
		wrong = append(wrong, errors.New("it sent nothing"))
	}
	if gap := time.Duration(s.GapMS) * time.Millisecond; gap > maxGap {
		wrong = append(wrong, fmt.Errorf("for %s no event came", gap))
	}
	return errors.Join(wrong...)
}

// logOf is what the server has of an agent that ended.
func logOf(ctx context.Context, witness *client.Client, id wire.AgentID) (all []seen, err error) {
	for e, err := range witness.Events(ctx, id, client.EventOptions{Follow: true}) {
		if err != nil {
			return nil, fmt.Errorf("the log of %s: %w", id, err)
		}
		all = append(all, seen{e.Seq, e.Type, e.Data.Text})
	}
	return all, nil
}

// sameEvents compares what a client saw with the log: each event, once, in its place.
func sameEvents(got, logged []seen) error {
	for i := range max(len(got), len(logged)) {
		switch {
		case i == len(got):
			return fmt.Errorf("%d came, of %d in the log; the first that did not: %+v", len(got), len(logged), logged[i])
		case i == len(logged):
			return fmt.Errorf("%d came, of %d in the log; the first beyond: %+v", len(got), len(logged), got[i])
		case got[i] != logged[i]:
			return fmt.Errorf("%+v came where the log has %+v", got[i], logged[i])
		}
	}
	return nil
}

// counts checks the lines of a counter.
func counts(events []seen) error {
	n := 0
	for _, e := range events {
		if e.Type != wire.EventStdout {
			continue
		}
		for line := range strings.Lines(e.Text) {
			if n++; line != fmt.Sprintln(n) {
				return fmt.Errorf("%q came where %d was due", line, n)
			}
		}
	}
	if n == 0 {
		return errors.New("none came")
	}
	return nil
}

// eachOnce checks that a file has these lines, once each, in any order.
func eachOnce(file string, want []string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	n := map[string]int{}
	for _, w := range want {
		n[w] = 0
	}
	var wrong []string
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if _, ok := n[line]; !ok {
			wrong = append(wrong, "unknown "+line)
		}
		n[line]++
	}
	for _, w := range want {
		if n[w] != 1 {
			wrong = append(wrong, fmt.Sprintf("%s %d times", w, n[w]))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("of %d: %s", len(want), strings.Join(wrong, ", "))
	}
	return nil
}

// sameAgents checks that the server has the agents that the client was told of, and no other of its names.
func sameAgents(ctx context.Context, witness *client.Client, j job, spawned map[string]wire.AgentID) error {
	list, err := witness.List(ctx, wire.Filter{Query: j.Cell + "-spawn-"})
	if err != nil {
		return err
	}
	told := map[string]int{}
	for _, a := range list.Agents {
		told[a.Name]++
		if spawned[a.Name] != a.ID {
			return fmt.Errorf("%s (%s) was nobody's answer", a.ID, a.Name)
		}
	}
	names := []string{}
	for name := range spawned {
		if told[name] != 1 {
			names = append(names, name)
		}
	}
	if slices.Sort(names); len(names) > 0 {
		return fmt.Errorf("the server does not have %v", names)
	}
	return nil
}
