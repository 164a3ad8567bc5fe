// Package asks keeps what agents ask people: questions, and requests for permission. Each is answered once, by whoever answers
// first, or ends with its agent.
//
//	agent ── Shows, Request ──> a pending question ── Answer ──> Options.Reply, or the request's own function
//
// A question is on the disk before anybody sees it, and its answer before the agent gets it.
//
// # Locks
//
// In the order in which they are taken:
//
//	question.saving   while a record is written
//	Asks.mu           the questions; of what is not of this package, only the argument of Shows is called with it held
package asks

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// Store keeps the records of questions.
type Store interface {
	// PutAsk stores a record, which is on the disk when it returns.
	PutAsk(ctx context.Context, a *wire.Ask) error
	DeleteAsk(ctx context.Context, id wire.AskID) error
	Asks(ctx context.Context) ([]wire.Ask, error)
}

// DefaultKeep is how many questions are remembered after their end.
const DefaultKeep = 1000

// Options configure Asks. Store, Types and Reply are required.
type Options struct {
	Store Store
	Types map[string]wire.AgentType // by name; never changed
	// Reply writes a text to an agent that asks a question.
	Reply func(ctx context.Context, by string, agent wire.AgentID, question, text string) error
	// Changed is called when a question begins and when it ends.
	Changed func(a wire.Ask)
	Keep    int           // 0: DefaultKeep
	Timeout time.Duration // how long a request waits for a store that does not answer; 0: 10 s
}

// Asks are the questions of the agents of a node.
type Asks struct {
	o   Options
	log *slog.Logger

	mu      sync.Mutex
	all     map[wire.AskID]*question
	pending []*question // the oldest first
	ended   []*question // the oldest first
	changes uint64
	changed chan struct{} // closed, and replaced, with each change
	begun   string        // distinguishes the changes of this server from those of earlier ones
}

// question is one question.
type question struct {
	saving sync.Mutex

	key string // of a request; static

	// guarded by Asks.mu
	rec       wire.Ask              // of what identifies the question, nothing changes
	answer    func(*wire.AskAnswer) // of a request that is pending; it holds the agent's process in memory
	answering chan struct{}         // closed when the answer that is being given was given, or failed; nil: nobody answers
	passed    bool                  // meanwhile the agent has stopped asking
}

// New returns Asks without content. Open reads the questions from the Store.
func New(o Options, log *slog.Logger) *Asks {
	o.Keep, o.Timeout = cmp.Or(o.Keep, DefaultKeep), cmp.Or(o.Timeout, 10*time.Second)
	if o.Changed == nil {
		o.Changed = func(wire.Ask) {}
	}
	return &Asks{o: o, log: log, all: map[wire.AskID]*question{}, changed: make(chan struct{}), begun: noun.NewID("")}
}

// Open loads the questions of earlier servers. Those that were pending have lost their agents.
func (as *Asks) Open(ctx context.Context) error {
	recs, err := as.o.Store.Asks(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(recs, func(a, b wire.Ask) int { return cmp.Or(endOf(a).Compare(endOf(b)), cmp.Compare(a.ID, b.ID)) })
	for _, rec := range recs {
		q := &question{rec: rec}
		if rec.State == wire.AskPending {
			as.end(q, wire.AskCanceled, nil, "Skein was restarted, and the agent has ended")
			as.save(ctx, q)
		}
		as.all[rec.ID] = q
		as.ended = append(as.ended, q)
	}
	return nil
}

func endOf(a wire.Ask) time.Time {
	if a.Ended == nil {
		return a.Since
	}
	return *a.Ended
}

// end changes the record of a question that ends. The caller holds mu, or nobody else knows the question.
func (as *Asks) end(q *question, state wire.AskState, answer *wire.AskAnswer, reason string) {
	now := time.Now().UTC()
	q.rec.State, q.rec.Answer, q.rec.Reason, q.rec.Ended, q.rec.Expires = state, answer, reason, &now, nil
}

// save stores the present record of a question.
func (as *Asks) save(ctx context.Context, q *question) error {
	q.saving.Lock()
	defer q.saving.Unlock()
	as.mu.Lock()
	rec := q.rec
	as.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, as.o.Timeout)
	defer cancel()
	return as.o.Store.PutAsk(ctx, &rec)
}

// keep stores the record of a question that is as it is, whether it can be stored or not.
func (as *Asks) keep(q *question) {
	if err := as.save(context.Background(), q); err != nil {
		as.log.Error("a question could not be stored; a restart forgets how it ended", "ask", q.rec.ID, "agent", q.rec.Agent, "err", err)
	}
}

// begin adds a question.
func (as *Asks) begin(q *question) {
	as.mu.Lock()
	as.all[q.rec.ID] = q
	if q.rec.State == wire.AskPending {
		as.pending = append(as.pending, q)
	} else {
		as.ended = append(as.ended, q)
	}
	as.moved()
	rec := q.rec
	as.mu.Unlock()
	as.o.Changed(rec)
}

// finish ends a question, if it is pending and nobody is answering it. Then it returns what gives a request its answer.
func (as *Asks) finish(q *question, state wire.AskState, answer *wire.AskAnswer, reason string) (give func(*wire.AskAnswer)) {
	as.mu.Lock()
	if q.rec.State != wire.AskPending || q.answering != nil {
		q.passed = true
		as.mu.Unlock()
		return nil
	}
	give = q.answer
	rec := as.over(q, state, answer, reason)
	as.mu.Unlock()
	as.o.Changed(rec)
	as.keep(q)
	return give
}

// over moves a question to those that have ended. The caller holds mu.
func (as *Asks) over(q *question, state wire.AskState, answer *wire.AskAnswer, reason string) wire.Ask {
	as.end(q, state, answer, reason)
	q.answer = nil
	as.pending = slices.DeleteFunc(as.pending, func(p *question) bool { return p == q })
	as.ended = append(as.ended, q)
	as.moved()
	return q.rec
}

// moved counts a change. The caller holds mu.
func (as *Asks) moved() {
	as.changes++
	close(as.changed)
	as.changed = make(chan struct{})
}

// newQuestion returns a question of an agent that waits from now on.
func newQuestion(a wire.Agent, kind wire.AskKind, text string) *question {
	return &question{rec: wire.Ask{ID: wire.AskID(noun.NewID("q")), Agent: a.ID, Name: a.Name, Type: a.Type, Generation: a.Generation, Kind: kind,
		Text: cut(text, wire.MaxAskText), State: wire.AskPending, Since: time.Now().UTC()}}
}

// cut shortens a text to so many bytes.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n-len("…")], "") + "…"
}

// Shows makes the question of an agent the one that now returns: the agent's record, and its question, or "" if it asks none. Of
// concurrent calls, the one that calls now last decides.
func (as *Asks) Shows(now func() (a wire.Agent, question string)) {
	as.mu.Lock()
	a, text := now()
	var old *question
	for _, q := range as.pending {
		if q.rec.Agent == a.ID && q.answer == nil && (q.answering == nil || !q.passed) {
			old = q // one that is being answered while the agent asks on is over, though it asks the same again
		}
	}
	text = cut(text, wire.MaxAskText)
	if old != nil {
		old.passed = old.rec.Text != text
	}
	if old == nil && text == "" || old != nil && (old.rec.Text == text || old.answering != nil && text == "") {
		as.mu.Unlock()
		return
	}
	var news []wire.Ask
	if old != nil && old.answering == nil {
		reason := "the agent went on without an answer"
		if text != "" {
			reason = "the agent asks something else"
		}
		news = append(news, as.over(old, wire.AskCanceled, nil, reason))
	}
	var q *question
	if text != "" {
		kind := wire.AskQuestion
		if a.TTY != nil {
			kind = wire.AskTerminal
		}
		q = newQuestion(a, kind, text)
		if len(a.Tasks) == 1 {
			q.rec.Task = a.Tasks[0]
		}
		q.rec.Prompt = q.rec.PromptOf()
		as.all[q.rec.ID] = q
		as.pending = append(as.pending, q)
		as.moved()
		news = append(news, q.rec)
	}
	as.mu.Unlock()
	for _, rec := range news {
		as.o.Changed(rec)
	}
	for _, each := range []*question{old, q} {
		if each != nil {
			as.keep(each)
		}
	}
}

// Replies notes that somebody begins to write a text to an agent, which answers the question that it asks. The caller calls done with
// whether it was written.
func (as *Asks) Replies(agent wire.AgentID, by string, text []byte) (done func(written bool)) {
	as.mu.Lock()
	defer as.mu.Unlock()
	i := slices.IndexFunc(as.pending, func(q *question) bool { return q.rec.Agent == agent && q.answer == nil && q.answering == nil })
	if i < 0 {
		return func(bool) {}
	}
	q := as.pending[i]
	q.answering = make(chan struct{})
	answer := &wire.AskAnswer{Text: cut(strings.ToValidUTF8(strings.TrimRight(string(text), "\r\n"), "�"), wire.MaxAskText), By: by}
	return func(written bool) {
		if as.answered(q, answer, written) {
			as.keep(q)
		}
	}
}

// answered ends the claim of whoever answers a question. It reports whether the question has ended.
func (as *Asks) answered(q *question, answer *wire.AskAnswer, given bool) bool {
	as.mu.Lock()
	close(q.answering)
	q.answering = nil
	rec := q.rec
	switch {
	case given:
		rec = as.over(q, wire.AskResolved, answer, "")
	case q.passed:
		rec = as.over(q, wire.AskCanceled, nil, "the agent went on without an answer")
	}
	as.mu.Unlock()
	if rec.State == wire.AskPending {
		return false
	}
	as.o.Changed(rec)
	return true
}

// of returns the pending questions of an agent.
func (as *Asks) of(agent wire.AgentID) (all []*question) {
	as.mu.Lock()
	defer as.mu.Unlock()
	for _, q := range as.pending {
		if q.rec.Agent == agent {
			all = append(all, q)
		}
	}
	return all
}

// Gone ends the questions of an agent whose process has ended.
func (as *Asks) Gone(agent wire.AgentID) {
	for _, q := range as.of(agent) {
		as.finish(q, wire.AskCanceled, nil, "the agent has ended")
	}
}

// Withdraw ends a request for permission that its agent does not wait for any more.
func (as *Asks) Withdraw(agent wire.AgentID, key, reason string) {
	for _, q := range as.of(agent) {
		if q.key == key && q.rec.ByID {
			as.finish(q, wire.AskCanceled, nil, reason)
		}
	}
}

// Request begins a request for permission, or answers it by the policy of the agent's type. It reports whether it waits for a person.
// It may wait for the store.
func (as *Asks) Request(a wire.Agent, r runner.Permission) (waits bool) {
	kind := wire.AskPermission
	if r.Words {
		kind = wire.AskQuestion
	}
	q := newQuestion(a, kind, cmp.Or(r.Text, "may it go on?"))
	q.key, q.rec.ByID = r.Key, true
	q.rec.Task, q.rec.Options, q.rec.Tool = r.Task, bounded(r.Options), bound(r.Tool)
	q.rec.Prompt = q.rec.PromptOf()
	policy := as.o.Types[a.Type].Permissions
	if r.Login || r.Words {
		policy = nil
	}
	decision, rule := decide(policy, q.rec.Tool)
	if decision != wire.PermissionAsk {
		if option := choose(q.rec.Options, decision == wire.PermissionAllow); option != nil {
			answer := &wire.AskAnswer{Option: option.ID, Kind: option.Kind, By: wire.ByPolicy, Rule: rule}
			as.end(q, wire.AskResolved, answer, "")
			as.begin(q)
			as.keep(q)
			r.Answer(answer)
			return false
		}
	}
	q.answer = r.Answer
	if policy != nil && policy.LimitMS > 0 {
		at := q.rec.Since.Add(time.Duration(policy.LimitMS) * time.Millisecond)
		q.rec.Expires = &at
	}
	as.begin(q)
	as.keep(q)
	return true
}

// Answer answers a question. It is refused if it has ended, or is not what the person was shown.
func (as *Asks) Answer(ctx context.Context, by noun.Caller, p wire.AskAnswerParams) (*wire.Ask, error) {
	q, answer, err := as.claim(ctx, by.Actor, p)
	if err != nil {
		return nil, err
	}
	give, said := q.answer, *answer // nobody else ends it now
	if q.rec.ByID {
		answer.Text = cut(answer.Text, wire.MaxAskText)
	}
	err = as.give(ctx, q, answer)
	ended := as.answered(q, answer, err == nil)
	switch {
	case ended && (give == nil || err != nil): // the agent has the answer already, or has gone on without
		as.keep(q)
	case err == nil:
		give(&said)
	}
	if err != nil {
		return nil, err
	}
	return as.Get(p.ID)
}

// claim returns the question, for the caller alone to answer.
func (as *Asks) claim(ctx context.Context, by string, p wire.AskAnswerParams) (*question, *wire.AskAnswer, error) {
	for {
		as.mu.Lock()
		q := as.all[p.ID]
		if q == nil {
			as.mu.Unlock()
			return nil, nil, wire.Errorf(wire.CodeNotFound, "there is no question %.40q", p.ID).WithField("id")
		}
		if busy := q.answering; busy != nil {
			as.mu.Unlock()
			select {
			case <-busy:
				continue
			case <-ctx.Done():
				return nil, nil, ctx.Err()
			}
		}
		answer, err := check(&q.rec, by, p)
		if err == nil {
			q.answering = make(chan struct{})
		}
		as.mu.Unlock()
		return q, answer, err
	}
}

// check returns what p answers a question with.
func check(a *wire.Ask, by string, p wire.AskAnswerParams) (*wire.AskAnswer, error) {
	switch {
	case a.State != wire.AskPending:
		return nil, wire.Errorf(wire.CodeConflict, "%s", endedAs(a)).WithField("id")
	case p.Prompt == "":
		return nil, noun.Bad("prompt", "name what was answered: the prompt of the question as it was shown")
	case p.Prompt != a.Prompt:
		return nil, wire.Errorf(wire.CodeConflict, "the question is another one than was shown: %s", a.Text).WithField("prompt")
	case a.Kind == wire.AskTerminal:
		return nil, wire.Errorf(wire.CodePrecondition, "the program waits in its terminal: answer it there").WithField("id")
	case a.Kind == wire.AskQuestion && (p.Text == "" || p.Option != ""):
		return nil, noun.Bad("text", "a text answers this question")
	case a.Kind == wire.AskQuestion && len(p.Text) > wire.MaxInput-1:
		return nil, wire.Errorf(wire.CodeTooLarge, "the answer is longer than %d bytes", wire.MaxInput-1).WithField("text")
	case a.Kind == wire.AskQuestion:
		return &wire.AskAnswer{Text: p.Text, By: by}, nil
	}
	option := a.Option(p.Option)
	if option == nil || p.Text != "" {
		ids := make([]string, len(a.Options))
		for i, o := range a.Options {
			ids[i] = o.ID
		}
		return nil, noun.Bad("option", "one of its options answers this question: %s", strings.Join(ids, ", ")).(*wire.Error).WithSupported(ids)
	}
	return &wire.AskAnswer{Option: option.ID, Kind: option.Kind, By: by}, nil
}

// endedAs says how a question has ended, to whoever would answer it.
func endedAs(a *wire.Ask) string {
	switch {
	case a.State == wire.AskExpired:
		return "nobody has answered it in time"
	case a.Answer == nil:
		return "it needs no answer any more: " + a.Reason
	}
	said := a.Answer.Text
	if o := a.Option(a.Answer.Option); o != nil {
		said = o.Name
	}
	return fmt.Sprintf("%s has answered it already: %s", a.Answer.By, cut(said, 200))
}

// give hands an answer to the agent, or stores that it is about to be handed over.
func (as *Asks) give(ctx context.Context, q *question, answer *wire.AskAnswer) error {
	if !q.rec.ByID {
		err := as.o.Reply(ctx, answer.By, q.rec.Agent, q.rec.Text, answer.Text)
		answer.Text = cut(answer.Text, wire.MaxAskText)
		return err
	}
	q.saving.Lock()
	defer q.saving.Unlock()
	as.mu.Lock()
	next := question{rec: q.rec}
	as.mu.Unlock()
	as.end(&next, wire.AskResolved, answer, "")
	rec := next.rec
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), as.o.Timeout)
	defer cancel()
	if err := as.o.Store.PutAsk(ctx, &rec); err != nil {
		as.log.Error("an answer was refused: it could not be stored", "ask", rec.ID, "err", err)
		return wire.Errorf(wire.CodeUnavailable, "the answer could not be stored, and was not given; the server's log says why")
	}
	return nil
}

// Get returns a question.
func (as *Asks) Get(id wire.AskID) (*wire.Ask, error) {
	as.mu.Lock()
	defer as.mu.Unlock()
	q := as.all[id]
	if q == nil {
		return nil, wire.Errorf(wire.CodeNotFound, "there is no question %.40q", id).WithField("id")
	}
	rec := q.rec
	return &rec, nil
}

// List returns the questions that match. If p names the position of an earlier list, it waits for a change, or the
// end of ctx.
func (as *Asks) List(ctx context.Context, p wire.AskListParams) (wire.AskListResult, error) {
	if p.WaitMS < 0 || p.WaitMS > wire.MaxAskWait.Milliseconds() {
		return wire.AskListResult{}, noun.Bad("wait_ms", "must be between 0 and %d", wire.MaxAskWait.Milliseconds())
	}
	late := time.NewTimer(time.Duration(p.WaitMS) * time.Millisecond)
	defer late.Stop()
	for {
		as.mu.Lock()
		r, changed := as.list(p), as.changed
		as.mu.Unlock()
		if r.Position != p.Since || p.WaitMS == 0 {
			return r, nil
		}
		select {
		case <-changed:
		case <-late.C:
			return r, nil
		case <-ctx.Done(): // the server stops: its client asks the next one, which it would not do after an error
			return r, nil
		}
	}
}

// Waiting returns how many questions wait, and the position of a list that has them.
func (as *Asks) Waiting() (n int, position string) {
	as.mu.Lock()
	defer as.mu.Unlock()
	return len(as.pending), as.position()
}

// position is called with mu held.
func (as *Asks) position() string { return as.begun + "." + strconv.FormatUint(as.changes, 10) }

// list is called with mu held.
func (as *Asks) list(p wire.AskListParams) wire.AskListResult {
	r := wire.AskListResult{Asks: []wire.Ask{}, Pending: len(as.pending), Position: as.position()}
	add := func(q *question) {
		if (p.Agent == "" || q.rec.Agent == p.Agent) && (p.Task == "" || q.rec.Task == p.Task) {
			r.Asks = append(r.Asks, q.rec)
		}
	}
	for _, q := range as.pending {
		add(q)
	}
	if p.All {
		for _, q := range slices.Backward(as.ended) {
			add(q)
		}
	}
	r.Total = len(r.Asks)
	return r
}

// Beat ends the questions whose time is over.
func (as *Asks) Beat(now time.Time) {
	as.mu.Lock()
	late := slices.DeleteFunc(slices.Clone(as.pending), func(q *question) bool { return q.rec.Expires == nil || q.rec.Expires.After(now) })
	as.mu.Unlock()
	for _, q := range late {
		var answer *wire.AskAnswer
		if option := choose(q.rec.Options, false); option != nil {
			answer = &wire.AskAnswer{Option: option.ID, Kind: option.Kind, By: wire.ByPolicy, Rule: "the time limit"}
		}
		if give := as.finish(q, wire.AskExpired, answer, "nobody has answered in time"); give != nil {
			give(answer)
		}
	}
}

// Forget drops the oldest of too many questions that have ended.
func (as *Asks) Forget(ctx context.Context) {
	as.mu.Lock()
	n := max(0, len(as.ended)-as.o.Keep)
	old := slices.Clone(as.ended[:n])
	as.mu.Unlock()
	for _, q := range old {
		if err := as.o.Store.DeleteAsk(ctx, q.rec.ID); err != nil {
			as.log.Error("an old question could not be deleted", "ask", q.rec.ID, "err", err)
			return
		}
		as.mu.Lock()
		delete(as.all, q.rec.ID)
		as.ended = slices.DeleteFunc(as.ended, func(e *question) bool { return e == q })
		as.mu.Unlock()
	}
}
