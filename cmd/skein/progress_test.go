package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestProgressLines(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		width      int
		phase      string
		now, total int64
		rate       int64 // bytes a second
		want       string
	}{
		"in the middle":  {100, "receiving", 32 << 20, 64 << 20, 16 << 20, "model.bin receiving [##########..........]  50%  32.0 MiB of 64.0 MiB  16.0 MiB/s  0:02 left"},
		"at the start":   {100, "sending", 0, 5 << 30, 0, "model.bin sending [....................]   0%  0 B of 5.0 GiB"},
		"hours to go":    {100, "sending", 1 << 30, 50 << 30, 10 << 20, "model.bin sending [....................]   2%  1.0 GiB of 50.0 GiB  10.0 MiB/s  1:23:38 left"},
		"all sent":       {100, "sending", 64 << 20, 64 << 20, 16 << 20, "model.bin sending [####################] 100%  64.0 MiB of 64.0 MiB  16.0 MiB/s  being stored"},
		"an empty file":  {100, "receiving", 0, 0, 0, "model.bin receiving [####################] 100%  0 B of 0 B"},
		"little room":    {60, "receiving", 32 << 20, 64 << 20, 16 << 20, "model.b… receiving  50%  32.0 MiB of 64.0 MiB  16.0 MiB/s …"},
		"almost no room": {12, "receiving", 1, 2, 0, "model.b… r…"},
		"a small one":    {100, "reading", 600, 1200, 0, "model.bin reading [##########..........]  50%  600 B of 1.2 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			p := &progress{w: &out, name: "model.bin", width: func() int { return c.width }}
			p.begin(c.phase)
			at := time.Now()
			if c.rate > 0 {
				p.points = []point{{at.Add(-time.Second), c.now - c.rate}}
			}
			p.showAt(at, c.now, c.total)
			got := strings.TrimPrefix(out.String(), "\r\x1b[K")
			if n := utf8.RuneCountInString(got); got != c.want || n >= c.width && c.width > 12 {
				t.Errorf("%q (%d columns of %d)\nwant %q", got, n, c.width, c.want)
			}
		})
	}
}

func TestProgressIsShownNowAndThen(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := &progress{w: &out, name: "f", width: func() int { return 80 }}
	at := time.Now()
	for i := range int64(1000) { // a millisecond each
		p.showAt(at.Add(time.Duration(i)*time.Millisecond), i, 1000)
	}
	if n := strings.Count(out.String(), "\r"); n != 10 {
		t.Errorf("drawn %d times in a second", n)
	}
	if len(p.points) > 50 {
		t.Errorf("%d points are kept", len(p.points))
	}
	out.Reset()
	p.showAt(at.Add(time.Second), 1000, 1000)
	p.showAt(at.Add(2*time.Second), 500, 1000) // bytes were lost on the way
	if got := out.String(); !strings.Contains(got, "100%") || strings.Contains(got, "-") {
		t.Errorf("%q", got)
	}
	out.Reset()
	p.done()
	p.done()
	if out.String() != "\r\x1b[K" {
		t.Errorf("at the end: %q", out.String())
	}
	silent := &progress{name: "f"}
	silent.show(1, 2)
	silent.done()
}
