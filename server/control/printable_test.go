package control_test

import (
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// TestNamesAreOneLineOfAnyTerminal gives a hostile name to everything that has a name or label.
func TestNamesAreOneLineOfAnyTerminal(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir(), workers)
	by := noun.Caller{Actor: "test"}
	spawn := func(p wire.SpawnParams) error {
		p.Type, p.Script = "scripted", "say hello"
		_, err := n.Spawn(t.Context(), by, p)
		return err
	}
	submit := func(s wire.TaskSpec) error {
		if s.Type == "" && len(s.Capabilities) == 0 {
			s.Type = "echo"
		}
		_, err := n.Tasks.Submit(t.Context(), by, wire.SubmitParams{Tasks: []wire.TaskSpec{s}})
		return err
	}
	for what, c := range map[string]struct {
		field string
		give  func(name string) error
	}{
		"an agent":                 {"name", func(s string) error { return spawn(wire.SpawnParams{Name: s}) }},
		"an agent's label":         {"labels", func(s string) error { return spawn(wire.SpawnParams{Labels: map[string]string{s: "core"}}) }},
		"an agent's label's value": {"labels", func(s string) error { return spawn(wire.SpawnParams{Labels: map[string]string{"team": s}}) }},
		"a task":                   {"name", func(s string) error { return submit(wire.TaskSpec{Name: s}) }},
		"a task's label":           {"labels", func(s string) error { return submit(wire.TaskSpec{Labels: map[string]string{s: "core"}}) }},
		"a task's label's value":   {"labels", func(s string) error { return submit(wire.TaskSpec{Labels: map[string]string{"team": s}}) }},
		"a capability":             {"capabilities", func(s string) error { return submit(wire.TaskSpec{Capabilities: []string{s}}) }},
		"a key within a batch":     {"key", func(s string) error { return submit(wire.TaskSpec{Key: s}) }},
		"an idempotency key":       {"idempotency_key", func(s string) error { return submit(wire.TaskSpec{IdempotencyKey: s}) }},
		"an orchestration": {"name", func(s string) error {
			_, err := n.Tasks.Orchestrate(t.Context(), by, wire.OrchestrateParams{Name: s, Task: wire.TaskSpec{Type: "echo"}, Inputs: []wire.Payload{text("x")}})
			return err
		}},
		"a memory key": {"key", func(s string) error {
			_, err := n.Memory.Store(t.Context(), by, wire.MemoryStoreParams{Namespace: "notes", Key: s, Value: text("x")})
			return err
		}},
		"a memory content type": {"content_type", func(s string) error {
			p := wire.MemoryStoreParams{Namespace: "notes", Key: "today", Value: text("x")}
			p.ContentType = s
			_, err := n.Memory.Store(t.Context(), by, p)
			return err
		}},
		"an artifact": {"name", func(s string) error {
			_, err := n.Artifacts.Create(t.Context(), by, wire.ArtifactCreateParams{Name: s})
			return err
		}},
	} {
		t.Run(what, func(t *testing.T) {
			for _, bad := range []string{"a\x1b[2Jb", "two\nlines", "a\tb", "\x07", "a\x7fb", "a\u009b2Jb", "a\u0085b", "abc\u202etxt.exe", "a\u2067b", "a\u200fb", "a\u2028b"} {
				kit.Refused(t, c.give(bad), wire.CodeInvalidParams, c.field)
			}
			if what == "a capability" || what == "a memory content type" { // no type has such a one
				return
			}
			for _, good := range []string{"nightly build", "Überprüfung", "審査", "👩‍👩‍👧", "a\u0301"} {
				if err := c.give(good); err != nil {
					t.Errorf("%q: %v", good, err)
				}
			}
		})
	}
}
