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

// ErrMismatch is wrapped by the error of a download whose bytes do not have the artifact's SHA-256.
var ErrMismatch = errors.New("the bytes differ from the artifact's SHA-256")

// ArtifactCreate creates the record of an artifact, which an upload then fills.
func (c *Client) ArtifactCreate(ctx context.Context, p wire.ArtifactCreateParams) (*wire.Artifact, error) {
	var r wire.Artifact
	return &r, c.calls.do(ctx, wire.MethodArtifactCreate, p, &r)
}

// ArtifactGet returns an artifact's record.
func (c *Client) ArtifactGet(ctx context.Context, id wire.ArtifactID) (*wire.Artifact, error) {
	var r wire.Artifact
	return &r, c.calls.do(ctx, wire.MethodArtifactGet, wire.ArtifactParams{ID: id}, &r)
}

// ArtifactList returns the matching artifacts, newest first: f.Limit of them, or all if it is 0. It sends as many
// requests as that takes. Next is where another ArtifactList can continue.
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

// ArtifactDelete deletes an artifact. It aborts an upload of the artifact that is under way.
func (c *Client) ArtifactDelete(ctx context.Context, id wire.ArtifactID) error {
	return c.calls.do(ctx, wire.MethodArtifactDelete, wire.ArtifactParams{ID: id}, nil)
}

// Upload creates an artifact from the first p.Size bytes of r. It computes their SHA-256 unless p has it. After a
// reconnect it continues after what the server has. progress, which may be nil, is called with the number of bytes sent,
// which decreases if some were lost on the way.
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

// UploadTo uploads the bytes of an artifact whose record exists, or whose upload was interrupted.
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

// Sum returns the SHA-256 of what r yields, in hexadecimal.
func Sum(ctx context.Context, r io.Reader) (string, error) {
	h := sha256.New()
	if _, err := io.CopyBuffer(struct{ io.Writer }{h}, contextReader{ctx, r}, make([]byte, transferBuffer)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// contextReader is a reader that fails when its context ends.
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

// Download writes an artifact's bytes to w, across reconnects, and verifies them. progress may be nil.
func (c *Client) Download(ctx context.Context, id wire.ArtifactID, w io.Writer, progress func(received, total int64)) (*wire.Artifact, error) {
	d := &download{id: id, w: w, hash: sha256.New(), progress: progress}
	return d.run(ctx, c)
}

// DownloadFile downloads an artifact to a file. The file is named path.part until it is complete and verified. A file of
// that name from an interrupted download is continued.
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
	if resumed && (errors.Is(err, ErrMismatch) || errors.Is(err, &wire.Error{Code: wire.CodeInvalidParams})) { // the part is of another file
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
