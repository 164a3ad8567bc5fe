package peers

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// report is what a client found.
type report struct {
	Ages []time.Duration // of messages when they came, by the one clock of this machine
	Gaps int             // messages that are not the next one of their sender: some were lost, or came twice
}

// tally counts messages; it is safe for concurrent use.
type tally struct {
	mu     sync.Mutex
	counts bool // their ages
	next   [senders]int
	report
}

func (t *tally) take(m message) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if m.From < 0 || m.From >= senders {
		t.Gaps++
		return
	}
	if m.N != t.next[m.From] {
		t.Gaps++
	}
	t.next[m.From] = m.N + 1
	if t.counts {
		t.Ages = append(t.Ages, now.Sub(time.Unix(0, m.At)))
	}
}

func (t *tally) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts = true
}

// follow receives messages for the time of warm, and counts their ages for the time of count.
func follow(ctx context.Context, k kind, addr string, warm, count time.Duration) (report, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var t tally
	ended := make(chan error, 1)
	go func() { ended <- k.follow(ctx, addr, t.take) }()
	warmed := time.AfterFunc(warm, t.begin)
	defer warmed.Stop()
	select {
	case err := <-ended:
		return report{}, fmt.Errorf("the connection ended: %w", err)
	case <-ctx.Done():
	case <-time.After(warm + count):
	}
	if err := ctx.Err(); err != nil {
		<-ended
		return report{}, err
	}
	cancel()
	<-ended
	if len(t.Ages) < senders { // a link that is worse than its load gives few, and old ones
		return report{}, fmt.Errorf("%d messages came of %d senders", len(t.Ages), senders)
	}
	return t.report, nil
}

// readLines takes a message of each line, until r ends or fails.
func readLines(r io.Reader, take func(message)) error {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		var m message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return err
		}
		take(m)
	}
	return errors.Join(lines.Err(), io.ErrUnexpectedEOF)
}
