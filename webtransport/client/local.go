package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"skein.dev/skein/webtransport/wire"
)

// ErrNoServer is wrapped by the error of FindLocal when no server runs on the data folder.
var ErrNoServer = errors.New("no skein serves from this data folder")

// FindLocal returns the options to connect to the server that runs on a data folder.
func FindLocal(dataDir string) (Options, error) {
	b, err := os.ReadFile(filepath.Join(dataDir, wire.LocalFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Options{}, fmt.Errorf("%w (%s): start one with `skein serve`, or name another with --server", ErrNoServer, dataDir)
	}
	if err != nil {
		return Options{}, fmt.Errorf("find the local server: %w", err)
	}
	var l wire.Local
	if err := json.Unmarshal(b, &l); err != nil {
		return Options{}, fmt.Errorf("find the local server: %s: %w", filepath.Join(dataDir, wire.LocalFile), err)
	}
	token, err := ReadToken(dataDir)
	if err != nil {
		return Options{}, err
	}
	o := Options{URL: l.HTTP, Token: token, CertificateHashes: l.CertificateHashes}
	if o.URL == "" {
		o.URL = l.HTTPS
	}
	return o, nil
}

// ReadToken returns the token in a data folder.
func ReadToken(dataDir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dataDir, wire.TokenFile))
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// DefaultDataDir returns the user's data folder of Skein: $XDG_DATA_HOME/skein, or ~/.local/share/skein.
func DefaultDataDir() string {
	if d := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "skein")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ".skein"
	}
	return filepath.Join(home, ".local", "share", "skein")
}
