package push

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"skein.dev/skein/server/datadir"
)

// book is the file of the subscriptions (0600). They go with the key, in the data folder: no other key can send to them.
type book struct {
	path   string
	saving sync.Mutex
}

// kept is what the file has.
type kept struct {
	Subscriptions []Subscription `json:"subscriptions"`
	Gone          []string       `json:"gone,omitempty"`
}

func (b *book) read() (k kept, err error) {
	text, err := os.ReadFile(b.path)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &k)
	}
	if err != nil {
		return k, fmt.Errorf("read the browsers that are to be notified from %s (without it, each must be turned on again): %w", b.path, err)
	}
	return k, nil
}

// write stores what now returns, which is called when nothing else is being written.
func (b *book) write(now func() kept) error {
	b.saving.Lock()
	defer b.saving.Unlock()
	text, err := json.MarshalIndent(now(), "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(b.path), 0o700); err != nil {
		return err
	}
	return datadir.WriteFile(b.path, append(text, '\n'))
}
