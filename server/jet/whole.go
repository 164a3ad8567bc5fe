package jet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// NATS opens a damaged store as far as it can be read, without a word: a few wrong bytes in a block cost all that stands
// behind them, and a stream whose description can't be read is made anew. A control plane that has forgotten half of
// its agents is worse than one that does not start; so the store notes how far its streams go, and looks at the start
// whether they still do.

// DamagedError says that the embedded store is not what was written.
type DamagedError struct {
	Dir  string // of the store
	What string
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("the store in %s is damaged: %s. Put a whole copy in its place, or move it away to begin with an empty one: mv %s %s.damaged",
		e.Dir, e.What, e.Dir, e.Dir)
}

const (
	inventoryFile = "inventory.json"
	// inventoryInterval lies between two notes. What a kill took back of the last one is not missed.
	inventoryInterval = 2 * time.Second
)

// inventory is how far the streams went when it was written. Those of the records are on the disk; the events' are
// while the machine is up.
type inventory struct {
	Boot    string            `json:"boot"`
	Clean   bool              `json:"clean"` // the store was closed: nothing followed
	Streams map[string]extent `json:"streams"`
}

// extent is how far a stream goes.
type extent struct {
	Last uint64 `json:"last"` // sequence
	Msgs uint64 `json:"msgs"`
}

// check compares the streams with the inventory. It runs before any stream is made.
func check(ctx context.Context, nodes []*node, dir, boot string) error {
	b, err := os.ReadFile(filepath.Join(dir, inventoryFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a fresh store
	}
	var was inventory
	if err == nil {
		err = json.Unmarshal(b, &was)
	}
	if err != nil {
		return &DamagedError{dir, "its inventory can't be read: " + err.Error()}
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	now, err := extents(ctx, nodes)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(was.Streams)) {
		old, is := was.Streams[name], now[name]
		events := name == logStream || name == oldStream || name == answerStream
		switch _, there := now[name]; {
		case !there && name == oldStream: // it was taken over
		case !there:
			return &DamagedError{dir, fmt.Sprintf("stream %s is missing", name)}
		case events && was.Boot != boot: // the machine crashed: the epoch tells
		case is.Last < old.Last:
			return &DamagedError{dir, fmt.Sprintf("stream %s went to %d, and now ends at %d", name, old.Last, is.Last)}
		case was.Clean && name != answerStream && name != markStream && is.Msgs < old.Msgs: // answers and marks age
			return &DamagedError{dir, fmt.Sprintf("stream %s had %d messages, and now has %d", name, old.Msgs, is.Msgs)}
		}
	}
	return nil
}

// extents tells how far the streams go.
func extents(ctx context.Context, nodes []*node) (map[string]extent, error) {
	all := map[string]extent{}
	for _, n := range nodes {
		l := n.js.ListStreams(ctx)
		for info := range l.Info() {
			all[info.Config.Name] = extent{info.State.LastSeq, info.State.Msgs}
		}
		if err := l.Err(); err != nil && !errors.Is(err, jetstream.ErrEndOfData) {
			return nil, fmt.Errorf("list the store's streams: %w", err)
		}
	}
	return all, nil
}

// keeper writes the inventory.
type keeper struct {
	dir   string
	boot  string
	nodes []*node
	log   *slog.Logger

	last []byte // owned by run, and by stop behind it
	quit chan struct{}
	done sync.WaitGroup
}

// keep writes the inventory from now on.
func keep(nodes []*node, log *slog.Logger, dir, boot string) *keeper {
	k := &keeper{dir: dir, boot: boot, nodes: nodes, log: log, quit: make(chan struct{})}
	k.done.Go(k.run)
	return k
}

func (k *keeper) run() {
	t := time.NewTicker(inventoryInterval)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			k.note(false)
		case <-k.quit:
			return
		}
	}
}

// stop writes the last inventory.
func (k *keeper) stop() {
	close(k.quit)
	k.done.Wait()
	k.note(true)
}

// note writes the inventory. On a failure the one before stays, which asks for less.
func (k *keeper) note(clean bool) {
	ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
	defer cancel()
	streams, err := extents(ctx, k.nodes)
	if err != nil {
		k.log.Warn("the store's inventory could not be taken", "err", err)
		return
	}
	b, err := json.Marshal(inventory{Boot: k.boot, Clean: clean, Streams: streams})
	if err != nil || bytes.Equal(b, k.last) {
		return
	}
	path := filepath.Join(k.dir, inventoryFile)
	if err = os.WriteFile(path+".new", append(b, '\n'), 0o600); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		k.log.Warn("the store's inventory could not be written", "err", err)
		return
	}
	k.last = b
}
