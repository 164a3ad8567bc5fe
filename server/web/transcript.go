package web

import (
	"context"
	"sync"
	"time"

	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/transcript"
	"skein.dev/skein/webtransport/wire"
)

const (
	// maxTranscripts is how many conversations are kept in memory, at about 4 MiB at most. Those that nobody has looked at for the
	// longest time go first, and are read again from the log when somebody does.
	maxTranscripts = 16
	// transcriptEvents is how many events a conversation is begun with: the newest.
	transcriptEvents = 4000
	// earlierEvents is how many events before those are read at once, for someone who asks for earlier entries.
	earlierEvents = 2000
	// transcriptPages bounds how much of a log is read for either, at 512 KiB a page.
	transcriptPages = 24
	// earlierReads is how often that is done for one who asks, while there is nothing of a conversation in what was read.
	earlierReads = 10
)

// transcripts keeps the conversations that people look at, so that each change reads new events only.
type transcripts struct {
	page func(context.Context, wire.AgentEventsParams) (wire.AgentEventsResult, error) // reads from the log

	mu  sync.Mutex // held for no longer than it takes to find a conversation
	all map[wire.AgentID]*kept
}

// kept is a conversation that is kept.
type kept struct {
	used time.Time // guarded by transcripts.mu

	reads chan struct{} // a lock of log, for one that reads and renders
	log   transcript.Log
}

// find returns the conversation of an agent, which may be empty.
func (t *transcripts) find(id wire.AgentID) *kept {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.all[id]
	if k == nil {
		if t.all == nil {
			t.all = map[wire.AgentID]*kept{}
		}
		if len(t.all) >= maxTranscripts {
			t.forgetOne()
		}
		k = &kept{reads: make(chan struct{}, 1)}
		t.all[id] = k
	}
	k.used = time.Now()
	return k
}

// forgetOne forgets the conversation that was looked at the longest time ago. The caller holds mu.
func (t *transcripts) forgetOne() {
	var oldest wire.AgentID
	for id, k := range t.all {
		if o := t.all[oldest]; o == nil || k.used.Before(o.used) {
			oldest = id
		}
	}
	delete(t.all, oldest)
}

// view returns the part of a conversation that is asked for, as of now.
func (t *transcripts) view(ctx context.Context, p wire.AgentRenderParams) (v transcript.View, err error) {
	id := p.IDs[0]
	k := t.find(id)
	select {
	case k.reads <- struct{}{}:
		defer func() { <-k.reads }()
	case <-ctx.Done():
		return v, ctx.Err()
	}
	if err := t.follow(ctx, id, &k.log); err != nil {
		return v, err
	}
	switch {
	case p.Before > 0:
		if v, ok := k.log.Before(ctx, p.Before); ok {
			return v, nil
		}
		return t.earlier(ctx, id, p.Before)
	case p.After > 0:
		return k.log.After(ctx, p.After), nil
	}
	return k.log.Newest(ctx), nil
}

// follow adds the events that a conversation does not have yet.
func (t *transcripts) follow(ctx context.Context, id wire.AgentID, log *transcript.Log) error {
	if log.Last() == 0 {
		_, _, err := t.begin(ctx, id, log, 0, transcriptEvents)
		return err
	}
	for {
		page, err := t.page(ctx, wire.AgentEventsParams{ID: id, After: log.Last(), Limit: wire.MaxLogPage})
		if err != nil {
			return err
		}
		for _, e := range page.Events {
			log.Add(e)
		}
		if !page.More {
			return nil
		}
	}
}

// begin fills an empty conversation with the last events before a seq, or with the newest. first is the seq of the oldest of them, and more
// says that there are events before.
func (t *transcripts) begin(ctx context.Context, id wire.AgentID, log *transcript.Log, before uint64, most int) (first uint64, more bool, err error) {
	var pages [][]wire.Event // the newest first
	for n := 0; n < most && len(pages) < transcriptPages; {
		page, err := t.page(ctx, wire.AgentEventsParams{ID: id, Newest: true, Before: before, Limit: min(most-n, wire.MaxLogPage)})
		if err != nil {
			return 0, false, err
		}
		pages, more = append(pages, page.Events), page.More
		if len(page.Events) == 0 || !more {
			break
		}
		n, before = n+len(page.Events), page.Events[0].Seq
	}
	log.Begin(more)
	for i := len(pages) - 1; i >= 0; i-- {
		for _, e := range pages[i] {
			log.Add(e)
		}
	}
	return before, more, nil
}

// earlier renders entries before one, from events that are not kept. Where there is none among many events, such as output alone, it reads on.
func (t *transcripts) earlier(ctx context.Context, id wire.AgentID, before uint64) (v transcript.View, err error) {
	for more, reads := true, 0; more && v.HTML == "" && reads < earlierReads; reads++ {
		var log transcript.Log
		if before, more, err = t.begin(ctx, id, &log, before, earlierEvents); err != nil {
			return v, err
		}
		v = log.Newest(ctx)
	}
	return v, nil
}

// transcript answers an agent.render of a conversation.
func (f *Fragments) transcript(ctx context.Context, p wire.AgentRenderParams) (any, error) {
	if _, err := f.plane.Get(p.IDs[0]); err != nil {
		return wire.AgentRenderResult{HTML: map[wire.AgentID]string{}}, nil
	}
	v, err := f.talk(ctx, p)
	if err != nil {
		return nil, err
	}
	return wire.AgentRenderResult{HTML: map[wire.AgentID]string{p.IDs[0]: v.HTML}, Seq: v.Seq, More: v.More}, nil
}

// talk is a part of the conversation with an agent, for its page.
func (f *Fragments) talk(ctx context.Context, p wire.AgentRenderParams) (transcript.View, error) {
	return f.talks.view(frame.WithBase(ctx, f.base), p)
}
