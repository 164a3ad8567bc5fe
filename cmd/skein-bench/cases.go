package main

import (
	"slices"
	"time"

	"skein.dev/skein/e2e/netlab"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// benchCase is one line for each transport.
type benchCase struct {
	name, unit string
	fresh      bool // in a server that did nothing before
	run        func(b *benchRun, transport string) (result, error)
	over       []string // transports, and peers; nil: both of Skein's
}

var benchCases = []benchCase{
	{name: "echo round trip", unit: "µs", run: benchEcho},
	{name: caseEcho, unit: "µs", run: benchSessionEcho},
	{name: caseBulk, unit: "MB/s", run: benchSessionBulk},
	{name: "warm spawn, scripted", unit: "ms", run: benchSpawn(wire.SpawnParams{Type: "scripted", Script: "exit 0"}, 400)},
	{name: "warm spawn, process", unit: "ms", run: benchSpawn(wire.SpawnParams{Type: "shell", Argv: []string{"/bin/true"}}, 200)},
	{name: "batch of 100, scripted", unit: "ms", run: benchBatch},
	{name: "events from 100 agents", unit: "events/s", run: benchEvents},
	{name: "memory retrieve", unit: "µs", run: benchRetrieve},
	{name: "memory store", unit: "µs", run: benchStore},
	{name: "memory retrieve, pipelined", unit: "ops/s", run: benchPipelined(60_000, retrieveOne)},
	{name: "memory store, pipelined", unit: "ops/s", run: benchPipelined(6_000, storeOne)},
	{name: "tasks through 1 agent", unit: "tasks/s", run: benchTasks(1, 1000)},
	{name: "tasks through 10 agents", unit: "tasks/s", run: benchTasks(10, 3000)},
	{name: "tasks through 100 agents", unit: "tasks/s", run: benchTasks(100, 3000)},
	{name: "fan-out of 1,000", unit: "ms", run: benchFanOut},
	{name: "emergency stop of 500 processes", unit: "ms", run: benchEmergency},
	{name: "requests beside 500 busy agents", unit: "ms", run: benchBusy},
	{name: "status of 2,000 agents, age when seen", unit: "ms", run: benchFleet},
	{name: "a session that is shown 500 agents, server CPU", unit: "1/1000 core", run: benchWatchers},
	{name: "upload of 64 MiB", unit: "MB/s", run: benchUpload},
	{name: "download of 64 MiB", unit: "MB/s", run: benchDownload},
	{name: "critical beside 500 bulk streams", unit: "ms", fresh: true, run: benchCritical},
	{name: "100 agents' events, 50 ms RTT, 1 % loss", unit: "ms", run: lossy(netlab.Conditions{Delay: rtt50, Rate: 20e6, Queue: 250_000, Loss: 0.01}), over: withPeers},
	{name: "100 agents' events, 50 ms RTT, 5 % loss", unit: "ms", run: lossy(netlab.Conditions{Delay: rtt50, Rate: 20e6, Queue: 250_000, Loss: 0.05}), over: withPeers},
	{name: caseBursts, unit: "ms", run: lossy(netlab.Conditions{Delay: rtt50, Rate: 20e6, Queue: 250_000, Burst: netlab.Burst{Loss: 0.01, Mean: 20 * time.Millisecond}}), over: withPeers},
	{name: caseFirst, unit: "ms", run: benchFirst},
	{name: caseStop, unit: "ms", run: benchStopLossy},
	{name: caseTyping, unit: "ms", run: benchTyping, over: slices.Concat(skeinTransports, terminals)},
	{name: caseCritical, unit: "ms", run: benchCriticalLab},
	{name: caseOneStream, unit: "Mbit/s", run: benchOneStream, over: append(slices.Clone(skeinTransports), bareWebTransport.name)},
	{name: caseCompetition, unit: "Mbit/s", run: benchCompetition, over: []string{client.WebTransport}},
	{name: "RSS of an idle session", unit: "KiB", fresh: true, run: benchSessions},
	{name: "RSS of an idle stream", unit: "KiB", fresh: true, run: benchStreams},
}

func (c benchCase) transports() []string {
	if c.over == nil {
		return skeinTransports
	}
	return c.over
}
