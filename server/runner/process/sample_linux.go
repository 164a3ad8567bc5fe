package process

import (
	"os"
	"time"

	"skein.dev/skein/webtransport/wire"
)

const (
	idleCPU = 0.01 // cores; below this, a silent agent is idle
	busyCPU = 0.10 // cores; from this on, an idle agent runs even if it is silent. Between the two, nothing changes
)

// sample scans /proc at an interval for all agents together. It sleeps while there is no agent.
func (r *Kind) sample() {
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

// sampleOnce reports whether there is an agent to sample again. An agent that starts right after puts a value into wake.
func (r *Kind) sampleOnce(now time.Time) bool {
	r.mu.Lock()
	agents := make([]*process, 0, len(r.live))
	for p := range r.live {
		agents = append(agents, p)
	}
	r.mu.Unlock()
	if len(agents) == 0 {
		return false
	}
	all, err := scan(false)
	if err != nil {
		r.log.Warn("sample /proc", "err", err)
		return true
	}
	for p, s := range samplesOf(all, agents) {
		p.sampled(*s, now)
	}
	return true
}

// sample is what /proc shows of an agent.
type sample struct {
	usage     wire.Usage
	suspended bool                  // the leader is stopped by a signal, or by what it waits for
	waits     bool                  // the leader waits in the kernel
	family    map[wire.Process]bool // processes alive outside its group; nil if there are none
}

// samplesOf assigns processes to agents: their groups, what was outside of these at the last sample, and what descends
// from either.
func samplesOf(all *table, agents []*process) map[*process]*sample {
	groups, family := make(map[int]*process, len(agents)), map[wire.Process]*process{}
	samples := make(map[*process]*sample, len(agents))
	for _, p := range agents {
		groups[p.id.Group], samples[p] = p, &sample{}
		for id := range p.seen() {
			family[id] = p
		}
	}
	owner := map[int]*process{} // by pid
	for _, q := range all.kin(func(q *proc) bool {
		p := groups[q.Group]
		if p == nil {
			p = family[q.Process]
		}
		if p != nil {
			owner[q.PID] = p
		}
		return p != nil
	}, func(q *proc) bool { return q.PID == os.Getpid() }) {
		p := owner[q.PID]
		if p == nil { // parents precede their children
			p = owner[q.parent]
			owner[q.PID] = p
		}
		samples[p].add(p, q)
	}
	return samples
}

func (s *sample) add(p *process, q *proc) {
	s.usage.CPUTime += float64(q.cpu) / ticks // also of a zombie, because its time was used
	if !q.lives() {
		return
	}
	s.usage.Processes++
	s.usage.RSS += q.rss
	if q.Group != p.id.Group {
		if s.family == nil {
			s.family = map[wire.Process]bool{}
		}
		s.family[q.Process] = true
	}
	switch {
	case q.Process == p.id:
		s.suspended, s.waits = q.state == 'T', q.state == 'D'
	case q.parent == p.id.PID && q.state == 'T' && s.waits: // a shell waits until the child that it is starting executes its program (vfork)
		s.suspended = true
	}
}

// sampled records a sample.
func (p *process) sampled(s sample, now time.Time) {
	u := s.usage
	p.mu.Lock()
	if !open(p.verified) { // reap sets the final usage
		p.mu.Unlock()
		return
	}
	// The time of a child that nobody waited for is not in the sum any more when the child ends. But time that was used
	// must not decrease.
	u.CPUTime = max(u.CPUTime, p.usage.CPUTime)
	if span := now.Sub(p.sampledAt).Seconds(); span > 0 {
		u.CPU = (u.CPUTime - p.usage.CPUTime) / span
	}
	p.usage, p.sampledAt = u, now
	p.family, p.suspended = s.family, s.suspended
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
