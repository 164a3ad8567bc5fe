package soak

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// settled is how long an agent may take from one state to the next, and a process may survive its agent.
const settled = 2 * time.Minute

// judge looks at the fleet from outside, again and again.
type judge struct {
	*world
	instance string               // of the server, as its agents' processes have it in their environment
	since    map[string]time.Time // what may not last, since when it is seen
	told     map[string]bool      // what was said
	wrong    func(string, ...any)
	most     int // agents that were alive at the same time
}

// look finds what has been there for too long.
func (j *judge) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	all, err := list(ctx, j.witness)
	if err != nil {
		return // the server is being restarted
	}
	j.most = max(j.most, len(all))
	now, seen := time.Now(), map[string]bool{}
	lasts := func(what string, bound time.Duration) {
		seen[what] = true
		if _, ok := j.since[what]; !ok {
			j.since[what] = now
		}
		if d := now.Sub(j.since[what]); d > bound && !j.told[what] {
			j.told[what] = true
			j.wrong("for %v: %s", d.Round(time.Second), what)
		}
	}
	alive := map[string]bool{}
	for _, a := range all {
		alive[string(a.ID)] = true
		if a.Status != wire.StatusRunning && a.RestartAt == nil {
			lasts(fmt.Sprintf("agent %s of type %s is %s", a.ID, a.Type, a.Status), settled)
		}
	}
	for _, p := range j.processes() {
		if p.agent != "" && !alive[p.agent] {
			lasts(fmt.Sprintf("process %d of agent %s, which is not alive: %s", p.pid, p.agent, p.command), settled)
		}
	}
	if r, err := j.witness.Asks(ctx, wire.AskListParams{}); err == nil {
		for _, a := range r.Asks {
			if a.Kind != wire.AskTerminal {
				lasts(fmt.Sprintf("question %s of agent %s: %s", a.ID, a.Agent, a.Text), patience)
			}
		}
	}
	for what := range j.since {
		if !seen[what] {
			delete(j.since, what)
		}
	}
}

type found struct {
	pid            int
	agent, command string
}

// processes are all that agents of the server have begun, wherever they are now. Of one that has emptied its environment, the agent
// is "".
func (j *judge) processes() (all []found) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		command, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil {
			continue
		}
		environ, _ := os.ReadFile(filepath.Join(dir, "environ"))
		p := found{command: string(bytes.ReplaceAll(bytes.TrimRight(command, "\x00"), []byte{0}, []byte{' '}))}
		p.pid, _ = strconv.Atoi(filepath.Base(dir))
		p.agent = variable(environ, "SKEIN_AGENT_ID")
		if variable(environ, "SKEIN_INSTANCE") == j.instance || p.agent == "" && strings.HasPrefix(p.command, "sleep "+sleeper) {
			all = append(all, p)
		}
	}
	return all
}

func variable(environ []byte, name string) string {
	for v := range bytes.SplitSeq(environ, []byte{0}) {
		if value, ok := bytes.CutPrefix(v, []byte(name+"=")); ok {
			return string(value)
		}
	}
	return ""
}

// stopAll stops everything and finds what is left.
func (j *judge) stopAll(ctx context.Context) error {
	r, err := j.witness.Stop(ctx, wire.StopParams{Scope: wire.ScopeAll, Reopen: true})
	if err != nil {
		return err
	}
	for _, p := range r.Reports {
		if !p.Well() {
			j.wrong("the stop of all: %+v", p)
		}
	}
	if r.MoreFailed > 0 {
		j.wrong("the stop of all: %d more agents are not gone", r.MoreFailed)
	}
	all, err := list(ctx, j.witness)
	if err != nil {
		return err
	}
	for _, a := range all {
		j.wrong("after the stop of all, agent %s of type %s is %s", a.ID, a.Type, a.Status)
	}
	for _, p := range j.processes() {
		j.wrong("after the stop of all, process %d of agent %q: %s", p.pid, p.agent, p.command)
	}
	asks, err := j.witness.Asks(ctx, wire.AskListParams{})
	if err != nil {
		return err
	}
	for _, a := range asks.Asks {
		j.wrong("after the stop of all, question %s of agent %s: %s", a.ID, a.Agent, a.Text)
	}
	return nil
}

// deeds are what the clients must have done, by what they count it as. Each may fail while the server restarts or the network is
// cut, but not always.
var deeds = []string{"answer", "changes seen", "commands typed and seen", "delete", "download", "list", "prompt of coder", "prompt of model", "retrieve", "spawn",
	"stop", "store", "submit", "tasks of type " + onceType + " done", "tasks of type " + remoteType + " done", "tasks of type liner done", "ticks followed", "upload"}

// undone are the deeds that were never done.
func undone(counts map[string]int) []string {
	return slices.DeleteFunc(slices.Clone(deeds), func(what string) bool { return counts[what] > 0 })
}

// once finds what programs did twice.
func once(dir string) (n int, twice []string, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "effects", "*.txt"))
	if err == nil && len(files) == 0 {
		err = errors.New("nothing was done")
	}
	seen := map[string]bool{}
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			return n, twice, err
		}
		for lines := bufio.NewScanner(f); lines.Scan(); n++ {
			if seen[lines.Text()] {
				twice = append(twice, lines.Text())
			}
			seen[lines.Text()] = true
		}
		f.Close()
	}
	return n, twice, err
}
