package main

import "skein.dev/skein/webtransport/client"

// target is a figure that the design set out for a case.
type target struct {
	text string
	met  func(r result) bool // nil: a run that is no error met it
}

func p99Under(ms float64) func(result) bool    { return func(r result) bool { return r.P99 < ms } }
func p50AtMost(ms float64) func(result) bool   { return func(r result) bool { return r.P50 <= ms } }
func p99AtMost(ms float64) func(result) bool   { return func(r result) bool { return r.P99 <= ms } }
func valueOver(v float64) func(result) bool    { return func(r result) bool { return r.Value > v } }
func ratioAtLeast(v float64) func(result) bool { return func(r result) bool { return r.Ratio >= v } }
func ratioAtMost(v float64) func(result) bool  { return func(r result) bool { return r.Ratio <= v } }

// benchTargets are by case. A case whose target depends on what it measured sets its own.
var benchTargets = map[string]target{
	"warm spawn, scripted":                    {"p99 < 50", p99Under(50)},
	"warm spawn, process":                     {"p99 < 50", p99Under(50)},
	"memory retrieve":                         {"< 5,000", p99Under(5000)},
	"memory store":                            {"< 5,000", p99Under(5000)},
	"memory retrieve, pipelined":              {"> 200", valueOver(200)},
	"memory store, pipelined":                 {"> 200", valueOver(200)},
	"requests beside 500 busy agents":         {"p99 < 450", p99Under(450)},
	"answers without error beside them":       {"> 99.9", valueOver(99.9)},
	"status of 2,000 agents, age when seen":   {"2,000 agents", nil},
	caseEcho:                                  {"ratio ≤ 1.2", ratioAtMost(1.2)},
	caseBulk:                                  {"ratio ≥ 0.83", ratioAtLeast(1 / 1.2)},
	"100 agents' events, 50 ms RTT, 1 % loss": {"p99 ≤ 33", p99AtMost(33)},
	"100 agents' events, 50 ms RTT, 5 % loss": {"p99 ≤ 40", p99AtMost(40)},
	caseBursts:                                {"better than every peer", nil}, // decided by the table as a whole
	caseFirst:                                 {"p50 ≤ 60", p50AtMost(60)},
	caseFirstTen:                              {"p50 ≤ 70", p50AtMost(70)},
	caseCritical:                              {"p99 ≤ 35", p99AtMost(35)},
	caseOneStream:                             {"ratio ≥ 1", ratioAtLeast(1)},
	caseCompetition:                           {"ratio ≥ 0.95", ratioAtLeast(0.95)},
	caseTyping:                                {"p99 ≤ 70, ttyd's ≥ 4 times that, mosh's no less", nil}, // decided by the table as a whole
}

// Cases that more than the table knows by name.
const (
	caseBursts      = "100 agents' events, 50 ms RTT, 1 % in bursts"
	caseEcho        = "lossless loopback, echo"
	caseBulk        = "lossless loopback, one bulk stream"
	caseFirst       = "second spawn of a program, 50 ms RTT"
	caseFirstTen    = "the same, ten spawns at once"
	caseStop        = "emergency stop, 50 ms RTT, 5 % loss"
	caseCritical    = "critical beside 500 bulk, 20 ms RTT, 50 Mbit/s"
	caseOneStream   = "one bulk stream, 50 ms RTT, 1 % loss, 100 Mbit/s"
	caseCompetition = "competing TCP, 50 ms RTT, 10 Mbit/s"
)

// benchNotes stand below the table: what the columns of a case mean where their heads don't say it.
var benchNotes = map[string]string{
	caseEcho:        "raw bytes on a stream of webtransport.Session, and of the bare library",
	caseBulk:        "the same, one stream as fast as it may",
	caseFirst:       "from Dial to the answer: over WebTransport in the first packets, from what the program before remembered; over WebSocket cold",
	caseStop:        "an agent is asked to stop until the verified report is here; the target is 75 ms and what the same server's stops take without the link (p99), the line below it",
	caseCritical:    "a ping on the control lane; bare is the p99 of an echo beside 500 streams of webtransport-go",
	caseOneStream:   "one artifact to one client; bare is one plain TCP cubic stream of as many bytes. The congestion control of QUIC is quic-go's Reno: webtransport-go shows what it does by itself, while at such rates loss masking hides the loss from Skein's",
	caseTyping:      "from a key to the bytes that show it, one every 120 ms, the program echoes. mosh with its prediction shows keys before the program has them, where it dares to: the echo itself is the line without",
	caseCompetition: "Mbit/s of a TCP cubic stream, in turns with masking and (bare) without; the age of the events meanwhile stands below, p99 without masking in bare",
}

// decideTargets says of each line whether its target is met, where the line alone tells, or the lines of its peers.
func decideTargets(all []result) {
	for i := range all {
		r := &all[i]
		t, ok := benchTargets[r.Case]
		if !ok || !isSkein(r.Transport) {
			continue
		}
		r.Target = t.text
		met, known := true, true
		switch {
		case r.Case == caseFirst && r.Transport == client.WebSocket: // what it is compared with
			r.Target, known = "", false
		case r.Case == caseBursts:
			met, known = better(*r, all)
		case r.Case == caseTyping && r.Transport == client.WebSocket: // what it is compared with
			r.Target, known = "", false
		case r.Case == caseTyping:
			met, known = typesWell(*r, all)
		case t.met != nil:
			met = t.met(*r)
		}
		if known {
			r.Met = &met
		}
	}
}

// typesWell compares with the lines of other terminals; known: there are any.
func typesWell(r result, all []result) (met, known bool) {
	met = r.P99 <= typingBound
	for _, p := range all {
		switch {
		case p.Case != r.Case:
		case p.Transport == "ttyd", p.Transport == "websocket pty":
			known, met = true, met && p.P99 >= 4*r.P99
		case p.Transport == "mosh, no prediction":
			known, met = true, met && r.P99 <= p.P99
		}
	}
	return met && known, known
}

// better compares with the lines of the peers; known: there are any.
func better(r result, all []result) (met, known bool) {
	met = true
	for _, p := range all {
		if p.Case == r.Case && !isSkein(p.Transport) {
			known = true
			met = met && r.P99 < p.P99
		}
	}
	return met && known, known
}
