package web

import (
	"context"

	"skein.dev/skein/server/control"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/ui/memory"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// entryView reads an entry and its history. If the entry is gone, its deletion is shown instead, if that is known.
func entryView(ctx context.Context, plane *control.Plane, k wire.MemoryKeyParams) (v memory.EntryView, err error) {
	m := plane.Memory
	v.Cursor, v.LogEpoch = m.Revision(), m.Epoch()
	e, err := m.Retrieve(ctx, k)
	notFound := err != nil && wire.AsError(err).Code == wire.CodeNotFound
	if err != nil && !notFound {
		return v, err
	}
	for before := uint64(0); ; {
		h, err := m.History(ctx, wire.MemoryHistoryParams{Namespace: k.Namespace, Key: k.Key, Before: before})
		if err != nil {
			if wire.AsError(err).Code == wire.CodeNotFound {
				break
			}
			return v, err
		}
		v.History = append(v.History, h.Entries...)
		if before = h.Next; before == 0 {
			break
		}
	}
	v.Entry = wire.MemoryEntry{Namespace: k.Namespace, Key: k.Key}
	switch {
	case !notFound:
		v.Entry = *e
	case len(v.History) > 0 && v.History[0].Deleted:
		v.Entry = v.History[0]
	}
	v.Writers = writersOf(plane, append(v.History, v.Entry)...)
	return v, nil
}

// conflictOf is what is there beside what was to be stored.
func conflictOf(v *memory.EntryView, form memory.EntryForm) *memory.Conflict {
	theirs := v.Entry
	if v.Gone() {
		theirs = wire.MemoryEntry{Namespace: form.Namespace, Key: form.Key, Writer: v.Entry.Writer, UpdatedAt: v.Entry.UpdatedAt, Deleted: true}
	}
	return &memory.Conflict{Theirs: theirs, Yours: form}
}

// searchView searches a namespace, or all if its name is "". The view has errors in the query; the returned error is the
// server's.
func searchView(ctx context.Context, plane *control.Plane, query, namespace string) (*memory.MemorySearchView, error) {
	v := &memory.MemorySearchView{Query: query, Namespace: namespace}
	params := wire.MemorySearchParams{Query: query, Limit: memory.MaxHits}
	if namespace != "" {
		params.Namespaces = []string{namespace}
	}
	res, err := plane.Memory.Search(ctx, noun.Caller{}, params)
	if err != nil {
		v.Error = words.Sentence(wire.AsError(err).Message)
		if wire.AsError(err).Code != wire.CodeInternal {
			err = nil
		}
		return v, err
	}
	v.Hits, v.Total = res.Hits, res.Total
	var entries []wire.MemoryEntry
	for _, h := range v.Hits {
		entries = append(entries, h.Entry)
	}
	v.Writers = writersOf(plane, entries...)
	return v, nil
}

// namespaceOf describes a namespace, which may have no entries.
func namespaceOf(plane *control.Plane, name string) wire.MemoryNamespace {
	for _, ns := range plane.Memory.Namespaces().Namespaces {
		if ns.Name == name {
			return ns
		}
	}
	return wire.MemoryNamespace{Name: name}
}

// writersOf names the agents among those who wrote entries.
func writersOf(plane *control.Plane, entries ...wire.MemoryEntry) map[string]string {
	names := map[string]string{}
	for _, e := range entries {
		if id := words.WriterAgent(e.Writer); id != "" && names[e.Writer] == "" {
			if a, err := plane.Get(id); err == nil {
				names[e.Writer] = a.Name
			}
		}
	}
	return names
}
