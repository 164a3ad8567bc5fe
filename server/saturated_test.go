package server

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// TestAllStopsOnASaturatedSessionAtScale fills every lane of one session, some of them with readers that read nothing any more,
// and stops everything over it.
func TestAllStopsOnASaturatedSessionAtScale(t *testing.T) {
	t.Parallel()
	agents, lanes := kit.Less(40, 4), kit.Less(60, 6)
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t)
		c, err := client.Dial(t.Context(), client.Options{URL: n.addrs.HTTP, Token: n.token, Transport: string(tr)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		spawned, err := c.Spawn(t.Context(), wire.SpawnParams{Type: "shell", Argv: []string{"sh", "-c", "sleep 300 & wait"}, Count: agents})
		if err != nil {
			t.Fatal(err)
		}
		loud := n.script(t, "repeat forever\nsay something that nobody reads\nwait 1ms\nend")
		file := noise(1, kit.Less(512<<10, 300<<10)) // more than a stream's window
		a, err := c.Upload(t.Context(), wire.ArtifactCreateParams{Name: "bulk", Size: int64(len(file))}, bytes.NewReader(file), nil)
		if err != nil {
			t.Fatal(err)
		}

		ctx, cancel := context.WithCancel(t.Context())
		var load sync.WaitGroup
		defer load.Wait()
		defer cancel()
		var down, up, read, remembered atomic.Int64
		for i := range lanes {
			load.Go(func() { // some of them stop reading after the first bytes
				for ctx.Err() == nil {
					c.Download(ctx, a.ID, writerFunc(func(p []byte) (int, error) {
						down.Add(1)
						if i%kit.Less(6, 2) == 0 {
							<-ctx.Done()
						}
						return len(p), ctx.Err()
					}), nil)
				}
			})
			load.Go(func() {
				for event, err := range c.Events(ctx, loud.ID, client.EventOptions{Follow: true}) {
					if err != nil || event.Seq == 0 {
						return
					}
					read.Add(1)
					if i%3 == 0 {
						<-ctx.Done()
					}
				}
			})
		}
		for i := range kit.Less(8, 2) {
			load.Go(func() {
				for ctx.Err() == nil {
					if _, err := c.Upload(ctx, wire.ArtifactCreateParams{Name: "up", Size: 64 << 10}, bytes.NewReader(file[:64<<10]), nil); err == nil {
						up.Add(1)
					}
				}
			})
			load.Go(func() {
				for j := 0; ctx.Err() == nil; j++ {
					if _, err := c.MemoryStore(ctx, wire.MemoryStoreParams{Namespace: "load", Key: fmt.Sprint(i, "/", j%50), Value: wire.Payload{Text: strings.Repeat("x", 1000)}}); err == nil {
						remembered.Add(1)
					}
				}
			})
		}
		kit.Eventually(t, "every lane is in use", func() bool {
			return down.Load() > int64(lanes) && read.Load() > int64(lanes) && up.Load() > 0 && remembered.Load() > 10
		})

		grace := int64(1000)
		res, err := c.Stop(t.Context(), wire.StopParams{Scope: wire.ScopeAll, GraceMS: &grace})
		if err != nil {
			t.Fatal(err)
		}
		if len(res.Reports) != agents+1 || !res.Closed {
			t.Errorf("%d reports, closed: %v", len(res.Reports), res.Closed)
		}
		for _, r := range res.Reports {
			if len(r.Leftovers) > 0 {
				t.Errorf("%s left %v", r.ID, r.Leftovers)
			}
		}
		cancel()
		left := running(t)
		for _, a := range spawned.Agents {
			if left := left[strconv.Itoa(a.Process.Group)]; len(left) > 0 {
				t.Errorf("of the group of %s there are %v", a.ID, left)
			}
		}
	})
}

// running returns the processes that are not zombies by their group.
func running(t *testing.T) map[string][]string {
	t.Helper()
	pids := map[string][]string{}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stats {
		line, err := os.ReadFile(path)
		if err != nil {
			continue // it is gone
		}
		_, after, _ := bytes.Cut(line, []byte(") ")) // state, parent, group
		if f := strings.Fields(string(after)); f[0] != "Z" {
			pids[f[2]] = append(pids[f[2]], filepath.Base(filepath.Dir(path)))
		}
	}
	return pids
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
