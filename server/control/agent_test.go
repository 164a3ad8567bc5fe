package control

import (
	"testing"

	"skein.dev/skein/server/jet"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// What races the exit, such as an input, comes before it in the log or not at all.
func TestNothingFollowsTheExit(t *testing.T) {
	store, err := jet.Open(t.Context(), jet.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	p, err := Open(t.Context(), Options{
		Store: store, WorkDir: t.TempDir(), Types: []wire.AgentType{{Name: "scripted", Kind: wire.KindScripted}},
		Runtimes: map[wire.Kind]Runtime{wire.KindScripted: &runner.Scripted{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(t.Context())
	res, err := p.Spawn(t.Context(), noun.Caller{Actor: "test"}, wire.SpawnParams{Type: "scripted", Script: "say x"})
	if err != nil {
		t.Fatal(err)
	}
	a, err := p.agent(res.Agents[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	<-a.ended
	if a.event(wire.EventInput, "test", wire.EventData{Text: "too late"}) {
		t.Error("an input was logged behind the exit")
	}
	events, err := store.Events(t.Context(), a.id, 0, 100, 1<<20)
	if err != nil || len(events) == 0 || events[len(events)-1].Type != wire.EventExited {
		t.Errorf("the log ends with %+v, %v", events, err)
	}
}
