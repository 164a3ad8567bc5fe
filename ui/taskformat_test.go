package ui

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

// taskCase is a task and its texts.
type taskCase struct {
	Task                                           wire.Task
	Title, Word, Glyph, Group, Doer, Attempts, Age string
	Text, Kind, Banner, More, Part                 string
	Done                                           float64
	Cancelable, Retryable                          bool
	Moments                                        [][]any
}

// TestTaskFormat reads the table from which static/test/app-taskformat.test.js also reads titles, words and actions.
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
		got := taskCase{Task: c.Task, Title: words.TaskTitle(x), Word: words.TaskWord(x.State), Glyph: words.TaskGlyph(x.State), Group: words.TaskGroup(x), Doer: words.Doer(x),
			Attempts: words.Attempts(x), Age: words.TaskAge(x, table.Now), Text: words.TaskText(x, table.Now), Kind: words.BannerKind(x), Banner: words.BannerText(x, table.Now),
			More: words.BannerMore(x), Part: words.PartOf(x), Done: words.Done(x), Cancelable: words.Cancelable(x), Retryable: words.Retryable(x)}
		keys := map[string]bool{}
		for _, m := range words.TaskTimeline(x) {
			if keys[m.Key()] {
				t.Errorf("task %s has two moments %q: the page takes them for one", x.ID, m.Key())
			}
			keys[m.Key()] = true
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
		got, _ := words.Pretty(c.in)
		check("Pretty", c.in, got, c.out)
	}
	for _, c := range table.Plain {
		check("Plain", c.in, words.Plain(c.in), c.out)
	}
	for _, c := range table.Sentence {
		check("Sentence", c.in, words.Sentence(c.in), c.out)
	}
	for _, c := range table.Ordinal {
		check("ordinal", c.in, words.Ordinal(c.in), c.out)
	}
	for _, c := range table.Results {
		check("resultText", c.in, words.ResultText(&c.in), c.out)
	}
}

func TestALongResultIsCutBetweenCharacters(t *testing.T) {
	for in, want := range map[string]string{strings.Repeat("ä", 600): strings.Repeat("ä", 512) + "…", strings.Repeat("x", 1024): strings.Repeat("x", 1024)} {
		if got := words.ResultText(&wire.Task{State: wire.TaskCompleted, Result: &wire.Payload{Text: in}}); got != want {
			t.Errorf("%d bytes are shown as %d", len(in), len(got))
		}
	}
}

// TestTaskWordsAreComplete checks that every state, priority and reason has words.
func TestTaskWordsAreComplete(t *testing.T) {
	for _, s := range wire.TaskStates {
		if words.TaskWord(s) == words.None {
			t.Errorf("state %s has no word", s)
		}
	}
	for _, r := range []wire.FailureReason{wire.FailSpawn, wire.FailAgentLost, wire.FailAgentStopped, wire.FailServerRestart, wire.FailHeartbeat,
		wire.FailDelivery, wire.FailAgentError, wire.FailTransient, wire.FailRunTimeout, wire.FailProtocol, wire.FailTooLarge,
		wire.FailQueueTimeout, wire.FailDependency, wire.FailChildren} {
		if text := words.Blame(r); strings.Contains(text, string(r)) {
			t.Errorf("reason %s reads %q", r, text)
		}
		if platform := strings.HasPrefix(words.Blame(r), "Platform"); platform != r.Platform() {
			t.Errorf("reason %s is put down to %s", r, words.Blame(r))
		}
	}
}
