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

// epoch identifies one incarnation of the event log.
type epoch struct {
	ID    string `json:"id"`
	Count int    `json:"count"` // of crashes that may have lost events
	Clean bool   `json:"clean"` // the store was closed
	Boot  string `json:"boot"`  // the boot of the machine that the last run belongs to
}

func (e epoch) String() string { return fmt.Sprintf("%s.%d", e.ID, e.Count) }

const epochKey = "epoch" // in the bucket "meta"

// openEpoch reads the epoch and writes the one that starts now. embedded means that the store runs on this machine;
// moved, that its events have other seqs than before.
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
		// What the kernel had accepted survives until the machine is booted again.
		if moved || embedded && !e.Clean && (boot == "" || boot != e.Boot) {
			e.Count++
		}
	}
	e.Clean, e.Boot = false, boot
	return e, putJSON(ctx, meta, epochKey, e)
}

// bootID identifies this boot of the machine. It returns "" if the kernel does not tell.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
