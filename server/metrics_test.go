package server

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/webtransport/wire"
)

var sample = regexp.MustCompile(`(?m)^([a-z_]+(?:\{[^}]*\})?) (\S+)$`)

// metrics reads every series of a server.
func series(t *testing.T, n *node) map[string]float64 {
	t.Helper()
	all := map[string]float64{}
	for _, m := range sample.FindAllStringSubmatch(n.ask(t, "GET", "/metrics", bearer(n.token)).body, -1) {
		v, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			t.Fatalf("%s: %v", m[0], err)
		}
		all[m[1]] = v
	}
	return all
}

func metric(t *testing.T, n *node, name string) float64 {
	t.Helper()
	v, ok := series(t, n)[name]
	if !ok {
		t.Fatalf("there is no %s", name)
	}
	return v
}

func TestMetricsCountSessionsAndStreams(t *testing.T) {
	t.Parallel()
	n := start(t)
	is := func(name string, want float64) {
		t.Helper()
		kit.Eventually(t, fmt.Sprintf("%s is %v", name, want), func() bool { return metric(t, n, name) == want })
	}
	is(`skein_sessions{transport="webtransport"}`, 0)
	is(`skein_sessions{transport="websocket"}`, 0)
	a := n.script(t, "read")
	var all []*peer
	for i, tr := range []wire.Transport{wire.WebTransport, wire.WebSocket, wire.WebSocket} {
		p := n.join(t, tr)
		p.attach(t, wire.Header{Agent: a.ID, Follow: true})
		all = append(all, p)
		is("skein_streams", float64(2*(i+1)))
	}
	is(`skein_sessions{transport="webtransport"}`, 1)
	is(`skein_sessions{transport="websocket"}`, 2)
	all[0].Close(0, "")
	is(`skein_sessions{transport="webtransport"}`, 0)
	is("skein_streams", 4)
	all[1].Close(0, "")
	all[2].Close(0, "")
	is(`skein_sessions{transport="websocket"}`, 0)
	is("skein_streams", 0)
}

func TestMetricsCountWork(t *testing.T) {
	t.Parallel()
	n := start(t)
	p := n.join(t, wire.WebSocket, withStatus)
	spawned := result[wire.SpawnResult](t, p.call(t, "1", wire.MethodSpawn, wire.SpawnParams{Type: "scripted", Count: 3, Script: "read"}))
	p.call(t, "2", wire.MethodSpawn, wire.SpawnParams{Type: "shell", Argv: []string{"true"}})
	isError(t, p.call(t, "3", wire.MethodSpawn, wire.SpawnParams{Type: "shell", Argv: []string{"/does/not/exist"}}), wire.CodeSpawnFailed, "argv")
	p.call(t, "4", wire.MethodGet, wire.AgentParams{ID: "anope"})
	p.call(t, "5", wire.MethodStop, wire.StopParams{IDs: []wire.AgentID{spawned.Agents[0].ID}})
	for i := range 50 {
		p.call(t, fmt.Sprint(100+i), fmt.Sprintf("method.%d", i), nil)
	}
	p.ping(t)
	kit.Eventually(t, "the metrics are as they should be", func() bool {
		all := series(t, n)
		for name, want := range map[string]float64{
			`skein_agents{status="running"}`:                               2,
			`skein_agents{status="exited"}`:                                3,
			`skein_agents{status="lost"}`:                                  0,
			`skein_spawn_seconds_count{kind="scripted",outcome="started"}`: 3,
			`skein_spawn_seconds_count{kind="exec",outcome="started"}`:     1,
			`skein_spawn_seconds_count{kind="exec",outcome="failed"}`:      1,
			`skein_rpcs_total{code="ok",method="agent.spawn"}`:             2,
			`skein_rpcs_total{code="spawn_failed",method="agent.spawn"}`:   1,
			`skein_rpcs_total{code="not_found",method="agent.get"}`:        1,
			`skein_rpcs_total{code="ok",method="agent.stop"}`:              1,
			`skein_rpcs_total{code="method_not_found",method="unknown"}`:   50,
			`skein_rpcs_total{code="ok",method="ping"}`:                    1,
			`skein_rpc_seconds_count{method="agent.spawn"}`:                3,
		} {
			if got, ok := all[name]; !ok || got != want {
				t.Logf("%s is %v, want %v", name, got, want)
				return false
			}
		}
		return all["skein_status_datagrams_total"] > 0 && all["go_goroutines"] > 0 && all["process_resident_memory_bytes"] > 0
	})
	all := series(t, n)
	for name := range all {
		if strings.Contains(name, string(spawned.Agents[0].ID)) || strings.Contains(name, "method.") || strings.Contains(name, p.welcome.Session) {
			t.Errorf("the label of %s takes any value", name)
		}
	}
	own := slices.DeleteFunc(slices.Collect(maps.Keys(all)), func(name string) bool { return !strings.HasPrefix(name, "skein_") })
	if len(own) > 300 {
		t.Errorf("%d series", len(own))
	}
}

func TestNoMetricIsNamedByAClient(t *testing.T) {
	t.Parallel()
	n := start(t)
	p := n.join(t, wire.WebSocket)
	if code, _ := open(t, p, `{"lane":"invented"}`).reset(); code != int(wire.StreamBadLane) {
		t.Errorf("the stream was reset with %d", code)
	}
	for name := range series(t, n) {
		if strings.Contains(name, "invented") {
			t.Errorf("there is %s", name)
		}
	}
}
