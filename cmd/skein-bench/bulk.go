package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"skein.dev/skein/e2e/netlab"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

const bulkStreams = 500

// benchCritical measures a request on the control lane while 500 streams of the same session download as fast as they
// may. The bare figure is its p99 with no bound on the writers of class low: what the gate is worth.
func benchCritical(b *benchRun, transport string) (result, error) {
	ours, err := b.beside(transport)
	if err != nil {
		return result{}, err
	}
	open, err := newBenchWith(b.ctx, b.o, "lanes: {bulk: none}\nwriters: {low: 0}\n")
	if err != nil {
		return result{}, err
	}
	defer open.close()
	bare, err := open.beside(transport)
	if err != nil {
		return result{}, err
	}
	r := percentiles(ours, time.Millisecond)
	r.Bare = percentiles(bare, time.Millisecond).P99
	r.Ratio = r.P99 / r.Bare
	return r, nil
}

// beside times pings beside the downloads.
func (b *benchRun) beside(transport string) ([]time.Duration, error) {
	c, err := b.dial(transport)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	id, err := uploadRandom(b.ctx, c, 8<<20)
	if err != nil {
		return nil, err
	}
	load := startBulk(b.ctx, c, id, bulkStreams)
	defer load.end()
	load.moving(bulkStreams)
	return load.pings(c, func(done int) bool { return done == b.n(200) })
}

func uploadRandom(ctx context.Context, c *client.Client, size int64) (wire.ArtifactID, error) {
	file := make([]byte, size)
	rand.Read(file)
	a, err := c.Upload(ctx, wire.ArtifactCreateParams{Name: "bulk", Size: size}, bytes.NewReader(file), nil)
	if err != nil {
		return "", err
	}
	return a.ID, nil
}

// bulkLoad is streams of one session that download again and again.
type bulkLoad struct {
	ctx    context.Context
	stop   context.CancelFunc
	lanes  sync.WaitGroup
	first  chan struct{} // one for each stream whose first bytes came, or that failed
	failed chan error
	bytes  atomic.Int64
}

func startBulk(ctx context.Context, c *client.Client, id wire.ArtifactID, streams int) *bulkLoad {
	l := &bulkLoad{first: make(chan struct{}, streams), failed: make(chan error, streams)}
	l.ctx, l.stop = context.WithCancel(ctx)
	for range streams {
		first := sync.OnceFunc(func() { l.first <- struct{}{} })
		l.lanes.Go(func() {
			defer first()
			for l.ctx.Err() == nil {
				if _, err := c.Download(l.ctx, id, discard{&l.bytes, first}, nil); err != nil && l.ctx.Err() == nil {
					l.failed <- fmt.Errorf("a download beside: %w", err)
					return
				}
			}
		})
	}
	return l
}

// moving waits until so many streams move.
func (l *bulkLoad) moving(streams int) {
	for range streams {
		<-l.first
	}
}

// pings times requests on the control lane until there are enough.
func (l *bulkLoad) pings(c *client.Client, enough func(done int) bool) (all []time.Duration, err error) {
	for !enough(len(all)) {
		select {
		case err := <-l.failed:
			return nil, err
		default:
		}
		d, err := c.Ping(l.ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

func (l *bulkLoad) end() {
	l.stop()
	l.lanes.Wait()
}

// discard keeps nothing but the number of bytes, and tells of its first.
type discard struct {
	bytes   *atomic.Int64
	started func()
}

func (d discard) Write(p []byte) (int, error) {
	d.started()
	d.bytes.Add(int64(len(p)))
	return len(p), nil
}

// criticalLink is that of a good home. Its queue holds as much as is on the way in a round trip.
var criticalLink = netlab.Conditions{Delay: 10 * time.Millisecond, Rate: 50e6, Queue: 125_000}

// benchCriticalLab is benchCritical over a link that the downloads fill: what is urgent waits in the link's queue too,
// behind what the congestion control lets stand there.
func benchCriticalLab(b *benchRun, transport string) (r result, err error) {
	if err := netlab.Unavailable(); err != nil {
		return r, skipCase{err}
	}
	l, err := b.serveLab(labSetup{conditions: criticalLink, masking: true})
	if err != nil {
		return r, err
	}
	defer l.close()
	var id wire.ArtifactID
	if err := l.client(b.ctx, l.Server, labJob{Do: doUpload, Transport: transport, Size: 8 << 20}, &id); err != nil {
		return r, err
	}
	var rep criticalReport
	warm, count := b.labTimes()
	job := labJob{Do: doCritical, Transport: transport, Artifact: id, Streams: bulkStreams, Warm: warm, Count: count}
	if err := l.client(b.ctx, l.Client, job, &rep); err != nil {
		return r, err
	}
	r = percentiles(rep.Took, time.Millisecond)
	r.more = []result{{Case: "the 500 bulk streams beside it", Unit: "Mbit/s", Value: rep.mbits(count)}}
	if transport != client.WebTransport {
		return r, nil
	}
	found, err := b.labPeer(bareWebTransport, criticalLink, "beside", "--streams", strconv.Itoa(bulkStreams), "--warm", warm.String(), "--count", count.String())
	if errors.As(err, new(skipCase)) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	var theirs criticalReport
	if err := json.Unmarshal(found, &theirs); err != nil {
		return r, err
	}
	r.Bare = percentiles(theirs.Took, time.Millisecond).P99
	r.Ratio = r.P99 / r.Bare
	r.more = append(r.more, result{Case: "those of webtransport-go", Unit: "Mbit/s", Value: theirs.mbits(count)})
	return r, nil
}

// criticalReport is what was found beside bulk.
type criticalReport struct {
	Took  []time.Duration // of round trips
	Bytes int64           // that the bulk streams brought meanwhile
}

func (r criticalReport) mbits(in time.Duration) float64 {
	return float64(r.Bytes) * 8 / 1e6 / in.Seconds()
}

// pingBeside is the client's part. The server moves some of a session's transfers at once, the others wait their turn.
func pingBeside(ctx context.Context, c *client.Client, job labJob) (any, error) {
	load := startBulk(ctx, c, job.Artifact, job.Streams)
	defer load.end()
	load.moving(1)
	time.Sleep(job.Warm)
	before, begin := load.bytes.Load(), time.Now()
	took, err := load.pings(c, func(int) bool { return time.Since(begin) > job.Count })
	if err == nil && load.bytes.Load() == before {
		err = errors.New("the bulk streams stand still")
	}
	return criticalReport{Took: took, Bytes: load.bytes.Load() - before}, err
}

// uploadOne makes an artifact.
func uploadOne(ctx context.Context, c *client.Client, job labJob) (any, error) {
	return uploadRandom(ctx, c, job.Size)
}
