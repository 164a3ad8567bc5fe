package session

import (
	"slices"
	"testing"

	"skein.dev/skein/webtransport/wire"
)

func TestNetworkTellsOfGates(t *testing.T) {
	t.Parallel()
	e, _ := serve(t, Config{Limits: Limits{Writers: map[wire.Class]int{wire.ClassLow: 3}}})
	e.each(func(c *conn) {
		c.shapers.use(wire.LaneBulk).gate <- struct{}{}
		lanes := c.network().Lanes
		l := lanes[slices.IndexFunc(lanes, func(l wire.LaneTraffic) bool { return l.Lane == wire.LaneBulk })]
		if l.Writers != 1 || l.MaxWriters != 3 || l.Class != "low" {
			t.Errorf("with one writer: %+v", l)
		}
	})
}
