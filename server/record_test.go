package server

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/api"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

func TestARepeatedSpawnIsOneAgent(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		file := filepath.Join(t.TempDir(), "f")
		me := clientID()
		ask := func(p *peer, id string) *wire.Message {
			return p.call(t, id, wire.MethodSpawn, wire.SpawnParams{Type: "shell", Count: 2, Argv: []string{"sh", "-c", "echo x >> " + file + "; read line"}})
		}
		p := n.join(t, tr, as(me))
		first := ask(p, "7")
		p.Close(0, "")
		q := n.join(t, other(tr), as(me))
		for range 3 {
			if again := ask(q, "7"); string(again.Result) != string(first.Result) || len(again.Result) == 0 {
				t.Errorf("the answer was %s, now it is %s, %v", first.Result, again.Result, again.Error)
			}
		}
		res := result[wire.SpawnResult](t, first)
		running := 0
		for _, a := range res.Agents {
			running += len(processes(t, a.ID))
		}
		if all := n.plane.List(wire.Filter{}); all.Total != 2 || running != 2 {
			t.Errorf("%d agents with %d processes, want 2 and 2", all.Total, running)
		}
		for _, a := range res.Agents {
			if err := n.plane.Input(t.Context(), "test", wire.InputParams{ID: a.ID, Text: "\n"}); err != nil {
				t.Fatal(err)
			}
			lane, _ := q.attach(t, wire.Header{Agent: a.ID, Follow: true})
			lane.events(t)
		}
		if b, err := os.ReadFile(file); string(b) != "x\nx\n" {
			t.Errorf("the file holds %q, %v", b, err)
		}

		isError(t, q.call(t, "7", wire.MethodSpawn, wire.SpawnParams{Type: "scripted"}), wire.CodeConflict, "")
		isError(t, q.call(t, "7", wire.MethodStop, wire.StopParams{Scope: wire.ScopeAll}), wire.CodeConflict, "")
		if all := n.plane.List(wire.Filter{}); all.Total != 2 {
			t.Errorf("%d agents after a conflict", all.Total)
		}
		for name, fresh := range map[string]func() *wire.Message{
			"another id":        func() *wire.Message { return ask(q, "8") },
			"an id as a string": func() *wire.Message { return ask(q, `"7"`) },
			"another client":    func() *wire.Message { return ask(n.join(t, tr), "7") },
			"another login": func() *wire.Message {
				s, ticket := n.session(t, tr, with(n.login(t)))
				return ask(enter(t, s, ticket, as(me)), "7")
			},
		} {
			before := n.plane.List(wire.Filter{}).Total
			fresh()
			if after := n.plane.List(wire.Filter{}).Total; after != before+2 {
				t.Errorf("%s: %d agents became %d", name, before, after)
			}
		}
	})
}

func TestConcurrentRepeatsHaveOneEffect(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		me := clientID()
		peers := []*peer{n.join(t, tr, as(me)), n.join(t, other(tr), as(me)), n.join(t, tr, as(me))}
		line := request("1", wire.MethodSpawn, wire.SpawnParams{Type: "shell", Argv: []string{"sleep", "300"}})
		const times = 10
		for _, p := range peers {
			p.ctrl.say(t, strings.Repeat(line+"\n", times-1)+line)
		}
		var ids []wire.AgentID
		for _, p := range peers {
			for range times {
				ids = append(ids, result[wire.SpawnResult](t, p.ctrl.answerTo(t, "1")).Agents[0].ID)
			}
		}
		for _, id := range ids {
			if id != ids[0] {
				t.Fatalf("the answers name several agents: %v", ids)
			}
		}
		if all := n.plane.List(wire.Filter{}); all.Total != 1 || len(processes(t, ids[0])) != 1 {
			t.Errorf("%d agents, processes %v", all.Total, processes(t, ids[0]))
		}
	})
}

func TestARepeatedInputIsWrittenOnce(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		me := clientID()
		a := n.spawn(t, wire.SpawnParams{Type: "shell", Argv: []string{"cat"}})
		p := n.join(t, tr, as(me))
		text := wire.InputParams{ID: a.ID, Text: "once\n"}
		for range 3 {
			if m := p.call(t, "1", wire.MethodInput, text); m.Error != nil {
				t.Error(m.Error)
			}
		}
		p.Close(0, "")
		q := n.join(t, other(tr), as(me))
		q.call(t, "1", wire.MethodInput, text)
		q.call(t, "2", wire.MethodInput, wire.InputParams{ID: a.ID, Text: "twice\n"})
		q.call(t, "3", wire.MethodInput, wire.InputParams{ID: a.ID, EOF: true})
		lane, _ := q.attach(t, wire.Header{Agent: a.ID, Follow: true})
		if events, _ := lane.events(t); output(events) != "once\ntwice\n" {
			t.Errorf("output %q", output(events))
		}
	})
}

func TestAFailureIsRepeatedToo(t *testing.T) {
	t.Parallel()
	n := start(t)
	p := n.join(t, wire.WebSocket)
	for range 3 {
		isError(t, p.call(t, "1", wire.MethodSpawn, wire.SpawnParams{Type: "shell", Argv: []string{"/does/not/exist"}}), wire.CodeSpawnFailed, "argv")
	}
	if all := n.plane.List(wire.Filter{}); all.Total != 1 {
		t.Errorf("%d records of one failure", all.Total)
	}
}

// TestWorkGoesOnWithoutItsSession loses the session while the request is in progress.
func TestWorkGoesOnWithoutItsSession(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		me := clientID()
		a := n.shell(t, `trap "" TERM; echo up; while :; do sleep 60; done`)
		p := n.join(t, tr, as(me))
		lane, _ := p.attach(t, wire.Header{Agent: a.ID, Follow: true})
		lane.until(t, func(m *wire.Message) bool { return strings.Contains(string(m.Params), `up\n`) })
		grace := int64(1000)
		stop := wire.StopParams{IDs: []wire.AgentID{a.ID}, GraceMS: &grace}
		p.ctrl.say(t, request("1", wire.MethodStop, stop))
		lane.until(t, func(m *wire.Message) bool { return strings.Contains(string(m.Params), string(wire.EventStopping)) })
		p.Close(0, "")

		q := n.join(t, other(tr), as(me))
		rep := result[wire.StopResult](t, q.call(t, "1", wire.MethodStop, stop)).Reports[0]
		if rep.Already || !rep.Forced || rep.Reason != wire.ReasonStopped {
			t.Errorf("the report of the stop that was begun before: %+v", rep)
		}
		if left := processes(t, a.ID); len(left) > 0 {
			t.Errorf("processes %v are left", left)
		}
	})
}

// TestInputsGoOnWithoutTheirAnswers stalls the path to a client whose inputs arrive, as on a path that lost one of its
// directions.
func TestInputsGoOnWithoutTheirAnswers(t *testing.T) {
	t.Parallel()
	n := start(t)
	me := clientID()
	join := func() *peer {
		client, server := webtransport.Pipe()
		n.sessions.Serve(server)
		return enter(t, client, n.auth.Ticket(api.Principal{ID: "token", Name: "cli"}), as(me))
	}
	crowd := wire.SpawnParams{Type: "scripted", Script: "read", Count: 200} // so that a list is long
	if _, err := n.plane.Spawn(t.Context(), noun.Caller{Actor: "test"}, crowd); err != nil {
		t.Fatal(err)
	}
	a := n.script(t, "repeat forever\nread\nend")
	const lists, inputs = 30, 20
	input := func(i int) wire.InputParams { return wire.InputParams{ID: a.ID, Text: fmt.Sprintln(i)} }
	p := join()
	for i := range lists {
		p.ctrl.say(t, request(fmt.Sprint(1000+i), wire.MethodList, wire.Filter{}))
	}
	kit.Eventually(t, "the lists are under way", func() bool { return series(t, n)[`skein_rpcs_total{code="ok",method="agent.list"}`] == lists })
	for i := range inputs {
		p.ctrl.say(t, request(fmt.Sprint(i+1), wire.MethodInput, input(i)))
	}
	q := join()
	var texts []string
	lane, _ := q.attach(t, wire.Header{Agent: a.ID, Follow: true})
	within := time.AfterFunc(api.InputTimeout/2, func() { q.Close(0, "") })
	defer within.Stop()
	for len(texts) < inputs {
		m, err := lane.next()
		if err != nil {
			t.Fatalf("%d of %d inputs were written within %s", len(texts), inputs, api.InputTimeout/2)
		}
		var events wire.Events
		if err := json.Unmarshal(m.Params, &events); err != nil {
			t.Fatal(err)
		}
		for _, e := range events.Events {
			if e.Type == wire.EventInput {
				texts = append(texts, e.Data.Text)
			}
		}
	}
	for i, text := range texts {
		if text != input(i).Text {
			t.Errorf("%q came where %q was due", text, input(i).Text)
		}
	}
	p.Close(0, "")
	for i := range inputs {
		if m := q.call(t, fmt.Sprint(i+1), wire.MethodInput, input(i)); m.Error != nil {
			t.Errorf("input %d: %v", i, m.Error)
		}
	}
}
