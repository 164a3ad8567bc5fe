package ui

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"skein.dev/skein/webtransport/wire"
)

func readTable(t *testing.T, name string, v any) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

// pair is ["in", "out"] in a table.
type pair[T any] struct {
	in  T
	out string
}

func (p *pair[T]) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&p.in, &p.out})
}

// TestFormat reads the table that static/test/app-format.test.js reads too.
func TestFormat(t *testing.T) {
	var table struct {
		Bytes     []pair[int64]
		CPU       []pair[float64]
		Span, Ago []pair[int64]
		Clean     []pair[string]
		Argv      []pair[[]string]
		Agents    []struct {
			Agent                                                                  wire.Agent
			Now                                                                    time.Time
			State, Word, Activity, Age, Need, Text, Detail, Group, Short, CPU, Mem string
			Refusal                                                                string
		}
	}
	readTable(t, "format.json", &table)
	check := func(what string, in any, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s of %v = %q, want %q", what, in, got, want)
		}
	}
	ms := func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
	for _, c := range table.Bytes {
		check("Bytes", c.in, Bytes(c.in), c.out)
	}
	for _, c := range table.CPU {
		check("CPU", c.in, CPU(c.in), c.out)
	}
	for _, c := range table.Span {
		check("Span", c.in, Span(ms(c.in)), c.out)
	}
	for _, c := range table.Ago {
		check("Ago", c.in, Ago(ms(c.in)), c.out)
	}
	for _, c := range table.Clean {
		check("Clean", c.in, Clean(c.in), c.out)
	}
	for _, c := range table.Argv {
		check("JoinArgv", c.in, JoinArgv(c.in), c.out)
	}
	for i := range table.Agents {
		c := &table.Agents[i]
		a := &c.Agent
		check("State", a.ID, State(a), c.State)
		check("StateWord", a.ID, StateWord(State(a)), c.Word)
		check("ActivityWord", a.ID, ActivityWord(a.Activity), c.Activity)
		check("Age", a.ID, Age(a, c.Now), c.Age)
		check("Need", a.ID, Need(a), c.Need)
		check("NeedText", a.ID, NeedText(a), c.Text)
		check("statusDetail", a.ID, statusDetail(a), c.Detail)
		check("groupOf", a.ID, groupOf(a), c.Group)
		check("ShortID", a.ID, ShortID(a.ID), c.Short)
		check("cpuCell", a.ID, cpuCell(a), c.CPU)
		check("memCell", a.ID, memCell(a), c.Mem)
		check("InputRefusal", a.ID, InputRefusal(a), c.Refusal)
		if got, want := Need(a) != "", a.NeedsAttention(); got != want {
			t.Errorf("%s: Need and NeedsAttention disagree", a.ID)
		}
	}
}
