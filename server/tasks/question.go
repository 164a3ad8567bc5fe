package tasks

import (
	"cmp"
	"slices"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// question is what an agent asks a person for one of its tasks.
type question struct {
	num  uint64 // those of all agents are counted as they are asked
	text string
}

// Ask makes a task wait for a person. false: there is no such task.
func (ts *Tasks) Ask(agent wire.AgentID, id wire.TaskID, text string) bool {
	ts.mu.Lock()
	r := ts.runOf(agent, id)
	if r == nil {
		defer ts.mu.Unlock()
		return ts.all[id] != nil
	}
	if r.question == nil || r.question.text != text {
		ts.asked++
		r.question = &question{ts.asked, text}
	}
	r.lastSign = time.Now()
	ts.happens(r.t, asks{})
	ts.mu.Unlock()
	ts.showQuestions(agent)
	return true
}

// questions lists what an agent asks now, the oldest first.
func (ts *Tasks) questions(agent wire.AgentID) (all []*question) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if w := ts.workers[agent]; w != nil {
		for _, r := range w.runs {
			if r.works() && r.question != nil {
				all = append(all, r.question)
			}
		}
	}
	slices.SortFunc(all, func(a, b *question) int { return cmp.Compare(a.num, b.num) })
	return all
}

// Asked notes what an agent asks now. Replied makes the tasks go on that these questions are of; those that the agent asked
// since are still open.
func (ts *Tasks) Asked(agent wire.AgentID) (replied func()) {
	questions := ts.questions(agent)
	return func() { ts.replied(agent, questions) }
}

// replied makes the tasks go on whose questions these are.
func (ts *Tasks) replied(agent wire.AgentID, questions []*question) {
	if len(questions) == 0 {
		return
	}
	ts.mu.Lock()
	if w := ts.workers[agent]; w != nil {
		for _, r := range w.runs {
			if r.works() && r.question != nil && slices.Contains(questions, r.question) {
				r.question, r.lastSign = nil, time.Now()
				ts.happens(r.t, resumes{})
			}
		}
	}
	ts.mu.Unlock()
	ts.showQuestions(agent)
}

// showQuestions shows on an agent what its tasks ask, if they do: of several questions the oldest.
func (ts *Tasks) showQuestions(agent wire.AgentID) {
	ts.fleet.Asks(agent, func() string {
		if open := ts.questions(agent); len(open) > 0 {
			return open[0].text
		}
		return ""
	})
}

// works reports whether the run still counts. The caller holds mu.
func (r *run) works() bool { return r.t.run == r && !r.t.ending }

// Activity makes the tasks of an agent that waits for a person wait for input, and back.
func (ts *Tasks) Activity(agent wire.AgentID, act wire.Activity) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	w := ts.workers[agent]
	if w == nil {
		return
	}
	var news event = resumes{}
	state := wire.TaskWorking
	if act == wire.ActivityRequiresAction {
		news, state = asks{}, wire.TaskInputRequired
	}
	for _, r := range w.runs {
		if r.works() && r.t.rec.State != state {
			r.lastSign = time.Now()
			ts.happens(r.t, news)
		}
	}
}
