package jet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Login is a browser session that signed in.
type Login struct {
	Expires time.Time `json:"expires"`
	Created time.Time `json:"created"`
	Agent   string    `json:"agent,omitempty"` // the browser's User-Agent
}

// PutLogin stores a login under the hash of its cookie.
func (s *Store) PutLogin(ctx context.Context, hash string, l Login) error {
	return putJSON(ctx, s.logins, hash, l)
}

// GetLogin returns a login, and false if there is none.
func (s *Store) GetLogin(ctx context.Context, hash string) (Login, bool, error) {
	var l Login
	e, err := s.logins.Get(ctx, hash)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return l, false, nil
	}
	if err != nil {
		return l, false, fmt.Errorf("read a login: %w", err)
	}
	return l, true, json.Unmarshal(e.Value(), &l)
}

// DeleteLogin revokes a login.
func (s *Store) DeleteLogin(ctx context.Context, hash string) error {
	return s.logins.Purge(ctx, hash)
}
