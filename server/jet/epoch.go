package jet

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// epoch names one incarnation of the event log.
type epoch struct {
	ID    string `json:"id"`
	Count int    `json:"count"` // crashes so far that may have cost events
	Clean bool   `json:"clean"` // the last end was a clean one
	Boot  string `json:"boot"`  // the machine's start that the last run belongs to
}

func (e epoch) String() string { return fmt.Sprintf("%s.%d", e.ID, e.Count) }

const epochKey = "epoch" // in the bucket "meta"

// openEpoch reads the epoch and writes the one that begins now. embedded: the store ends with its machine; moved: its events
// have other seqs now.
func openEpoch(ctx context.Context, meta jetstream.KeyValue, boot string, embedded, moved bool) (e epoch, _ error) {
	entry, err := meta.Get(ctx, epochKey)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		e = epoch{ID: rand.Text()[:8]}
	case err != nil:
		return e, fmt.Errorf("read the epoch: %w", err)
	default:
		if err := json.Unmarshal(entry.Value(), &e); err != nil {
			return e, fmt.Errorf("read the epoch: %w", err)
		}
		// What the kernel had been given is there as long as the kernel is the same.
		if moved || embedded && !e.Clean && (boot == "" || boot != e.Boot) {
			e.Count++
		}
	}
	e.Clean, e.Boot = false, boot
	return e, putJSON(ctx, meta, epochKey, e)
}

// bootID names this start of the machine; "" when the kernel does not tell.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
