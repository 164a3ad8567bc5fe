package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// dialed connects a client of the library over one transport.
func (n *node) dialed(t *testing.T, tr wire.Transport) *client.Client {
	t.Helper()
	c, err := client.Dial(t.Context(), client.Options{URL: n.addrs.HTTP, Token: n.token, Transport: string(tr)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// everyWay is one client that sends each request over WebTransport, WebSocket and POST /rpc under one id: there is one
// effect and one answer, which fits a message. The three take turns in being first.
type everyWay struct {
	n     *node
	id    string
	last  int
	peers map[wire.Transport]*peer
	lanes map[string]*stream
}

func (n *node) everyWay() *everyWay {
	return &everyWay{n: n, id: clientID(), peers: map[wire.Transport]*peer{}, lanes: map[string]*stream{}}
}

// ways is the number of ways.
const ways = 3

func (e *everyWay) ask(t *testing.T, method string, params any) json.RawMessage {
	t.Helper()
	e.last++
	var answers []json.RawMessage
	for i := range ways {
		answers = append(answers, e.by(t, i+e.last, method, params))
	}
	if wire.ReplaySafe(method) && (string(answers[0]) != string(answers[1]) || string(answers[0]) != string(answers[2])) {
		t.Errorf("%s is answered differently each time, with %d, %d and %d bytes", method, len(answers[0]), len(answers[1]), len(answers[2]))
	}
	return answers[0]
}

// next is ask, but one way alone: the next one.
func (e *everyWay) next(t *testing.T, method string, params any) json.RawMessage {
	t.Helper()
	e.last++
	return e.by(t, e.last, method, params)
}

// by sends the last request one way.
func (e *everyWay) by(t *testing.T, way int, method string, params any) json.RawMessage {
	t.Helper()
	id := fmt.Sprint(e.last)
	switch way % ways {
	case 0:
		return result[json.RawMessage](t, e.over(t, wire.WebTransport, id, method, params))
	case 1:
		return result[json.RawMessage](t, e.over(t, wire.WebSocket, id, method, params))
	}
	a := e.n.rpc(t, e.id, request(id, method, params))
	m := new(wire.Message)
	if err := json.Unmarshal([]byte(a.body), m); err != nil || a.StatusCode != http.StatusOK || len(a.body) > wire.MaxMessage {
		t.Fatalf("%s over %s: %s with %d bytes", method, wire.RPCPath, a.Status, len(a.body))
	}
	return result[json.RawMessage](t, m)
}

func (e *everyWay) over(t *testing.T, tr wire.Transport, id, method string, params any) *wire.Message {
	t.Helper()
	p := e.peers[tr]
	if p == nil {
		p = e.n.join(t, tr, as(e.id))
		e.peers[tr], e.lanes[string(tr)+string(wire.LaneControl)] = p, p.ctrl
	}
	name := wire.LaneOf(method)
	lane := e.lanes[string(tr)+string(name)]
	if lane == nil {
		lane = open(t, p, `{"lane":"`+string(name)+`"}`)
		e.lanes[string(tr)+string(name)] = lane
	}
	lane.say(t, request(id, method, params))
	return lane.answerTo(t, id)
}

func read[T any](t *testing.T, b json.RawMessage) (v T) {
	t.Helper()
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// The effect of each of these requests, and each of these lists, is larger than a message.
func TestAnswersOfManyRecordsFitAMessage(t *testing.T) {
	t.Parallel()
	n := start(t)
	every := n.everyWay()
	ask := every.ask
	large := strings.Repeat("x", 120_000)
	labeled, label := kit.Less(400, 50), kit.Less(2300, 21_000) // as many bytes with their records
	spawned := read[wire.SpawnResult](t, ask(t, wire.MethodSpawn, wire.SpawnParams{Type: "shell", Count: 12, Argv: []string{"sh", "-c", "read x", large}}))
	prompts := read[wire.SpawnResult](t, ask(t, wire.MethodSpawn, wire.SpawnParams{Type: "scripted", Name: "prompt", Count: labeled, Script: "read",
		Labels: map[string]string{"prompt": large[:label]}}))
	if _, err := n.plane.SetAdmission(t.Context(), noun.Caller{Actor: "test"}, wire.AdmissionParams{Closed: true}); err != nil {
		t.Fatal(err)
	}
	const input = 950                                          // bytes: a list has them whole
	submit, argument := kit.Less(1000, 200), kit.Less(1, 4000) // as many bytes
	specs := make([]wire.TaskSpec, submit)
	for i := range specs {
		specs[i] = wire.TaskSpec{Type: "shell", Argv: []string{"true", large[:argument]}, Input: wire.Payload{Text: large[:input]}}
	}
	submitted := read[wire.SubmitResult](t, ask(t, wire.MethodTaskSubmit, wire.SubmitParams{Tasks: specs}))

	var want []wire.AgentID
	for _, a := range append(spawned.Agents, prompts.Agents...) {
		if !a.Trimmed || a.Name == "" || a.Type == "" || a.Status != wire.StatusRunning {
			t.Fatalf("an answer names %+v", a)
		}
		want = append(want, a.ID)
	}
	agents := map[wire.AgentID]wire.Agent{}
	pages := 0
	for f := (wire.Filter{}); pages == 0 || f.After != 0; pages++ {
		page := read[wire.ListResult](t, every.next(t, wire.MethodList, f))
		for _, a := range page.Agents {
			if _, twice := agents[a.ID]; twice {
				t.Errorf("agent %s is on two pages", a.ID)
			}
			agents[a.ID] = a
		}
		if f.After = page.Next; page.Total != len(want) {
			t.Errorf("a page says that %d match, want %d", page.Total, len(want))
		}
	}
	if all := 12 + labeled; len(agents) != all || len(want) != all || pages < 4 {
		t.Errorf("%d agents on %d pages, and %d in the answers, want %d of each", len(agents), pages, len(want), all)
	}
	for i, id := range want {
		if a := agents[id]; i < 12 && (len(a.Argv) != 4 || a.Argv[3] != large) || i >= 12 && len(a.Labels["prompt"]) != label || a.Trimmed {
			t.Fatalf("agent %d is not whole: %.300v", i, a)
		}
	}
	if one := read[wire.Agent](t, ask(t, wire.MethodGet, wire.AgentParams{ID: want[0]})); one.Argv[3] != large {
		t.Error("the agent by itself has not its arguments")
	}

	tasks := map[wire.TaskID]bool{}
	pages = 0
	for f := (wire.TaskFilter{}); pages == 0 || f.After != 0; pages++ {
		page := read[wire.TaskListResult](t, every.next(t, wire.MethodTaskList, f))
		for _, x := range page.Tasks {
			if tasks[x.ID] || len(x.Input.Text) != input || len(x.Argv) != 2 || len(x.Argv[1]) != argument {
				t.Fatalf("task %s is on two pages, or not whole", x.ID)
			}
			tasks[x.ID] = true
		}
		f.After = page.Next
	}
	if len(tasks) != submit || pages < 3 {
		t.Errorf("%d tasks on %d pages, want %d on three or more", len(tasks), pages, submit)
	}
	for _, x := range submitted.Tasks {
		if !tasks[x.ID] || !x.Trimmed || x.Input.Size != input {
			t.Fatalf("the answer names %+v", x)
		}
	}
}

// The clients read a list to its end, however many pages that takes.
func TestAClientListsMoreAgentsThanAPageHolds(t *testing.T) {
	t.Parallel()
	n := start(t)
	half, label := kit.Less(600, 75), kit.Less(0, 4000) // bytes: a page has 1000 agents at most, or 512 KiB
	for range 2 {
		if _, err := n.plane.Spawn(t.Context(), noun.Caller{Actor: "test"}, wire.SpawnParams{Type: "scripted", Script: "read", Count: half,
			Labels: map[string]string{"l": strings.Repeat("x", label)}}); err != nil {
			t.Fatal(err)
		}
	}
	all, limit := 2*half, 2*half-20
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		c := n.dialed(t, tr)
		res, err := c.List(t.Context(), wire.Filter{})
		if err != nil || len(res.Agents) != all || res.Total != all || res.Next != 0 {
			t.Fatalf("%d agents of %d, %v", len(res.Agents), res.Total, err)
		}
		if !slices.IsSortedFunc(res.Agents, func(a, b wire.Agent) int { return int(b.Num) - int(a.Num) }) {
			t.Error("the newest are not first")
		}
		some, err := c.List(t.Context(), wire.Filter{Limit: limit, After: res.Agents[9].Num})
		if err != nil || len(some.Agents) != limit || some.Agents[0].ID != res.Agents[10].ID || some.Next != res.Agents[9+limit].Num {
			t.Errorf("%d agents behind the tenth, and then behind %d: %v", len(some.Agents), some.Next, err)
		}
		stopped, err := c.Stop(t.Context(), wire.StopParams{IDs: ids(res.Agents[:10])})
		if err != nil || len(stopped.Reports) != 10 {
			t.Errorf("%+v, %v", stopped, err)
		}
	})
}

func ids(agents []wire.Agent) (ids []wire.AgentID) {
	for _, a := range agents {
		ids = append(ids, a.ID)
	}
	return ids
}

// Messages that the server sends by itself fit the limit, however large records and outputs are.
func TestLanesOfLargeRecordsFitAMessage(t *testing.T) {
	t.Parallel()
	n := start(t)
	by := noun.Caller{Actor: "test"}
	large := strings.Repeat("x", 120_000)
	if _, err := n.plane.Spawn(t.Context(), by, wire.SpawnParams{Type: "scripted", Script: "read", Count: 12, Labels: map[string]string{"large": large}}); err != nil {
		t.Fatal(err)
	}
	const printed = 1_500_000
	noisy := n.shell(t, fmt.Sprintf(`cat >/dev/null; head -c %d /dev/zero | tr '\0' '"'`, printed))
	typed := strings.Repeat("\x01", wire.MaxInput) // six times as long in JSON
	if err := n.plane.Input(t.Context(), "test", wire.InputParams{ID: noisy.ID, Text: typed, EOF: true}); err != nil {
		t.Fatal(err)
	}
	kit.Eventually(t, "the agent has ended", func() bool { a, err := n.plane.Get(noisy.ID); return err == nil && a.Status == wire.StatusExited })
	typist, escapes := n.shell(t, "cat >/dev/null"), strings.Repeat("\x1b", 30_000) // each stays a text, six times as long in JSON
	for range 10 {
		if err := n.plane.Input(t.Context(), "test", wire.InputParams{ID: typist.ID, Text: escapes}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := n.plane.SetAdmission(t.Context(), by, wire.AdmissionParams{Closed: true, Reason: large}); err != nil {
		t.Fatal(err)
	}
	specs := make([]wire.TaskSpec, 40)
	for i := range specs {
		specs[i] = wire.TaskSpec{Type: "shell", Argv: []string{"true", large[:60_000]}}
	}
	if _, err := n.plane.Tasks.Submit(t.Context(), by, wire.SubmitParams{Tasks: specs}); err != nil {
		t.Fatal(err)
	}
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		p := n.join(t, tr, withStatus)
		known := watch(t, p).known
		whole := 0
		for _, a := range known {
			if a.Labels["large"] == large {
				whole++
			}
		}
		if len(known) != 14 || whole != 12 {
			t.Errorf("the snapshot has %d agents, %d of them large", len(known), whole)
		}
		s, _ := p.attach(t, wire.Header{Agent: noisy.ID})
		events, _ := s.events(t)
		input := ""
		for _, e := range events {
			if e.Type == wire.EventInput {
				input += string(e.Data.Bytes())
			}
		}
		if out := output(events); len(out) != printed || input != typed {
			t.Errorf("%d bytes of output and %d of input, want %d and %d", len(out), len(input), printed, len(typed))
		}
		s, _ = p.attach(t, wire.Header{Agent: typist.ID, Follow: true})
		for typed := 0; typed < 10; {
			var part wire.Events
			s.note(t, wire.NoteEvents, &part)
			for _, e := range part.Events {
				if string(e.Data.Bytes()) == escapes {
					typed++
				}
			}
		}
		tasks := open(t, p, `{"lane":"task"}`, request("1", wire.MethodTaskWatch, wire.TaskWatchParams{}))
		got := 0
		for more := true; more; {
			var u wire.TaskUpdate
			tasks.note(t, wire.NoteTasks, &u)
			got, more = got+len(u.Tasks), u.More
		}
		if got != len(specs) {
			t.Errorf("the watch has %d tasks, want %d", got, len(specs))
		}
	})
}

// A request is bounded so that the record that it creates fits a message.
func TestRecordsThatWouldNotFitAreRefused(t *testing.T) {
	t.Parallel()
	n := start(t)
	p := n.join(t, wire.WebSocket)
	large := strings.Repeat("x", 120_000)
	isError(t, p.call(t, "1", wire.MethodSpawn, wire.SpawnParams{Type: "shell", Argv: []string{"true", large, large, large, large}}), wire.CodeTooLarge, "argv")
	isError(t, p.call(t, "2", wire.MethodSpawn, wire.SpawnParams{Type: "scripted", Labels: map[string]string{"l": strings.Repeat(`"`, 250_000)}}), wire.CodeTooLarge, "argv")
	if m := p.call(t, "3", wire.MethodGet, wire.AgentParams{ID: wire.AgentID(strings.Repeat("\u2028", 150_000))}); m.Error == nil || m.Error.Code != wire.CodeNotFound || len(m.Error.Message) > wire.MaxErrorMessage {
		t.Errorf("an id that is no id is answered with %.200v", m.Error)
	}
	tasks := open(t, p, `{"lane":"task"}`, request("4", wire.MethodTaskSubmit, wire.SubmitParams{Tasks: []wire.TaskSpec{{Type: "shell", Argv: []string{"true", large, large, large, large}}}}))
	isError(t, tasks.answerTo(t, "4"), wire.CodeTooLarge, "argv")
	if agents, all := n.plane.List(wire.Filter{}).Total, n.plane.Tasks.List(wire.TaskFilter{}).Total; agents+all != 0 {
		t.Errorf("%d agents and %d tasks are there, want none", agents, all)
	}
}
