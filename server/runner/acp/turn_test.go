package acp

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"skein.dev/skein/server/runner"
)

// TestACancelIsForItsTurn has a turn that ends, and the next one that begins, while the permissions of the first are withdrawn.
func TestACancelIsForItsTurn(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"the turn goes on": true, "the next one has begun": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &session{id: "x", now: &prompt{sent: true}, open: map[string]*permission{"k": {id: json.RawMessage("1")}}}
			s.ctx = t.Context()
			s.conn = newConn(s)
			s.sink = func(runner.Event) error {
				if !want {
					s.mu.Lock()
					s.now = &prompt{sent: true}
					s.mu.Unlock()
				}
				return nil
			}
			s.cancel("a test wants it")
			if got := slices.ContainsFunc(s.conn.out, func(b []byte) bool { return bytes.Contains(b, []byte("session/cancel")) }); got != want {
				t.Errorf("session/cancel was sent: %t", got)
			}
		})
	}
}
