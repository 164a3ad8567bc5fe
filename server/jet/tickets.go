package jet

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	ticketBucket  = "tickets"
	ticketKeysKey = "keys"
	// TicketAge is how long a TLS session ticket is valid for early data, and how long a key is used for new tickets.
	TicketAge      = 24 * time.Hour
	maxTicketBytes = 64 << 20
)

// ticketKey encrypts TLS session tickets.
type ticketKey struct {
	Key     [32]byte  `json:"key"`
	Created time.Time `json:"created"`
}

type ticketKeys struct {
	Boot string      `json:"boot"` // the boot of the machine
	Keys []ticketKey `json:"keys"` // newest first
}

// openTickets opens the bucket of what all nodes must know about TLS session tickets. It is kept with the events: the
// kernel has what was written, but a crash of the machine may take back the last writes. The keys change with such a
// crash, so that a ticket whose use was forgotten can't be decrypted any more.
func (s *Store) openTickets(ctx context.Context, boot string) (err error) {
	s.boot = boot
	s.tickets, err = s.events.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: ticketBucket, History: 1, Storage: jetstream.FileStorage, TTL: 2 * TicketAge, MaxBytes: maxTicketBytes,
	})
	if err != nil {
		return fmt.Errorf("open bucket %s: %w", ticketBucket, err)
	}
	return nil
}

// TicketKeys returns the keys of TLS session tickets, newest first. It adds a key when the newest is older than
// TicketAge, and drops keys that no valid ticket can have.
func (s *Store) TicketKeys(ctx context.Context, now time.Time) ([][32]byte, error) {
	for {
		k, revision, err := s.readTicketKeys(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the ticket keys: %w", err)
		}
		if k.Boot != s.boot {
			k = ticketKeys{Boot: s.boot}
		}
		if len(k.Keys) == 0 || now.Sub(k.Keys[0].Created) >= TicketAge {
			n := ticketKey{Created: now}
			rand.Read(n.Key[:])
			k.Keys = append([]ticketKey{n}, k.Keys...)
			for len(k.Keys) > 1 && now.Sub(k.Keys[len(k.Keys)-1].Created) >= 2*TicketAge {
				k.Keys = k.Keys[:len(k.Keys)-1]
			}
			b, err := json.Marshal(k)
			if err != nil {
				return nil, err
			}
			if revision == 0 {
				_, err = s.tickets.Create(ctx, ticketKeysKey, b)
			} else {
				_, err = s.tickets.Update(ctx, ticketKeysKey, b, revision)
			}
			if errors.Is(err, jetstream.ErrKeyExists) {
				continue // another node was faster
			}
			if err != nil {
				return nil, fmt.Errorf("store the ticket keys: %w", err)
			}
		}
		keys := make([][32]byte, 0, len(k.Keys))
		for _, t := range k.Keys {
			keys = append(keys, t.Key)
		}
		return keys, nil
	}
}

func (s *Store) readTicketKeys(ctx context.Context) (k ticketKeys, revision uint64, err error) {
	e, err := s.tickets.Get(ctx, ticketKeysKey)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return k, 0, nil
	}
	if err != nil {
		return k, 0, err
	}
	return k, e.Revision(), json.Unmarshal(e.Value(), &k)
}

// UseTicket marks a ticket as used. Its id consists of [A-Za-z0-9_-]. It returns false if the ticket was used before, on
// any node.
func (s *Store) UseTicket(ctx context.Context, id string) (bool, error) {
	_, err := s.tickets.Create(ctx, "used."+id, nil)
	if errors.Is(err, jetstream.ErrKeyExists) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("use a ticket up: %w", err)
	}
	return true, nil
}
