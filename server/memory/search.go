package memory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

const (
	defaultHits   = 20
	maxHits       = 100
	searchTimeout = 10 * time.Second
)

// hit is a row of the index that matches.
type hit struct {
	doc   int64
	score float64 // lower is better
	entry *wire.MemoryEntry
}

// Search finds entries by the words of their keys and values, in the namespaces that the caller may use.
func (m *Memory) Search(ctx context.Context, by noun.Caller, p wire.MemorySearchParams) (*wire.MemorySearchResult, error) {
	terms, err := parseQuery(p.Query)
	if err == nil {
		err = m.checkSearch(by, &p)
	}
	if err != nil {
		return nil, err
	}
	everywhere := len(p.Namespaces) == 0 && by.Namespaces == nil
	if len(p.Namespaces) == 0 && !everywhere {
		p.Namespaces = m.mine(by)
	}
	ctx, cancel := context.WithTimeout(ctx, searchTimeout)
	defer cancel()
	defer context.AfterFunc(m.ctx, cancel)()
	hits, err := m.hits(ctx, terms, p, everywhere)
	if err != nil {
		return nil, m.searchFailed(ctx, err)
	}
	res := &wire.MemorySearchResult{Hits: []wire.MemoryHit{}, Total: len(hits)}
	for _, h := range hits[:min(len(hits), p.Limit)] {
		text, _ := m.text(ctx, h.entry)
		res.Hits = append(res.Hits, wire.MemoryHit{Entry: *bare(h.entry), Score: -h.score, Snippet: snippet(text, terms)})
	}
	return res, nil
}

// checkSearch checks the parameters except the query, and fills in the limit.
func (m *Memory) checkSearch(by noun.Caller, p *wire.MemorySearchParams) error {
	switch {
	case p.Limit < 0 || p.Limit > maxHits:
		return wire.Errorf(wire.CodeInvalidParams, "a limit is 0 (%d) to %d", defaultHits, maxHits).WithField("limit")
	case p.Limit == 0:
		p.Limit = defaultHits
	}
	for _, ns := range p.Namespaces {
		if err := checkNamespace(ns); err != nil {
			return err
		}
		if err := m.may(by, ns); err != nil {
			return err
		}
	}
	return nil
}

// searchFailed returns the error of a failed search, with the reason if it is known.
func (m *Memory) searchFailed(ctx context.Context, err error) error {
	if m.ctx.Err() != nil {
		return errClosed
	}
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
	}
	if err := m.store.Room(); err != nil { // the indexer waits for room on the disk
		return err
	}
	return wire.Errorf(wire.CodeTimeout, "the search took longer than %s; after a start the index is still being built", searchTimeout)
}

// hits returns the entries that match, the best first.
func (m *Memory) hits(ctx context.Context, terms []term, p wire.MemorySearchParams, everywhere bool) ([]hit, error) {
	tokens, serial := m.tokens(p.Namespaces)
	if everywhere {
		tokens = nil
	} else if len(tokens) == 0 {
		return nil, nil
	}
	if err := m.index.upTo(ctx, serial); err != nil {
		return nil, err
	}
	rows, err := m.index.search.QueryContext(ctx, `SELECT rowid, bm25(m, 0.0, 2.0, 1.0) FROM m WHERE m MATCH ?`, matchExpression(terms, tokens))
	if err != nil {
		return nil, fmt.Errorf("search memory: %w", err)
	}
	defer rows.Close()
	var all []hit
	for rows.Next() {
		var h hit
		if err := rows.Scan(&h.doc, &h.score); err != nil {
			return nil, fmt.Errorf("search memory: %w", err)
		}
		all = append(all, h)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("search memory: %w", err)
	}
	return m.there(all, p.Prefix), nil
}

// tokens returns the names of namespaces in the index, and the serial of the newest change.
func (m *Memory) tokens(namespaces []string) (tokens []string, serial uint64) {
	b := m.read()
	defer m.mu.RUnlock()
	for _, ns := range namespaces {
		if sp := b.spaces[ns]; sp != nil {
			tokens = append(tokens, sp.token)
		}
	}
	return tokens, b.serial
}

// there keeps the hits whose entries still exist and have the prefix, and sorts them.
func (m *Memory) there(all []hit, prefix string) []hit {
	b := m.read()
	kept := all[:0]
	for _, h := range all {
		if it := b.docs[h.doc]; it != nil && !it.gone && strings.HasPrefix(it.entry.Key, prefix) {
			h.entry = it.entry
			kept = append(kept, h)
		}
	}
	m.mu.RUnlock()
	slices.SortFunc(kept, func(a, b hit) int {
		return cmp.Or(cmp.Compare(a.score, b.score), cmp.Compare(b.entry.Revision, a.entry.Revision))
	})
	return kept
}
