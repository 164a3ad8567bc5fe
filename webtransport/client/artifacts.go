package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"skein.dev/skein/webtransport/wire"
)

// ErrMismatch is wrapped when the bytes of an artifact are not those that its SHA-256 stands for.
var ErrMismatch = errors.New("the bytes differ from the artifact's SHA-256")

// ArtifactCreate makes the record that an upload fills.
func (c *Client) ArtifactCreate(ctx context.Context, p wire.ArtifactCreateParams) (*wire.Artifact, error) {
	var r wire.Artifact
	return &r, c.calls.do(ctx, wire.MethodArtifactCreate, p, &r)
}

// ArtifactGet finds an artifact.
func (c *Client) ArtifactGet(ctx context.Context, id wire.ArtifactID) (*wire.Artifact, error) {
	var r wire.Artifact
	return &r, c.calls.do(ctx, wire.MethodArtifactGet, wire.ArtifactParams{ID: id}, &r)
}

// ArtifactList gives the artifacts that match, newest first, however many messages they take: all, or f.Limit. Next is where
// another list goes on.
func (c *Client) ArtifactList(ctx context.Context, f wire.ArtifactFilter) (*wire.ArtifactListResult, error) {
	var all wire.ArtifactListResult
	err := pages(f.Limit, func(limit int) (int, bool, error) {
		r := wire.ArtifactListResult{}
		f.Limit = limit
		err := c.calls.do(ctx, wire.MethodArtifactList, f, &r)
		if all.Artifacts == nil {
			all = r
		} else {
			all.Artifacts, all.Next = append(all.Artifacts, r.Artifacts...), r.Next
		}
		f.After = r.Next
		return len(r.Artifacts), r.Next != "", err
	})
	return &all, err
}

// ArtifactDelete removes an artifact. An upload of it that is under way is cut off.
func (c *Client) ArtifactDelete(ctx context.Context, id wire.ArtifactID) error {
	return c.calls.do(ctx, wire.MethodArtifactDelete, wire.ArtifactParams{ID: id}, nil)
}

// Upload makes an artifact of the first p.Size bytes of r, whose SHA-256 it announces. It goes on over reconnects behind
// what the server has. progress, which may be nil, is told what was sent; it goes back when bytes were lost on the way.
func (c *Client) Upload(ctx context.Context, p wire.ArtifactCreateParams, r io.ReaderAt, progress func(sent, total int64)) (*wire.Artifact, error) {
	if p.SHA256 == "" && p.Size >= 0 {
		sum, err := Sum(ctx, io.NewSectionReader(r, 0, p.Size))
		if err != nil {
			return nil, fmt.Errorf("upload %s: %w", p.Name, err)
		}
		p.SHA256 = sum
	}
	a, err := c.ArtifactCreate(ctx, p)
	if err != nil {
		return nil, err
	}
	return c.UploadTo(ctx, a, r, progress)
}

// UploadTo fills an artifact that was created before, or whose upload broke off.
func (c *Client) UploadTo(ctx context.Context, a *wire.Artifact, r io.ReaderAt, progress func(sent, total int64)) (*wire.Artifact, error) {
	if a.Size < 0 {
		return nil, fmt.Errorf("upload %s: its size is not known", a.Name)
	}
	u := &upload{id: a.ID, r: r, size: a.Size, progress: progress}
	if err := c.transfer(ctx, u.attempt); err != nil {
		return nil, fmt.Errorf("upload %s: %w", a.Name, err)
	}
	return u.done, nil
}

// Sum is the SHA-256 of what r gives, hexadecimal.
func Sum(ctx context.Context, r io.Reader) (string, error) {
	h := sha256.New()
	if _, err := io.CopyBuffer(struct{ io.Writer }{h}, contextReader{ctx, r}, make([]byte, transferBuffer)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// contextReader reads until its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}

// Download writes an artifact's bytes to w, over reconnects, and checks them. progress may be nil.
func (c *Client) Download(ctx context.Context, id wire.ArtifactID, w io.Writer, progress func(received, total int64)) (*wire.Artifact, error) {
	d := &download{id: id, w: w, hash: sha256.New(), progress: progress}
	return d.run(ctx, c)
}

// DownloadFile writes an artifact to a file. Until it is complete and checked it is called path.part, and an earlier
// download that left such a file is gone on with.
func (c *Client) DownloadFile(ctx context.Context, id wire.ArtifactID, path string, progress func(received, total int64)) (*wire.Artifact, error) {
	f, err := os.OpenFile(path+".part", os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d := &download{id: id, w: f, hash: sha256.New(), progress: progress}
	if d.offset, err = io.Copy(d.hash, contextReader{ctx, f}); err != nil {
		return nil, err
	}
	resumed := d.offset > 0
	a, err := d.run(ctx, c)
	if resumed && (errors.Is(err, ErrMismatch) || errors.Is(err, &wire.Error{Code: wire.CodeInvalidParams})) { // it was another file's
		if err := errors.Join(f.Truncate(0), rewind(f)); err != nil {
			return nil, err
		}
		d = &download{id: id, w: f, hash: sha256.New(), progress: progress}
		a, err = d.run(ctx, c)
	}
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	return a, os.Rename(path+".part", path)
}

func rewind(f *os.File) error {
	_, err := f.Seek(0, io.SeekStart)
	return err
}

func (d *download) run(ctx context.Context, c *Client) (*wire.Artifact, error) {
	get := func() error { return c.transfer(ctx, d.attempt) }
	if c.o.Connections > 1 {
		get = func() error { return d.pieces(ctx, c) }
	}
	if err := get(); err != nil {
		return nil, fmt.Errorf("download %s: %w", d.id, err)
	}
	if sum := hex.EncodeToString(d.hash.Sum(nil)); sum != d.artifact.SHA256 {
		return nil, fmt.Errorf("download %s: %w: it is %s here, %s on the server", d.id, ErrMismatch, sum, d.artifact.SHA256)
	}
	return d.artifact, nil
}
