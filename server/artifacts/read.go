package artifacts

import (
	"context"
	"io"
	"unicode/utf8"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// Read returns some bytes of an artifact: as text if they are, up to the last whole character.
func (as *Artifacts) Read(ctx context.Context, p wire.ArtifactReadParams) (*wire.ArtifactPart, error) {
	if p.Length < 0 || p.Length > wire.MaxArtifactPart {
		return nil, noun.Bad("length", "at most %d bytes can be read at once", wire.MaxArtifactPart)
	}
	if p.Length == 0 {
		p.Length = wire.DefaultArtifactPart
	}
	rec, r, err := as.Download(ctx, p.ID, p.Offset)
	if err != nil {
		return nil, err
	}
	if c, ok := r.(io.Closer); ok {
		defer c.Close()
	}
	b, err := io.ReadAll(io.LimitReader(r, int64(p.Length)))
	if err != nil {
		return nil, err
	}
	part := &wire.ArtifactPart{Artifact: rec, Offset: p.Offset}
	if text := whole(b, p.Offset+int64(len(b)) < rec.Size); utf8.Valid(text) {
		b, part.Text = text, string(text)
	} else {
		part.Base64 = b
	}
	if end := p.Offset + int64(len(b)); end < rec.Size {
		part.Next = &end
	}
	return part, nil
}

// whole leaves out a character that goes on after b, if more does.
func whole(b []byte, more bool) []byte {
	if !more {
		return b
	}
	for i := len(b) - 1; i >= max(0, len(b)-utf8.UTFMax); i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) && i > 0 {
				return b[:i]
			}
			break
		}
	}
	return b
}
