package asks

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"weak"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// shelf is a store in memory.
type shelf struct {
	mu   sync.Mutex
	all  map[wire.AskID]wire.Ask
	fail error
}

func (s *shelf) PutAsk(_ context.Context, a *wire.Ask) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail == nil {
		s.all[a.ID] = *a
	}
	return s.fail
}

func (s *shelf) DeleteAsk(_ context.Context, id wire.AskID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, id)
	return nil
}

func (s *shelf) Asks(context.Context) ([]wire.Ask, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.all)), nil
}

func newShelf() *shelf { return &shelf{all: map[wire.AskID]wire.Ask{}} }

var person = noun.Caller{Actor: "ann"}

// options of a request for permission, two of one kind.
var options = []wire.AskOption{{ID: "y", Name: "Allow", Kind: wire.AllowOnce}, {ID: "y2", Name: "Allow, and switch", Kind: wire.AllowOnce},
	{ID: "always", Name: "Always", Kind: wire.AllowAlways}, {ID: "n", Name: "Reject", Kind: wire.RejectOnce}}

func newAsks(t *testing.T, s *shelf, change ...func(*Options)) *Asks {
	t.Helper()
	o := Options{Store: s, Types: map[string]wire.AgentType{}, Reply: func(context.Context, string, wire.AgentID, string, string) error { return nil }}
	for _, f := range change {
		f(&o)
	}
	as := New(o, slog.New(slog.DiscardHandler))
	if err := as.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return as
}

// only returns the one pending question.
func (as *Asks) only(t *testing.T) wire.Ask {
	t.Helper()
	r, err := as.List(t.Context(), wire.AskListParams{})
	if err != nil || len(r.Asks) != 1 || r.Pending != 1 {
		t.Fatalf("%+v, %v; want one question", r, err)
	}
	return r.Asks[0]
}

func request(as *Asks, agent wire.Agent, command string) (answers chan *wire.AskAnswer, waits bool) {
	answers = make(chan *wire.AskAnswer, 2)
	waits = as.Request(agent, runner.Permission{Key: "1", Text: "Run it?", Tool: &wire.AskTool{Kind: "execute", Command: command}, Options: options,
		Answer: func(a *wire.AskAnswer) { answers <- a }})
	return answers, waits
}

func TestARequestIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	s := newShelf()
	as := newAsks(t, s)
	answers, waits := request(as, wire.Agent{ID: "a1"}, "make")
	ask := as.only(t)
	if stored := s.all[ask.ID]; !waits || stored.State != wire.AskPending || stored.Prompt == "" {
		t.Fatalf("it is stored as %+v", stored)
	}
	_, err := as.Answer(t.Context(), person, wire.AskAnswerParams{ID: ask.ID, Prompt: "another", Option: "y"})
	kit.Refused(t, err, wire.CodeConflict, "prompt")
	_, err = as.Answer(t.Context(), person, wire.AskAnswerParams{ID: ask.ID, Prompt: ask.Prompt, Option: "maybe"})
	kit.Refused(t, err, wire.CodeInvalidParams, "option")
	var given, refused int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, option := range []string{"y", "n", "y", "n", "always", "y2"} {
		wg.Go(func() {
			_, err := as.Answer(t.Context(), person, wire.AskAnswerParams{ID: ask.ID, Prompt: ask.Prompt, Option: option})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				given++
			} else if errors.Is(err, &wire.Error{Code: wire.CodeConflict}) && strings.Contains(err.Error(), "ann has answered it already") {
				refused++
			}
		})
	}
	wg.Wait()
	if given != 1 || refused != 5 || len(answers) != 1 {
		t.Errorf("%d were taken, %d were refused, the agent got %d", given, refused, len(answers))
	}
	got, stored := <-answers, s.all[ask.ID]
	if stored.State != wire.AskResolved || stored.Answer == nil || stored.Answer.Option != got.Option || stored.Answer.By != "ann" {
		t.Errorf("it is stored as %+v; the agent got %+v", stored, got)
	}
}

func TestAnAnswerThatCantBeStoredIsNotGiven(t *testing.T) {
	t.Parallel()
	s := newShelf()
	as := newAsks(t, s)
	answers, _ := request(as, wire.Agent{ID: "a1"}, "make")
	ask := as.only(t)
	s.fail = errors.New("the disk is full")
	p := wire.AskAnswerParams{ID: ask.ID, Prompt: ask.Prompt, Option: "y"}
	_, err := as.Answer(t.Context(), person, p)
	kit.Refused(t, err, wire.CodeUnavailable, "")
	if len(answers) > 0 || as.only(t).State != wire.AskPending {
		t.Error("it was answered")
	}
	s.fail = nil
	if _, err := as.Answer(t.Context(), person, p); err != nil || len(answers) != 1 {
		t.Errorf("afterwards: %v, %d answers", err, len(answers))
	}
}

func TestAQuestionIsAnsweredByWhoeverWrites(t *testing.T) {
	t.Parallel()
	agent, question := wire.Agent{ID: "a1"}, "Merge?"
	shows := func(as *Asks, text string) {
		question = text
		as.Shows(func() (wire.Agent, string) { return agent, question })
	}
	var as *Asks
	fails := error(nil)
	as = newAsks(t, newShelf(), func(o *Options) {
		o.Reply = func(_ context.Context, by string, _ wire.AgentID, asked, text string) error {
			if by != "ann" || asked != "Merge?" || text != "yes" {
				t.Errorf("%s answers %q by %q", by, asked, text)
			}
			if fails == nil {
				shows(as, "") // the agent goes on while it is being written to
			}
			return fails
		}
	})
	shows(as, "Merge?")
	ask := as.only(t)
	_, err := as.Answer(t.Context(), person, wire.AskAnswerParams{ID: ask.ID, Prompt: ask.Prompt, Option: "y"})
	kit.Refused(t, err, wire.CodeInvalidParams, "text")
	fails = errors.New("it does not read")
	if _, err := as.Answer(t.Context(), person, wire.AskAnswerParams{ID: ask.ID, Prompt: ask.Prompt, Text: "yes"}); err == nil || as.only(t).State != wire.AskPending {
		t.Error("an answer that was not written counts")
	}
	fails = nil
	got, err := as.Answer(t.Context(), person, wire.AskAnswerParams{ID: ask.ID, Prompt: ask.Prompt, Text: "yes"})
	if err != nil || got.State != wire.AskResolved || got.Answer.Text != "yes" {
		t.Errorf("it is %+v, %v", got, err)
	}

	// By another way than Answer.
	shows(as, "Push?")
	id := as.only(t).ID
	done := as.Replies("a1", "bob", []byte("no\n"))
	shows(as, "Then what?") // before the writing has returned
	done(true)
	if got, _ := as.Get(id); got.State != wire.AskResolved || got.Answer.Text != "no" || got.Answer.By != "bob" {
		t.Errorf("it is %+v", got)
	}
	// Nobody's answer.
	id = as.only(t).ID
	shows(as, "")
	if got, _ := as.Get(id); got.State != wire.AskCanceled || got.Reason == "" {
		t.Errorf("it is %+v", got)
	}
	// A writer who fails while the agent goes on.
	shows(as, "And now?")
	id = as.only(t).ID
	done = as.Replies("a1", "bob", []byte("x"))
	shows(as, "")
	done(false)
	if got, _ := as.Get(id); got.State != wire.AskCanceled {
		t.Errorf("it is %+v", got)
	}
}

func TestQuestionsEndWithTheirAgent(t *testing.T) {
	t.Parallel()
	s := newShelf()
	as := newAsks(t, s)
	answers, _ := request(as, wire.Agent{ID: "a1"}, "make")
	request(as, wire.Agent{ID: "a2"}, "make")
	as.Gone("a1")
	left := as.only(t)
	if left.Agent != "a2" || len(answers) > 0 {
		t.Errorf("left is %+v; the agent got %d answers", left, len(answers))
	}
	as.Withdraw("a2", "1", "it was canceled")
	if r, _ := as.List(t.Context(), wire.AskListParams{All: true, Task: "tnone"}); r.Total != 0 {
		t.Errorf("of another task it lists %d", r.Total)
	}
	if r, _ := as.List(t.Context(), wire.AskListParams{All: true}); r.Pending != 0 || r.Total != 2 || r.Asks[0].Reason != "it was canceled" || r.Asks[1].State != wire.AskCanceled {
		t.Errorf("they are %+v", r)
	}

	// So do those of a server that was killed.
	request(as, wire.Agent{ID: "a3"}, "make")
	again := newAsks(t, s)
	if r, _ := again.List(t.Context(), wire.AskListParams{All: true}); r.Pending != 0 || r.Total != 3 || r.Asks[0].Agent != "a3" || r.Asks[0].State != wire.AskCanceled {
		t.Errorf("after a restart they are %+v", r)
	}
}

func TestAPolicyAnswers(t *testing.T) {
	t.Parallel()
	permissions := &wire.Permissions{Otherwise: wire.PermissionAsk, LimitMS: 60_000, Rules: []wire.PermissionRule{
		{Decision: wire.PermissionDeny, Command: "rm *"}, {Decision: wire.PermissionAllow, Kind: "execute", Command: "git *"},
		{Decision: wire.PermissionAllow, Kind: "read"}}}
	s := newShelf()
	as := newAsks(t, s, func(o *Options) { o.Types["coder"] = wire.AgentType{Name: "coder", Permissions: permissions} })
	coder := wire.Agent{ID: "a1", Type: "coder"}
	for command, want := range map[string]string{
		"git status": "y", "git log -p": "y", "rm -rf x": "n", "git status; rm -rf x": "n", "git status && make": "", "git log > x": "",
		"git log $(make)": "", "git log\nmake": "", "make": "", "(rm x)": "n", "grm x": "",
	} {
		answers, waits := request(as, coder, command)
		got := ""
		if !waits {
			a := <-answers
			got = a.Option
			if a.By != wire.ByPolicy || !strings.HasPrefix(a.Rule, "rule ") {
				t.Errorf("%q is answered by %+v", command, a)
			}
		}
		if got != want || waits != (want == "") {
			t.Errorf("%q gets %q, want %q", command, got, want)
		}
		as.Gone("a1")
	}
	long := strings.Repeat("x", wire.MaxAskTool)
	if _, waits := request(as, coder, "git "+long+";make"); !waits {
		t.Error("a command whose end is not known was allowed")
	}
	as.Gone("a1")

	// Time ends what nobody answers.
	answers, _ := request(as, coder, "make")
	ask := as.only(t)
	as.Beat(ask.Since.Add(59 * time.Second))
	as.only(t)
	as.Beat(ask.Since.Add(61 * time.Second))
	if got, _ := as.Get(ask.ID); got.State != wire.AskExpired || (<-answers).Option != "n" || s.all[ask.ID].State != wire.AskExpired {
		t.Errorf("after a minute it is %+v", got)
	}
	_, err := as.Answer(t.Context(), person, wire.AskAnswerParams{ID: ask.ID, Prompt: ask.Prompt, Option: "y"})
	kit.Refused(t, err, wire.CodeConflict, "id")
}

// TestARuleThatAsksFindsACommandInOthers checks that people are asked for what another rule would allow with the rest.
func TestARuleThatAsksFindsACommandInOthers(t *testing.T) {
	t.Parallel()
	p := &wire.Permissions{Rules: []wire.PermissionRule{{Decision: wire.PermissionAsk, Command: "git push*"}}, Otherwise: wire.PermissionAllow}
	for command, want := range map[string]wire.PermissionDecision{"git push": wire.PermissionAsk, "make && git push; true": wire.PermissionAsk, "git pull": wire.PermissionAllow} {
		if got, _ := decide(p, &wire.AskTool{Kind: "execute", Command: command}); got != want {
			t.Errorf("%q: %s, want %s", command, got, want)
		}
	}
}

// TestARuleThatDeniesFindsACommandInQuotes has what models add to a command so that an argument is quoted.
func TestARuleThatDeniesFindsACommandInQuotes(t *testing.T) {
	t.Parallel()
	p := &wire.Permissions{Rules: []wire.PermissionRule{{Decision: wire.PermissionDeny, Command: "curl http://other/*"}, {Decision: wire.PermissionDeny, Command: "echo 'a*"}}, Otherwise: wire.PermissionAllow}
	for command, want := range map[string]wire.PermissionDecision{
		"curl http://other/x": wire.PermissionDeny, "curl 'http://other/?q=1&r'": wire.PermissionDeny, `"curl" http:\//other/x`: wire.PermissionDeny,
		"curl 'http://mine/?q=1'": wire.PermissionAllow, "echo 'a b'": wire.PermissionDeny,
	} {
		if got, _ := decide(p, &wire.AskTool{Kind: "execute", Command: command}); got != want {
			t.Errorf("%q: %s, want %s", command, got, want)
		}
	}
}

func TestAListWaitsForAChange(t *testing.T) {
	t.Parallel()
	as := newAsks(t, newShelf())
	r, err := as.List(t.Context(), wire.AskListParams{})
	if err != nil || len(r.Asks) != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	lists := make(chan wire.AskListResult)
	go func() {
		r, _ := as.List(t.Context(), wire.AskListParams{Since: r.Position, WaitMS: wire.MaxAskWait.Milliseconds()})
		lists <- r
	}()
	request(as, wire.Agent{ID: "a1"}, "make")
	if r := <-lists; len(r.Asks) != 1 {
		t.Errorf("it has %+v", r)
	}
	r, _ = as.List(t.Context(), wire.AskListParams{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := as.List(ctx, wire.AskListParams{Since: r.Position, WaitMS: wire.MaxAskWait.Milliseconds()}); err != nil || len(r.Asks) != 1 {
		t.Errorf("at the end of the server: %+v, %v", r, err)
	}
	_, err = as.List(t.Context(), wire.AskListParams{WaitMS: time.Hour.Milliseconds()})
	kit.Refused(t, err, wire.CodeInvalidParams, "wait_ms")
}

func TestOldQuestionsAreForgotten(t *testing.T) {
	t.Parallel()
	s := newShelf()
	as := newAsks(t, s, func(o *Options) { o.Keep = 3 })
	for range 10 {
		request(as, wire.Agent{ID: "a1"}, "make")
		as.Gone("a1")
	}
	request(as, wire.Agent{ID: "a1"}, "make")
	as.Forget(t.Context())
	if r, _ := as.List(t.Context(), wire.AskListParams{All: true}); r.Total != 4 || len(s.all) != 4 {
		t.Errorf("%d are known, %d stored", r.Total, len(s.all))
	}
}

func TestARequestIsBounded(t *testing.T) {
	t.Parallel()
	as := newAsks(t, newShelf())
	long := strings.Repeat("é", 1<<20)
	many := make([]wire.AskOption, 1000)
	for i := range many {
		many[i] = wire.AskOption{ID: "x", Name: long, Kind: wire.AllowOnce}
	}
	as.Request(wire.Agent{ID: "a1"}, runner.Permission{Key: "1", Text: long, Options: many, Answer: func(*wire.AskAnswer) {},
		Tool: &wire.AskTool{Kind: long, Command: long, Paths: []string{long, long}, Diffs: []wire.AskDiff{{Path: long, Old: &long, New: long}, {}}}})
	ask := as.only(t)
	if n := wire.EncodedSize(ask); n > wire.MaxAskTool+wire.MaxAskText+wire.MaxAskOptions*(wire.MaxAskOption+100)+4096 || !ask.Tool.Cut {
		t.Errorf("it has %d bytes, cut: %v", n, ask.Tool.Cut)
	}
}

// TestARequestOfManySmallPartsIsBounded has parts whose texts are next to nothing.
func TestARequestOfManySmallPartsIsBounded(t *testing.T) {
	t.Parallel()
	as := newAsks(t, newShelf())
	for name, tool := range map[string]*wire.AskTool{
		"empty paths": {Paths: make([]string, 1<<20)},
		"empty diffs": {Diffs: make([]wire.AskDiff, 1<<20)},
		"short diffs": {Diffs: slices.Repeat([]wire.AskDiff{{Path: "x"}}, 1<<20)},
	} {
		as.Request(wire.Agent{ID: "a1"}, runner.Permission{Key: "1", Text: "?", Options: options, Tool: tool, Answer: func(*wire.AskAnswer) {}})
		if ask := as.only(t); wire.EncodedSize(ask) > 2*wire.MaxAskTool || !ask.Tool.Cut {
			t.Errorf("%s: it has %d bytes, cut: %v", name, wire.EncodedSize(ask), ask.Tool.Cut)
		}
		as.Gone("a1")
	}
	as.Request(wire.Agent{ID: "a1"}, runner.Permission{Key: "1", Text: "?", Answer: func(*wire.AskAnswer) {},
		Options: []wire.AskOption{{ID: "y", Kind: wire.AllowOnce}, {ID: "z", Kind: wire.OptionKind(strings.Repeat("x", 1<<20))}}})
	if ask := as.only(t); wire.EncodedSize(ask) > 4096 {
		t.Errorf("with a long kind it has %d bytes", wire.EncodedSize(ask))
	}
}

// TestWhatHasEndedHoldsNothingOfItsAgent checks that a question that is remembered does not keep its agent in memory.
func TestWhatHasEndedHoldsNothingOfItsAgent(t *testing.T) {
	t.Parallel()
	as := newAsks(t, newShelf(), func(o *Options) {
		o.Types["coder"] = wire.AgentType{Permissions: &wire.Permissions{Rules: []wire.PermissionRule{{Decision: wire.PermissionAllow, Command: "git"}}}}
	})
	var held []weak.Pointer[[1 << 20]byte]
	ask := func(command string) {
		large := new([1 << 20]byte)
		held = append(held, weak.Make(large))
		as.Request(wire.Agent{ID: "a1", Type: "coder"}, runner.Permission{Key: "1", Tool: &wire.AskTool{Command: command}, Options: options,
			Answer: func(*wire.AskAnswer) { large[0] = 1 }})
	}
	ask("git")
	ask("make")
	a := as.only(t)
	if _, err := as.Answer(t.Context(), person, wire.AskAnswerParams{ID: a.ID, Prompt: a.Prompt, Option: "y"}); err != nil {
		t.Fatal(err)
	}
	ask("make")
	as.Gone("a1")
	runtime.GC()
	for i, p := range held {
		if p.Value() != nil {
			t.Errorf("request %d is held", i)
		}
	}
	runtime.KeepAlive(as)
}

// TestTheSameQuestionOnceMore has an agent that asks the same as before as soon as it has the answer.
func TestTheSameQuestionOnceMore(t *testing.T) {
	t.Parallel()
	question := "Go on?"
	shows := func(as *Asks, text string) {
		question = text
		as.Shows(func() (wire.Agent, string) { return wire.Agent{ID: "a1"}, question })
	}
	var as *Asks
	as = newAsks(t, newShelf(), func(o *Options) {
		o.Reply = func(context.Context, string, wire.AgentID, string, string) error {
			shows(as, "") // it goes on, and asks, before the writing has returned
			shows(as, "Go on?")
			shows(as, "Go on?")
			return nil
		}
	})
	shows(as, "Go on?")
	ask := as.only(t)
	got, err := as.Answer(t.Context(), person, wire.AskAnswerParams{ID: ask.ID, Prompt: ask.Prompt, Text: "yes"})
	if err != nil || got.State != wire.AskResolved {
		t.Errorf("it is %+v, %v", got, err)
	}
	if again := as.only(t); again.ID == ask.ID || again.Text != "Go on?" {
		t.Errorf("then it asks %+v", again)
	}
}

// TestAPolicyDoesNotDecideOnWhatItDoesNotKnow has a command that is padded beyond what is kept.
func TestAPolicyDoesNotDecideOnWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	as := newAsks(t, newShelf(), func(o *Options) {
		o.Types["coder"] = wire.AgentType{Permissions: &wire.Permissions{Otherwise: wire.PermissionAllow, Rules: []wire.PermissionRule{
			{Decision: wire.PermissionDeny, Command: "git push*"}, {Decision: wire.PermissionAllow, Kind: "execute"}}}}
	})
	if _, waits := request(as, wire.Agent{ID: "a1", Type: "coder"}, "true "+strings.Repeat("x", wire.MaxAskTool)+"; git push"); !waits {
		t.Error("a command that may be one that is denied was allowed")
	}
}

// TestAnOptionWithoutAnIDIsNone checks that nobody chooses it by choosing none.
func TestAnOptionWithoutAnIDIsNone(t *testing.T) {
	t.Parallel()
	as := newAsks(t, newShelf())
	as.Request(wire.Agent{ID: "a1"}, runner.Permission{Key: "1", Text: "?", Options: []wire.AskOption{{Name: "Yes", Kind: wire.AllowOnce}, {ID: "n", Kind: wire.RejectOnce}},
		Answer: func(*wire.AskAnswer) { t.Error("it was answered") }})
	ask := as.only(t)
	_, err := as.Answer(t.Context(), person, wire.AskAnswerParams{ID: ask.ID, Prompt: ask.Prompt})
	kit.Refused(t, err, wire.CodeInvalidParams, "option")
}

// A long answer reaches the agent whole. What is kept of it is as short as with any question.
func TestALongAnswerInWords(t *testing.T) {
	t.Parallel()
	s := newShelf()
	as := newAsks(t, s)
	answers := make(chan *wire.AskAnswer, 1)
	as.Request(wire.Agent{ID: "a1"}, runner.Permission{Key: "1", Text: "What?", Words: true, Answer: func(a *wire.AskAnswer) { answers <- a }})
	ask, long := as.only(t), strings.Repeat("x", wire.MaxInput-1)
	got, err := as.Answer(t.Context(), person, wire.AskAnswerParams{ID: ask.ID, Prompt: ask.Prompt, Text: long})
	if err != nil {
		t.Fatal(err)
	}
	if a := <-answers; a.Text != long {
		t.Errorf("the agent got %d bytes", len(a.Text))
	}
	if stored := s.all[ask.ID].Answer.Text; len(got.Answer.Text) > wire.MaxAskText || len(stored) > wire.MaxAskText {
		t.Errorf("%d bytes are kept, %d stored", len(got.Answer.Text), len(stored))
	}
}
