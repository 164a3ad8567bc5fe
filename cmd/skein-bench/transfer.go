package main

import (
	"io"
	"time"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

const benchFile = 64 << 20 // bytes

// pattern is a file that takes no memory.
type pattern struct{}

func (pattern) ReadAt(b []byte, off int64) (int, error) {
	for i := range b {
		b[i] = byte((off + int64(i)) * 0x9e3779b1 >> 13)
	}
	return len(b), nil
}

// benchUpload sends a file until the server has it on the disk. Its SHA-256 is computed before.
func benchUpload(b *benchRun, transport string) (result, error) {
	return benchTransfer(b, transport, func(c *client.Client, p wire.ArtifactCreateParams) (*wire.Artifact, time.Duration, error) {
		begin := time.Now()
		a, err := c.Upload(b.ctx, p, pattern{}, nil)
		return a, time.Since(begin), err
	})
}

// benchDownload gets it back, and checks its SHA-256 meanwhile.
func benchDownload(b *benchRun, transport string) (result, error) {
	return benchTransfer(b, transport, func(c *client.Client, p wire.ArtifactCreateParams) (*wire.Artifact, time.Duration, error) {
		a, err := c.Upload(b.ctx, p, pattern{}, nil)
		if err != nil {
			return nil, 0, err
		}
		begin := time.Now()
		_, err = c.Download(b.ctx, a.ID, io.Discard, nil)
		return a, time.Since(begin), err
	})
}

func benchTransfer(b *benchRun, transport string, run func(*client.Client, wire.ArtifactCreateParams) (*wire.Artifact, time.Duration, error)) (r result, err error) {
	c, err := b.dial(transport)
	if err != nil {
		return r, err
	}
	defer c.Close()
	p := wire.ArtifactCreateParams{Name: "bench", Size: benchFile}
	if p.SHA256, err = client.Sum(b.ctx, io.NewSectionReader(pattern{}, 0, benchFile)); err != nil {
		return r, err
	}
	rates := make([]float64, b.n(5))
	for i := range rates {
		a, took, err := run(c, p)
		if err == nil {
			err = c.ArtifactDelete(b.ctx, a.ID)
		}
		if err != nil {
			return r, err
		}
		rates[i] = benchFile / 1e6 / took.Seconds()
	}
	r.Value = median(rates)
	return r, nil
}
