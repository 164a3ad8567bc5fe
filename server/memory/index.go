package memory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	_ "modernc.org/sqlite" // with FTS5

	"skein.dev/skein/webtransport/wire"
)

const (
	// indexBatch and indexBytes bound a transaction of the indexer, and so the time for which a search may be locked out.
	indexBatch = 500
	indexBytes = 2 << 20
	indexRetry = time.Second
	// indexPause is how long changes are gathered for one transaction. A search ends the pause.
	indexPause = 250 * time.Millisecond
)

// textIndex finds entries by their words. It follows the book asynchronously, so that writes do not wait for it. A search
// waits until the index has everything that was stored before the search. The index is a file, so that it takes little
// memory, and is rebuilt at each start, because only the log is authoritative.
type textIndex struct {
	dir    string
	write  *sql.DB // with one connection
	search *sql.DB
	done   progress // the book.serial up to which the index is complete
	news   chan struct{}
	hurry  chan struct{} // receives a value when a search waits
	wipe   bool          // there is a new book; guarded by Memory.mu
}

func openTextIndex(dir string) (x *textIndex, err error) {
	if err = os.RemoveAll(dir); err == nil { // the index of the last start
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

// kick wakes the indexer.
func (x *textIndex) kick() {
	select {
	case x.news <- struct{}{}:
	default:
	}
}

// idle waits until there is a change, and then gathers more changes for indexPause unless a search waits. It returns false if
// ctx ended.
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

// document is an item to be written to the index.
type document struct {
	it    *item
	doc   int64
	token string
	entry *wire.MemoryEntry // nil: it is removed from the index
}

// keepIndex keeps the index up to date until ctx ends.
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

// takeDirty takes a batch of changed items. upTo is the serial up to which the index is complete once it has the batch.
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

// putDocuments writes a batch. It returns false if that failed or ctx ended.
func (m *Memory) putDocuments(ctx context.Context, docs []document, wipe bool) bool {
	err := m.tryDocuments(ctx, docs, wipe)
	if err != nil && ctx.Err() == nil {
		m.log.Error("the full-text index of memory can't be written; searches wait", "err", err)
	}
	return err == nil
}

func (m *Memory) tryDocuments(ctx context.Context, docs []document, wipe bool) error {
	if err := m.store.Room(); err != nil { // the reserve on the disk is not for data that can be rebuilt
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

// text returns the value of an entry if it is text, and otherwise "". It returns false if the entry has changed since; then
// its item is dirty again.
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
		return string(e.Value.Base64), true // text that would be too long as a JSON string
	}
	return e.Value.Text, true
}
