package server

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/webtransport/wire"
)

// On a full disk, new work is refused with a clear error, running work waits or ends properly, and when there is space
// again everything continues and nothing was lost.
func TestAFullDisk(t *testing.T) {
	dir := kit.TmpFS(t, "192m")
	n := start(t, func(o *Options) { o.DataDir = filepath.Join(dir, "data") })
	p := n.join(t, wire.WebTransport)
	printer := n.shell(t, "while read line; do echo got $line; done")
	at, _ := p.attach(t, wire.Header{Agent: printer.ID, Follow: true})
	tasks := open(t, p, `{"lane":"task"}`)
	ask := func(s *stream, id, method string, params any) *wire.Message {
		t.Helper()
		s.say(t, request(id, method, params))
		return s.answerTo(t, id)
	}
	slow := result[wire.SubmitResult](t, ask(tasks, "1", wire.MethodTaskSubmit, wire.SubmitParams{Tasks: []wire.TaskSpec{{Type: "shell",
		Argv: []string{"sh", "-c", "while [ ! -e " + dir + "/go ]; do sleep 0.05; done; echo done"}}}})).Tasks[0]

	free := kit.Fill(t, dir, 8<<20) // less than the store's reserve
	kit.Eventually(t, "the store knows that the disk is full", func() bool { return n.ask(t, "GET", n.addrs.HTTP+"/readyz").StatusCode == 503 })
	for id, c := range map[string]struct {
		s      *stream
		method string
		params any
	}{
		"10": {p.ctrl, wire.MethodSpawn, wire.SpawnParams{Type: "scripted"}},
		"11": {tasks, wire.MethodTaskSubmit, wire.SubmitParams{Tasks: []wire.TaskSpec{{Type: "worker"}}}},
		"12": {open(t, p, `{"lane":"memory"}`), wire.MethodMemoryStore, wire.MemoryStoreParams{Namespace: "n", Key: "k", Value: wire.Payload{Text: "v"}}},
	} {
		if m := ask(c.s, id, c.method, c.params); m.Error == nil || m.Error.Code != wire.CodeUnavailable || !strings.Contains(m.Error.Message, "disk") || !strings.Contains(m.Error.Message, "full") {
			t.Errorf("%s on a full disk: %+v, %s", c.method, m.Error, m.Result)
		}
	}
	if a := n.ask(t, "GET", n.addrs.HTTP+"/readyz"); a.StatusCode != 503 {
		t.Errorf("/readyz says %s: %s", a.Status, a.body)
	}
	if err := n.plane.Input(t.Context(), "test", wire.InputParams{ID: printer.ID, Text: "one\n"}); err != nil {
		t.Errorf("an input: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond) // so that what must not happen has time to happen
	if a, _ := n.plane.Get(printer.ID); a.LastLine != "" {
		t.Errorf("output was stored on a full disk: %q", a.LastLine)
	}

	free()
	var seen strings.Builder
	for !strings.Contains(seen.String(), "got one") {
		m := at.until(t, func(m *wire.Message) bool { return m.Method == wire.NoteEvents })
		var ev wire.Events
		if err := json.Unmarshal(m.Params, &ev); err != nil {
			t.Fatal(err)
		}
		seen.WriteString(output(ev.Events))
	}
	kit.Until(t, "the task that ran is kept", func() wire.Task {
		rec, err := n.plane.Tasks.Get(slow.ID)
		if err != nil {
			t.Fatal(err)
		}
		return rec
	}, func(rec wire.Task) bool { return rec.State == wire.TaskCompleted && rec.Result.Text == "done\n" })
	if m := ask(tasks, "21", wire.MethodTaskSubmit, wire.SubmitParams{Tasks: []wire.TaskSpec{{Type: "worker"}}}); m.Error != nil {
		t.Errorf("with space again: %v", m.Error)
	}
	if m := ask(p.ctrl, "22", wire.MethodSpawn, wire.SpawnParams{Type: "scripted"}); m.Error != nil {
		t.Errorf("with space again: %v", m.Error)
	}
}
