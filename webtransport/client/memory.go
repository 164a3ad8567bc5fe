package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"skein.dev/skein/webtransport/wire"
)

// MemoryStore sets the value of a key. The value is on the server's disk when MemoryStore returns.
func (c *Client) MemoryStore(ctx context.Context, p wire.MemoryStoreParams) (*wire.MemoryEntry, error) {
	if len(p.Value.Text) > maxPlainText {
		p.Value = wire.NewMemoryValue([]byte(p.Value.Text))
	}
	var r wire.MemoryEntry
	return &r, c.calls.do(ctx, wire.MethodMemoryStore, p, &r)
}

// maxPlainText is the length in bytes of a text that fits into a message however JSON escapes it.
const maxPlainText = wire.MaxMessage / 8

// MemoryRetrieve returns the entry of a key.
func (c *Client) MemoryRetrieve(ctx context.Context, p wire.MemoryKeyParams) (*wire.MemoryEntry, error) {
	var r wire.MemoryEntry
	return &r, c.calls.do(ctx, wire.MethodMemoryRetrieve, p, &r)
}

// MemoryDelete deletes an entry.
func (c *Client) MemoryDelete(ctx context.Context, p wire.MemoryKeyParams) (*wire.MemoryDeleteResult, error) {
	var r wire.MemoryDeleteResult
	return &r, c.calls.do(ctx, wire.MethodMemoryDelete, p, &r)
}

// MemoryList returns one page of a namespace's keys.
func (c *Client) MemoryList(ctx context.Context, p wire.MemoryListParams) (*wire.MemoryListResult, error) {
	var r wire.MemoryListResult
	return &r, c.calls.do(ctx, wire.MethodMemoryList, p, &r)
}

// MemorySearch searches keys and values for words.
func (c *Client) MemorySearch(ctx context.Context, p wire.MemorySearchParams) (*wire.MemorySearchResult, error) {
	var r wire.MemorySearchResult
	return &r, c.calls.do(ctx, wire.MethodMemorySearch, p, &r)
}

// MemoryHistory returns the values that a key had, newest first.
func (c *Client) MemoryHistory(ctx context.Context, p wire.MemoryHistoryParams) (*wire.MemoryHistoryResult, error) {
	var r wire.MemoryHistoryResult
	return &r, c.calls.do(ctx, wire.MethodMemoryHistory, p, &r)
}

// MemoryNamespaces lists the namespaces.
func (c *Client) MemoryNamespaces(ctx context.Context) (*wire.MemoryNamespacesResult, error) {
	var all wire.MemoryNamespacesResult
	var p wire.MemoryNamespacesParams
	err := pages(0, func(int) (int, bool, error) {
		var r wire.MemoryNamespacesResult
		err := c.calls.do(ctx, wire.MethodMemoryNamespaces, p, &r)
		if all.Namespaces == nil {
			all = r
		} else {
			all.Namespaces = append(all.Namespaces, r.Namespaces...)
		}
		all.Next, p.After = "", r.Next
		return len(r.Namespaces), r.Next != "", err
	})
	return &all, err
}

// MemorySetMany sets several values. Each of them succeeds or fails on its own.
func (c *Client) MemorySetMany(ctx context.Context, p wire.MemorySetManyParams) (*wire.MemoryManyResult, error) {
	var r wire.MemoryManyResult
	return &r, c.calls.do(ctx, wire.MethodMemorySetMany, p, &r)
}

// MemoryGetMany returns several values.
func (c *Client) MemoryGetMany(ctx context.Context, p wire.MemoryGetManyParams) (*wire.MemoryManyResult, error) {
	var r wire.MemoryManyResult
	return &r, c.calls.do(ctx, wire.MethodMemoryGetMany, p, &r)
}

// MemoryChange is a group of changes in a namespace, in the order of revisions. Another watch can continue at its Cursor
// and Epoch.
type MemoryChange struct {
	wire.MemoryUpdate
	Epoch string
	Reset bool // discard what came before: all current entries follow
}

// MemoryWatch yields every entry of a namespace, or, if p.After is set, every change since, and then each change as it
// happens. It continues across reconnects and restarts of the server without losing or repeating one. It uses a lane of
// its own, so that a slow caller delays nothing else. The sequence ends with an error when ctx ends or the Client fails.
func (c *Client) MemoryWatch(ctx context.Context, p wire.MemoryWatchParams) iter.Seq2[MemoryChange, error] {
	return func(yield func(MemoryChange, error) bool) {
		reset := false
		first := func() (wire.Header, *wire.Message) {
			m, err := wire.NewRequest(c.calls.newID(), wire.MethodMemoryWatch, p)
			if err != nil { // impossible: the parameters are plain data
				panic(fmt.Sprintf("client: encode a watch: %v", err))
			}
			return wire.Header{Lane: wire.LaneMemory}, m
		}
		err := c.subscribe(ctx, first, func(m *wire.Message) error {
			if m.IsResponse() {
				var res wire.MemoryWatchResult
				if err := json.Unmarshal(m.Result, &res); err != nil {
					return fmt.Errorf("%s: %w", wire.MethodMemoryWatch, err)
				}
				if reset = !res.Recovered; reset {
					p.After = 0
				}
				p.Epoch = res.Epoch
				return nil
			}
			if m.Method != wire.NoteMemory {
				return nil
			}
			ch := MemoryChange{Epoch: p.Epoch, Reset: reset}
			if err := json.Unmarshal(m.Params, &ch.MemoryUpdate); err != nil {
				return fmt.Errorf("%s: %w", wire.MethodMemoryWatch, err)
			}
			p.After, reset = max(p.After, ch.Cursor), false
			if !yield(ch, nil) {
				return errDone
			}
			return nil
		})
		if err != nil {
			yield(MemoryChange{}, err)
		}
	}
}
