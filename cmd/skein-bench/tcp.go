package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"skein.dev/skein/e2e/netlab"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// tcpCubic is a plain TCP stream: what any download gets on a link.
var tcpCubic = labPeer{kind: "tcp", control: "cubic"}

// transferReport is what a client of the lab received.
type transferReport struct {
	Bytes int64
	Took  time.Duration
}

func (r transferReport) mbits() float64 { return float64(r.Bytes) * 8 / 1e6 / r.Took.Seconds() }

// lossyLink is fast and loses packets at random, which congestion control takes for a full link. Its queue holds as much
// as is on the way in a round trip.
var lossyLink = netlab.Conditions{Delay: rtt50, Rate: 100e6, Queue: 625_000, Loss: 0.01}

const oneStreamSize = 4 << 20 // bytes of each connection

// benchOneStream downloads an artifact, in turns with a TCP stream of as many bytes over the same link.
func benchOneStream(b *benchRun, transport string) (r result, err error) {
	if err := netlab.Unavailable(); err != nil {
		return r, skipCase{err}
	}
	if transport == bareWebTransport.name {
		return b.oneStreamPeer(bareWebTransport)
	}
	var theirs []float64
	ours, err := b.oneStream(transport, true, 1, b.n(5), func(cubic *peerServer) error {
		rep, err := cubic.receive(b.ctx, "--bytes", strconv.Itoa(oneStreamSize))
		theirs = append(theirs, rep.mbits())
		return err
	})
	if err != nil {
		return r, err
	}
	r.Value, r.Bare = ours, median(theirs)
	further := []struct {
		name    string
		masking bool
		conns   int
	}{{"the same over 2 connections", true, 2}, {"the same over 4 connections", true, 4}, {"the same without loss masking", false, 1}}
	for _, f := range further {
		if !f.masking && transport == client.WebSocket { // which knows none
			continue
		}
		line := result{Case: f.name, Unit: "Mbit/s", Bare: r.Bare}
		if line.Value, err = b.oneStream(transport, f.masking, f.conns, b.n(2), nil); err != nil {
			return r, err
		}
		line.Ratio = line.Value / line.Bare
		r.more = append(r.more, line)
	}
	return r, nil
}

// oneStream downloads an artifact some times over a link of its own, and gives the median. between, which may be nil, is
// called after each, with a server of TCP streams beside Skein's.
func (b *benchRun) oneStream(transport string, masking bool, conns, rounds int, between func(cubic *peerServer) error) (rate float64, err error) {
	l, err := b.serveLab(labSetup{conditions: lossyLink, masking: masking})
	if err != nil {
		return 0, err
	}
	defer l.close()
	cubic, err := b.startPeer(tcpCubic, l.Lab)
	if err != nil {
		return 0, err
	}
	defer cubic.stop()
	var id wire.ArtifactID
	if err := l.client(b.ctx, l.Server, labJob{Do: doUpload, Transport: transport, Size: int64(conns) * oneStreamSize}, &id); err != nil {
		return 0, err
	}
	var rates []float64
	for range rounds {
		var rep transferReport
		if err := l.client(b.ctx, l.Client, labJob{Do: doDownload, Transport: transport, Artifact: id, Conns: conns}, &rep); err != nil {
			return 0, err
		}
		rates = append(rates, rep.mbits())
		if between != nil {
			if err := between(cubic); err != nil {
				return 0, err
			}
		}
	}
	return median(rates), nil
}

// oneStreamPeer is a peer's stream over such a link.
func (b *benchRun) oneStreamPeer(p labPeer) (r result, err error) {
	var all []float64
	for range b.n(3) {
		found, err := b.labPeer(p, lossyLink, "receive", "--bytes", strconv.Itoa(oneStreamSize))
		if err != nil {
			return r, err
		}
		var rep transferReport
		if err := json.Unmarshal(found, &rep); err != nil {
			return r, err
		}
		all = append(all, rep.mbits())
	}
	r.Value = median(all)
	return r, nil
}

// receive runs the peer's client.
func (s *peerServer) receive(ctx context.Context, args ...string) (rep transferReport, err error) {
	out, err := s.client(ctx, append([]string{"receive"}, args...)...).Output()
	if err != nil {
		return rep, fmt.Errorf("the peer's client in the lab: %w", err)
	}
	return rep, json.Unmarshal(out, &rep)
}

// downloadOne is the client's part. The artifact's SHA-256 is checked.
func downloadOne(ctx context.Context, c *client.Client, job labJob) (any, error) {
	begin := time.Now()
	a, err := c.Download(ctx, job.Artifact, io.Discard, nil)
	if err != nil {
		return nil, err
	}
	return transferReport{Bytes: a.Size, Took: time.Since(begin)}, nil
}

// fullLink has a queue that a TCP stream fills, and loses nothing else: it holds as much as is on the way in a round trip.
var fullLink = netlab.Conditions{Delay: rtt50, Rate: 10e6, Queue: 62_500}

// benchCompetition has a TCP stream share a full link with the agents' events, with masking and without, in turns.
func benchCompetition(b *benchRun, transport string) (r result, err error) {
	if err := netlab.Unavailable(); err != nil {
		return r, skipCase{err}
	}
	var rates [2][]float64 // without, with
	var events [2][]time.Duration
	var copies uint64
	for range b.n(3) {
		for i, masking := range []bool{false, true} {
			rate, rep, err := b.compete(transport, masking)
			if err != nil {
				return r, err
			}
			rates[i] = append(rates[i], rate)
			events[i] = append(events[i], rep.Ages...)
			copies += rep.Copies
		}
	}
	r.Value, r.Bare = mean(rates[1]), mean(rates[0])
	with, without := percentiles(events[1], time.Millisecond), percentiles(events[0], time.Millisecond)
	with.Bare = without.P99
	with.Ratio = with.P99 / with.Bare
	with.Case, with.Unit = "the events beside it", "ms"
	r.more = []result{with, {Case: "packets sent twice meanwhile", Unit: "packets", Value: float64(copies)}}
	return r, nil
}

// compete gives what the TCP stream gets, in Mbit/s, and how the events fare.
func (b *benchRun) compete(transport string, masking bool) (rate float64, rep labReport, err error) {
	l, err := b.serveLab(labSetup{conditions: fullLink, masking: masking})
	if err != nil {
		return 0, rep, err
	}
	defer l.close()
	cubic, err := b.startPeer(tcpCubic, l.Lab)
	if err != nil {
		return 0, rep, err
	}
	defer cubic.stop()
	warm, count := b.labTimes()
	tcp := cubic.client(b.ctx, "receive", "--warm", warm.String(), "--count", count.String())
	var out bytes.Buffer
	tcp.Stdout = &out
	if err := tcp.Start(); err != nil {
		return 0, rep, err
	}
	err = l.client(b.ctx, l.Client, labJob{Do: doFollow, Transport: transport, Warm: warm, Count: count}, &rep)
	if werr := tcp.Wait(); err == nil {
		err = werr
	}
	if err == nil {
		err = rep.whole()
	}
	if err != nil {
		return 0, rep, err
	}
	var got transferReport
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		return 0, rep, err
	}
	if l.Counts(netlab.Down).Dropped == 0 {
		return 0, rep, fmt.Errorf("the link was never full")
	}
	return got.mbits(), rep, nil
}
