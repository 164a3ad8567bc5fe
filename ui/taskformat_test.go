package ui

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// taskCase is a task and how it is written.
type taskCase struct {
	Task                                           wire.Task
	Title, Word, Glyph, Group, Doer, Attempts, Age string
	Text, Kind, Banner, More, Part                 string
	Done                                           float64
	Cancelable, Retryable                          bool
	Moments                                        [][]any
}

// TestTaskFormat reads the table that static/test/app-taskformat.test.js reads too.
func TestTaskFormat(t *testing.T) {
	var table struct {
		Now      time.Time
		Tasks    []taskCase
		Pretty   []pair[string]
		Plain    []pair[string]
		Sentence []pair[string]
		Ordinal  []pair[int]
		Results  []pair[wire.Task]
	}
	readTable(t, "tasks.json", &table)
	for _, c := range table.Tasks {
		x := &c.Task
		got := taskCase{Task: c.Task, Title: TaskTitle(x), Word: TaskWord(x.State), Glyph: taskGlyph(x.State), Group: TaskGroup(x), Doer: Doer(x),
			Attempts: Attempts(x), Age: TaskAge(x, table.Now), Text: TaskText(x, table.Now), Kind: bannerKind(x), Banner: bannerText(x, table.Now),
			More: bannerMore(x), Part: partOf(x), Done: Done(x), Cancelable: Cancelable(x), Retryable: Retryable(x)}
		for _, m := range TaskTimeline(x) {
			got.Moments = append(got.Moments, []any{m.Glyph, m.Title, m.Blame, m.Detail, m.Name, m.Later})
		}
		if !reflect.DeepEqual(got, c) {
			t.Errorf("task %s is written\n%+v, want\n%+v", x.ID, got, c)
		}
	}
	check := func(what string, in any, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s of %v = %q, want %q", what, in, got, want)
		}
	}
	for _, c := range table.Pretty {
		got, _ := Pretty(c.in)
		check("Pretty", c.in, got, c.out)
	}
	for _, c := range table.Plain {
		check("Plain", c.in, Plain(c.in), c.out)
	}
	for _, c := range table.Sentence {
		check("Sentence", c.in, Sentence(c.in), c.out)
	}
	for _, c := range table.Ordinal {
		check("ordinal", c.in, ordinal(c.in), c.out)
	}
	for _, c := range table.Results {
		check("resultText", c.in, resultText(&c.in), c.out)
	}
}

func TestAdmissionText(t *testing.T) {
	var table struct {
		Now       time.Time
		Admission []admissionCase
	}
	readTable(t, "tasks.json", &table)
	for _, c := range table.Admission {
		if got := AdmissionText(c.a); got != c.text {
			t.Errorf("%+v says %q, want %q", c.a, got, c.text)
		}
		if got := AdmissionWho(c.a, table.Now); got != c.who {
			t.Errorf("%+v is by %q, want %q", c.a, got, c.who)
		}
	}
}

// admissionCase is [admission, text, who] in the table.
type admissionCase struct {
	a         wire.Admission
	text, who string
}

func (c *admissionCase) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&c.a, &c.text, &c.who})
}

// TestTaskWordsAreComplete: a state, a priority or a reason that is new has words.
func TestTaskWordsAreComplete(t *testing.T) {
	for _, s := range wire.TaskStates {
		if TaskWord(s) == none {
			t.Errorf("state %s has no word", s)
		}
	}
	for _, r := range []wire.FailureReason{wire.FailSpawn, wire.FailAgentLost, wire.FailAgentStopped, wire.FailServerRestart, wire.FailHeartbeat,
		wire.FailDelivery, wire.FailAgentError, wire.FailTransient, wire.FailRunTimeout, wire.FailProtocol, wire.FailTooLarge,
		wire.FailQueueTimeout, wire.FailDependency, wire.FailChildren} {
		if text := Blame(r); strings.Contains(text, string(r)) {
			t.Errorf("reason %s reads %q", r, text)
		}
		if platform := strings.HasPrefix(Blame(r), "Platform"); platform != r.Platform() {
			t.Errorf("reason %s is put down to %s", r, Blame(r))
		}
	}
}
