package schedules

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// words says in English when a schedule runs. It reads what the library has made of the expression, so that it says what happens.
func (t *timing) words() string {
	if t.spec == nil {
		return "once, on " + t.at.In(t.zone).Format("2 January 2006 at 15:04:05")
	}
	at, clock := t.timeWords()
	days := t.dayWords()
	if days == "" && clock {
		days = " every day"
	}
	return at + days + t.monthWords()
}

// timeWords says at which times of a day. clock says that they are times of a clock, and not a rhythm.
func (t *timing) timeWords() (s string, clock bool) {
	minutes, hours := listed(t.spec.Minute&^star, 60), listed(t.spec.Hour&^star, 24)
	every := stepOf(minutes, 60)
	switch {
	case t.hourly && every == 1:
		return "every minute", false
	case t.hourly && every > 1:
		return fmt.Sprintf("every %d minutes", every), false
	case t.hourly && len(minutes) == 1 && minutes[0] == 0:
		return "every hour, on the hour", false
	case t.hourly:
		return "every hour at " + minuteWords(minutes), false
	case len(minutes)*len(hours) <= 6:
		var times []string
		for _, h := range hours {
			for _, m := range minutes {
				times = append(times, hhmm(h, m))
			}
		}
		return "at " + list(times), true
	}
	step, first, last := stepOf(hours, 24), hours[0], hours[len(hours)-1]
	row := last-first == len(hours)-1
	switch {
	case row && every == 1:
		return fmt.Sprintf("every minute from %s to %s", hhmm(first, 0), hhmm(last, 59)), true
	case row && every > 1:
		return fmt.Sprintf("every %d minutes from %s to %s", every, hhmm(first, 0), hhmm(last, minutes[len(minutes)-1])), true
	case row && len(minutes) == 1:
		return fmt.Sprintf("every hour from %s to %s", hhmm(first, minutes[0]), hhmm(last, minutes[0])), true
	case step > 1 && len(minutes) == 1:
		return fmt.Sprintf("every %d hours, from %s on", step, hhmm(first, minutes[0])), true
	}
	at := minuteWords(minutes)
	if every == 1 {
		at = "every minute"
	} else if every > 1 {
		at = fmt.Sprintf("every %d minutes", every)
	} else {
		at = "at " + at
	}
	return at + " of the " + plural(len(hours), "hour ", "hours ") + ranges(hours, strconv.Itoa), true
}

func minuteWords(minutes []int) string {
	return plural(len(minutes), "minute ", "minutes ") + ranges(minutes, strconv.Itoa)
}

func (t *timing) dayWords() string {
	dom, dow := t.spec.Dom, t.spec.Dow
	if dow&(1<<7) != 0 { // the library leaves some Sundays as the seventh day
		dow |= 1
	}
	dates, days := listed(dom&^star, 32), listed(dow&^star&^(1<<7), 7)
	anyDate, anyDay := len(dates) == 31, len(days) == 7
	onDates := "day " + ranges(dates, strconv.Itoa)
	if len(dates) > 1 {
		onDates = "days " + ranges(dates, strconv.Itoa)
	}
	onDates += " of the month"
	onDays := ranges(weekFrom(days), func(d int) string { return time.Weekday(d % 7).String() })
	both := dom&star == 0 && dow&star == 0 // then a day matches if either does
	switch {
	case anyDate && anyDay, both && (anyDate || anyDay):
		return ""
	case anyDate:
		return " on " + onDays
	case anyDay:
		return " on " + onDates
	case both:
		return " on " + onDates + " and on " + onDays
	}
	return " on " + onDays + " that is " + onDates
}

// weekFrom puts Sunday behind Saturday, where a row of days goes on to it.
func weekFrom(days []int) []int {
	if len(days) > 1 && days[0] == 0 && days[len(days)-1] == 6 {
		return append(days[1:len(days):len(days)], 7)
	}
	return days
}

func (t *timing) monthWords() string {
	months := listed(t.spec.Month&^star, 13)
	if len(months) == 12 {
		return ""
	}
	return " in " + ranges(months, func(m int) string { return time.Month(m).String() })
}

// listed are the set bits below a number.
func listed(set uint64, below int) (all []int) {
	for set &= 1<<below - 1; set != 0; set &= set - 1 {
		all = append(all, bits.TrailingZeros64(set))
	}
	return all
}

// stepOf is n if the numbers are 0, n, 2n and so on below a limit that n divides; otherwise 0.
func stepOf(all []int, limit int) int {
	if len(all) < 2 || all[0] != 0 {
		return 0
	}
	step := all[1]
	if limit%step != 0 || len(all) != limit/step {
		return 0
	}
	for i, n := range all {
		if n != i*step {
			return 0
		}
	}
	return step
}

// ranges writes numbers, with three or more in a row as the first and the last.
func ranges(all []int, word func(int) string) string {
	var parts []string
	for i := 0; i < len(all); {
		j := i
		for j+1 < len(all) && all[j+1] == all[j]+1 {
			j++
		}
		if j-i >= 2 {
			parts = append(parts, word(all[i])+" to "+word(all[j]))
			i = j + 1
			continue
		}
		parts = append(parts, word(all[i]))
		i++
	}
	return list(parts)
}

func list(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	last := len(parts) - 1
	return strings.Join(parts[:last], ", ") + " and " + parts[last]
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func hhmm(h, m int) string { return fmt.Sprintf("%02d:%02d", h, m) }
