package ui

import (
	"testing"

	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/network"
	"skein.dev/skein/webtransport/wire"
)

func TestNetworkPage(t *testing.T) {
	doc := render(t, network.Network(network.NetworkView{Frame: frame.Frame{Node: "kiln", Now: frame.StoryNow, Assets: assets}, Remote: "192.0.2.7:5000",
		Endpoints: []network.Endpoint{{Transport: wire.WebSocket, URL: "ws://kiln/ws", Over: "TCP"}}, Lanes: []wire.LaneTraffic{{Lane: wire.LaneAgent, Class: "high", Rate: 1500, MaxWriters: 4}}}))
	if got := doc.one(t, with("data-f", "remote")).text(); got != "192.0.2.7:5000" {
		t.Errorf("the browser is at %q", got)
	}
	lane := doc.one(t, with("data-lane", "agent"))
	if rate, writers := lane.one(t, with("data-f", "rate")).text(), lane.one(t, with("data-f", "writers")).text(); rate != "1.5 KB/s each" || writers != "0 of 4" {
		t.Errorf("the lane has %q, %q", rate, writers)
	}
	if !doc.one(t, with("id", "forced")).is("hidden") {
		t.Error("the line of a forced transport is there for all")
	}
	for _, b := range doc.all(has("data-use")) {
		if !b.is("disabled") {
			t.Errorf("%s does nothing without script", b.text())
		}
	}
}

func TestRateText(t *testing.T) {
	for want, rate := range map[string]int64{"unlimited": 0, "10 MB/s": 10e6, "500 KB/s": 500e3, "1.25 GB/s": 1.25e9} {
		if got := network.RateText(rate, wire.LaneBulk); got != want {
			t.Errorf("%d is %q, want %q", rate, got, want)
		}
	}
}
