package web

import (
	"context"
	"slices"
	"time"

	"skein.dev/skein/ui/memory"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// Memory answers a memory.render.
func (f *Fragments) Memory(ctx context.Context, p wire.MemoryRenderParams) (any, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	switch p.HTML {
	case wire.MemoryAsRow:
		return f.entryRows(ctx, p)
	case wire.MemoryAsNamespace:
		return f.namespaceRows(ctx, p.Keys), nil
	case wire.MemoryAsSpace:
		return wire.MemoryRenderResult{HTML: f.html(ctx, memory.SpaceFragment(namespaceOf(f.plane, p.Namespace)))}, nil
	case wire.MemoryAsHits:
		return f.hits(ctx, p)
	}
	return f.entry(ctx, p)
}

// entry renders an entry and its history, or what is there beside what could not be stored; nothing, if it fits no message.
func (f *Fragments) entry(ctx context.Context, p wire.MemoryRenderParams) (any, error) {
	v, err := entryView(ctx, f.plane, wire.MemoryKeyParams{Namespace: p.Namespace, Key: p.Key})
	if err != nil {
		return nil, err
	}
	v.Now = time.Now()
	if p.HTML == wire.MemoryAsConflict {
		v.Conflict = conflictOf(&v, memory.Unstored(p))
	}
	html := f.html(ctx, memory.EntryFragment(v))
	if len(html) > maxHTML {
		html = ""
	}
	return wire.MemoryRenderResult{HTML: html}, nil
}

// entryRows renders as many entries as fit a message.
func (f *Fragments) entryRows(ctx context.Context, p wire.MemoryRenderParams) (any, error) {
	res, left := wire.MemoryRenderResult{Rows: map[string]string{}}, maxHTML
	for _, key := range p.Keys {
		e, err := f.plane.Memory.Retrieve(ctx, wire.MemoryKeyParams{Namespace: p.Namespace, Key: key})
		if err != nil && wire.AsError(err).Code == wire.CodeNotFound {
			continue
		} else if err != nil {
			return nil, err
		}
		html := f.html(ctx, memory.EntryRow(e, writersOf(f.plane, *e), time.Now()))
		if left -= len(html); left < 0 {
			break
		}
		res.Rows[key] = html
	}
	return res, nil
}

// namespaceRows renders as many namespaces as fit a message.
func (f *Fragments) namespaceRows(ctx context.Context, names []string) wire.MemoryRenderResult {
	res, left := wire.MemoryRenderResult{Rows: map[string]string{}}, maxHTML
	for _, ns := range f.plane.Memory.Namespaces().Namespaces {
		if !slices.Contains(names, ns.Name) {
			continue
		}
		html := f.html(ctx, memory.NamespaceRow(ns, time.Now()))
		if left -= len(html); left < 0 {
			break
		}
		res.Rows[ns.Name] = html
	}
	return res
}

// hits renders the hits of a search. If they do not fit a message, it tries the best half of them, and so on.
func (f *Fragments) hits(ctx context.Context, p wire.MemoryRenderParams) (any, error) {
	v, err := searchView(ctx, f.plane, p.Query, p.Namespace)
	if err != nil {
		return nil, err
	}
	back := "/memory"
	if p.Namespace != "" {
		back = words.SpaceURL(p.Namespace)
	}
	for {
		html := f.html(ctx, memory.SearchResults(v, back, time.Now()))
		if len(html) <= maxHTML {
			return wire.MemoryRenderResult{HTML: html}, nil
		}
		if len(v.Hits) == 0 {
			return nil, wire.Errorf(wire.CodeTooLarge, "the query is too long to be shown").WithField("query")
		}
		v.Hits = v.Hits[:len(v.Hits)/2]
	}
}
