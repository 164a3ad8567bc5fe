package noun

import (
	"maps"
	"slices"

	"skein.dev/skein/webtransport/wire"
)

// Bounds of what agents and tasks are described with.
const (
	MaxName   = 100 // runes of an agent's name
	MaxArgs   = 1024
	MaxArg    = 128 << 10 // bytes; what Linux takes for one argument
	MaxLabels = 32
)

// ErrClosing refuses what would begin something new.
var ErrClosing = wire.Errorf(wire.CodeUnavailable, "the server is stopping: no new agents")

// CheckNames refuses a name, or labels, that are more than one line of text.
func CheckNames(name string, labels map[string]string) error {
	if err := wire.CheckNames("name", name); err != nil {
		return err
	}
	return wire.CheckNames("labels", slices.AppendSeq(slices.Sorted(maps.Keys(labels)), maps.Values(labels))...)
}

// Clip cuts what somebody says about an agent or a task.
func Clip(s string) string { return wire.Payload{Text: s}.Cut(wire.MaxProgressText).Text }
