package fleet

import (
	"context"

	"skein.dev/skein/server/glance"
	"skein.dev/skein/server/terminal"
	"skein.dev/skein/webtransport/wire"
)

const (
	// glanceEvents is how many events a picture begins with, if the log must be read for it.
	glanceEvents = 200
	// glanceBytes is how much of what an agent printed since the last look is read, in bytes.
	glanceBytes = 32 << 10
)

// Glance makes pictures of what an agent shows. A look takes what there is in memory, and of that only as much as a picture shows, so that
// it costs the same however much the agent prints. It is for use by one goroutine.
type Glance struct {
	// static
	f          *Fleet
	a          *agent
	rows, cols int
	tty        bool

	term    *terminal.Terminal // nil: it has none, or none yet
	version uint64             // of its screen at the last look
	lines   *glance.Lines
	cursor  uint64 // the last event that is in lines
	last    wire.Picture
}

// Glance returns a Glance at an agent, for pictures of at most so many rows and columns. The screen of a terminal has its own size.
func (f *Fleet) Glance(ctx context.Context, id wire.AgentID, rows, cols int) (*Glance, error) {
	a, err := f.agent(id)
	if err != nil {
		return nil, err
	}
	g := &Glance{f: f, a: a, rows: rows, cols: cols, tty: a.record().TTY != nil}
	if g.tty {
		g.rows, g.cols = wire.MaxPictureRows, wire.MaxPictureCols
		g.last.Kind = wire.PictureScreen
		return g, nil
	}
	return g, g.begin(ctx)
}

// begin takes the last lines from the log, unless memory has enough of them.
func (g *Glance) begin(ctx context.Context) error {
	g.lines, g.cursor = glance.New(g.rows, g.cols), 0
	g.a.mu.Lock()
	enough := g.a.tailAfter == 0 || g.a.tailSize > glanceBytes
	g.a.mu.Unlock()
	if enough {
		return nil
	}
	page, err := g.f.EventPage(ctx, wire.AgentEventsParams{ID: g.a.id, Newest: true, Limit: glanceEvents})
	if err != nil {
		return err
	}
	g.take(page.Events)
	return nil
}

func (g *Glance) take(events []wire.Event) {
	for i := range events {
		g.lines.Add(&events[i])
		g.cursor = events[i].Seq
	}
}

// Notify sets a function that is called whenever the picture may have changed, until stop is called. The function must not wait, nor call
// stop.
func (g *Glance) Notify(call func()) (stop func()) { return g.a.onNews(g, call) }

// Look returns what the agent shows now. ended says that it has ended, so that the picture is the last one.
func (g *Glance) Look(ctx context.Context) (p wire.Picture, ended bool, err error) {
	select { // before it looks, as nothing is printed after the end
	case <-g.a.ended:
		ended = true
	default:
	}
	if g.tty {
		err = g.lookAtScreen(ctx, ended)
	} else {
		err = g.lookAtLines(ctx, ended)
	}
	return g.last, ended, err
}

func (g *Glance) lookAtScreen(ctx context.Context, ended bool) (err error) {
	switch c := g.a.terminal(); {
	case c != nil:
		g.term = c.term
	case g.term == nil && ended:
		if g.term, err = g.f.Terminal(ctx, g.a.id); err != nil {
			return err
		}
	case g.term == nil:
		return nil // it has not started yet
	}
	if p, now, changed := g.term.Picture(g.rows, g.cols, g.version); changed {
		p.Bound()
		g.last, g.version = p, now
	}
	return nil
}

func (g *Glance) lookAtLines(ctx context.Context, ended bool) error {
	events, whole := g.fresh()
	if ended && g.cursor < g.a.record().LastSeq && len(events) == 0 { // memory has nothing of an agent that has ended
		if err := g.begin(ctx); err != nil {
			return err
		}
	}
	if !whole {
		g.lines.Gap()
	}
	g.take(events)
	g.last = g.lines.Picture()
	g.last.Bound()
	return nil
}

// fresh returns the newest events since the last look, as many as a picture can show. whole says that these are all of them.
func (g *Glance) fresh() (events []wire.Event, whole bool) {
	a := g.a
	a.mu.Lock()
	defer a.mu.Unlock()
	from, size := len(a.tail), 0
	for from > 0 && a.tail[from-1].Seq > g.cursor && size < glanceBytes {
		from--
		size += a.tail[from].Data.Len()
	}
	events = append(events, a.tail[from:]...)
	whole = g.cursor >= a.tailAfter
	if from > 0 {
		whole = a.tail[from-1].Seq <= g.cursor
	}
	return events, whole
}
