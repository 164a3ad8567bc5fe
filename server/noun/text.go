package noun

import (
	"maps"
	"slices"

	"skein.dev/skein/webtransport/wire"
)

// Bounds of the texts that describe agents and tasks.
const (
	MaxName   = 100 // runes of an agent's name
	MaxArgs   = 1024
	MaxArg    = 128 << 10 // bytes; the most that Linux accepts as one argument
	MaxLabels = 32
)

// ErrClosing is the error of requests that would start something while the server stops.
var ErrClosing = wire.Errorf(wire.CodeUnavailable, "the server is stopping: no new agents")

// CheckNames returns an error if a name or a label is more than one line of text.
func CheckNames(name string, labels map[string]string) error {
	if err := wire.CheckNames("name", name); err != nil {
		return err
	}
	return wire.CheckNames("labels", slices.AppendSeq(slices.Sorted(maps.Keys(labels)), maps.Values(labels))...)
}

// Clip shortens a text about an agent or a task.
func Clip(s string) string { return wire.Payload{Text: s}.Cut(wire.MaxProgressText).Text }
