package control_test

import (
	"testing"

	"skein.dev/skein/webtransport/wire"
)

// TestTheLastLineIsTheNewestState runs progress bars that never print a newline, with what programs use to write over
// them, and reads the agent's last line while they run.
func TestTheLastLineIsTheNewestState(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	for name, c := range map[string]struct{ script, want string }{
		"carriage returns":      {`printf '\rstep %3d of 200, and some words behind it' $i`, "step 200 of 200, and some words behind it"},
		"erase and column one":  {`printf '\033[2K\033[1Gstep %d of 200' $i`, "step 200 of 200"},
		"erase and return":      {`printf '\r\033[Kstep %d' $((400 - i))`, "step 200"},
		"a spinner":             {`printf '\b\b\b%3d' $i`, "200"},
		"cursor to the left":    {`printf '%3d%%\033[4D' $i`, "200%"},
		"colours, wide":         {`printf '\r\033[32m審査 %d\033[0m\033[0K' $i`, "審査 200"},
		"on standard error":     {`printf '\rstep %3d of 200, and some words behind it' $i >&2`, "step 200 of 200, and some words behind it"},
		"a title in the middle": {`printf '\r\033]0;%d percent\007step %3d' $i $i`, "step 200"},
		"blank lines behind":    {`[ $i != 200 ] || printf 'the end\r\n\n  \n\033[2K'`, "the end"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := n.shell(t, `i=0; while [ $i -lt 200 ]; do i=$((i+1)); `+c.script+`; done; read x; printf '\nover\n'`)
			got := n.untilAgent(t, a.ID, c.want, func(a wire.Agent) bool { return a.LastLine == c.want })
			if got.Status != wire.StatusRunning {
				t.Errorf("it is %s", got.Status)
			}
			if err := n.Input(t.Context(), "test", wire.InputParams{ID: a.ID, Text: "\n"}); err != nil {
				t.Fatal(err)
			}
			n.untilAgent(t, a.ID, "over", func(a wire.Agent) bool { return a.LastLine == "over" })
		})
	}
}

// TestTheLastLineAcrossEvents cuts output where an agent's writes may: within a sequence, and within a character.
func TestTheLastLineAcrossEvents(t *testing.T) {
	t.Parallel()
	n := open(t, t.TempDir())
	a := n.shell(t, `step() { printf "$1"; read x; }; step 'old text\033'; step '[2K\033[1'; step 'Gnew \345\257'; step '\251'; read x`)
	n.untilAgent(t, a.ID, "old text", func(a wire.Agent) bool { return a.LastLine == "old text" })
	for _, want := range []string{"old text", "new", "new 審"} {
		last, err := n.Get(a.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Input(t.Context(), "test", wire.InputParams{ID: a.ID, Text: "\n"}); err != nil {
			t.Fatal(err)
		}
		n.untilAgent(t, a.ID, want, func(a wire.Agent) bool { return a.LastSeq >= last.LastSeq+2 && a.LastLine == want }) // the input, and an output
	}
}
