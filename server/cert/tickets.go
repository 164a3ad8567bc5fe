package cert

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"log/slog"
	"time"

	"skein.dev/skein/server/jet"
)

const (
	ticketTimeout = 2 * time.Second
	ticketRefresh = time.Hour // of the keys, which another node may have added to
)

// ticketMark begins what a ticket carries of ours: its time (Unix seconds, 8 bytes) and its id (16 bytes).
var ticketMark = []byte("skein ticket v1 ")

// TicketStore is what the nodes share about TLS session tickets.
type TicketStore interface {
	TicketKeys(ctx context.Context, now time.Time) ([][32]byte, error)
	UseTicket(ctx context.Context, id string) (bool, error)
}

// Tickets makes TLS session tickets that are good for early data once (RFC 8446, section 8.1): a client that replays a
// first flight gets a connection without its early data.
type Tickets struct {
	store TicketStore
	log   *slog.Logger
	keys  *tls.Config // for its ticket keys only
}

// NewTickets reads the keys that the nodes share.
func NewTickets(ctx context.Context, store TicketStore, log *slog.Logger) (*Tickets, error) {
	t := &Tickets{store: store, log: log, keys: &tls.Config{}}
	return t, t.refresh(ctx)
}

func (t *Tickets) refresh(ctx context.Context) error {
	keys, err := t.store.TicketKeys(ctx, time.Now())
	if err != nil {
		return err
	}
	t.keys.SetSessionTicketKeys(keys)
	return nil
}

// Keep changes the keys in time until ctx ends.
func (t *Tickets) Keep(ctx context.Context) {
	tick := time.NewTicker(ticketRefresh)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := t.refresh(ctx); err != nil && ctx.Err() == nil {
				t.log.Error("the keys of TLS tickets could not be refreshed", "err", err)
			}
		}
	}
}

// Configure makes a server's configuration use these tickets.
func (t *Tickets) Configure(c *tls.Config) *tls.Config {
	c.WrapSession, c.UnwrapSession = t.wrap, t.unwrap
	return c
}

// wrap serves tls.Config.WrapSession.
func (t *Tickets) wrap(cs tls.ConnectionState, ss *tls.SessionState) ([]byte, error) {
	mark := binary.BigEndian.AppendUint64(bytes.Clone(ticketMark), uint64(time.Now().Unix()))
	id := make([]byte, 16)
	rand.Read(id)
	ss.Extra = append(ss.Extra, append(mark, id...))
	return t.keys.EncryptTicket(cs, ss)
}

// unwrap serves tls.Config.UnwrapSession. A ticket that was used before still makes the handshake short.
func (t *Tickets) unwrap(identity []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
	ss, err := t.keys.DecryptTicket(identity, cs)
	if err != nil || ss == nil {
		return ss, err
	}
	if ss.EarlyData {
		if err := t.use(ss.Extra); err != nil {
			t.log.Debug("early data refused", "err", err)
			ss.EarlyData = false
		}
	}
	return ss, nil
}

func (t *Tickets) use(extra [][]byte) error {
	for _, e := range extra {
		mark, ok := bytes.CutPrefix(e, ticketMark)
		if !ok || len(mark) != 24 {
			continue
		}
		made := time.Unix(int64(binary.BigEndian.Uint64(mark)), 0)
		if age := time.Since(made); age >= jet.TicketAge {
			return fmt.Errorf("the ticket is %s old", age.Round(time.Second))
		}
		ctx, cancel := context.WithTimeout(context.Background(), ticketTimeout)
		defer cancel()
		first, err := t.store.UseTicket(ctx, base64.RawURLEncoding.EncodeToString(mark[8:]))
		if err == nil && !first {
			err = fmt.Errorf("the ticket was used before")
		}
		return err
	}
	return fmt.Errorf("the ticket has no id")
}
