package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// source is what skein logs prints of one agent: all, or what it printed while it worked on a task.
type source struct {
	agent wire.AgentID
	name  string
	from  time.Time   // zero: from its beginning
	until time.Time   // zero: to its end
	after uint64      // as EventOptions.After
	tail  int         // as EventOptions.Tail
	task  wire.TaskID // the end of the attempt at it ends the source; "": only the agent's does
}

// sources are those of agents, and of the attempts at tasks.
func sources(cmd *cobra.Command, c *client.Client, agents, tasks []string) (all []source, _ error) {
	res, err := c.List(cmd.Context(), wire.Filter{})
	if err != nil {
		return nil, err
	}
	for _, word := range agents {
		id, err := one(cmd, res.Agents, word)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(all, func(s source) bool { return s.agent == id }) {
			all = append(all, source{agent: id, name: nameOf(res.Agents, id)})
		}
	}
	ids, err := resolveTasks(cmd, c, tasks...)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		t, err := c.TaskGet(cmd.Context(), id)
		if err != nil {
			return nil, err
		}
		runs := attempts(t)
		if len(runs) == 0 {
			printErrf(cmd, "skein: no agent has worked on task %s yet: it is %s\n", id, cmp.Or(detail(t), stateWord(t)))
		}
		all = append(all, runs...)
	}
	return all, nil
}

func nameOf(agents []wire.Agent, id wire.AgentID) string {
	for _, a := range agents {
		if a.ID == id {
			return a.Name
		}
	}
	return string(id)
}

// attempts are what agents printed while they worked on a task.
func attempts(t *wire.Task) (all []source) {
	for _, r := range t.Runs {
		if r.Agent == "" {
			continue
		}
		s := source{agent: r.Agent, name: cmp.Or(r.AgentName, string(r.Agent)), from: r.StartedAt, task: t.ID}
		if r.EndedAt != nil {
			s.until = *r.EndedAt
		}
		all = append(all, s)
	}
	return all
}

// begin finds where in its log each source begins: not before a time, and at most tail events before its end. It leaves out attempts
// whose agents are forgotten.
func begin(cmd *cobra.Command, c *client.Client, all []source, from string, tail int) (there []source, err error) {
	var least time.Time
	if from != "" {
		if least, err = timeOf("--since", from, time.Now()); err != nil {
			return nil, err
		}
	}
	for _, s := range all {
		if s.from.Before(least) {
			s.from = least
		}
		switch err := s.seek(cmd.Context(), c, tail); {
		case s.task != "" && errors.Is(err, &wire.Error{Code: wire.CodeNotFound}):
			printErrf(cmd, "skein: what %s printed is gone: the server has forgotten agent %s\n", s.name, s.agent)
		case err != nil:
			return nil, err
		default:
			there = append(there, s)
		}
	}
	return there, nil
}

// seek finds where a source begins in its agent's log.
func (s *source) seek(ctx context.Context, c *client.Client, tail int) (err error) {
	if s.from.IsZero() {
		s.tail = tail
		return nil
	}
	if s.after, err = since(ctx, c, s.agent, s.from); err != nil || tail <= 0 {
		return err
	}
	before := uint64(0)
	if !s.until.IsZero() {
		if before, err = since(ctx, c, s.agent, s.until.Add(1)); err != nil {
			return err
		}
		before++
	}
	for tail > 0 {
		page, err := c.EventPage(ctx, wire.AgentEventsParams{ID: s.agent, After: s.after, Before: before, Newest: true, Limit: min(tail, wire.MaxLogPage)})
		if err != nil || len(page.Events) == 0 {
			return err
		}
		before, tail = page.Events[0].Seq, tail-len(page.Events)
		if tail <= 0 || !page.More {
			break
		}
	}
	s.after = before - 1
	return nil
}

// since finds in an agent's log, by halves, the position before the first event that is not older.
func since(ctx context.Context, c *client.Client, id wire.AgentID, from time.Time) (after uint64, _ error) {
	a, err := c.Get(ctx, id)
	if err != nil {
		return 0, err
	}
	for low, high := uint64(0), a.LastSeq; low < high; {
		middle := low + (high-low)/2
		page, err := c.EventPage(ctx, wire.AgentEventsParams{ID: id, After: middle, Limit: 1})
		switch {
		case err != nil:
			return 0, err
		case len(page.Events) == 0 || !page.Events[0].Time.Before(from):
			high = middle
		default:
			low = page.Events[0].Seq
		}
		after = low
	}
	return after, nil
}

// timeOf reads what a flag says of a time: how long ago, or when.
func timeOf(flag, word string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(word); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	if t, err := time.Parse(time.RFC3339, word); err == nil {
		return t, nil
	}
	for _, layout := range []string{"15:04", time.TimeOnly} {
		if t, err := time.Parse(layout, word); err == nil {
			y, m, d := now.Date()
			return time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), 0, now.Location()), nil
		}
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04", time.DateTime} {
		if t, err := time.ParseInLocation(layout, word, now.Location()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usageError{fmt.Errorf("%s %q: give how long ago, such as 10m, or a time, such as 14:05 or 2026-01-31T14:05:00Z", flag, word)}
}

// together prints several logs as one, each line with the name of its agent in front: first what is there, in the order of time, then, if
// they are followed, what comes.
type together struct {
	cmd    *cobra.Command
	g      *global
	c      *client.Client
	o      client.EventOptions
	events bool // all of them, not just the output
	times  bool

	mu sync.Mutex
}

func (l *together) print(all []source) error {
	writers := make([]*labelled, len(all))
	width := 0
	for _, s := range all {
		width = max(width, len([]rune(s.name)))
	}
	for i, s := range all {
		writers[i] = l.writer(i, fmt.Sprintf("%-*s | ", width, s.name), len(all) == 1)
	}
	if err := l.history(all, writers); err != nil || !l.o.Follow {
		return err
	}
	errs := make([]error, len(all))
	var wait sync.WaitGroup
	for i := range all {
		if all[i].until.IsZero() {
			wait.Go(func() { errs[i] = l.follow(&all[i], writers[i]) })
		}
	}
	wait.Wait()
	return errors.Join(errs...)
}

// read yields the events of a source. If it is for an attempt that goes on, it notes the end of that.
func (l *together) read(s *source, follow bool) iter.Seq2[wire.Event, error] {
	o := l.o
	o.Follow, o.After, o.Tail = follow, max(o.After, s.after), s.tail
	if o.After > 0 {
		o.Tail = 0
	}
	return func(yield func(wire.Event, error) bool) {
		for e, err := range l.c.Events(l.cmd.Context(), s.agent, o) {
			if err != nil {
				yield(e, leftAgent(l.cmd, err, s.agent))
				return
			}
			if e.Time.Before(s.from) {
				continue
			}
			if s.until.IsZero() && s.ends(e) {
				s.until = e.Time
			}
			if !s.until.IsZero() && e.Time.After(s.until) || !yield(e, nil) || follow && !s.until.IsZero() {
				return
			}
		}
	}
}

// ends reports whether an event is the end of the attempt that a source is for.
func (s *source) ends(e wire.Event) bool {
	return s.task != "" && e.Type == wire.EventTask && e.Data.Task == s.task && e.Data.State.Terminal()
}

// history prints what is there, the oldest first, and notes where each source goes on.
func (l *together) history(all []source, writers []*labelled) error {
	type head struct {
		i    int
		e    wire.Event
		next func() (wire.Event, error, bool)
	}
	var heads []head
	for i := range all {
		next, stop := iter.Pull2(l.read(&all[i], false))
		defer stop()
		e, err, ok := next()
		if err != nil {
			return err
		}
		if ok {
			heads = append(heads, head{i, e, next})
		}
	}
	for len(heads) > 0 {
		at := 0
		for i := range heads {
			if heads[i].e.Time.Before(heads[at].e.Time) {
				at = i
			}
		}
		h := &heads[at]
		if err := writers[h.i].event(h.e); err != nil {
			return err
		}
		all[h.i].after = h.e.Seq
		e, err, ok := h.next()
		switch {
		case err != nil:
			return err
		case ok:
			h.e = e
		default:
			if err := writers[h.i].end(); err != nil {
				return err
			}
			heads = slices.Delete(heads, at, at+1)
		}
	}
	return nil
}

func (l *together) follow(s *source, w *labelled) error {
	for e, err := range l.read(s, true) {
		if err != nil {
			return err
		}
		if err := w.event(e); err != nil {
			return err
		}
	}
	return w.end()
}

// labelled prints the lines of one agent, each with its name in front.
type labelled struct {
	l     *together
	label string
	parts map[wire.EventType]*bytes.Buffer // of each stream, a line that has no end yet
}

// hues are those of agents.
var hues = []hue{"36", "35", "34", "32", "33", "96", "95", "94"}

func (l *together) writer(i int, label string, only bool) *labelled {
	label = safe(label)
	if only {
		label = ""
	} else if f, ok := l.cmd.OutOrStdout().(*os.File); ok && colours(f) {
		label = "\x1b[" + string(hues[i%len(hues)]) + "m" + label + "\x1b[m"
	}
	return &labelled{l: l, label: label, parts: map[wire.EventType]*bytes.Buffer{}}
}

func (w *labelled) event(e wire.Event) error {
	w.l.mu.Lock()
	defer w.l.mu.Unlock()
	if !e.Type.IsOutput() || w.l.g.json || w.l.events {
		if w.l.events && !w.l.g.json {
			io.WriteString(w.l.cmd.OutOrStdout(), w.label)
		}
		return printEvent(w.l.cmd, w.l.g, e, w.l.events, w.l.times)
	}
	if e.Dropped != nil {
		printErrf(w.l.cmd, "skein: %s\n", droppedText(*e.Dropped))
	}
	part := w.parts[e.Type]
	if part == nil {
		part = &bytes.Buffer{}
		w.parts[e.Type] = part
	}
	part.Write(e.Data.Bytes())
	for {
		i := bytes.IndexByte(part.Bytes(), '\n')
		if i < 0 && part.Len() < maxPart {
			return nil
		}
		if i < 0 {
			i = part.Len() - 1
		}
		if err := w.line(e.Type, e.Time, part.Next(i+1)); err != nil {
			return err
		}
	}
}

// maxPart bounds a line that has no end yet.
const maxPart = 64 << 10

func (w *labelled) line(t wire.EventType, at time.Time, b []byte) error {
	out := w.l.cmd.OutOrStdout()
	if t == wire.EventStderr {
		out = w.l.cmd.ErrOrStderr()
	}
	label := w.label
	if w.l.times && !at.IsZero() {
		label += at.Local().Format("15:04:05.000 ")
	}
	_, err := fmt.Fprintf(out, "%s%s\n", label, strings.TrimSuffix(string(b), "\n"))
	return err
}

// end prints lines that were not ended.
func (w *labelled) end() error {
	w.l.mu.Lock()
	defer w.l.mu.Unlock()
	for t, part := range w.parts {
		if part.Len() > 0 {
			if err := w.line(t, time.Time{}, part.Next(part.Len())); err != nil {
				return err
			}
		}
	}
	return nil
}
