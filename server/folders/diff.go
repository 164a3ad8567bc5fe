package folders

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"skein.dev/skein/webtransport/wire"
)

// maxContext is how many lines around a change are shown at most.
const maxContext = 100_000

// Diff returns how an agent has changed one file.
func (fs *Folders) Diff(ctx context.Context, a *wire.Agent, p wire.DiffParams) (*wire.Diff, error) {
	switch {
	case p.Context < 0 || p.Context > maxContext:
		return nil, wire.Errorf(wire.CodeInvalidParams, "context must be between 0 and %d lines", maxContext).WithField("context")
	case p.Tree != "" && !objectID(p.Tree), p.Base != "" && !objectID(p.Base):
		return nil, wire.Errorf(wire.CodeInvalidParams, "tree and base are those of agent.changes").WithField("tree")
	}
	w, end, err := fs.begin(ctx, a, fs.o.Timeout)
	if err != nil {
		return nil, err
	}
	defer end()
	d := &wire.Diff{Tree: p.Tree, Base: p.Base}
	if d.Base == "" {
		if d.Base, err = w.base(); err != nil {
			return nil, err
		}
	}
	if d.Tree == "" {
		if d.Tree, _, err = w.snapshot(); err != nil {
			return nil, err
		}
	}
	all, err := w.compare(d.Base, d.Tree)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(f wire.FileChange) bool { return f.Path == p.Path })
	if i < 0 {
		return nil, wire.Errorf(wire.CodeNotFound, "%.200s has not changed", p.Path).WithField("path")
	}
	d.File = all[i]
	return d, w.patch(d, p.Context)
}

// patch makes the unified diff of a file.
func (w *work) patch(d *wire.Diff, context int) error {
	if context == 0 {
		context = 3
	}
	paths := []string{d.File.Path}
	if d.File.Old != "" {
		paths = append(paths, d.File.Old)
	}
	for i, p := range paths {
		plain, err := unquote(p)
		if err != nil {
			return err
		}
		paths[i] = plain
	}
	args := []string{"diff-tree", "-p", "-M", "--no-ext-diff", "--no-textconv", "--no-color", "-U" + strconv.Itoa(context), d.Base, d.Tree, "--"}
	for i, p := range paths { // what is below: a file may have become a folder
		paths[i] = ":(literal)" + p
		args = append(args, ":(exclude,literal)"+p+"/")
	}
	args = append(args, paths...)
	out, err := w.run(wire.MaxPatch, "", args...)
	if d.Cut = errors.Is(err, errCut); err != nil && !d.Cut {
		return inWords(err, w.dir)
	}
	d.Patch = strings.ToValidUTF8(string(out), "\uFFFD")
	return nil
}

// objectID reports whether s is the id of an object of git: SHA-1 or SHA-256, in hexadecimal.
func objectID(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}
