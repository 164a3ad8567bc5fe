#!/usr/bin/env bash
# netresearch/go-cron 0.9.1: where clocks are moved, Next differs from what the package's documentation says.
#
# doc.go, "Daylight Saving Time (DST) Handling", says that a run in a skipped hour happens right after it, that a run in a repeated hour
# happens once, and that the same rules apply to skipped midnights (São Paulo) and to shifts of 30 minutes (Lord Howe). Seen: the run at
# 02:30 happens twice in Berlin when clocks are set back; the skipped one happens 30 minutes after the change, and not at the change; the
# runs at a midnight that does not exist, and in the half hour that Lord Howe leaves out, do not happen at all. A range of days with a
# step counts Sunday twice: FRI-MON/2 has Monday, too. And steps as long as a field's range, such as */24 for hours, which crontab takes
# for "at 0", are refused.
#
# Needs: Go. Exits 0 when it is seen as recorded.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"

cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"strings"
	"time"
	_ "time/tzdata"

	cron "github.com/netresearch/go-cron"
)

func main() {
	failed := false
	for _, c := range []struct{ cron, zone, after, documented, seen string }{
		{"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", "25 02:30 CEST, 26 02:30 CET", "25 02:30 CEST, 25 02:30 CET"},
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "29 03:00 CEST, 30 02:30 CEST", "29 03:30 CEST, 30 02:30 CEST"},
		{"0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00", "04 01:00 -02, 05 00:00 -02", "05 00:00 -02, 06 00:00 -02"},
		{"15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00", "04 02:30 +11, 05 02:15 +11", "05 02:15 +11, 06 02:15 +11"},
		{"0 0 * * FRI-MON/2", "UTC", "2026-12-05T12:00", "06 00:00 UTC, 11 00:00 UTC", "06 00:00 UTC, 07 00:00 UTC"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			panic(err)
		}
		at, err := time.ParseInLocation("2006-01-02T15:04", c.after, zone)
		if err != nil {
			panic(err)
		}
		s, err := cron.ParseStandard(c.cron)
		if err != nil {
			panic(err)
		}
		s.(*cron.SpecSchedule).Location = zone
		var all []string
		for range 2 {
			at = s.Next(at)
			all = append(all, at.Format("02 15:04 MST"))
		}
		got := strings.Join(all, ", ")
		fmt.Printf("%s in %s after %s\n  documented %s\n  seen       %s\n", c.cron, c.zone, c.after, c.documented, got)
		failed = failed || got != c.seen
	}
	_, err := cron.ParseStandard("0 */24 * * *")
	fmt.Printf("0 */24 * * *: %v\n", err)
	if failed || err == nil {
		fmt.Println("it is not as recorded")
		os.Exit(1)
	}
}
GO
cat >go.mod <<'MOD'
module finding

go 1.26.0

require github.com/netresearch/go-cron v0.9.1
MOD
GOFLAGS=-mod=mod go run .
