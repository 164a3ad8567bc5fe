package faults

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/e2e/netlab"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

const (
	// patience bounds what must happen: that a client starts, comes back, finishes.
	patience = time.Minute
	// maxGap is as long as a client may be without an event. How long it was stands in the table.
	maxGap = 30 * time.Second
	// warm is how long sessions are left alone before the fault, and how long behind it they must have come.
	warm = time.Second
	// labs are as many as two cores carry: each has a server, a browser and a link in user space.
	labs = 3
)

// row is a line of the table.
type row struct {
	fault, transport, client string
	gap                      time.Duration
	sessions                 []wire.Transport
	inputs, spawns, events   int
	wrong                    error
}

// TestMatrix runs every fault. It meets all clients of a lab at once, a session each.
func TestMatrix(t *testing.T) {
	if err := netlab.Unavailable(); err != nil {
		t.Skipf("NOT TESTED: what faults of the network do to sessions: %v", err)
	}
	if testing.Short() {
		t.Skip("NOT TESTED: what faults of the network do to sessions, which takes a minute: -short was given")
	}
	matrix, withChromium := faults, true
	if kit.Quick {
		t.Log("NOT TESTED: Chromium, and the faults beyond the small matrix; EVERY=1 without the race detector has them")
		matrix = slices.DeleteFunc(slices.Clone(faults), func(f fault) bool { return !f.small })
		withChromium = false
	} else if err := noChromium(); err != nil {
		if os.Getenv("SKEIN_REQUIRE_INTEROP") == "1" {
			t.Fatal(err)
		}
		t.Logf("NOT TESTED: what faults of the network do to pages: %v", err)
		withChromium = false
	}
	begin := time.Now()
	var dirs []string // of labs; a test's folders are made by its own goroutine
	for range min(labs, len(matrix)) {
		dirs = append(dirs, t.TempDir())
	}
	rows := make([][]row, len(matrix))
	next := make(chan int)
	var all sync.WaitGroup
	for _, dir := range dirs {
		all.Go(func() {
			l, err := newLab(context.WithoutCancel(t.Context()), dir, withChromium)
			if err != nil {
				t.Errorf("make a lab: %v", err)
				for range next { // another lab's, or nobody's
				}
				return
			}
			defer func() {
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			}()
			for i := range next {
				t.Run(matrix[i].name, func(t *testing.T) { rows[i] = matrix[i].in(t, l) })
			}
		})
	}
	for i := range matrix {
		next <- i
	}
	close(next)
	all.Wait()
	t.Logf("%s\n%s", time.Since(begin).Round(time.Second), table(slices.Concat(rows...)))
}

// noChromium says why there is none; nil: there is one.
func noChromium() error {
	_, noNode := exec.LookPath("node")
	_, err := exec.LookPath(cmp.Or(os.Getenv("CHROMIUM"), "/usr/bin/chromium"))
	err = errors.Join(noNode, err)
	for _, file := range []string{"../node_modules/@playwright/test", "../../static/dist/skein.js"} {
		if _, missing := os.Stat(file); missing != nil {
			err = errors.Join(err, fmt.Errorf("%w: make test-deps build", missing))
		}
	}
	return err
}

func table(rows []row) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "fault\tasked for\tclient\tlongest gap\tsessions\tevents\tinputs\tspawns\tlost or repeated")
	for _, r := range rows {
		verdict := "nothing"
		if r.wrong != nil {
			verdict = "SEE ABOVE"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%.2f s\t%s\t%d\t%d\t%d\t%s\n", r.fault, r.transport, r.client, r.gap.Seconds(), path(r.sessions), r.events, r.inputs, r.spawns, verdict)
	}
	w.Flush()
	return b.String()
}

// path are the transports of one session after the other.
func path(sessions []wire.Transport) string {
	var parts []string
	for i := 0; i < len(sessions); {
		n := i
		for n < len(sessions) && sessions[n] == sessions[i] {
			n++
		}
		part := string(sessions[i])
		if n-i > 1 {
			part = fmt.Sprintf("%d × %s", n-i, part)
		}
		parts, i = append(parts, part), n
	}
	return strings.Join(parts, ", ")
}

// in lets the fault happen in a lab.
func (f fault) in(t *testing.T, l *lab) (rows []row) {
	defer func() {
		l.Set(netlab.Both(netlab.Conditions{Delay: delay}))
		for _, p := range l.processes {
			if said := p.saying(); t.Failed() {
				t.Logf("%s said:\n%s", p.name, said)
			}
		}
	}()
	if f.before != nil {
		f.before(l.Lab)
	}
	var cells []*watched
	for _, name := range []string{"Go", "Chromium"} {
		for _, tr := range f.transports {
			if p := l.peers[name]; p != nil {
				cells = append(cells, p.begin(t, l, f, tr))
			}
		}
	}
	for _, c := range cells {
		c.until(t, "it follows its agents", func() bool { return c.ready != nil && len(c.at.Seqs) == counters+1 && f.on(f.begins, c) })
	}
	if err := pause(t.Context(), warm); err != nil {
		t.Fatal(err)
	}
	if err := f.happens(t.Context(), l.Lab); err != nil {
		t.Fatal(err)
	}
	if err := pause(t.Context(), warm); err != nil {
		t.Fatal(err)
	}
	for _, c := range cells {
		marks := c.marks(t, l.witness)
		c.until(t, "it has what came after the fault", func() bool {
			return f.on(f.ends, c) && !slices.ContainsFunc(c.ready.Counters, func(id wire.AgentID) bool { return c.at.Seqs[id] < marks[id] })
		})
	}
	for _, c := range cells {
		c.peer.send(t, command{Finish: c.job.Cell})
	}
	for _, c := range cells {
		c.until(t, "what it sent is answered", func() bool { return c.sent != nil })
		c.end(t, l.witness)
	}
	for _, c := range cells {
		c.until(t, "it has followed its agents to their end", func() bool { return c.events != nil })
		r := row{fault: f.name, transport: c.job.Transport, client: c.peer.client, gap: time.Duration(c.sent.GapMS) * time.Millisecond,
			sessions: c.sent.Sessions, inputs: c.sent.Inputs, spawns: len(c.sent.Spawned)}
		for _, e := range c.events {
			r.events += len(e)
		}
		t.Run(r.client+"/"+r.transport, func(t *testing.T) {
			if r.wrong = verdict(t.Context(), l.witness, c.job, *c.ready, *c.sent, c.events); r.wrong != nil {
				t.Error(r.wrong)
			}
		})
		rows = append(rows, r)
	}
	return rows
}

// on says whether a cell is on the transport that it should be on: what it asked for, or want.
func (f fault) on(want wire.Transport, c *watched) bool {
	if c.job.Transport != client.Auto {
		want = wire.Transport(c.job.Transport)
	}
	return c.at.Transport == want
}
