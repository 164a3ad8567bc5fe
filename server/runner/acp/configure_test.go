package acp

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// idleStart starts an agent and waits until it can be told something.
func idleStart(t *testing.T, how string, change ...func(*runner.Launch)) *agent {
	t.Helper()
	a := start(t, how, change...)
	a.untilTurns(t, 0)
	return a
}

// untilSays waits until its standard error, which may come later than its answers, ends with a text.
func (a *agent) untilSays(t *testing.T, text string) {
	t.Helper()
	kit.Eventually(t, "it says "+text, func() bool { return strings.HasSuffix(a.printed(wire.EventStderr), text) })
}

// values are the present ones of the options.
func (a *agent) values() string {
	var all []string
	for _, o := range a.Options().Options {
		all = append(all, o.ID+"="+o.Value)
	}
	return strings.Join(all, " ")
}

func TestOptions(t *testing.T) {
	t.Parallel()
	a := idleStart(t, "options")
	if got, want := a.values(), "approval=auto model=small brave=false"; got != want {
		t.Fatalf("its options are %s, want %s", got, want)
	}
	model := a.Options().Options[1]
	want := []wire.OptionValue{{ID: "small", Name: "Small", Group: "Of A"}, {ID: "big", Name: "Big", Group: "Of B"}, {ID: "stubborn", Name: "Stubborn", Group: "Of B"}}
	if fmt.Sprint(model.Values) != fmt.Sprint(want) || model.Category != "model" || model.Kind != wire.OptionConfig || model.Name != "Model" {
		t.Errorf("the model is %+v", model)
	}
	for _, set := range [][3]string{{"model", "big", "approval=auto model=big effort=low brave=false"}, {"thought_level", "high", "approval=auto model=big effort=high brave=false"},
		{"brave", "true", "approval=auto model=big effort=high brave=true"}, {"mode", "default", "approval=default model=big effort=high brave=true"}} {
		if err := a.Configure(t.Context(), set[0], set[1]); err != nil {
			t.Fatal(err)
		}
		if got := a.values(); got != set[2] {
			t.Errorf("after %s its options are %s, want %s", set[0], got, set[2])
		}
	}
	a.untilSays(t, "chosen: map[approval:default brave:true effort:high model:big]\n")
}

func TestAnOptionThatIsRefusedChangesNothing(t *testing.T) {
	t.Parallel()
	a := idleStart(t, "options")
	before := a.values()
	for set, want := range map[[2]string]string{
		{"model", "nope"}:     `option model has no value "nope"; its values are small, big, stubborn`,
		{"colour", "red"}:     `the agent has no option "colour": its options are approval, model, brave`,
		{"brave", "maybe"}:    `option brave has no value "maybe"; its values are true, false`,
		{"model", "stubborn"}: `the agent has left model at small`,
	} {
		err := a.Configure(t.Context(), set[0], set[1])
		if got := wire.AsError(err).Message; err == nil || got != want {
			t.Errorf("%v: %v, want %s", set, got, want)
		}
		if got := a.values(); got != before {
			t.Errorf("%v: its options are %s", set, got)
		}
	}
	a.prompt(t, "call A title")
	a.untilTurns(t, 1)
	if got := a.values(); got != "approval=auto model=big effort=low brave=false" || a.Options().Title != "A title" {
		t.Errorf("the agent has gone to %s in %q", got, a.Options().Title)
	}
	err := a.Configure(t.Context(), "model", "small")
	if got := wire.AsError(err).Message; !strings.Contains(got, "the model is locked") {
		t.Errorf("the agent says %s", got)
	}
	if got := a.values(); got != "approval=auto model=big effort=low brave=false" {
		t.Errorf("its options are %s", got)
	}
}

func TestOptionsInTheirOlderForms(t *testing.T) {
	t.Parallel()
	a := idleStart(t, "models")
	if got, want := a.values(), "mode=auto model=small"; got != want {
		t.Fatalf("its options are %s, want %s", got, want)
	}
	for _, set := range [][2]string{{"mode", "default"}, {"model", "big"}} {
		if err := a.Configure(t.Context(), set[0], set[1]); err != nil {
			t.Fatal(err)
		}
	}
	if got := a.values(); got != "mode=default model=big" {
		t.Errorf("its options are %s", got)
	}
	a.untilSays(t, "mode is default\nmodel is big\n")
	told := len(of[runner.Offers](a.heard))
	a.prompt(t, "become auto", "offer make")
	a.untilTurns(t, 1)
	if got := a.values(); got != "mode=auto model=big" {
		t.Errorf("its options are %s", got)
	}
	if got, want := fmt.Sprint(a.Options().Commands), "[{make Does it } {plan Plans what to plan}]"; got != want {
		t.Errorf("its commands are %s, want %s", got, want)
	}
	if all := of[runner.Offers](a.heard); len(all) != told+2 || all[0].Session != "s1 in "+a.dir {
		t.Errorf("it is said that it has changed: %v", all)
	}
}

func TestOptionsOfATypeAreSetBeforeTheFirstPrompt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options map[string]string
		want    string // as chosen
		fails   string
	}{
		"one that depends on another": {map[string]string{"thought_level": "high", "model": "big"}, "map[effort:high model:big]", ""},
		"a value that is not there":   {map[string]string{"model": "huge"}, "", `options of its type: option model has no value "huge"; its values are small, big, stubborn`},
		"not of this model":           {map[string]string{"effort": "high"}, "", `options of its type: the agent has no option "effort": its options are approval, model, brave`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := start(t, "options", func(l *runner.Launch) { l.Options = c.options })
			if c.fails != "" {
				<-a.Done()
				if e := a.Exit(); e.Message != c.fails || e.Code == 0 {
					t.Errorf("it ended with %+v", e)
				}
				return
			}
			a.prompt(t, "say x")
			a.untilTurns(t, 1)
			a.untilSays(t, "chosen: "+c.want+"\n")
		})
	}
	a := start(t, "options", func(l *runner.Launch) { l.Mode = "default" })
	a.untilTurns(t, 0)
	if got := a.values(); !strings.HasPrefix(got, "approval=default ") {
		t.Errorf("a mode of its type: %s", got)
	}
}

func TestNoOptionsWithoutASession(t *testing.T) {
	t.Parallel()
	a := start(t, "mute")
	if err := a.Configure(t.Context(), "mode", "auto"); !errors.Is(err, &wire.Error{Code: wire.CodePrecondition}) {
		t.Errorf("while it starts: %v", err)
	}
	b := idleStart(t, "")
	b.prompt(t, "die")
	<-b.Done()
	if err := b.Configure(t.Context(), "mode", "default"); !errors.Is(err, &wire.Error{Code: wire.CodePrecondition}) {
		t.Errorf("after its end: %v", err)
	}
}

// TestOffersAreBounded has lists that are too long, and words that are.
func TestOffersAreBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 2*wire.MaxOptionID)
	var options, values, groups, commandList []string
	for i := range 2 * wire.MaxOptionValues {
		values = append(values, fmt.Sprintf(`{"value":"v%d","name":"%s","description":"%s"}`, i, long, long))
		commandList = append(commandList, fmt.Sprintf(`{"name":"c%d","description":"%s"}`, i, long))
		groups = append(groups, fmt.Sprintf(`{"group":"g","name":"%s","options":[{"value":"g%d"}]}`, long, i))
	}
	for i := range 2 * wire.MaxOptions {
		list := [][]string{values, groups, values[:2]}[min(i, 2)]
		options = append(options, fmt.Sprintf(`{"id":"o%d","type":"select","currentValue":"now","options":[%s]}`, i, strings.Join(list, ",")))
	}
	options = append(options, `{"id":"`+long+`","type":"boolean","currentValue":true}`)
	all := configOptions(json.RawMessage("[" + strings.Join(options, ",") + "]"))
	if n := wire.EncodedSize(all); n > wire.MaxOffers*2/3 || len(all) == 0 || len(all) > wire.MaxOptions {
		t.Errorf("%d options have %d bytes", len(all), n)
	}
	for _, o := range all {
		if len(o.Values) == 0 || o.Values[len(o.Values)-1].ID != "now" || o.Value != "now" || o.More+len(o.Values) > maxItems+1 {
			t.Errorf("option %s has %d values, and %d more", o.ID, len(o.Values), o.More)
		}
	}
	if got := commands(json.RawMessage("[" + strings.Join(commandList, ",") + "]")); len(got) < wire.MaxCommands/2 || len(got) > wire.MaxCommands || wire.EncodedSize(got) > wire.MaxOffers/4 {
		t.Errorf("%d commands have %d bytes", len(got), wire.EncodedSize(got))
	}
	// one that is not kept can be set all the same
	if err := allowed(all[0], "v999"); err != nil {
		t.Error(err)
	}
}

func TestOddOffers(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]string{
		`[{"id":"a","type":"slider","currentValue":3},{"id":"b","type":"boolean","currentValue":"on"},{"id":"c","type":"select","currentValue":"x","options":null},7,{"id":""}]`: "c=x/1",
		`[{"id":"a","type":"select","currentValue":"x","options":[{"value":"x","name":null,"description":null}]},{"id":"a","type":"boolean","currentValue":true}]`:               "a=x/1",
		`[{"id":"a","type":"select","options":[{"value":"x"}]}]`: "a=/1",
		`{"id":"a"}`: "",
		`[{"id":"a","type":"select","currentValue":"","options":[]}]`: "",
	} {
		var got []string
		for _, o := range configOptions(json.RawMessage(list)) {
			got = append(got, fmt.Sprintf("%s=%s/%d", o.ID, o.Value, len(o.Values)))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: %q, want %q", list, s, want)
		}
	}
	if got := fmt.Sprint(commands(json.RawMessage(`[{"name":"/a","input":null},{"name":"b c"},{"name":" b"},{"name":""},{"name":"d\u001b","input":3},{"name":"e","description":"two\nlines"}]`))); got != "[{a  } {b c  } {e two lines }]" {
		t.Errorf("the commands are %s", got)
	}
}

// FuzzOffers reads what an agent may send.
func FuzzOffers(f *testing.F) {
	f.Add([]byte(`[{"id":"model","name":"Model","category":"model","type":"select","currentValue":"a","options":[{"group":"g","name":"G","options":[{"value":"a","name":"A"}]}]},{"id":"b","type":"boolean","currentValue":true}]`))
	f.Add([]byte(`[{"name":"plan","description":"Plans","input":{"hint":"what"}}]`))
	f.Add([]byte(`[{"sessionId":"s","cwd":"/x","title":null,"updatedAt":"2026-01-02T03:04:05Z"}]`))
	f.Add([]byte(`[{"modelId":"m","name":"M"},{"id":"x"}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var o offers
		o.opened(&sessionState{Config: b, Modes: maybe[modes]{true, modes{"m", b}}, Models: maybe[models]{true, models{"x", b}}})
		o.commands = commands(b)
		for _, option := range o.all() {
			if len(option.ID) > wire.MaxOptionID || len(option.Values) == 0 || len(option.Values) > wire.MaxOptionValues+1 || option.Value != "" && allowed(option, option.Value) != nil {
				t.Errorf("%+v", option)
			}
			if again, err := wire.OptionNamed(o.all(), option.ID); err != nil || again.ID != option.ID {
				t.Errorf("option %q is not found: %v", option.ID, err)
			}
			o.set(option, option.Values[0].ID)
		}
		if n := wire.EncodedSize(o.all()) + wire.EncodedSize(o.commands); n > 2*wire.MaxOffers {
			t.Errorf("%d bytes", n)
		}
		sessionInfos(b, "s")
	})
}
