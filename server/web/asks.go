package web

import (
	"context"
	"slices"
	"time"

	"github.com/a-h/templ"

	"skein.dev/skein/ui/inbox"
	"skein.dev/skein/webtransport/wire"
)

const (
	// maxTold is how many questions a list has beside its HTML.
	maxTold = 200
	// maxTeaser is how much of the text of each it has, in bytes.
	maxTeaser = 300
)

// Asks answers an ask.list.
func (f *Fragments) Asks(ctx context.Context, p wire.AskListParams) (wire.AskListResult, error) {
	all := p.All
	p.All = all || p.HTML
	r, err := f.plane.Asks.List(ctx, p)
	switch {
	case err != nil:
		return r, err
	case p.Count:
		r.Asks = []wire.Ask{}
		return r, nil
	case !p.HTML:
		return r.Page(p.Limit), nil
	}
	r.HTML = f.asks(ctx, p, r)
	if !all {
		r.Asks = r.Asks[:pending(r.Asks)]
		r.Total = len(r.Asks)
	}
	r.Asks = r.Asks[:min(len(r.Asks), maxTold)]
	for i := range r.Asks {
		a := &r.Asks[i]
		a.Tool, a.Options, a.Text = nil, nil, wire.Cut(a.Text, maxTeaser)
	}
	return r.Page(p.Limit), nil
}

// pending is how many of these questions wait.
func pending(all []wire.Ask) int {
	if i := slices.IndexFunc(all, func(a wire.Ask) bool { return a.State != wire.AskPending }); i >= 0 {
		return i
	}
	return len(all)
}

// asks renders questions for the page of all, or for that of one agent or task. If they do not fit a message, it tries half of the cards, and so on.
func (f *Fragments) asks(ctx context.Context, p wire.AskListParams, r wire.AskListResult) string {
	n := pending(r.Asks)
	switch {
	case p.Task != "":
		return f.fitting(ctx, inbox.OfTask(r.Asks[:n], time.Now()))
	case p.Agent != "":
		return f.fitting(ctx, inbox.Of(r.Asks[:n], time.Now()))
	}
	v := inbox.View{Asks: r.Asks[:n], Ended: r.Asks[n:]}
	v.Now = time.Now()
	return f.get("asks", p.Agent, r.Position, func() string {
		for cards := inbox.MaxCards; cards > 0; cards /= 2 {
			if html := f.html(ctx, inbox.Live(v, cards)); len(html) <= maxHTML {
				return html
			}
		}
		return ""
	})
}

// fitting renders a component. It returns "" if the HTML fits no message.
func (f *Fragments) fitting(ctx context.Context, c templ.Component) string {
	if html := f.html(ctx, c); len(html) <= maxHTML {
		return html
	}
	return ""
}
