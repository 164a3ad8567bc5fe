package server

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// datagram sends a request as a datagram the given number of times, and returns the answer that comes as a datagram. Both
// may be lost, so it sends the request again until it is answered.
func (p *peer) datagram(t *testing.T, id, method string, params any, times int) *wire.Message {
	t.Helper()
	d, ok := wire.AppendMessageDatagram(nil, wire.DatagramRequest, []byte(request(id, method, params)))
	if !ok {
		t.Fatal("it is too long")
	}
	for range times {
		if err := p.SendDatagram(slices.Clone(d)); err != nil {
			t.Fatal(err)
		}
	}
	again := time.NewTicker(time.Second)
	defer again.Stop()
	answered := make(chan struct{})
	defer close(answered)
	go func() {
		for {
			select {
			case <-again.C:
				p.SendDatagram(slices.Clone(d))
			case <-answered:
				return
			}
		}
	}()
	for {
		b, err := p.ReceiveDatagram(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := wire.ParseMessageDatagram(b, wire.DatagramResponse); ok && string(m.ID) == id {
			return m
		}
	}
}

func TestACriticalRequestIsTakenFromADatagramAndActedOnOnce(t *testing.T) {
	n := start(t)
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		p := n.join(t, tr)
		a := n.shell(t, `while read -r l; do echo "got $l"; done`)
		input := wire.InputParams{ID: a.ID, Text: "one\n"}
		if m := p.datagram(t, `"i1"`, wire.MethodInput, input, 3); m.Error != nil {
			t.Fatal(m.Error)
		}
		if m := p.call(t, `"i1"`, wire.MethodInput, input); m.Error != nil { // on its lane, late
			t.Fatal(m.Error)
		}
		input.Text = "two\n"
		if m := p.call(t, `"i2"`, wire.MethodInput, input); m.Error != nil {
			t.Fatal(m.Error)
		}
		str, _ := p.attach(t, wire.Header{Agent: a.ID, Follow: true})
		var printed []wire.Event
		str.until(t, func(m *wire.Message) bool {
			var e wire.Events
			if m.Method == wire.NoteEvents && json.Unmarshal(m.Params, &e) == nil {
				printed = append(printed, e.Events...)
			}
			return strings.Contains(output(printed), "got two\n")
		})
		stop := p.datagram(t, `"s1"`, wire.MethodStop, wire.StopParams{IDs: []wire.AgentID{a.ID}}, 3)
		if r := result[wire.StopResult](t, stop); len(r.Reports) != 1 || r.Reports[0].Status != wire.StatusExited {
			t.Errorf("the stop is answered with %s", stop.Result)
		}
		if lane := p.call(t, `"s1"`, wire.MethodStop, wire.StopParams{IDs: []wire.AgentID{a.ID}}); string(lane.Result) != string(stop.Result) {
			t.Errorf("the lane answers %s, the datagram said %s", lane.Result, stop.Result)
		}
		events, _ := str.events(t)
		if out := output(append(printed, events...)); strings.Count(out, "got one\n") != 1 || strings.Count(out, "got two\n") != 1 {
			t.Errorf("it printed %q", out)
		}
		if left := processes(t, a.ID); len(left) > 0 {
			t.Errorf("processes are left: %q", left)
		}
	})
}

func TestDatagramsThatAreNoCriticalRequest(t *testing.T) {
	n := start(t)
	p := n.join(t, wire.WebTransport)
	for _, line := range []string{
		"", "{", request(`1`, wire.MethodSpawn, wire.SpawnParams{Type: "scripted"}), `{"jsonrpc":"2.0","method":"agent.stop","params":{"scope":"all"}}`,
		`{"jsonrpc":"2.0","id":1,"result":{}}`, strings.Repeat("x", 1050),
	} {
		for _, kind := range []byte{0, 1, wire.DatagramRequest, wire.DatagramResponse, 255} {
			if err := p.SendDatagram(append([]byte{kind}, strings.TrimSpace(line)...)); err != nil {
				t.Fatal(err)
			}
		}
	}
	m := p.datagram(t, `"nobody"`, wire.MethodStop, wire.StopParams{IDs: []wire.AgentID{"anobody"}}, 1) // after the others
	if r := result[wire.StopResult](t, m); len(r.Reports) != 1 || r.Reports[0].Error == nil {
		t.Errorf("it is answered with %s", m.Result)
	}
	if all := n.plane.List(wire.Filter{}).Agents; len(all) > 0 {
		t.Errorf("there are agents: %+v", all)
	}
	p.ping(t)
}
