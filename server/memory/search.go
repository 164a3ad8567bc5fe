package memory

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	_ "modernc.org/sqlite" // with FTS5

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

const (
	defaultHits   = 20
	maxHits       = 100
	searchTimeout = 10 * time.Second
	// One transaction of the indexer: the lock that a search of it needs is held so long.
	indexBatch = 500
	indexBytes = 2 << 20
	indexRetry = time.Second
	// indexPause gathers changes, so that many are one transaction. A search ends it.
	indexPause = 250 * time.Millisecond
)

// textIndex finds entries by their words. It follows the book behind its back, so that a store does not wait for it; a
// search waits until it has everything that had been stored before. It lies in a file, so that it takes little memory,
// and is made anew at each start: the log is what counts.
type textIndex struct {
	dir    string
	write  *sql.DB // of one connection
	search *sql.DB
	done   progress // of book.serial: what is in the index
	news   chan struct{}
	hurry  chan struct{} // a search waits
	wipe   bool          // there is a new book; guarded by Memory.mu
}

func openTextIndex(dir string) (x *textIndex, err error) {
	if err = os.RemoveAll(dir); err == nil { // of a run before
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("open the full-text index: %w", err)
	}
	x = &textIndex{dir: dir, news: make(chan struct{}, 1), hurry: make(chan struct{}, 1)}
	source := "file:" + filepath.Join(dir, "search.db") + "?_pragma=journal_mode(wal)&_pragma=synchronous(off)&_pragma=cache_size(-8000)&_pragma=busy_timeout(5000)"
	if x.write, err = sql.Open("sqlite", source); err == nil {
		x.write.SetMaxOpenConns(1)
		_, err = x.write.Exec(`CREATE VIRTUAL TABLE m USING fts5(ns, key, value, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 2')`)
	}
	if err == nil {
		x.search, err = sql.Open("sqlite", source)
	}
	if err != nil {
		x.close()
		return nil, fmt.Errorf("open the full-text index: %w", err)
	}
	x.search.SetMaxOpenConns(2)
	return x, nil
}

func (x *textIndex) close() {
	if x.search != nil {
		x.search.Close()
	}
	if x.write != nil {
		x.write.Close()
	}
	os.RemoveAll(x.dir)
}

// kick makes the indexer look.
func (x *textIndex) kick() {
	select {
	case x.news <- struct{}{}:
	default:
	}
}

// idle waits until there is something to do, and gathers more of it unless somebody waits. false: ctx ended.
func (x *textIndex) idle(ctx context.Context) bool {
	select {
	case <-x.news:
	case <-ctx.Done():
		return false
	}
	select {
	case <-x.hurry:
	case <-time.After(indexPause):
	case <-ctx.Done():
		return false
	}
	return true
}

// upTo waits until the index has everything up to a serial.
func (x *textIndex) upTo(ctx context.Context, serial uint64) error {
	select {
	case x.hurry <- struct{}{}:
	default:
	}
	return x.done.wait(ctx, serial)
}

// document is an item as the index shall have it.
type document struct {
	it    *item
	doc   int64
	token string
	entry *wire.MemoryEntry // nil: not at all
}

// keepIndex brings the index up to date for as long as ctx lives.
func (m *Memory) keepIndex(ctx context.Context) {
	for {
		docs, upTo, wipe := m.takeDirty()
		if len(docs) == 0 && !wipe {
			m.index.done.reach(upTo)
			if !m.index.idle(ctx) {
				return
			}
			continue
		}
		for !m.putDocuments(ctx, docs, wipe) {
			select {
			case <-time.After(indexRetry):
			case <-ctx.Done():
				return
			}
		}
		m.index.done.reach(upTo)
	}
}

// takeDirty takes a batch of what changed. upTo is the serial that the index has with it.
func (m *Memory) takeDirty() (docs []document, upTo uint64, wipe bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.book
	wipe, m.index.wipe = m.index.wipe, false
	bytes, n := 0, 0
	for n < len(b.dirty) && n < indexBatch && bytes < indexBytes {
		it := b.dirty[n].it
		n++
		it.dirty = false
		d := document{it: it, doc: it.doc, token: it.sp.token}
		if it.indexed = !it.gone; it.indexed {
			d.entry = it.entry
			bytes += it.entry.Size
		}
		docs = append(docs, d)
	}
	if n == len(b.dirty) {
		b.dirty = nil
		return docs, b.serial, wipe
	}
	upTo = b.dirty[n-1].serial
	b.dirty = b.dirty[n:]
	return docs, upTo, wipe
}

// putDocuments writes a batch. false: it failed, or ctx ended.
func (m *Memory) putDocuments(ctx context.Context, docs []document, wipe bool) bool {
	err := m.tryDocuments(ctx, docs, wipe)
	if err != nil && ctx.Err() == nil {
		m.log.Error("the full-text index of memory can't be written; searches wait", "err", err)
	}
	return err == nil
}

func (m *Memory) tryDocuments(ctx context.Context, docs []document, wipe bool) error {
	if err := m.store.Room(); err != nil { // what is kept free is not for what can be made anew
		return err
	}
	tx, err := m.index.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if wipe {
		if _, err := tx.ExecContext(ctx, `INSERT INTO m(m) VALUES('delete-all')`); err != nil {
			return err
		}
	}
	put, err := tx.PrepareContext(ctx, `INSERT OR REPLACE INTO m(rowid, ns, key, value) VALUES(?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	for _, d := range docs {
		if d.entry == nil {
			_, err = tx.ExecContext(ctx, `DELETE FROM m WHERE rowid = ?`, d.doc)
		} else if text, ok := m.text(ctx, d.entry); ok {
			_, err = put.ExecContext(ctx, d.doc, d.token, d.entry.Key, text)
		}
		if err != nil {
			return err
		}
	}
	return tx.Commit()
}

// text is the value of an entry if it is text, else "". false: it is something else by now, and dirty again.
func (m *Memory) text(ctx context.Context, e *wire.MemoryEntry) (string, bool) {
	if e.Size > 0 && len(e.Value.Text)+len(e.Value.Base64) == 0 {
		full, err := m.store.MemoryAt(ctx, e.Revision)
		if err != nil {
			if !errors.Is(err, errNotFound) {
				m.log.Error("a value could not be read; searches will find it by its key only", "namespace", e.Namespace, "err", err)
				return "", true
			}
			return "", false
		}
		e = full
	}
	if e.Value.Base64 != nil && strings.HasPrefix(e.ContentType, "text/") && utf8.Valid(e.Value.Base64) {
		return string(e.Value.Base64), true // too long in JSON
	}
	return e.Value.Text, true
}

// hit is one line of the index.
type hit struct {
	doc   int64
	score float64 // the less the better
	entry *wire.MemoryEntry
}

// Search finds entries by the words of their keys and values, in the caller's namespaces.
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

// checkSearch checks the parameters but the query, and fills in the limit.
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

// searchFailed says why, if that is known.
func (m *Memory) searchFailed(ctx context.Context, err error) error {
	if m.ctx.Err() != nil {
		return errClosed
	}
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
	}
	if err := m.store.Room(); err != nil { // the index waits for it
		return err
	}
	return wire.Errorf(wire.CodeTimeout, "the search took longer than %s; after a start the index is being made", searchTimeout)
}

// hits finds what matches, the best first.
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

// tokens gives what stands for namespaces in the index, and the serial of the newest change.
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

// there keeps the hits that are there now and have the prefix, and sorts them.
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
