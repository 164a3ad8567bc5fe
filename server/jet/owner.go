package jet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	ownerBucket = "owner"
	ownerKey    = "node"

	// OwnerLease is how long a store stays claimed when its node does not renew the claim. It is longer than a NATS
	// cluster needs to elect a leader.
	OwnerLease   = 15 * time.Second
	leaseRenewal = 5 // renewals within a lease
)

// Owner is the node that a store belongs to. Two nodes on one store would each end the other's agents and run its tasks
// again.
type Owner struct {
	Node   string    `json:"node"`
	Host   string    `json:"host"`
	PID    int       `json:"pid"`
	Folder string    `json:"folder"` // the id of its data folder, which is locked by one server
	Since  time.Time `json:"since"`
}

// OwnedError reports that a store belongs to another node.
type OwnedError struct {
	Owner
	URL   string
	Lease time.Duration
}

func (e *OwnedError) Error() string {
	return fmt.Sprintf("the store at %s belongs to node %q (process %d on %s, since %s): a second server on it would end that one's agents and run its tasks again; stop it first. If it is gone, its claim ends within %s",
		e.URL, e.Node, e.PID, e.Host, e.Since.Format(time.RFC3339), e.Lease)
}

// claim is the ownership of a store by a node: a key that expires unless it is renewed.
type claim struct {
	log   *slog.Logger
	kv    jetstream.KeyValue
	owner Owner
	value []byte
	url   string
	lease time.Duration

	revision uint64 // owned by keep once that runs
	lost     chan error
	stop     context.CancelFunc
	done     chan struct{}
}

// own claims an external store until release. It must be called before anything in the store is changed. Its error is an
// *OwnedError if the store belongs to another node. An embedded store needs no claim, because its folder is locked.
func own(ctx context.Context, n *node, log *slog.Logger, o Owner, lease time.Duration) (*claim, error) {
	if lease <= 0 {
		lease = OwnerLease
	}
	value, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	c := &claim{log: log, owner: o, value: value, url: n.nc.ConnectedUrlRedacted(), lease: lease, lost: make(chan error, 1), done: make(chan struct{})}
	c.kv, err = n.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: ownerBucket, History: 1, Storage: jetstream.FileStorage, TTL: lease})
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", ownerBucket, err)
	}
	if err := c.take(ctx); err != nil {
		return nil, err
	}
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	go c.keep(keeping)
	return c, nil
}

// take claims a store that is free or belonged to an earlier process with the same data folder.
func (c *claim) take(ctx context.Context) (err error) {
	for {
		if c.revision, err = c.kv.Create(ctx, ownerKey, c.value); err == nil {
			return nil
		}
		if !errors.Is(err, jetstream.ErrKeyExists) {
			return fmt.Errorf("claim the store: %w", err)
		}
		owner, revision, err := c.read(ctx)
		switch {
		case errors.Is(err, jetstream.ErrKeyNotFound):
			continue // it expired in the meantime
		case err != nil:
			return fmt.Errorf("read whose the store is: %w", err)
		case owner.Folder != c.owner.Folder:
			return &OwnedError{Owner: owner, URL: c.url, Lease: c.lease}
		}
		if c.revision, err = c.kv.Update(ctx, ownerKey, c.value, revision); err == nil {
			return nil
		}
		if !isConflict(err) {
			return fmt.Errorf("claim the store: %w", err)
		}
	}
}

func (c *claim) read(ctx context.Context) (o Owner, revision uint64, err error) {
	e, err := c.kv.Get(ctx, ownerKey)
	if err != nil {
		return o, 0, err
	}
	return o, e.Revision(), json.Unmarshal(e.Value(), &o)
}

// keep renews the claim until ctx ends or another node has it. It retries while the store does not answer.
func (c *claim) keep(ctx context.Context) {
	defer close(c.done)
	ticker := time.NewTicker(c.lease / leaseRenewal)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		attempt, cancel := context.WithTimeout(ctx, c.lease/leaseRenewal)
		err := c.renew(attempt)
		cancel()
		var owned *OwnedError
		switch {
		case errors.As(err, &owned):
			c.lost <- fmt.Errorf("this node has lost its store: %w", err)
			return
		case err != nil && ctx.Err() == nil:
			c.log.Warn("the claim on the store could not be renewed; trying again", "err", err)
		}
	}
}

func (c *claim) renew(ctx context.Context) error {
	revision, err := c.kv.Update(ctx, ownerKey, c.value, c.revision)
	if err == nil {
		c.revision = revision
		return nil
	}
	if !isConflict(err) {
		return err
	}
	return c.take(ctx) // an earlier renewal was not acknowledged, or the claim expired while the store was unreachable
}

// release ends the claim, so that another node can take the store at once.
func (c *claim) release(ctx context.Context) {
	c.stop()
	<-c.done
	owner, revision, err := c.read(ctx)
	if err == nil && owner == c.owner {
		err = c.kv.Delete(ctx, ownerKey, jetstream.LastRevision(revision))
	}
	if err != nil && !errors.Is(err, jetstream.ErrKeyNotFound) {
		c.log.Warn("the claim on the store ends by itself", "within", c.lease, "err", err)
	}
}
