package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"skein.dev/skein/e2e/netlab"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// firstReport is how long a program's first spawn took, from its Dial to the answer.
type firstReport struct {
	Cold    []time.Duration // knowing nothing but the URL
	Resumed []time.Duration // with a TLS session ticket, and no early data
	Early   []time.Duration // from the cache: in the first packets
	Ten     []time.Duration // ten at once, from the cache: until the last answer
	HTTP2   []time.Duration // as one POST over TLS and HTTP/2, knowing nothing
}

// benchFirst measures the first request of a program, as each command of the command line is one.
func benchFirst(b *benchRun, transport string) (r result, err error) {
	if err := netlab.Unavailable(); err != nil {
		return r, skipCase{err}
	}
	l, err := b.serveLab(labSetup{conditions: netlab.Conditions{Delay: rtt50, Rate: 20e6, Queue: 250_000}, masking: true})
	if err != nil {
		return r, err
	}
	defer l.close()
	var rep firstReport
	if err := l.client(b.ctx, l.Client, labJob{Do: doFirst, Transport: transport, Stops: b.n(30)}, &rep); err != nil {
		return r, err
	}
	line := func(name string, all []time.Duration) {
		p := percentiles(all, time.Millisecond)
		p.Case, p.Unit = name, "ms"
		r.more = append(r.more, p)
	}
	if transport == client.WebSocket {
		return percentiles(rep.Cold, time.Millisecond), nil
	}
	r = percentiles(rep.Early, time.Millisecond)
	line(caseFirstTen, rep.Ten)
	line("the same, resumed without early data", rep.Resumed)
	line("the same, cold", rep.Cold)
	line("the same, cold, one POST over HTTP/2", rep.HTTP2)
	return r, nil
}

// firstSpawns is the client's part. Every answer names an agent, and in the end there are as many as answers.
func firstSpawns(ctx context.Context, o client.Options, job labJob) (any, error) {
	cache, err := os.MkdirTemp("", "skein-cache-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(cache)
	spawned := 0
	first := func(o client.Options, n int) (time.Duration, error) {
		begin := time.Now()
		c, err := client.Dial(ctx, o)
		if err != nil {
			return 0, err
		}
		defer c.Close()
		var all sync.WaitGroup
		errs := make([]error, n)
		for i := range n {
			all.Go(func() {
				_, errs[i] = c.Spawn(ctx, wire.SpawnParams{Type: "scripted", Script: "say a"})
			})
		}
		all.Wait()
		spawned += n
		return time.Since(begin), errors.Join(errs...)
	}
	cached := o
	cached.Cache = cache
	var rep firstReport
	rounds := []struct {
		into *[]time.Duration
		run  func() (time.Duration, error)
	}{
		{&rep.Cold, func() (time.Duration, error) { return first(o, 1) }},
		{&rep.Resumed, func() (time.Duration, error) {
			if err := forgetEndpoints(cache); err != nil { // the usual way then, but with a ticket
				return 0, err
			}
			return first(cached, 1)
		}},
		{&rep.Early, func() (time.Duration, error) { return first(cached, 1) }},
		{&rep.Ten, func() (time.Duration, error) { return first(cached, 10) }},
		{&rep.HTTP2, func() (time.Duration, error) { spawned++; return postSpawn(ctx, o) }},
	}
	if job.Transport == client.WebSocket {
		rounds = rounds[:1]
	} else if _, err := first(cached, 1); err != nil { // fills the cache
		return nil, err
	}
	for range job.Stops {
		for _, r := range rounds {
			took, err := r.run()
			if err != nil {
				return nil, err
			}
			*r.into = append(*r.into, took)
		}
	}
	c, err := client.Dial(ctx, o)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	l, err := c.List(ctx, wire.Filter{})
	if err != nil {
		return nil, err
	}
	if len(l.Agents) != spawned {
		return nil, fmt.Errorf("%d spawns made %d agents", spawned, len(l.Agents))
	}
	return rep, nil
}

func forgetEndpoints(cache string) error {
	found, err := filepath.Glob(filepath.Join(cache, "*", "doors.json"))
	if err != nil {
		return err
	}
	for _, f := range found {
		if err := os.Remove(f); err != nil {
			return err
		}
	}
	return nil
}

// postSpawn spawns an agent as a program without Skein's client would.
func postSpawn(ctx context.Context, o client.Options) (time.Duration, error) {
	begin := time.Now()
	t := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer t.CloseIdleConnections()
	m, err := wire.NewRequest(json.RawMessage("1"), wire.MethodSpawn, wire.SpawnParams{Type: "scripted", Script: "say a"})
	if err != nil {
		return 0, err
	}
	body, err := wire.Encode(m)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.URL+wire.RPCPath, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+o.Token)
	req.Header.Set(wire.ClientIDHeader, fmt.Sprintf("bench-%020d", begin.UnixNano()))
	res, err := t.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	took := time.Since(begin)
	if err != nil {
		return 0, err
	}
	answer, err := wire.ParseMessage(b)
	if err != nil || answer.Error != nil || res.ProtoMajor != 2 {
		return 0, fmt.Errorf("a POST over %s: %s %s", res.Proto, res.Status, b)
	}
	return took, nil
}
