package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// newestEnded is how many of those that ended last each list has, beside those that wait.
const newestEnded = 32

// watchInbox prints questions until Ctrl-C. The lists follow one another across reconnects and restarts of the server.
func watchInbox(cmd *cobra.Command, g *global, c *client.Client, p wire.AskListParams) error {
	w := inboxWatch{open: map[wire.AskID]bool{}, policy: p.All}
	p.All, p.WaitMS = true, wire.MaxAskWait.Milliseconds()
	for {
		res, err := c.Asks(cmd.Context(), p)
		if err != nil {
			return interrupted(cmd, err)
		}
		if p.Since == res.Position {
			continue
		}
		news, gone := w.take(res, p.Since == "")
		for _, id := range gone { // more have ended at a time than a list has
			a, err := c.Ask(cmd.Context(), id)
			switch {
			case err == nil:
				news = append(news, *a)
			case !errors.Is(err, &wire.Error{Code: wire.CodeNotFound}): // it is not forgotten
				return interrupted(cmd, err)
			}
		}
		for _, a := range news {
			if err := printAskChange(cmd, g, &a); err != nil {
				return err
			}
		}
		p.Since, p.Limit = res.Position, len(w.open)+newestEnded
	}
}

// inboxWatch knows what was printed.
type inboxWatch struct {
	open   map[wire.AskID]bool
	last   wire.AskID // that has ended; "": none had
	policy bool       // those that a policy answered, too
}

// take returns the questions of a list to print, those that have ended first; and those that have ended and are not in it.
func (w *inboxWatch) take(res *wire.AskListResult, first bool) (news []wire.Ask, gone []wire.AskID) {
	ended := slices.IndexFunc(res.Asks, func(a wire.Ask) bool { return a.State != wire.AskPending })
	if ended < 0 {
		ended = len(res.Asks)
	}
	pending, over := res.Asks[:ended], res.Asks[ended:]
	known := slices.IndexFunc(over, func(a wire.Ask) bool { return a.ID == w.last })
	if w.last == "" {
		known = len(over)
	}
	for i, a := range over {
		automatic := a.Answer != nil && a.Answer.By == wire.ByPolicy && a.State == wire.AskResolved
		if w.open[a.ID] || !first && i < known && (w.policy || !automatic) {
			news = append(news, a)
		}
		delete(w.open, a.ID)
	}
	slices.Reverse(news) // the newest stood first
	if len(over) > 0 {
		w.last = over[0].ID
	} else if res.Total > len(res.Asks) {
		w.last = "?" // whatever has ended did not fit: what ended before is not news
	}
	var now []wire.AskID
	for _, a := range pending {
		now = append(now, a.ID)
		if !w.open[a.ID] {
			news = append(news, a)
		}
	}
	if len(over) > 0 || res.Total == len(res.Asks) { // otherwise the list may lack some that wait
		for id := range w.open {
			if !slices.Contains(now, id) {
				gone = append(gone, id)
				delete(w.open, id)
			}
		}
	}
	for _, id := range now {
		w.open[id] = true
	}
	return news, gone
}

func printAskChange(cmd *cobra.Command, g *global, a *wire.Ask) error {
	if g.json {
		return printJSONLine(cmd, a)
	}
	at, word, text := a.Since, "asks", askLine(a)
	switch a.State {
	case wire.AskPending:
	case wire.AskResolved:
		word, text = "answered", fmt.Sprintf("%s (%s)", shorten(answerText(a), 80), text)
	default:
		word, text = string(a.State), fmt.Sprintf("%s (%s)", shorten(a.Reason, 80), text)
	}
	if a.Ended != nil {
		at = *a.Ended
	}
	return printf(cmd, "%s  %s  %-8s  %s  %s\n", at.Local().Format(time.TimeOnly), a.ID, word, shorten(a.Name, 30), text)
}
