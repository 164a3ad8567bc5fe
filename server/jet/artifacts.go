package jet

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"skein.dev/skein/webtransport/wire"
)

// The bytes of artifacts are in an object store that the tools of NATS can read (ADR-20): chunks on one subject, then a
// message that describes them. The id of an artifact is the name of the object and, because an id is never used twice,
// the name of its chunks too. So what an interrupted put left behind can be found by it.
const (
	artifactBucket = "artifacts"
	objectStream   = "OBJ_" + artifactBucket
	chunkSubject   = "$O." + artifactBucket + ".C."
	objectSubject  = "$O." + artifactBucket + ".M."

	chunkSize   = 512 << 10 // bytes; each chunk is synced to the disk on its own
	chunksAhead = 4         // how many chunks may be under way to the store

	// The index has the sequence of every indexEvery-th chunk, because chunks of other objects may lie in between. A
	// reader that starts in the middle skips fewer than indexEvery chunks.
	indexEvery = 16
	indexKey   = "skein-index" // in the object's metadata: the sequences, separated by spaces
)

// openArtifacts creates the buckets of the records and of the bytes.
func (s *Store) openArtifacts(ctx context.Context) (err error) {
	if s.artifacts, err = s.records.bucket(ctx, artifactBucket); err != nil {
		return err
	}
	s.objects, err = s.records.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: objectStream, Subjects: []string{chunkSubject + ">", objectSubject + ">"}, Storage: jetstream.FileStorage,
		Discard: jetstream.DiscardNew, AllowRollup: true, AllowDirect: true,
		MaxMsgsPerSubject: 1 << 40, // never reached, but with any bound the server keeps blocks of 4 MiB instead of 8 MiB in memory
	})
	if err != nil {
		return fmt.Errorf("open the object store: %w", err)
	}
	return nil
}

// PutArtifact replaces the revision of an artifact's record that is given, or creates the record if revision is 0. It
// returns the new revision, and the record is on the disk then. The error has CodeOutcomeUnknown if ctx ended before the
// store acknowledged the write.
func (s *Store) PutArtifact(ctx context.Context, a *wire.Artifact, revision uint64) (uint64, error) {
	b, err := json.Marshal(a)
	if err == nil {
		revision, err = s.writer.put(ctx, s.artifacts, string(a.ID), b, revision)
	}
	if err != nil {
		return 0, fmt.Errorf("store artifact %s: %w", a.ID, err)
	}
	return revision, nil
}

// DeleteArtifact removes an artifact's record.
func (s *Store) DeleteArtifact(ctx context.Context, id wire.ArtifactID) error {
	if err := s.artifacts.Purge(ctx, string(id)); err != nil {
		return fmt.Errorf("delete artifact %s: %w", id, err)
	}
	return nil
}

// Artifacts calls each for every artifact's record with its revision.
func (s *Store) Artifacts(ctx context.Context, each func(a wire.Artifact, revision uint64)) error {
	w, err := s.artifacts.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return fmt.Errorf("read the artifacts: %w", err)
	}
	defer w.Stop()
	for {
		select {
		case e := <-w.Updates():
			if e == nil { // the end of the records
				return nil
			}
			var a wire.Artifact
			if err := json.Unmarshal(e.Value(), &a); err != nil {
				return fmt.Errorf("read artifact %s: %w", e.Key(), err)
			}
			each(a, e.Revision())
		case <-ctx.Done():
			return fmt.Errorf("read the artifacts: %w", ctx.Err())
		}
	}
}

// Objects lists the artifacts that have stored bytes, whether complete or not.
func (s *Store) Objects(ctx context.Context) ([]wire.ArtifactID, error) {
	info, err := s.objects.Info(ctx, jetstream.WithSubjectFilter("$O."+artifactBucket+".>"))
	if err != nil {
		return nil, fmt.Errorf("list the objects: %w", err)
	}
	var ids []wire.ArtifactID
	seen := map[string]bool{}
	for subject := range info.State.Subjects {
		name, ok := strings.CutPrefix(subject, chunkSubject)
		if !ok {
			b, err := base64.URLEncoding.DecodeString(strings.TrimPrefix(subject, objectSubject))
			if err != nil {
				continue // not ours
			}
			name = string(b)
		}
		if !seen[name] {
			seen[name] = true
			ids = append(ids, wire.ArtifactID(name))
		}
	}
	return ids, nil
}

// DeleteObject removes an artifact's bytes, whether complete or not. It is no error if there are none.
func (s *Store) DeleteObject(ctx context.Context, id wire.ArtifactID) error {
	for _, subject := range []string{descriptionOf(id), chunkSubject + string(id)} {
		if err := s.objects.Purge(ctx, jetstream.WithPurgeSubject(subject)); err != nil {
			return fmt.Errorf("delete the bytes of artifact %s: %w", id, err)
		}
	}
	return nil
}

func descriptionOf(id wire.ArtifactID) string {
	return objectSubject + base64.URLEncoding.EncodeToString([]byte(id))
}

// PutObject stores an artifact's bytes in place of those that are there, and returns their number and their SHA-256 in
// hexadecimal. The bytes are on the disk when it returns. After an error, a part of them may be stored.
func (s *Store) PutObject(ctx context.Context, id wire.ArtifactID, r io.Reader) (size int64, sum string, err error) {
	if err := s.DeleteObject(ctx, id); err != nil {
		return 0, "", err
	}
	p := &objectPut{s: s, subject: chunkSubject + string(id), hash: sha256.New(), chunk: chunkSize}
	if limit := int(s.records.nc.MaxPayload()) - 1024; limit < p.chunk { // of an external server
		p.chunk = limit
	}
	err = p.copy(ctx, r)
	if err == nil {
		err = p.describe(ctx, id)
	}
	if err != nil {
		return 0, "", fmt.Errorf("store the bytes of artifact %s: %w", id, err)
	}
	return p.size, hex.EncodeToString(p.hash.Sum(nil)), nil
}

// objectPut is an object that is being stored.
type objectPut struct {
	s       *Store
	subject string
	chunk   int // bytes
	hash    hash.Hash

	size    int64
	stored  int // chunks
	index   []string
	waiting []jetstream.PubAckFuture // for chunks under way, oldest first, at most chunksAhead
	buffers [][]byte                 // used in turn; one is free again when its chunk is stored
}

func (p *objectPut) copy(ctx context.Context, r io.Reader) error {
	for n := 0; ; n++ {
		if len(p.waiting) == chunksAhead {
			if err := p.settle(ctx); err != nil {
				return err
			}
		}
		if len(p.buffers) < chunksAhead {
			p.buffers = append(p.buffers, make([]byte, p.chunk))
		}
		buf := p.buffers[n%chunksAhead]
		got, err := io.ReadFull(r, buf)
		if got > 0 {
			if err := p.publish(buf[:got]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			for len(p.waiting) > 0 {
				if err := p.settle(ctx); err != nil {
					return err
				}
			}
			return nil
		case err != nil:
			return err
		}
	}
}

func (p *objectPut) publish(b []byte) error {
	future, err := p.s.records.js.PublishMsgAsync(&nats.Msg{Subject: p.subject, Data: b})
	if err != nil {
		return err
	}
	p.waiting = append(p.waiting, future)
	p.hash.Write(b)
	p.size += int64(len(b))
	return nil
}

// settle waits until the oldest chunk under way is stored.
func (p *objectPut) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	select {
	case ack := <-p.waiting[0].Ok():
		if p.stored%indexEvery == 0 {
			p.index = append(p.index, strconv.FormatUint(ack.Sequence, 10))
		}
		p.stored++
		p.waiting = p.waiting[1:]
		return nil
	case err := <-p.waiting[0].Err():
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// describe writes the message that turns the chunks into an object.
func (p *objectPut) describe(ctx context.Context, id wire.ArtifactID) error {
	b, err := json.Marshal(jetstream.ObjectInfo{
		ObjectMeta: jetstream.ObjectMeta{Name: string(id), Opts: &jetstream.ObjectMetaOptions{ChunkSize: uint32(p.chunk)},
			Metadata: map[string]string{indexKey: strings.Join(p.index, " ")}},
		Bucket: artifactBucket, NUID: string(id), Size: uint64(p.size), Chunks: uint32(p.stored), Digest: jetstream.GetObjectDigestValue(p.hash),
	})
	if err != nil {
		return err
	}
	m := &nats.Msg{Subject: descriptionOf(id), Data: b, Header: nats.Header{jetstream.MsgRollup: {jetstream.MsgRollupSubject}}}
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	_, err = p.s.records.js.PublishMsg(ctx, m)
	return err
}

// OpenObject returns a reader of an artifact's bytes from an offset on. It works until ctx ends and fetches one chunk at
// a time.
func (s *Store) OpenObject(ctx context.Context, id wire.ArtifactID, offset int64) (io.Reader, error) {
	m, err := s.objects.GetLastMsgForSubject(ctx, descriptionOf(id))
	if err != nil {
		return nil, fmt.Errorf("open the bytes of artifact %s: %w", id, err)
	}
	var info jetstream.ObjectInfo
	if err := json.Unmarshal(m.Data, &info); err != nil || info.Opts == nil || info.Opts.ChunkSize == 0 {
		return nil, fmt.Errorf("open the bytes of artifact %s: its description makes no sense: %v", id, err)
	}
	r := &objectReader{ctx: ctx, s: s, id: id, left: int64(info.Size) - offset}
	if r.left <= 0 {
		return r, nil
	}
	entry := offset / int64(info.Opts.ChunkSize) / indexEvery
	index := strings.Fields(info.Metadata[indexKey])
	if int(entry) >= len(index) {
		return nil, fmt.Errorf("open the bytes of artifact %s: its index ends early", id)
	}
	if r.seq, err = strconv.ParseUint(index[entry], 10, 64); err != nil {
		return nil, fmt.Errorf("open the bytes of artifact %s: its index: %w", id, err)
	}
	r.skip = offset - entry*indexEvery*int64(info.Opts.ChunkSize)
	return r, nil
}

// objectReader reads the chunks of an object one after the other.
type objectReader struct {
	ctx  context.Context
	s    *Store
	id   wire.ArtifactID
	seq  uint64 // from which the next chunk is searched
	skip int64  // bytes to discard first
	left int64  // bytes still to return

	chunk []byte // what is left of the current one
}

func (r *objectReader) Read(b []byte) (int, error) {
	if r.left <= 0 {
		return 0, io.EOF
	}
	for len(r.chunk) == 0 {
		if err := r.next(); err != nil {
			return 0, fmt.Errorf("read the bytes of artifact %s: %w", r.id, err)
		}
	}
	n := copy(b[:min(int64(len(b)), r.left)], r.chunk)
	r.left -= int64(n)
	r.chunk = r.chunk[n:]
	return n, nil
}

// next fetches a chunk. A batch would need fewer requests, but the server counts what is left over all blocks of the
// stream for each.
func (r *objectReader) next() error {
	r.chunk = nil
	ctx, cancel := context.WithTimeout(r.ctx, opTimeout)
	defer cancel()
	m, err := r.s.objects.GetMsg(ctx, r.seq, jetstream.WithGetMsgSubject(chunkSubject+string(r.id)))
	if err != nil {
		return err
	}
	r.seq = m.Sequence + 1
	skip := min(r.skip, int64(len(m.Data)))
	r.skip -= skip
	r.chunk = m.Data[skip:]
	return nil
}
