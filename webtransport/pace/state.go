package pace

import "fmt"

// State is what a pacer is doing. The package comment describes the states and the transitions.
type State int

const (
	Unlimited State = iota
	Drain
	Cruise
	Probe
	Dip
	Yield
)

var stateNames = [...]string{"unlimited", "drain", "cruise", "probe", "dip", "yield"}

func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return fmt.Sprintf("State(%d)", int(s))
	}
	return stateNames[s]
}
