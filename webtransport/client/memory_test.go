package client_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func store(t *testing.T, c *client.Client, ns, key, value string) *wire.MemoryEntry {
	t.Helper()
	e, err := c.MemoryStore(t.Context(), wire.MemoryStoreParams{Namespace: ns, Key: key, Value: wire.Payload{Text: value}})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestMemory(t *testing.T) {
	n := serve(t)
	overBoth(t, func(t *testing.T, tr string) {
		c := dial(t, n, over(tr))
		ns := tr
		units := []string{"x", "\x1b"} // the same over both, and the tests of wire have whatever JSON makes longer
		if tr == client.WebSocket {
			units = units[:1]
		}
		for i, unit := range units {
			v := strings.Repeat(unit, wire.MaxMemoryValue/len(unit))
			store(t, c, ns, fmt.Sprint("big", i), v)
			e, err := c.MemoryRetrieve(t.Context(), wire.MemoryKeyParams{Namespace: ns, Key: fmt.Sprint("big", i)})
			if err != nil || string(e.Value.Bytes()) != v {
				t.Errorf("a value full of %q: %v", unit, err)
			}
		}
		many, err := c.MemorySetMany(t.Context(), wire.MemorySetManyParams{Entries: []wire.MemoryStoreParams{{Namespace: ns, Key: "a", Value: wire.Payload{Text: "needle"}}, {Namespace: ns, Key: "b"}}})
		if err != nil || many.Results[1].Entry == nil {
			t.Fatal(many, err)
		}
		got, err := c.MemoryGetMany(t.Context(), wire.MemoryGetManyParams{Keys: []wire.MemoryKeyParams{{Namespace: ns, Key: "a"}, {Namespace: ns, Key: "c"}}})
		if err != nil || got.Results[0].Entry.Value.Text != "needle" || !errors.Is(got.Results[1].Error, wire.Errorf(wire.CodeNotFound, "")) {
			t.Errorf("%+v, %v", got, err)
		}
		if l, err := c.MemoryList(t.Context(), wire.MemoryListParams{Namespace: ns, Prefix: "big"}); err != nil || l.Total != len(units) {
			t.Errorf("%+v, %v", l, err)
		}
		if f, err := c.MemorySearch(t.Context(), wire.MemorySearchParams{Namespaces: []string{ns}, Query: "needle"}); err != nil || f.Total != 1 {
			t.Errorf("%+v, %v", f, err)
		}
		if d, err := c.MemoryDelete(t.Context(), wire.MemoryKeyParams{Namespace: ns, Key: "a"}); err != nil || !d.Deleted {
			t.Errorf("%+v, %v", d, err)
		}
		if h, err := c.MemoryHistory(t.Context(), wire.MemoryHistoryParams{Namespace: ns, Key: "a"}); err != nil || len(h.Entries) != 2 {
			t.Errorf("%+v, %v", h, err)
		}
		spaces, err := c.MemoryNamespaces(t.Context())
		if err != nil || spaces.Namespaces[0].Keys != 1+len(units) { // b, and the large ones
			t.Errorf("%+v, %v", spaces, err)
		}
	})
}

// A watch over breaking connections and a restart of the server gives every change once, in order.
func TestMemoryWatchGoesOn(t *testing.T) {
	n := serve(t)
	wires := relayTCP(t, strings.TrimPrefix(n.addrs.HTTP, "http://"))
	c := dial(t, n, over(client.WebSocket), at(wires.url()))
	writer := dial(t, n, over(client.WebTransport))
	store(t, writer, "n", "before", "x")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	const many = 200
	go func() {
		for i := range many {
			_, err := writer.MemoryStore(ctx, wire.MemoryStoreParams{Namespace: "n", Key: fmt.Sprint(i)})
			for errors.Is(err, &wire.Error{Code: wire.CodeUnavailable}) { // a server that stops says so
				_, err = writer.MemoryStore(ctx, wire.MemoryStoreParams{Namespace: "n", Key: fmt.Sprint(i), IfRevision: new(uint64)})
			}
			if err != nil && !errors.Is(err, &wire.Error{Code: wire.CodeConflict}) {
				cancel()
				return
			}
		}
	}()
	last, next, cut := uint64(0), -1, 0
	for ch, err := range c.MemoryWatch(ctx, wire.MemoryWatchParams{Namespace: "n"}) {
		if err != nil {
			t.Fatalf("after %d changes: %v", next, err)
		}
		if ch.Reset {
			t.Fatal("the watch started over")
		}
		for _, e := range ch.Entries {
			if e.Revision <= last || next >= 0 && e.Key != fmt.Sprint(next) {
				t.Fatalf("%s with revision %d comes after revision %d, want %d", e.Key, e.Revision, last, next)
			}
			last = e.Revision
			next++
		}
		switch {
		case next >= many:
			return
		case next > 40 && cut == 0, next > 80 && cut == 1:
			wires.cut()
			cut++
		case next > 120 && cut == 2:
			n = n.restart(t)
			cut++
		}
	}
}

func TestMemoryWatchOfARefusedNamespace(t *testing.T) {
	c := dial(t, serve(t))
	for _, err := range c.MemoryWatch(t.Context(), wire.MemoryWatchParams{Namespace: "Not one"}) {
		if !errors.Is(err, wire.Errorf(wire.CodeInvalidParams, "")) {
			t.Errorf("%v", err)
		}
		return
	}
	t.Error("it ended without a word")
}
