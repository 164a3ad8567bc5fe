package soak

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// follow reads what a ticker prints, which counts: no number may be missing or come twice.
func (l *loader) follow(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		id := l.one("ticker")
		if id == "" {
			pause(ctx, time.Second)
			continue
		}
		one, cancel := context.WithTimeout(ctx, time.Minute)
		l.followOne(one, l.clients[i%len(l.clients)], id)
		cancel()
	}
}

func (l *loader) followOne(ctx context.Context, c *client.Client, id wire.AgentID) {
	last, rest := 0, ""
	for e, err := range c.Events(ctx, id, client.EventOptions{Follow: true}) {
		if err != nil {
			return // its time is over, or the server that had it is
		}
		if e.Dropped != nil {
			last, rest = 0, ""
		}
		if e.Type != wire.EventStdout {
			continue
		}
		rest += string(e.Data.Bytes())
		for {
			line, after, ok := strings.Cut(rest, "\n")
			if !ok {
				break
			}
			rest = after
			n, err := strconv.Atoi(strings.TrimPrefix(line, "tick "))
			if err != nil || last > 0 && n != last+1 {
				l.wrong("ticker %s printed %q after %d", id, line, last)
			}
			last = n
			l.count("ticks followed")
		}
	}
}

// remember stores numbers in memory that grow: what was stored is there afterwards.
func (l *loader) remember(ctx context.Context) {
	stored := map[string]int{}
	n := 0
	every(ctx, 500*time.Millisecond, func(ctx context.Context) {
		n++
		key := fmt.Sprintf("key-%d", rand.IntN(50))
		if !until(ctx, func() bool {
			_, err := l.any().MemoryStore(ctx, wire.MemoryStoreParams{Namespace: "soak", Key: key, Value: wire.Payload{Text: strconv.Itoa(n)}})
			return l.tried("store", err)
		}) {
			return
		}
		stored[key] = n
		key = fmt.Sprintf("key-%d", rand.IntN(50))
		e, err := l.any().MemoryRetrieve(ctx, wire.MemoryKeyParams{Namespace: "soak", Key: key})
		if want, ok := stored[key]; ok && l.tried("retrieve", err) && e.Value.Text != strconv.Itoa(want) {
			l.wrong("memory has %q for %s instead of %d", e.Value.Text, key, want)
		}
	})
}

// exchange uploads artifacts and downloads them again.
func (l *loader) exchange(ctx context.Context) {
	random := rand.NewChaCha8([32]byte{1})
	every(ctx, 20*time.Second, func(ctx context.Context) {
		b := make([]byte, 1<<20)
		random.Read(b)
		a, err := l.any().Upload(ctx, wire.ArtifactCreateParams{Name: "soak.bin", Size: int64(len(b))}, bytes.NewReader(b), nil)
		if !l.tried("upload", err) {
			return
		}
		var got bytes.Buffer
		if _, err := l.any().Download(ctx, a.ID, &got, nil); l.tried("download", err) && !bytes.Equal(got.Bytes(), b) {
			l.wrong("artifact %s has other bytes", a.ID)
		}
		l.tried("delete", l.any().ArtifactDelete(ctx, a.ID))
	})
}
