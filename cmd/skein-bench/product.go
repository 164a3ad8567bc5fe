package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// usageError is a mistake on the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// product finds skein: the program that path names, or the one beside this program.
func product(path string) (string, error) {
	if path == "" {
		self, err := os.Executable()
		if err != nil {
			return "", err
		}
		path = filepath.Join(filepath.Dir(self), "skein")
	}
	found, err := exec.LookPath(path)
	if err != nil {
		return "", usageError{fmt.Errorf("find skein: %w; make build makes it, --skein says where another one is", err)}
	}
	return filepath.Abs(found)
}

// versionOf asks the program that is measured what it is.
func versionOf(ctx context.Context, skein string) (v struct{ Version, Go string }, err error) {
	out, err := exec.CommandContext(ctx, skein, "version", "--json").Output()
	if err != nil {
		return v, fmt.Errorf("ask %s for its version: %w", skein, err)
	}
	return v, json.Unmarshal(out, &v)
}
