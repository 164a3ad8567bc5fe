package client

import (
	"testing"

	"skein.dev/skein/webtransport/wire"
)

func TestWatchKeepsARecordThatADatagramOvertook(t *testing.T) {
	w := newWatch()
	w.update(wire.Update{Agents: []wire.Agent{{ID: "a", Num: 1, Rev: 1, Status: wire.StatusRunning}}})
	d := wire.StatusDatagram{Seq: 1, Records: []wire.StatusRecord{{Num: 1, Rev: 3, Status: wire.StatusRunning, Activity: wire.ActivityRunning, CPU: 0.5, LastSeq: 9}}}
	w.datagram(nil, d.Append(nil))
	w.update(wire.Update{Agents: []wire.Agent{{ID: "a", Num: 1, Rev: 2, Status: wire.StatusRunning, Activity: wire.ActivityRequiresAction, Question: "Go on?", LastLine: "at work", LastSeq: 8}}})

	ch, _ := w.take()
	agents := ch.Agents
	if len(agents) != 1 {
		t.Fatalf("%d agents changed, want 1", len(agents))
	}
	a := agents[0]
	if a.LastLine != "at work" {
		t.Errorf("the last line is %q: only the record has it", a.LastLine)
	}
	if a.Rev != 3 || a.Activity != wire.ActivityRunning || a.Question != "" || a.Usage.CPU != 0.5 || a.LastSeq != 9 {
		t.Errorf("the datagram's values are gone: %+v", a)
	}
}

// TestWhatComesBehindAnEndIsHandedOut has an answer come after the end of its task, while the end's revision is above the cursor.
func TestWhatComesBehindAnEndIsHandedOut(t *testing.T) {
	w := &taskWatch{ended: map[wire.TaskID]wire.Task{}}
	end := wire.Task{ID: "t1", State: wire.TaskCanceled, Rev: 7}
	late := end
	late.Late = []wire.Late{{Attempt: 1, Agent: "a1", Failed: true}}
	for _, step := range []struct {
		give wire.Task
		want int
	}{{end, 1}, {end, 0}, {late, 1}, {late, 0}} {
		if got := w.fresh([]wire.Task{step.give}, 6); len(got) != step.want {
			t.Errorf("of %+v %d were handed out, want %d", step.give, len(got), step.want)
		}
	}
	w.fresh(nil, 7)
	if len(w.ended) > 0 {
		t.Errorf("%d ends are remembered below the cursor", len(w.ended))
	}
}
