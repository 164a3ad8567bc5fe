package memory

import (
	"context"
	"errors"
	"slices"
	"strings"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

const maxList = 1000

// Retrieve returns an entry with its value, which the caller must not modify. The error has CodeNotFound if there is none.
func (m *Memory) Retrieve(ctx context.Context, p wire.MemoryKeyParams) (*wire.MemoryEntry, error) {
	if err := checkName(p.Namespace, p.Key); err != nil {
		return nil, err
	}
	for {
		e, held, err := m.peek(p.Namespace, p.Key)
		if err != nil || held {
			return e, err
		}
		if e, err = m.withValue(ctx, e); !errors.Is(err, errNotFound) { // otherwise it has changed so often meanwhile that history has dropped it
			return e, err
		}
	}
}

// Held returns an entry if that does not require a read of the log: its value is held in memory, or there is no such entry,
// or the parameters are invalid. Otherwise held is false.
func (m *Memory) Held(p wire.MemoryKeyParams) (e *wire.MemoryEntry, held bool, err error) {
	if err := checkName(p.Namespace, p.Key); err != nil {
		return nil, true, err
	}
	e, held, err = m.peek(p.Namespace, p.Key)
	return e, held || err != nil, err
}

// peek returns an entry. If held is true, the entry has its value.
func (m *Memory) peek(namespace, key string) (e *wire.MemoryEntry, held bool, err error) {
	b := m.read()
	defer m.mu.RUnlock()
	it := b.find(namespace, key)
	if it == nil {
		return nil, false, wire.Errorf(wire.CodeNotFound, "there is no %q in namespace %s", key, namespace).WithField("key")
	}
	return it.entry, it.held, nil
}

// List returns a page of the keys of a namespace.
func (m *Memory) List(ctx context.Context, p wire.MemoryListParams) (*wire.MemoryListResult, error) {
	if err := checkNamespace(p.Namespace); err != nil {
		return nil, err
	}
	switch {
	case p.Limit < 0 || p.Limit > maxList:
		return nil, wire.Errorf(wire.CodeInvalidParams, "a limit is 0 (%d) to %d", maxList, maxList).WithField("limit")
	case p.Limit == 0:
		p.Limit = maxList
	}
	entries, more, total := m.page(&p)
	res := &wire.MemoryListResult{Entries: make([]wire.MemoryEntry, 0, len(entries)), Total: total}
	room, last := answerBudget, ""
	for _, e := range entries {
		if !p.Values {
			e = bare(e)
		} else if e.Size > 0 && len(e.Value.Text)+len(e.Value.Base64) == 0 {
			full, err := m.Retrieve(ctx, wire.MemoryKeyParams{Namespace: e.Namespace, Key: e.Key})
			if errors.Is(err, errNotFound) { // deleted since
				last = e.Key
				continue
			}
			if err != nil {
				return nil, err
			}
			e = full
		}
		if room -= e.EncodedLen() + 1; room < 0 {
			more = true
			break
		}
		res.Entries, last = append(res.Entries, *e), e.Key
	}
	if more {
		res.Next = last
	}
	return res, nil
}

// page returns the entries of a page, and counts all entries with its prefix.
func (m *Memory) page(p *wire.MemoryListParams) (entries []*wire.MemoryEntry, more bool, total int) {
	b := m.read()
	defer m.mu.RUnlock()
	sp := b.spaces[p.Namespace]
	if sp == nil {
		return nil, false, 0
	}
	sp.live.AscendGreaterOrEqual(probe(max(p.Prefix, p.After)), func(it *item) bool {
		switch {
		case !strings.HasPrefix(it.entry.Key, p.Prefix) || len(entries) == p.Limit:
			more = len(entries) == p.Limit && strings.HasPrefix(it.entry.Key, p.Prefix)
			return false
		case p.After == "" || it.entry.Key > p.After:
			entries = append(entries, it.entry)
		}
		return true
	})
	if p.Prefix == "" {
		return entries, more, sp.live.Len()
	}
	sp.live.AscendGreaterOrEqual(probe(p.Prefix), func(it *item) bool {
		if !strings.HasPrefix(it.entry.Key, p.Prefix) {
			return false
		}
		total++
		return true
	})
	return entries, more, total
}

// History returns the changes of a key, the newest first, including deletions and what was before them. The error has
// CodeNotFound if the key never had a value or its history was purged.
func (m *Memory) History(ctx context.Context, p wire.MemoryHistoryParams) (*wire.MemoryHistoryResult, error) {
	if err := checkName(p.Namespace, p.Key); err != nil {
		return nil, err
	}
	var all []*wire.MemoryEntry
	for after := uint64(0); ; after = all[len(all)-1].Revision {
		part, err := m.store.MemorySince(ctx, p.Namespace, p.Key, after, wire.MemoryHistory)
		if err != nil {
			return nil, err
		}
		if all = append(all, part...); len(part) == 0 {
			break
		}
	}
	if len(all) == 0 {
		return nil, wire.Errorf(wire.CodeNotFound, "there is no %q in namespace %s, and there was none of late", p.Key, p.Namespace).WithField("key")
	}
	res := &wire.MemoryHistoryResult{Entries: []wire.MemoryEntry{}}
	room := answerBudget
	for _, e := range slices.Backward(all) {
		if p.Before > 0 && e.Revision >= p.Before {
			continue
		}
		if room -= e.EncodedLen() + 1; room < 0 {
			res.Next = res.Entries[len(res.Entries)-1].Revision
			break
		}
		res.Entries = append(res.Entries, *e)
	}
	return res, nil
}

// Revision returns the revision of the last change. A client that reads it, then entries, and then watches the changes
// after it misses none.
func (m *Memory) Revision() uint64 {
	b := m.read()
	defer m.mu.RUnlock()
	return b.applied
}

// Namespaces returns the namespaces that have entries.
func (m *Memory) Namespaces() wire.MemoryNamespacesResult {
	b := m.read()
	defer m.mu.RUnlock()
	res := wire.MemoryNamespacesResult{Namespaces: []wire.MemoryNamespace{}}
	for _, sp := range b.spaces {
		if n := sp.live.Len(); n > 0 {
			res.Namespaces = append(res.Namespaces, wire.MemoryNamespace{Name: sp.name, Keys: n, Bytes: sp.bytes,
				MaxKeys: m.o.MaxKeys, MaxBytes: m.o.MaxBytes, Revision: sp.revision, UpdatedAt: sp.updated})
		}
	}
	slices.SortFunc(res.Namespaces, func(a, b wire.MemoryNamespace) int { return strings.Compare(a.Name, b.Name) })
	return res
}

// GetMany returns several values. The error of those that do not fit into the message has CodeTooLarge.
func (m *Memory) GetMany(ctx context.Context, p wire.MemoryGetManyParams) (wire.MemoryManyResult, error) {
	if err := checkMany("keys", len(p.Keys)); err != nil {
		return wire.MemoryManyResult{}, err
	}
	return wire.MemoryManyResult{Results: m.getMany(ctx, noun.Caller{}, p.Keys)}, nil
}

func (m *Memory) getMany(ctx context.Context, by noun.Caller, keys []wire.MemoryKeyParams) []wire.MemoryOne {
	results := make([]wire.MemoryOne, len(keys))
	worst := func(k wire.MemoryKeyParams) int { return 400 + 4*min(len(k.Key), wire.MaxMemoryKey) } // an error about it
	room := answerBudget
	for _, k := range keys {
		room -= worst(k)
	}
	for i, k := range keys {
		e, err := (*wire.MemoryEntry)(nil), m.may(by, k.Namespace)
		if err == nil {
			e, err = m.Retrieve(ctx, k)
		}
		if err == nil {
			if more := e.EncodedLen() - worst(k); more > room {
				e, err = nil, wire.Errorf(wire.CodeTooLarge, "the value does not fit into this answer: ask for fewer")
			} else {
				room -= more
			}
		}
		results[i] = wire.MemoryOne{Entry: e, Error: m.told(err)}
	}
	return results
}

// may checks that the caller may use a namespace. The error lists the existing namespaces that it may use.
func (m *Memory) may(by noun.Caller, namespace string) error {
	if by.Namespaces == nil || by.Namespaces(namespace) {
		return nil
	}
	return wire.Errorf(wire.CodeUnauthorized, "this caller may not use namespace %.64q", namespace).WithField("namespace").WithSupported(m.mine(by))
}

// mine returns the namespaces that have entries and that the caller may use.
func (m *Memory) mine(by noun.Caller) []string {
	names := []string{}
	for _, ns := range m.Namespaces().Namespaces {
		if by.Namespaces == nil || by.Namespaces(ns.Name) {
			names = append(names, ns.Name)
		}
	}
	return slices.Clip(names)
}
