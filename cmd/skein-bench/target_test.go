package main

import (
	"testing"

	"skein.dev/skein/webtransport/client"
)

func TestTargetsAreDecided(t *testing.T) {
	t.Parallel()
	const yes, no, open = "yes", "no", "open"
	line := func(name, transport string, p99, value, ratio float64) result {
		return result{Case: name, Transport: transport, P99: p99, Value: value, Ratio: ratio}
	}
	for name, c := range map[string]struct {
		lines []result // the first is looked at
		want  string
	}{
		"p99 at the limit":       {[]result{line(caseCritical, client.WebTransport, 35, 0, 0)}, yes},
		"p99 above it":           {[]result{line(caseCritical, client.WebTransport, 35.1, 0, 0)}, no},
		"a rate":                 {[]result{line("memory store, pipelined", client.WebSocket, 0, 201, 0)}, yes},
		"a rate that is too low": {[]result{line("memory store, pipelined", client.WebSocket, 0, 200, 0)}, no},
		"within 1.2":             {[]result{line(caseBulk, client.WebTransport, 0, 0, 0.84)}, yes},
		"slower than that":       {[]result{line(caseBulk, client.WebTransport, 0, 0, 0.83)}, no},
		"an echo within 1.2":     {[]result{line(caseEcho, client.WebTransport, 0, 0, 1.2)}, yes},
		"an echo beyond":         {[]result{line(caseEcho, client.WebTransport, 0, 0, 1.21)}, no},
		"that it ran":            {[]result{line("status of 2,000 agents, age when seen", client.WebTransport, 100, 0, 0)}, yes},
		"no target":              {[]result{line("echo round trip", client.WebTransport, 100, 0, 0)}, open},
		"a peer has none":        {[]result{line(caseOneStream, "webtransport-go", 0, 3, 0)}, open},
		"better than all": {[]result{line(caseBursts, client.WebTransport, 60, 0, 0), line(caseBursts, "http/2", 61, 0, 0),
			line(caseBursts, client.WebSocket, 50, 0, 0)}, yes},
		"better than some": {[]result{line(caseBursts, client.WebTransport, 60, 0, 0), line(caseBursts, "http/2", 61, 0, 0),
			line(caseBursts, "centrifuge", 60, 0, 0)}, no},
		"nobody to compare with": {[]result{line(caseBursts, client.WebTransport, 60, 0, 0)}, open},
	} {
		t.Run(name, func(t *testing.T) {
			decideTargets(c.lines)
			got := open
			if met := c.lines[0].Met; met != nil && *met {
				got = yes
			} else if met != nil {
				got = no
			}
			if got != c.want {
				t.Errorf("%s, want %s; target %q", got, c.want, c.lines[0].Target)
			}
		})
	}
}

func TestEveryTargetHasItsCase(t *testing.T) {
	t.Parallel()
	cases := map[string]bool{"answers without error beside them": true, caseFirstTen: true} // further lines of some
	for _, c := range benchCases {
		cases[c.name] = true
	}
	for name := range benchTargets {
		if !cases[name] {
			t.Errorf("no case is named %q", name)
		}
	}
	for name := range benchNotes {
		if !cases[name] {
			t.Errorf("no case is named %q", name)
		}
	}
}
