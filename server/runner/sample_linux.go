package runner

import (
	"time"

	"skein.dev/skein/webtransport/wire"
)

const (
	idleCPU = 0.01 // cores; under this, a silent agent is idle
	busyCPU = 0.10 // cores; from this on, an idle agent runs, even silently. Between the two, it stays what it is
)

// sample looks at /proc once an interval for all agents together. While there is no agent, it sleeps.
func (r *Processes) sample() {
	for {
		select {
		case <-r.wake:
		case <-r.quit:
			return
		}
		ticker := time.NewTicker(r.interval)
		for more := true; more; {
			select {
			case <-ticker.C:
				more = r.sampleOnce(time.Now())
			case <-r.quit:
				ticker.Stop()
				return
			}
		}
		ticker.Stop()
	}
}

// sampleOnce reports whether there is anyone to sample again. An agent that starts right after leaves a token in wake.
func (r *Processes) sampleOnce(now time.Time) bool {
	r.mu.Lock()
	groups := make(map[int]*wire.Usage, len(r.live))
	agents := make([]*process, 0, len(r.live))
	for p := range r.live {
		groups[p.id.Group] = new(wire.Usage)
		agents = append(agents, p)
	}
	r.mu.Unlock()
	if len(agents) == 0 {
		return false
	}
	procs, err := scan(false)
	if err != nil {
		r.log.Warn("sample /proc", "err", err)
		return true
	}
	for _, q := range procs {
		if u := groups[q.Group]; u != nil {
			u.CPUTime += float64(q.cpu) / ticks // a zombie's too: its time was used
			if q.lives() {
				u.Processes++
				u.RSS += q.rss
			}
		}
	}
	for _, p := range agents {
		p.sampled(*groups[p.id.Group], now)
	}
	return true
}

// sampled takes a sample of the group.
func (p *process) sampled(u wire.Usage, now time.Time) {
	p.mu.Lock()
	if !open(p.verified) { // reap has the last word on usage
		p.mu.Unlock()
		return
	}
	// The time of a child that nobody waited for leaves the sum when it ends; time that was used does not come back.
	u.CPUTime = max(u.CPUTime, p.usage.CPUTime)
	if span := now.Sub(p.sampledAt).Seconds(); span > 0 {
		u.CPU = (u.CPUTime - p.usage.CPUTime) / span
	}
	p.usage, p.sampledAt = u, now
	p.mu.Unlock()

	if u.CPU >= idleCPU || p.out.busy() {
		p.lastBusy = now
	}
	lastOutput := p.out.lastOutput()
	switch {
	case u.CPU >= busyCPU:
		p.out.become(wire.ActivityRunning)
	case now.Sub(p.lastBusy) >= p.owner.idle && now.Sub(lastOutput) >= p.owner.idle && now.Sub(p.started) >= p.owner.idle:
		p.out.idle(lastOutput)
	}
}
