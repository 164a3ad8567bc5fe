package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"skein.dev/skein/server/telemetry"
	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// Limits bound the traffic of lanes.
type Limits struct {
	Rates   map[wire.Lane]int64 // bytes a second, each way, for all of a session's lanes of this name together, but for each agent lane by itself; 0: no bound
	Writers map[wire.Class]int  // how many writes may be in progress in a session at once; 0: no bound
}

// DefaultLimits is the stream table of docs/protocol.md.
var DefaultLimits = Limits{
	Rates: map[wire.Lane]int64{wire.LaneControl: 10e6, wire.LaneHealth: 1e6, wire.LaneMemory: 50e6, wire.LaneTask: 20e6,
		wire.LaneStatus: 5e6, wire.LaneAgent: 10e6, wire.LaneTTY: 10e6, wire.LaneGlance: 10e6, wire.LaneWorker: 20e6, wire.LaneResult: 20e6, wire.LaneBulk: 100e6},
	Writers: map[wire.Class]int{wire.ClassLow: 8},
}

// classes are the names of classes in the configuration.
var classes = map[string]wire.Class{"critical": wire.ClassCritical, "high": wire.ClassHigh, "medium": wire.ClassMedium, "low": wire.ClassLow}

// SetRate sets a rate from the configuration, such as bulk: 50MB.
func (l *Limits) SetRate(lane, rate string) error {
	if !slices.Contains(wire.Lanes, wire.Lane(lane)) {
		return fmt.Errorf("there is no lane %q; allowed are %v", lane, wire.Lanes)
	}
	n, err := parseRate(rate)
	if err != nil {
		return err
	}
	if l.Rates == nil {
		l.Rates = map[wire.Lane]int64{}
	}
	l.Rates[wire.Lane(lane)] = n
	return nil
}

// SetWriters sets a bound from the configuration, such as low: 8.
func (l *Limits) SetWriters(class string, n int) error {
	c, ok := classes[class]
	if !ok {
		return fmt.Errorf("there is no class %q; allowed are %v", class, slices.Sorted(maps.Keys(classes)))
	}
	if n < 0 {
		return errors.New("must be 0 (no bound) or more")
	}
	if l.Writers == nil {
		l.Writers = map[wire.Class]int{}
	}
	l.Writers[c] = n
	return nil
}

// parseRate parses bytes a second: a number with KB, MB or GB (powers of ten), or none, which means no bound.
func parseRate(s string) (int64, error) {
	bad := fmt.Errorf("%q is not a rate; write bytes a second such as 500KB, 50MB or 1GB, or none", s)
	text := strings.ToUpper(strings.TrimSpace(s))
	if text == "NONE" {
		return 0, nil
	}
	unit := int64(1)
	for suffix, n := range map[string]int64{"KB": 1e3, "MB": 1e6, "GB": 1e9} {
		if rest, ok := strings.CutSuffix(text, suffix); ok {
			text, unit = strings.TrimSpace(rest), n
			break
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n <= 0 || n*float64(unit) > 1e12 || n*float64(unit) < 1e4 {
		return 0, bad
	}
	return int64(n * float64(unit)), nil
}

// Over returns base with the limits of l, those from the configuration, put over it.
func (l Limits) Over(base Limits) Limits {
	out := Limits{Rates: maps.Clone(base.Rates), Writers: maps.Clone(base.Writers)}
	maps.Copy(out.Rates, l.Rates)
	maps.Copy(out.Writers, l.Writers)
	return out
}

// shapers are the shapers of a session, one per lane name, made when a lane is first used.
type shapers struct {
	// static
	sess    webtransport.Session
	limits  Limits
	metrics *telemetry.Metrics

	mu    sync.Mutex
	lanes map[wire.Lane]*laneUse
	gates map[wire.Class]webtransport.Gate
}

// laneUse is the traffic of a session's lanes of one name, together.
type laneUse struct {
	// static
	gate   webtransport.Gate
	moved  func(in bool, n int, waited time.Duration)
	shaper *webtransport.Shaper // nil if each of the lanes has its own

	streams             atomic.Int64 // open now
	in, out             atomic.Uint64
	waitedIn, waitedOut atomic.Int64 // nanoseconds
}

// shape bounds a stream by the limits of its lane. The stream counts as open until closed is called.
func (sh *shapers) shape(ctx context.Context, lane wire.Lane, str webtransport.Stream) (shaped webtransport.Stream, use *laneUse) {
	use = sh.use(lane)
	use.streams.Add(1)
	s := use.shaper
	if s == nil {
		s = sh.newShaper(lane, use)
	}
	return s.Stream(ctx, str), use
}

func (u *laneUse) closed() { u.streams.Add(-1) }

// use returns the traffic and limits of a lane name in the session.
func (sh *shapers) use(lane wire.Lane) *laneUse {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if u := sh.lanes[lane]; u != nil {
		return u
	}
	class := lane.Class()
	if sh.lanes == nil {
		sh.lanes, sh.gates = map[wire.Lane]*laneUse{}, map[wire.Class]webtransport.Gate{}
	}
	gate, ok := sh.gates[class]
	if !ok {
		gate = webtransport.NewGate(sh.limits.Writers[class])
		sh.gates[class] = gate
	}
	u := &laneUse{gate: gate}
	everywhere := sh.metrics.Moved(lane)
	u.moved = func(in bool, n int, waited time.Duration) {
		everywhere(in, n, waited)
		u.count(in, n, waited)
	}
	if lane != wire.LaneAgent { // each agent lane has its own rate
		u.shaper = sh.newShaper(lane, u)
	}
	sh.lanes[lane] = u
	return u
}

func (sh *shapers) newShaper(lane wire.Lane, u *laneUse) *webtransport.Shaper {
	rate := sh.limits.Rates[lane]
	s := &webtransport.Shaper{In: webtransport.NewLimiter(rate), Out: webtransport.NewLimiter(rate), Gate: u.gate, Moved: u.moved}
	if lane.Class() == wire.ClassLow {
		s.Pacer = webtransport.NewPacer(sh.sess)
	}
	return s
}

func (u *laneUse) count(in bool, n int, waited time.Duration) {
	bytes, waits := &u.out, &u.waitedOut
	if in {
		bytes, waits = &u.in, &u.waitedIn
	}
	bytes.Add(uint64(n))
	if waited > 0 {
		waits.Add(int64(waited))
	}
}
