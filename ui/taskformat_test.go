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

// TestTaskFormat reads the table of which static/test/app-taskformat.test.js reads titles, words and acts, too.
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
		keys := map[string]bool{}
		for _, m := range TaskTimeline(x) {
			if keys[m.key()] {
				t.Errorf("task %s has two moments %q: the page takes them for one", x.ID, m.key())
			}
			keys[m.key()] = true
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

func TestALongResultIsCutBetweenCharacters(t *testing.T) {
	for in, want := range map[string]string{strings.Repeat("ä", 600): strings.Repeat("ä", 512) + "…", strings.Repeat("x", 1024): strings.Repeat("x", 1024)} {
		if got := resultText(&wire.Task{State: wire.TaskCompleted, Result: &wire.Payload{Text: in}}); got != want {
			t.Errorf("%d bytes are shown as %d", len(in), len(got))
		}
	}
}

func TestCellsThatTick(t *testing.T) {
	now := time.Date(2026, 3, 4, 14, 30, 0, 0, time.UTC)
	later, ended := now.Add(5*time.Second), now.Add(-time.Minute)
	waits := wire.Task{State: wire.TaskSubmitted, Attempt: 1, NotBefore: &later, CreatedAt: ended}
	if c := countdown(&waits, now); c["data-tick"] != "left" || c["data-before"] != "Attempt 2 follows in " || c["data-then"] != "Waiting for an agent" || c["data-at"] != iso(later) {
		t.Errorf("what follows ticks as %v", c)
	}
	waits.Position = 1
	if c := countdown(&waits, now); c != nil {
		t.Errorf("what is in line ticks as %v", c)
	}
	if a := ageTick(&waits); a["data-tick"] != "span" || a["data-at"] != iso(ended) {
		t.Errorf("its age ticks as %v", a)
	}
	if a := ageTick(&wire.Task{State: wire.TaskFailed, EndedAt: &ended}); a["data-tick"] != "ago" || a["data-at"] != iso(ended) {
		t.Errorf("the age of what is over ticks as %v", a)
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
