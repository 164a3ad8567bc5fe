package control_test

import (
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/webtransport/wire"
)

// TestAnInputAnswersWhatWasShown checks that a line from somebody who saw another question, or none, is not the answer.
func TestAnInputAnswersWhatWasShown(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	a := n.spawn(t, wire.SpawnParams{Type: "scripted", Script: "ask Merge?\nsay got ${reply}\nread"})
	n.untilAgent(t, a.ID, "asking", func(a wire.Agent) bool { return a.Question == "Merge?" })
	write := func(question, line string) error {
		return n.Input(t.Context(), "test", wire.InputParams{ID: a.ID, Text: line + "\n", Question: &question})
	}
	for _, shown := range []string{"", "Delete?"} {
		kit.Refused(t, write(shown, "blind"), wire.CodeConflict, "question")
	}
	if err := write("Merge?", "yes"); err != nil {
		t.Fatal(err)
	}
	n.untilAgent(t, a.ID, "answered", func(a wire.Agent) bool { return a.LastLine == "got yes" && a.Question == "" })
	kit.Refused(t, write("Merge?", "yes again"), wire.CodeConflict, "question")
	if err := write("", "go on"); err != nil {
		t.Error(err)
	}
}
