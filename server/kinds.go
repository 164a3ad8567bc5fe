package server

import (
	"maps"
	"slices"
	"strings"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/server/runner/acp"
	"skein.dev/skein/server/runner/model"
	"skein.dev/skein/server/runner/process"
	"skein.dev/skein/server/runner/remote"
	"skein.dev/skein/server/runner/scripted"
	"skein.dev/skein/webtransport/wire"
)

// kinds are the kinds of agents that a server runs. A new one is a folder of server/runner, and a line here.
var kinds = map[wire.Kind]struct {
	runner.Capabilities
	of func(*process.Kind) runner.Kind
}{
	wire.KindExec:     {process.Capabilities, func(p *process.Kind) runner.Kind { return p }},
	wire.KindACP:      {acp.Over(process.Capabilities), func(p *process.Kind) runner.Kind { return acp.New(p) }},
	wire.KindOpenAI:   {acp.Over(model.Capabilities), func(p *process.Kind) runner.Kind { return acp.New(model.New(p, model.Options{})) }},
	wire.KindRemote:   {remote.Capabilities, func(*process.Kind) runner.Kind { return &remote.Kind{} }},
	wire.KindScripted: {scripted.Capabilities, func(*process.Kind) runner.Kind { return &scripted.Kind{} }},
}

// allKinds gives a kind of each, of which exec is procs.
func allKinds(procs *process.Kind) map[wire.Kind]runner.Kind {
	all := map[wire.Kind]runner.Kind{}
	for name, k := range kinds {
		all[name] = k.of(procs)
	}
	return all
}

// kindsThat names the kinds of which something is true.
func kindsThat(can func(runner.Capabilities) bool) string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		if can(kinds[name].Capabilities) {
			names = append(names, string(name))
		}
	}
	return strings.Join(names, ", ")
}
