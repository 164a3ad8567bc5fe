package schedules

import (
	"fmt"
	"strings"
	"time"

	// The zones of the system come first, as they are the newer ones. A machine without any, such as a container that has nothing
	// but this binary, gets those of Go's release: 0.4 MB, so that a schedule means the same wherever Skein runs.
	_ "time/tzdata"

	cron "github.com/netresearch/go-cron"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// parser reads expressions of five fields, and @daily and the like. As crontab(5) has it, a day matches if either of the fields for days
// does, when both are restricted. 29 February may be eight years away.
var parser = cron.MustNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor | cron.DowOrDom).WithMaxSearchYears(10)

// timing is when a schedule runs: at an instant, or by an expression in a time zone.
//
// The library finds the dates and times of an expression on a clock that is never moved. What they are in a zone whose clocks are moved
// is decided here:
//
//   - An expression for every hour follows the time that passes. It runs in both hours when clocks are set back, and nothing is made up
//     when an hour is left out.
//   - Any other expression means times of a clock. A time that the clock leaves out is run at the moment when it is moved on, once for
//     all the times left out; of a time that it shows twice, the first is run.
type timing struct {
	at     time.Time // zero: by expression
	spec   *cron.SpecSchedule
	zone   *time.Location
	hourly bool
}

const (
	allHours = 1<<24 - 1
	// star marks a field that is not restricted.
	star = 1 << 63
)

// newTiming reads an expression.
func newTiming(expression, zone string) (*timing, error) {
	loc, err := loadZone(zone)
	if err != nil {
		return nil, err
	}
	switch {
	case len(expression) > wire.MaxCron:
		return nil, noun.Bad("cron", "the expression is longer than %d bytes", wire.MaxCron)
	case strings.HasPrefix(expression, "@every"):
		return nil, noun.Bad("cron", "@every is not known here: write */15 * * * * for every 15 minutes, or 0 */2 * * * for every 2 hours")
	case strings.Contains(expression, "TZ="):
		return nil, noun.Bad("cron", "give the time zone as zone, and not in the expression")
	}
	s, err := parser.Parse(strings.TrimSpace(expression))
	if err != nil {
		return nil, noun.Bad("cron", "%s", cronError(expression, err))
	}
	spec, ok := s.(*cron.SpecSchedule)
	if !ok {
		return nil, noun.Bad("cron", "%q is no expression of five fields", expression)
	}
	spec.Location = time.UTC
	t := &timing{spec: spec, zone: loc, hourly: spec.Hour&allHours == allHours}
	if spec.Next(time.Unix(0, 0).UTC()).IsZero() {
		return nil, noun.Bad("cron", "%q never comes: no such date is in the calendar", expression)
	}
	return t, nil
}

// cronError says what is wrong with an expression.
func cronError(expression string, err error) string {
	n := len(strings.Fields(expression))
	switch {
	case n == 0:
		return "give an expression of five fields: minute, hour, day of the month, month, day of the week"
	case !strings.HasPrefix(strings.TrimSpace(expression), "@") && n != 5:
		return fmt.Sprintf("an expression has five fields: minute, hour, day of the month, month, day of the week; this one has %d", n)
	case strings.HasPrefix(strings.TrimSpace(expression), "@"):
		return fmt.Sprintf("%q is none of @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually", strings.TrimSpace(expression))
	}
	return "the expression can't be read: " + err.Error()
}

// loadZone finds a time zone.
func loadZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" || len(name) > wire.MaxCron { // time.LoadLocation takes them for UTC, and for the server's
		return nil, noun.Bad("zone", "%.40q is no time zone: give a name such as Europe/Berlin or UTC", name)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, noun.Bad("zone", "there is no time zone %.40q: give a name such as Europe/Berlin or UTC", name)
	}
	return loc, nil
}

// next returns the first run after an instant, or the zero time if there is none.
func (t *timing) next(after time.Time) time.Time {
	switch {
	case t.spec == nil && t.at.After(after):
		return t.at
	case t.spec == nil:
		return time.Time{}
	case t.hourly:
		return t.nextInstant(after)
	}
	return t.nextClock(after)
}

// nextInstant returns the first instant after one at which a clock in the zone shows a time of the expression.
func (t *timing) nextInstant(after time.Time) time.Time {
	offset, wall := t.offset(after), t.wall(after)
	for {
		_, end := after.In(t.zone).ZoneBounds()
		next := t.spec.Next(wall)
		if next.IsZero() {
			return next
		}
		if at := next.Add(-offset); end.IsZero() || at.Before(end) {
			return at
		}
		after, offset = end, t.offset(end)
		wall = t.wall(end).Add(-time.Second) // what the clock shows when it was just moved counts
	}
}

// nextClock returns the first instant after one that stands for a time of the expression.
func (t *timing) nextClock(after time.Time) time.Time {
	for wall := t.spec.Next(t.wall(after)); !wall.IsZero(); wall = t.spec.Next(wall) {
		if at := instant(wall, t.zone); at.After(after) {
			return at
		}
	}
	return time.Time{}
}

// offset is how far the clocks of the zone are ahead of UTC at an instant.
func (t *timing) offset(at time.Time) time.Duration {
	_, seconds := at.In(t.zone).Zone()
	return time.Duration(seconds) * time.Second
}

// wall is what a clock in the zone shows, as a time of UTC.
func (t *timing) wall(at time.Time) time.Time { return at.UTC().Add(t.offset(at)) }

// instant returns when a clock in a zone first shows a time, which is given as one of UTC. If it never does, because it was moved on
// meanwhile, that is when it was moved.
func instant(wall time.Time, zone *time.Location) time.Time {
	at, _ := clock(wall, zone)
	return at
}

// clock is instant. exists says whether the clock shows the time.
func clock(wall time.Time, zone *time.Location) (at time.Time, exists bool) {
	// Two days before, every change that may concern the time is still to come, even that of a whole day. (Samoa left one out.)
	for from := wall.Add(-48 * time.Hour); ; {
		here := from.In(zone)
		_, seconds := here.Zone()
		_, end := here.ZoneBounds()
		at = wall.Add(-time.Duration(seconds) * time.Second)
		switch {
		case at.Before(from): // it was left out when the clock was moved to this offset
			return from, false
		case end.IsZero() || at.Before(end):
			return at, true
		}
		from = end
	}
}

// upcoming returns the first n runs after an instant.
func (t *timing) upcoming(after time.Time, n int) (all []time.Time) {
	for len(all) < n {
		after = t.next(after)
		if after.IsZero() {
			break
		}
		all = append(all, after.UTC())
	}
	return all
}

// instants are the forms of a time of a clock, without an offset.
var instants = []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04"}

// parseAt reads an instant: as in RFC 3339, or as what a clock in the zone shows.
func parseAt(s string, zone *time.Location) (time.Time, error) {
	if len(s) > wire.MaxCron {
		return time.Time{}, noun.Bad("at", "the time is longer than %d bytes", wire.MaxCron)
	}
	at, err := time.Parse(time.RFC3339Nano, s)
	if err == nil {
		return at.UTC(), checkYear(at)
	}
	for _, form := range instants {
		wall, err := time.Parse(form, s)
		if err != nil {
			continue
		}
		at, exists := clock(wall, zone)
		if !exists {
			_, before := at.Add(-1).In(zone).Zone()
			from := at.UTC().Add(time.Duration(before) * time.Second)
			return at, noun.Bad("at", "%s does not exist in %s: clocks are moved on from %s to %s then", s, zone, from.Format("15:04"), at.In(zone).Format("15:04 MST"))
		}
		return at.UTC(), checkYear(at)
	}
	return time.Time{}, noun.Bad("at", "%.40q is no time: write 2026-12-24T18:00, which is one of the zone, or with its offset 2026-12-24T18:00:00+01:00", s)
}

// checkYear refuses what RFC 3339 can't write.
func checkYear(at time.Time) error {
	if at.Year() > 9999 || at.Year() < 1 {
		return noun.Bad("at", "the year must have four digits")
	}
	return nil
}
