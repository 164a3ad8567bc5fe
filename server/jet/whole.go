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

// NATS opens a damaged store as far as it can read it, without an error: a few wrong bytes in a block lose everything
// behind them, and a stream whose description can't be read is created anew. A control plane that has lost half of its
// agents is worse than one that does not start. So the store writes down how far its streams go, and checks at the start
// that they still do.

// DamagedError reports that the embedded store does not hold what was written to it.
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
	// inventoryInterval is how often the inventory is written. A kill that loses the last one does no harm, because the
	// one before promises less.
	inventoryInterval = 2 * time.Second
)

// inventory is how far the streams went when it was written. The records it promises are on the disk; the events are kept
// only while the machine stays up.
type inventory struct {
	Boot    string            `json:"boot"`
	Clean   bool              `json:"clean"` // the store was closed and nothing was written after it
	Streams map[string]extent `json:"streams"`
}

// extent is how far a stream goes.
type extent struct {
	Last uint64 `json:"last"` // sequence
	Msgs uint64 `json:"msgs"`
}

// check compares the streams with the inventory. It must run before any stream is created.
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
		case !there && name == oldStream: // it was migrated
		case !there:
			return &DamagedError{dir, fmt.Sprintf("stream %s is missing", name)}
		case events && was.Boot != boot: // the machine crashed, which changes the epoch
		case is.Last < old.Last:
			return &DamagedError{dir, fmt.Sprintf("stream %s went to %d, and now ends at %d", name, old.Last, is.Last)}
		case was.Clean && name != answerStream && name != markStream && is.Msgs < old.Msgs: // the other two drop old messages
			return &DamagedError{dir, fmt.Sprintf("stream %s had %d messages, and now has %d", name, old.Msgs, is.Msgs)}
		}
	}
	return nil
}

// extents returns how far each stream goes.
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

	last []byte // as written; owned by run, then by stop
	quit chan struct{}
	done sync.WaitGroup
}

// keep starts a keeper.
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

// stop ends the keeper and writes the last inventory.
func (k *keeper) stop() {
	close(k.quit)
	k.done.Wait()
	k.note(true)
}

// note writes the inventory. If it fails, the previous one stays, which promises less.
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
