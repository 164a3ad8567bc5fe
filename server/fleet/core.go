package fleet

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// core is the state that the fleet and its agents share.
type core struct {
	// static after New
	o   Options
	log *slog.Logger

	worksIn func(dir string) bool // whether an agent that is alive works in a folder, or within it

	feed    feed
	saves   saver
	census  census
	saving  sync.WaitGroup  // the saver
	running sync.WaitGroup  // one for each running agent, and for what is done for it
	ctx     context.Context // ends when Close has stopped every agent
	stop    context.CancelFunc
}

// can returns the capabilities of agents of a type.
func (c *core) can(t wire.AgentType) runner.Capabilities {
	if kind := c.o.Kinds[t.Kind]; kind != nil {
		return kind.Capabilities()
	}
	return runner.Capabilities{}
}

// census counts the agents that are alive, and those that wait for a person.
type census struct {
	mu     sync.Mutex
	live   map[wire.AgentID]string // their types
	asking map[wire.AgentID]string // likewise
}

func (c *census) born(id wire.AgentID, typ string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live == nil {
		c.live = map[wire.AgentID]string{}
	}
	c.live[id] = typ
}

func (c *census) died(id wire.AgentID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.live, id)
}

// count returns the number of agents of a type, and of all.
func (c *census) count(typ string) (of, all int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.live {
		if t == typ {
			of++
		}
	}
	return of, len(c.live)
}

// asks notes whether an agent waits for a person's answer.
func (c *census) asks(id wire.AgentID, typ string, asks bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !asks {
		delete(c.asking, id)
		return
	}
	if c.asking == nil {
		c.asking = map[wire.AgentID]string{}
	}
	c.asking[id] = typ
}

// askers returns the agents of a type that wait for a person's answer, by id; "": of all types. It visits no others.
func (c *census) askers(typ string) (ids []wire.AgentID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, t := range c.asking {
		if typ == "" || t == typ {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (c *census) ids() []wire.AgentID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.live))
}

func merge(a, b map[string]string) map[string]string {
	if len(a)+len(b) == 0 {
		return nil
	}
	m := maps.Clone(a)
	if m == nil {
		m = map[string]string{}
	}
	maps.Copy(m, b)
	return m
}

// leaseOf is how long a program of a type that dials in may be away.
func leaseOf(t wire.AgentType) time.Duration {
	return cmp.Or(time.Duration(t.LeaseMS)*time.Millisecond, runner.DefaultLease)
}

// within reports whether a path is that of a folder, or of something in it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}
