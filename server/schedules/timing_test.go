package schedules

import (
	"strings"
	"testing"
	"time"

	"skein.dev/skein/webtransport/wire"
)

const stamp = "2006-01-02 15:04 -0700"

func parse(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(stamp, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestRunsOfAnExpression(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cron, zone, after string
		want              []string
	}{
		"every day":                        {"0 9 * * *", "Europe/Berlin", "2026-11-30 06:00 +0000", []string{"2026-11-30 09:00 +0100", "2026-12-01 09:00 +0100"}},
		"working days":                     {"0 9 * * 1-5", "UTC", "2026-12-04 10:00 +0000", []string{"2026-12-07 09:00 +0000", "2026-12-08 09:00 +0000"}},
		"a word":                           {"@monthly", "UTC", "2026-12-04 10:00 +0000", []string{"2027-01-01 00:00 +0000", "2027-02-01 00:00 +0000"}},
		"either field of days":             {"0 0 13 * 5", "UTC", "2026-11-30 00:00 +0000", []string{"2026-12-04 00:00 +0000", "2026-12-11 00:00 +0000", "2026-12-13 00:00 +0000"}},
		"Sunday is 7 too":                  {"0 0 * * 7", "UTC", "2026-11-30 00:00 +0000", []string{"2026-12-06 00:00 +0000"}},
		"a leap day":                       {"0 12 29 2 *", "UTC", "2026-11-30 00:00 +0000", []string{"2028-02-29 12:00 +0000", "2032-02-29 12:00 +0000"}},
		"a leap day, eight years on":       {"0 12 29 2 *", "Europe/Berlin", "2096-03-01 00:00 +0000", []string{"2104-02-29 12:00 +0100"}},
		"the last days of long months":     {"0 0 31 * *", "UTC", "2026-11-30 00:00 +0000", []string{"2026-12-31 00:00 +0000", "2027-01-31 00:00 +0000", "2027-03-31 00:00 +0000"}},
		"left out: run when it is over":    {"30 2 * * *", "Europe/Berlin", "2026-03-28 12:00 +0100", []string{"2026-03-29 03:00 +0200", "2026-03-30 02:30 +0200"}},
		"left out: once for all":           {"*/10 2 * * *", "Europe/Berlin", "2026-03-28 12:00 +0100", []string{"2026-03-29 03:00 +0200", "2026-03-30 02:00 +0200", "2026-03-30 02:10 +0200"}},
		"left out: together with the next": {"0,30 2,3 * * *", "Europe/Berlin", "2026-03-28 12:00 +0100", []string{"2026-03-29 03:00 +0200", "2026-03-29 03:30 +0200", "2026-03-30 02:00 +0200"}},
		"left out: every hour goes on":     {"30 * * * *", "Europe/Berlin", "2026-03-29 01:00 +0100", []string{"2026-03-29 01:30 +0100", "2026-03-29 03:30 +0200", "2026-03-29 04:30 +0200"}},
		"left out: on the hour":            {"0 * * * *", "Europe/Berlin", "2026-03-29 01:00 +0100", []string{"2026-03-29 03:00 +0200", "2026-03-29 04:00 +0200"}},
		"twice: the first":                 {"30 2 * * *", "Europe/Berlin", "2026-10-24 12:00 +0200", []string{"2026-10-25 02:30 +0200", "2026-10-26 02:30 +0100"}},
		"twice: not again in between":      {"30 2 * * *", "Europe/Berlin", "2026-10-25 02:10 +0100", []string{"2026-10-26 02:30 +0100"}},
		"twice: every quarter, both":       {"*/30 * * * *", "Europe/Berlin", "2026-10-25 01:45 +0200", []string{"2026-10-25 02:00 +0200", "2026-10-25 02:30 +0200", "2026-10-25 02:00 +0100", "2026-10-25 02:30 +0100", "2026-10-25 03:00 +0100"}},
		"a shift of half an hour, on":      {"15 2 * * *", "Australia/Lord_Howe", "2026-10-03 12:00 +1030", []string{"2026-10-04 02:30 +1100", "2026-10-05 02:15 +1100"}},
		"a shift of half an hour, back":    {"45 1 * * *", "Australia/Lord_Howe", "2026-04-04 12:00 +1100", []string{"2026-04-05 01:45 +1100", "2026-04-06 01:45 +1030"}},
		"no midnight":                      {"0 0 * * *", "America/Sao_Paulo", "2018-11-03 12:00 -0300", []string{"2018-11-04 01:00 -0200", "2018-11-05 00:00 -0200"}},
		"no midnight, only that day":       {"0 0 4 11 *", "America/Sao_Paulo", "2018-10-03 12:00 -0300", []string{"2018-11-04 01:00 -0200", "2019-11-04 00:00 -0300"}},
		"a day left out":                   {"0 9 * * *", "Pacific/Apia", "2011-12-29 08:00 -1000", []string{"2011-12-29 09:00 -1000", "2011-12-31 00:00 +1400", "2011-12-31 09:00 +1400"}},
		"two shifts a year, southern":      {"0 2 * * *", "America/Santiago", "2026-09-05 12:00 -0400", []string{"2026-09-06 02:00 -0300"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tm, err := newTiming(c.cron, c.zone)
			if err != nil {
				t.Fatal(err)
			}
			for i, at := range tm.upcoming(parse(t, c.after), len(c.want)) {
				if got := at.In(tm.zone).Format(stamp); got != c.want[i] {
					t.Errorf("run %d is %s, want %s", i+1, got, c.want[i])
				}
			}
		})
	}
}

// TestRunsAreLaterAndMatch walks through changes of clocks in several zones.
func TestRunsAreLaterAndMatch(t *testing.T) {
	t.Parallel()
	for zone, from := range map[string]string{"Europe/Berlin": "2026-10-20", "America/New_York": "2026-03-05", "Australia/Lord_Howe": "2026-04-01", "Africa/Casablanca": "2026-02-10", "America/Santiago": "2026-09-01"} {
		tm, err := newTiming("*/20 * * * *", zone)
		if err != nil {
			t.Fatal(err)
		}
		last := parse(t, from+" 00:00 +0000").Add(-time.Second)
		for end := last.AddDate(0, 0, 12); last.Before(end); {
			next := tm.next(last)
			shown := next.In(tm.zone)
			if !next.After(last) || shown.Minute()%20 != 0 || shown.Second() != 0 {
				t.Fatalf("%s: %s follows %s", zone, shown, last.In(tm.zone))
			}
			for at := last.Truncate(time.Minute).Add(time.Minute); at.Before(next); at = at.Add(time.Minute) {
				if at.In(tm.zone).Minute()%20 == 0 {
					t.Fatalf("%s: %s is left out", zone, at.In(tm.zone))
				}
			}
			last = next
		}
	}
}

func TestInstants(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, zone, want string }{
		"with an offset":      {"2026-12-24T18:00:00+01:00", "UTC", "2026-12-24 17:00 +0000"},
		"of the zone":         {"2026-12-24T18:00", "America/New_York", "2026-12-24 23:00 +0000"},
		"with a space":        {"2026-07-24 18:00", "America/New_York", "2026-07-24 22:00 +0000"},
		"twice: the first":    {"2026-10-25T02:30", "Europe/Berlin", "2026-10-25 00:30 +0000"},
		"twice: the other":    {"2026-10-25T02:30:00+01:00", "Europe/Berlin", "2026-10-25 01:30 +0000"},
		"it does not exist":   {"2026-03-29T02:30", "Europe/Berlin", "! does not exist in Europe/Berlin: clocks are moved on from 02:00 to 03:00 CEST"},
		"nor did that day":    {"2011-12-30T12:00", "Pacific/Apia", "! does not exist in Pacific/Apia"},
		"30 February":         {"2026-02-30T12:00", "UTC", "! is no time"},
		"words":               {"tomorrow", "UTC", "! is no time"},
		"nothing":             {"", "UTC", "! is no time"},
		"a year of no RFC":    {"0000-01-01T00:00:00Z", "UTC", "! year"},
		"longer than allowed": {strings.Repeat("1", 300), "UTC", "! longer"},
	} {
		zone, err := loadZone(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseAt(c.text, zone)
		if want, bad := strings.CutPrefix(c.want, "! "); bad {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want an error about %q", name, err, want)
			}
		} else if err != nil || got.Format(stamp) != c.want {
			t.Errorf("%s: %s (%v), want %s", name, got.Format(stamp), err, c.want)
		}
	}
}

func TestExpressionsThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ cron, zone, field, want string }{
		{"", "UTC", "cron", "five fields"},
		{"* * *", "UTC", "cron", "this one has 3"},
		{"0 9 1 * * *", "UTC", "cron", "this one has 6"},
		{"60 * * * *", "UTC", "cron", "above maximum (59)"},
		{"*/0 * * * *", "UTC", "cron", "positive"},
		{"x * * * *", "UTC", "cron", "can't be read"},
		{"0 0 30 2 *", "UTC", "cron", "never comes"},
		{"0 0 31 4,6,9,11 *", "UTC", "cron", "never comes"},
		{"@reboot", "UTC", "cron", "none of @hourly"},
		{"@every 1s", "UTC", "cron", "*/15"},
		{"TZ=UTC 0 9 * * *", "UTC", "cron", "give the time zone as zone"},
		{"0 9 * * *", "Mars/Olympus", "zone", "no time zone"},
		{"0 9 * * *", "", "zone", "no time zone"},
		{"0 9 * * *", "Local", "zone", "no time zone"},
		{"0 9 * * *", "../../etc/passwd", "zone", "no time zone"},
		{strings.Repeat("0,", 100) + "0 * * * *", "UTC", "cron", "longer than 200 bytes"},
	} {
		_, err := newTiming(c.cron, c.zone)
		if err == nil || !strings.Contains(err.Error(), c.want) || wire.AsError(err).Code != wire.CodeInvalidParams || wire.AsError(err).Data.Field != c.field {
			t.Errorf("%.40q in %q: %v, want one about %q", c.cron, c.zone, err, c.want)
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for cron, want := range map[string]string{
		"* * * * *":            "every minute",
		"*/15 * * * *":         "every 15 minutes",
		"0 * * * *":            "every hour, on the hour",
		"@hourly":              "every hour, on the hour",
		"5 * * * *":            "every hour at minute 5",
		"5,35 * * * 1-5":       "every hour at minutes 5 and 35 on Monday to Friday",
		"0 9 * * *":            "at 09:00 every day",
		"@daily":               "at 00:00 every day",
		"@weekly":              "at 00:00 on Sunday",
		"@yearly":              "at 00:00 on day 1 of the month in January",
		"0 9,17 * * 1-5":       "at 09:00 and 17:00 on Monday to Friday",
		"30 8 * * MON,WED,FRI": "at 08:30 on Monday, Wednesday and Friday",
		"0 9 * * 6,0":          "at 09:00 on Saturday and Sunday",
		"0 9 * * 5-7":          "at 09:00 on Friday to Sunday",
		"0 9 * * FRI-MON":      "at 09:00 on Monday and Friday to Sunday",
		"0 0 1,15 * *":         "at 00:00 on days 1 and 15 of the month",
		"0 0 13 * 5":           "at 00:00 on day 13 of the month and on Friday",
		"0 0 1 1,7 *":          "at 00:00 on day 1 of the month in January and July",
		"0 0 * 6-8 *":          "at 00:00 every day in June to August",
		"*/10 9-17 * * 1-5":    "every 10 minutes from 09:00 to 17:50 on Monday to Friday",
		"0 9-17 * * *":         "every hour from 09:00 to 17:00 every day",
		"* 9-17 * * *":         "every minute from 09:00 to 17:59 every day",
		"0 */2 * * *":          "every 2 hours, from 00:00 on every day",
		"7 */4 * * *":          "at 00:07, 04:07, 08:07, 12:07, 16:07 and 20:07 every day",
		"1,2,3,9 1,5 * * *":    "at minutes 1 to 3 and 9 of the hours 1 and 5 every day",
		"*/30 1,5,9,20 * * *":  "every 30 minutes of the hours 1, 5, 9 and 20 every day",
		"0 9 1-31 * 1":         "at 09:00 every day",
	} {
		tm, err := newTiming(cron, "UTC")
		if err != nil {
			t.Fatal(cron, err)
		}
		if got := tm.words(); got != want {
			t.Errorf("%s: %q, want %q", cron, got, want)
		}
	}
}

func TestTheServersZone(t *testing.T) {
	if _, err := loadZone(LocalZone()); err != nil {
		t.Error(err)
	}
	t.Setenv("TZ", ":/usr/share/zoneinfo/UTC")
	if zone := LocalZone(); !strings.HasSuffix(zone, "UTC") {
		t.Errorf("it is %q", zone)
	}
}

// FuzzExpression reads any expression, and looks at its runs.
func FuzzExpression(f *testing.F) {
	for _, s := range []string{"0 9 * * 1-5", "@daily", "*/15 * * * *", "0 0 29 2 *", "0 0 30 2 *", "22-2/2 22-2 28-3 NOV-FEB FRI-MON", "? ? ? ? ?", "0,, 9 * * *", "TZ=UTC * * * * *", "@every 1s", "1-", "-1/0 * * * *"} {
		f.Add(s, int64(1774746000))
	}
	f.Fuzz(func(t *testing.T, s string, at int64) {
		tm, err := newTiming(s, "Europe/Berlin")
		if err != nil {
			if e := wire.AsError(err); e.Code != wire.CodeInvalidParams || e.Data.Field != "cron" {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		if tm.words() == "" {
			t.Fatalf("%q has no words", s)
		}
		last := time.Unix(at%(1<<33), 0)
		for _, next := range tm.upcoming(last, 3) {
			if !next.After(last) || next.Second() != 0 {
				t.Fatalf("%q: %s follows %s", s, next, last)
			}
			last = next
		}
	})
}
