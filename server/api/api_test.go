package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"

	"skein.dev/skein/server/control"
	"skein.dev/skein/server/jet"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

func openAPI(t *testing.T) *API {
	t.Helper()
	dir := t.TempDir()
	store, err := jet.Open(t.Context(), jet.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	p, err := control.Open(t.Context(), control.Options{Store: store, Node: "test", WorkDir: dir + "/agents"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(context.Background()); store.Close() })
	a := New()
	if err := a.Open(t.Context(), p, nil, store, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	return a
}

// TestEveryMethodHasWhatCarriesItOut compares the protocol's table of methods with the server's.
func TestEveryMethodHasWhatCarriesItOut(t *testing.T) {
	t.Parallel()
	a := openAPI(t)
	for _, m := range wire.Methods {
		if (a.methods[m.Name] != nil) == m.Session {
			t.Errorf("%s: needs a session %v, is carried out without one %v", m.Name, m.Session, a.methods[m.Name] != nil)
		}
	}
	for name := range a.methods {
		if wire.MethodNamed(name) == nil {
			t.Errorf("%s is no method of the protocol", name)
		}
	}
}

// TestARequestIsOfWhoWasAuthenticated lets two logins use the same client id and request id: neither gets the other's answer.
func TestARequestIsOfWhoWasAuthenticated(t *testing.T) {
	t.Parallel()
	a := openAPI(t)
	client := wire.ClientInfo{ID: "the same client", Name: "somebody"}
	store := func(login, value string) uint64 {
		t.Helper()
		m, err := wire.NewRequest([]byte("1"), wire.MethodMemoryStore, wire.MemoryStoreParams{Namespace: "n", Key: "k", Value: wire.Payload{Text: value}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Call(t.Context(), Asker{Principal: Principal{ID: login, Name: "browser"}, Client: client}, m); err != nil {
			t.Fatal(err)
		}
		e, err := a.plane.Memory.Retrieve(t.Context(), wire.MemoryKeyParams{Namespace: "n", Key: "k"})
		if err != nil || e.Writer != "somebody" {
			t.Fatal(e, err)
		}
		return e.Revision
	}
	first := store("one", "x")
	if again := store("one", "x"); again != first {
		t.Errorf("the same request of the same login made revision %d of %d", again, first)
	}
	if other := store("two", "x"); other == first {
		t.Error("another login's request was answered with the first one's")
	}
}

// TestARepeatedRequestWaitsForTheFirst checks that it also ends its wait when its caller leaves.
func TestARepeatedRequestWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	a := &API{replies: newReplies(func(noun.Answer) error { return nil }, slog.New(slog.DiscardHandler))}
	m := &wire.Message{ID: []byte("1"), Method: wire.MethodSpawn}
	begun, end := make(chan struct{}), make(chan struct{})
	first := make(chan any)
	go func() {
		res, _ := a.Do(Asker{}, m, func() (any, error) { close(begun); <-end; return "done", nil })
		first <- res
	}()
	<-begun
	if _, err := a.Do(Asker{Gone: closed}, m, func() (any, error) { t.Error("carried out again"); return nil, nil }); err != context.Canceled {
		t.Errorf("nobody waits, and it says %v", err)
	}
	second := make(chan any)
	go func() {
		res, _ := a.Do(Asker{}, m, func() (any, error) { t.Error("carried out again"); return nil, nil })
		second <- res
	}()
	close(end)
	if one, two := <-first, <-second; string(one.(json.RawMessage)) != `"done"` || string(two.(json.RawMessage)) != `"done"` {
		t.Errorf("answered %s and %s", one, two)
	}
}
