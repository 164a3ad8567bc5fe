package pace

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"sort"
	"time"

	"golang.org/x/time/rate"
)

const (
	mbit       = 1e6 / 8
	packet     = 2840 // bytes of what one acknowledgement is for: two packets, with headers
	perChunk   = Chunk/packet + 1
	simWriters = 16 // write as much as they may,
	simGate    = 8  // of whom so many have a chunk in the carrier at once
)

// simPath is a link with a queue. Nothing gets lost, and the congestion control has come to rest, unless the queue is limited.
type simPath struct {
	rate   float64                    // bytes a second
	base   time.Duration              // least round trip
	window int                        // bytes under way, at most; 0: any number
	queue  time.Duration              // that the link has, at most; what comes when it is full gets lost. 0: any
	rival  bool                       // a bulk transfer of somebody else's shares the link
	send   float64                    // bytes a second that the carrier sends at most; 0: twice the link's rate
	others func(s *sim) time.Duration // what others add to the round trip; nil: nothing
}

// sim is writers that write to a path through a pacer. One thread runs it, in a time of its own that begins at 0, and its
// noise comes from a seed, so that each run is the same. What it does for each packet the race detector does not watch,
// as that would take most of the time.
type sim struct {
	path   simPath
	pacer  *Pacer // nil: nothing limits the writers
	now    time.Duration
	random *rand.Rand

	idle    int             // writers that are about to write their next chunk
	waiting []time.Duration // since when, of the writers in the pacer, the first of whom has its turn
	turn    time.Duration   // when that one may go on; never: there is none
	gated   int             // writers before the gate
	writing []int           // packets that are left of each chunk in the carrier, which takes one of each in turn
	free    time.Duration   // when the link has sent what is queued
	acks    []ack           // that are yet to arrive, in order
	ours    flow
	rivals  flow
	rtt     time.Duration // smoothed
	sent    uint64        // bytes

	once    bool          // a writer that has written its chunk writes no other
	longest time.Duration // queue
}

const never = time.Duration(1<<63 - 1)

var simStart = time.Unix(1e9, 0)

func newSim(p simPath, seed uint64) *sim {
	s := &sim{path: p, random: rand.New(rand.NewPCG(seed, 0)), idle: simWriters, turn: never}
	s.ours, s.rivals = newFlow(), newFlow()
	if p.queue == 0 {
		s.ours.fixed, s.ours.window = true, float64(cmp.Or(p.window, 1<<40))
	}
	s.pacer = New(func() Path { return Path{RTT: s.rtt, MinRTT: s.path.base, Sent: s.sent} })
	return s
}

// run lets time pass, and gives the longest queue and what was sent, as a share of what the link carries.
func (s *sim) run(d time.Duration) (longest time.Duration, share float64) {
	end, sent := s.now+d, s.sent
	s.longest = 0
	for s.write(); s.step(end); s.write() {
	}
	s.now = end
	return s.longest, float64(s.sent-sent) / (s.path.rate * d.Seconds())
}

// limited lets time pass, and gives the longest time that there was a limit.
func (s *sim) limited(d time.Duration) (longest time.Duration) {
	since := s.now
	for end := s.now + d; s.now < end; {
		s.run(10 * time.Millisecond)
		if s.pacer == nil || s.pacer.limiter.Limit() == rate.Inf {
			since = s.now
		}
		longest = max(longest, s.now-since)
	}
	return longest
}

// step has the next thing happen: an acknowledgement arrives, a packet is sent, or a writer's wait for the pacer ends.
//
//go:norace
func (s *sim) step(end time.Duration) (happened bool) {
	arrival, sending, rival := never, never, never
	if len(s.acks) > 0 {
		arrival = s.acks[0].at
	}
	if len(s.writing) > 0 && !s.ours.full() {
		sending = max(s.now, s.ours.next+s.gap())
	}
	if s.path.rival && !s.rivals.full() {
		rival = max(s.now, s.rivals.next+s.gap())
	}
	at := min(arrival, sending, rival, s.turn)
	if at > end {
		return false
	}
	s.now = at
	switch at {
	case arrival:
		s.arrive()
	case sending:
		s.send()
	case rival:
		s.transmit(&s.rivals)
	default:
		s.goOn()
	}
	return true
}

// write has each idle writer ask for its next chunk, as [Pacer.Wait] does.
//
//go:norace
func (s *sim) write() {
	for ; s.idle > 0; s.idle-- {
		if s.pacer != nil {
			s.pacer.sample(simStart.Add(s.now))
		}
		if s.pacer == nil || s.pacer.limiter.Limit() == rate.Inf {
			s.enter()
		} else if s.waiting = append(s.waiting, s.now); len(s.waiting) == 1 {
			s.reserve()
		}
	}
}

// reserve has the first of those who wait reserve its chunk.
func (s *sim) reserve() {
	s.turn = never
	if len(s.waiting) > 0 {
		now := simStart.Add(s.now)
		s.turn = s.now + s.pacer.limiter.ReserveN(now, Chunk).DelayFrom(now)
	}
}

// goOn ends the wait of the writer whose turn it is.
func (s *sim) goOn() {
	s.pacer.waited = s.pacer.waited || s.now-s.waiting[0] > time.Millisecond
	s.waiting = s.waiting[1:]
	s.enter()
	s.reserve()
}

// enter has a writer come to the gate.
func (s *sim) enter() {
	if len(s.writing) < simGate {
		s.writing = append(s.writing, perChunk)
	} else {
		s.gated++
	}
}

// gap is the time between two packets of a sender.
//
//go:norace
func (s *sim) gap() time.Duration {
	if s.path.send == 0 {
		return seconds(packet / (2 * s.path.rate))
	}
	return seconds(packet / s.path.send)
}

// send sends a packet. With the last of its chunk a writer goes on.
//
//go:norace
func (s *sim) send() {
	s.sent += packet
	s.transmit(&s.ours)
	left := s.writing[0] - 1
	s.writing = s.writing[1:]
	if left > 0 {
		s.writing = append(s.writing, left)
		return
	}
	if !s.once {
		s.idle++
	}
	if s.gated > 0 {
		s.gated--
		s.enter()
	}
}

// transmit puts a packet into the link.
//
//go:norace
func (s *sim) transmit(f *flow) {
	f.next = max(f.next+s.gap(), s.now-time.Millisecond) // for a millisecond, what was missed is caught up
	f.inFlight += packet
	free := max(s.free, s.now) + seconds(packet/s.path.rate)
	lost := s.path.queue > 0 && free-s.now > s.path.queue
	if !lost {
		s.free = free
	}
	s.longest = max(s.longest, s.free-s.now)
	rtt := s.free - s.now + s.path.base
	if s.path.others != nil {
		rtt += s.path.others(s)
	}
	a := ack{s.now + rtt, rtt, f, lost}
	i := sort.Search(len(s.acks), func(i int) bool { return s.acks[i].at > a.at })
	s.acks = slices.Insert(s.acks, i, a)
}

// arrive takes the first acknowledgement.
//
//go:norace
func (s *sim) arrive() {
	a := s.acks[0]
	s.acks = s.acks[1:]
	a.of.learn(a)
	if a.of != &s.ours || a.lost {
		return
	}
	rtt := a.rtt
	if s.rtt == 0 {
		s.rtt = rtt
	}
	s.rtt += (rtt - s.rtt) / 8 // RFC 9002, section 5.3
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
