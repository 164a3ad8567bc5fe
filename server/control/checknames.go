package control

import (
	"maps"
	"slices"
	"strings"

	"skein.dev/skein/webtransport/wire"
)

// checkNames refuses a name, or labels, that are more than one line of text.
func checkNames(name string, labels map[string]string) error {
	if err := wire.CheckNames("name", name); err != nil {
		return err
	}
	return wire.CheckNames("labels", slices.AppendSeq(slices.Sorted(maps.Keys(labels)), maps.Values(labels))...)
}

// checkTaskNames is checkNames for all that a task may call itself.
func checkTaskNames(s *wire.TaskSpec) error {
	if err := checkNames(s.Name, s.Labels); err != nil {
		return err
	}
	if err := wire.CheckNames("capabilities", s.Capabilities...); err != nil {
		return err
	}
	if err := wire.CheckNames("key", s.Key); err != nil {
		return err
	}
	return wire.CheckNames("idempotency_key", s.IdempotencyKey)
}

// oneLine makes a name of what an earlier Skein may have taken for one.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if wire.Unprintable(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}
