// generate writes the Go of the pages, from the .templ files in a folder and below it: as templ generate does, whose program
// takes ten times as long to compile, because it is a language server and a proxy as well.
package main

import (
	"bytes"
	"fmt"
	"go/format"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/a-h/templ"
	"github.com/a-h/templ/generator"
	"github.com/a-h/templ/parser/v2"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: generate FOLDER")
		os.Exit(2)
	}
	if err := all(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// all generates from each template below root, and removes what was generated from one that is gone.
func all(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if source, ok := strings.CutSuffix(path, "_templ.go"); ok {
			if _, err := os.Stat(source + ".templ"); os.IsNotExist(err) {
				return os.Remove(path)
			}
		}
		if filepath.Ext(path) != ".templ" {
			return nil
		}
		if err := one(root, path); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	})
}

// one generates from one template. What it writes names the template relative to root.
func one(root, path string) error {
	t, err := parser.Parse(path)
	if err != nil {
		return err
	}
	name, err := filepath.Rel(root, path)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if _, err := generator.Generate(t, &b, generator.WithVersion(templ.Version()), generator.WithFileName(filepath.ToSlash(name))); err != nil {
		return err
	}
	code, err := format.Source(b.Bytes())
	if err != nil {
		return err
	}
	target := strings.TrimSuffix(path, ".templ") + "_templ.go"
	if before, err := os.ReadFile(target); err == nil && bytes.Equal(before, code) {
		return nil // so that its time stays, too
	}
	return os.WriteFile(target, code, 0o644)
}
