package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const (
	progressInterval = 100 * time.Millisecond
	// rateMemory is how far back the rate that is shown looks.
	rateMemory = 3 * time.Second
	barWidth   = 20
)

// progress shows on a terminal how far a transfer is. It is for one goroutine.
type progress struct {
	w      io.Writer // nil: there is nobody to show it to
	width  func() int
	name   string
	phase  string
	shown  time.Time
	points []point // of the last rateMemory, oldest first
	drawn  bool
}

// point is how far it was at a moment.
type point struct {
	at  time.Time
	now int64
}

// progress makes one: silent where standard error is no terminal, and with --json.
func (g *global) progress(cmd *cobra.Command, name string) *progress {
	p := &progress{name: name, width: terminalWidth}
	if f, ok := cmd.ErrOrStderr().(*os.File); ok && isTerminal(f) && !g.json {
		p.w = f
	}
	return p
}

// begin starts a phase, whose rate is its own.
func (p *progress) begin(phase string) { p.phase, p.points = phase, nil }

func (p *progress) show(now, total int64) { p.showAt(time.Now(), now, total) }

func (p *progress) showAt(at time.Time, now, total int64) {
	if p.w == nil {
		return
	}
	if n := len(p.points); n > 0 && now < p.points[n-1].now { // bytes were lost on the way, and go again
		p.points = nil
	}
	p.points = append(p.points, point{at, now})
	for len(p.points) > 2 && at.Sub(p.points[0].at) > rateMemory {
		p.points = p.points[1:]
	}
	if at.Sub(p.shown) < progressInterval && now < total {
		p.points = p.points[:len(p.points)-1]
		return
	}
	p.shown, p.drawn = at, true
	fmt.Fprint(p.w, "\r\x1b[K"+p.line(now, total))
}

// line is what is shown, cut to the terminal's width.
func (p *progress) line(now, total int64) string {
	percent := int64(100)
	if total > 0 {
		percent = now * 100 / total
	}
	tail := fmt.Sprintf(" %3d%%  %s of %s", percent, bytesWord(now), bytesWord(total))
	if rate := p.rate(); rate > 0 {
		tail += fmt.Sprintf("  %s/s", bytesWord(int64(rate)))
		if left := float64(total-now) / rate; left >= 1 {
			tail += "  " + timeLeft(time.Duration(left*float64(time.Second))) + " left"
		}
	}
	if now == total && p.phase == "sending" {
		tail += "  being stored"
	}
	width := p.width() - 1
	bar := ""
	if width >= len(tail)+barWidth+20 {
		full := int(percent * barWidth / 100)
		bar = " [" + strings.Repeat("#", full) + strings.Repeat(".", barWidth-full) + "]"
	}
	head := shorten(p.name, max(8, width-len(tail)-len(bar)-len(p.phase)-1)) + " " + p.phase
	return shorten(head+bar+tail, width)
}

// rate is bytes a second of late; 0: it is not known yet.
func (p *progress) rate() float64 {
	if len(p.points) < 2 {
		return 0
	}
	first, last := p.points[0], p.points[len(p.points)-1]
	if took := last.at.Sub(first.at).Seconds(); took > 0 {
		return float64(last.now-first.now) / took
	}
	return 0
}

// done takes the line away.
func (p *progress) done() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.drawn = false
	}
}

// reader shows how far a file was read.
func (p *progress) reader(r io.Reader, total int64) io.Reader { return &countingReader{p, r, 0, total} }

type countingReader struct {
	p          *progress
	r          io.Reader
	now, total int64
}

func (r *countingReader) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	r.now += int64(n)
	r.p.show(r.now, r.total)
	return n, err
}

// timeLeft writes a time that is left: 0:07, 12:34, 1:02:03.
func timeLeft(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
