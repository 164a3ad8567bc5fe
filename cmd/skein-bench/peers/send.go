package peers

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

const (
	senders  = 100
	interval = 100 * time.Millisecond // between two messages of a sender
)

// text is as long as that of the scripts in Skein's case. The names around it are the least that a user would send.
var text = strings.Repeat("x", 250)

type message struct {
	From int    `json:"from"` // 0 to senders-1
	N    int    `json:"n"`    // from 0
	At   int64  `json:"at"`   // when it was sent, Unix, ns
	Text string `json:"text"`
}

// each calls f for all senders at once, until the first fails or ctx ends, and waits for them.
func each(ctx context.Context, f func(ctx context.Context, from int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for from := range senders {
		all.Go(func() {
			if err := f(ctx, from); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// speak sends the messages of one sender until ctx ends. No message is left out because one before it still waits for the
// network: it is sent later, and its age begins when it was due.
func speak(ctx context.Context, from int, send func(b []byte) error) error {
	due := time.Now().Add(rand.N(interval)) // no two senders in lockstep
	for n := 0; ; n++ {
		at := due
		if wait := time.Until(due); wait > 0 {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(wait):
			}
			at = time.Now()
		}
		b, err := json.Marshal(message{From: from, N: n, At: at.UnixNano(), Text: text})
		if err != nil {
			return err
		}
		if err := send(b); err != nil {
			return err
		}
		due = due.Add(interval)
	}
}
