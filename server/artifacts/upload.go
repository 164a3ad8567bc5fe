package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

const (
	partSuffix = ".part"
	// uploadBuffer is the size of the reads of an upload, in bytes.
	uploadBuffer = 256 << 10
	// spaceEvery is how many bytes are written between two checks of the free space on the disk.
	spaceEvery = 4 << 20
	// diskReserve is how many bytes artifacts leave free on the disk, but at most an eighth of the disk. It is twice the
	// reserve of the store, so that a file that is too large does not stop the agents.
	diskReserve = 128 << 20
)

var (
	errTakenOver = wire.Errorf(wire.CodeConflict, "another upload of this artifact took over")
	errDeleted   = wire.Errorf(wire.CodeNotFound, "the artifact was deleted")
)

// Upload fills an artifact until it is closed.
type Upload struct {
	Offset int64 // where it continues

	as     *Artifacts
	a      *artifact
	ctx    context.Context
	cancel context.CancelCauseFunc
	detach func() bool
	part   *os.File
	size   int64 // of the part
}

// Upload takes the turn to fill an artifact. It interrupts an upload that is already running, whose client must have lost
// its connection: otherwise it would not ask again. If the artifact is complete, Upload returns it as done, and a nil u.
func (as *Artifacts) Upload(ctx context.Context, id wire.ArtifactID) (u *Upload, done *wire.Artifact, err error) {
	if !as.begin() {
		return nil, nil, ErrStopping
	}
	u = &Upload{as: as}
	u.ctx, u.cancel = context.WithCancelCause(ctx)
	u.detach = context.AfterFunc(as.ctx, func() { u.cancel(ErrStopping) })
	if err = u.take(id); err != nil {
		u.forget()
		return nil, nil, err
	}
	rec := u.record()
	if rec.State == wire.ArtifactComplete {
		u.Close()
		return nil, &rec, nil
	}
	if err = u.open(&rec); err != nil {
		u.Close()
		return nil, nil, err
	}
	return u, nil, nil
}

// take interrupts the previous upload and waits until it has given up its turn.
func (u *Upload) take(id wire.ArtifactID) error {
	u.as.mu.Lock()
	a, err := u.as.find(id)
	if err == nil {
		if a.upload != nil {
			a.upload.cancel(errTakenOver)
		}
		u.a, a.upload = a, u
	}
	u.as.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case <-a.turn:
	case <-u.ctx.Done():
		return context.Cause(u.ctx)
	}
	u.as.mu.Lock()
	gone := a.gone
	u.as.mu.Unlock()
	if gone {
		a.turn <- struct{}{}
		return errDeleted
	}
	return nil
}

// forget ends an upload that has no turn.
func (u *Upload) forget() {
	u.detach()
	u.cancel(context.Canceled)
	if u.a != nil {
		u.as.mu.Lock()
		if u.a.upload == u {
			u.a.upload = nil
		}
		u.as.mu.Unlock()
	}
	u.as.work.Done()
}

// Close gives the turn back.
func (u *Upload) Close() {
	if u.part != nil {
		u.part.Close()
	}
	u.a.turn <- struct{}{}
	u.forget()
}

func (u *Upload) record() wire.Artifact {
	u.as.mu.Lock()
	defer u.as.mu.Unlock()
	return u.a.rec
}

// Context ends when nobody will read on: another upload has taken over, the artifact was deleted, or the server is
// stopping.
func (u *Upload) Context() context.Context { return u.ctx }

// Artifact returns the artifact in its present state.
func (u *Upload) Artifact() wire.Artifact { return u.record() }

func (as *Artifacts) partFile(id wire.ArtifactID) string {
	return filepath.Join(as.dir, string(id)+partSuffix)
}

func (as *Artifacts) removePart(id wire.ArtifactID) {
	if err := os.Remove(as.partFile(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		as.log.Error("a part of an upload could not be removed", "artifact", id, "err", err)
	}
}

// open opens the part file. Its length is the number of bytes received so far.
func (u *Upload) open(rec *wire.Artifact) (err error) {
	u.part, err = os.OpenFile(u.as.partFile(rec.ID), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return u.broken(err)
	}
	if u.size, err = u.part.Seek(0, io.SeekEnd); err != nil {
		return u.broken(err)
	}
	if rec.Size >= 0 && u.size > rec.Size {
		if err := u.restart(); err != nil {
			return err
		}
	}
	u.Offset = u.size
	u.came(0)
	need := int64(0)
	if rec.Size >= 0 {
		need = rec.Size - u.size + rec.Size // the rest, and the copy in the store, which is made before the part is removed
	}
	return u.as.room(need)
}

// broken returns the error for the client after an error of the disk.
func (u *Upload) broken(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return u.as.full(0)
	}
	return u.as.notStored(u.a.rec.ID, err)
}

// came counts n more bytes in the part.
func (u *Upload) came(n int) {
	u.size += int64(n)
	u.as.mu.Lock()
	defer u.as.mu.Unlock()
	u.a.rec.Received = u.size
	if n > 0 {
		u.a.rec.UpdatedAt = time.Now().UTC()
	}
}

// restart drops all bytes received so far.
func (u *Upload) restart() error {
	if err := u.part.Truncate(0); err != nil {
		return u.broken(err)
	}
	if _, err := u.part.Seek(0, io.SeekStart); err != nil {
		return u.broken(err)
	}
	u.size = 0
	u.came(0)
	return nil
}

// Receive reads the bytes from Offset on until r ends, and returns the complete artifact. If r fails, the bytes received
// are kept, and the next upload continues after them. If r ends but the bytes are not those that were announced, the
// upload starts over.
func (u *Upload) Receive(r io.Reader) (wire.Artifact, error) {
	if err := u.spool(r); err != nil {
		return u.record(), err
	}
	err := u.finish()
	return u.record(), err
}

// spool copies r to the part.
func (u *Upload) spool(r io.Reader) error {
	limit := u.record().Size
	if limit < 0 {
		limit = wire.MaxArtifactSize
	}
	buf := make([]byte, uploadBuffer)
	for unchecked := 0; ; {
		n, err := r.Read(buf)
		if u.size+int64(n) > limit {
			return u.wrong("size", "more bytes came than the %d that were announced", limit)
		}
		if unchecked += n; unchecked >= spaceEvery {
			unchecked = 0
			if err := u.as.room(0); err != nil {
				return err
			}
		}
		written, werr := u.part.Write(buf[:n])
		u.came(written)
		switch {
		case werr != nil:
			return u.broken(werr)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			if cause := context.Cause(u.ctx); cause != nil {
				return cause
			}
			return fmt.Errorf("the upload broke off after %d bytes: %w", u.size, err)
		}
	}
}

// wrong restarts the upload and returns an error that says that the bytes are not those that were announced.
func (u *Upload) wrong(field, format string, args ...any) error {
	if err := u.restart(); err != nil {
		return err
	}
	return noun.Bad(field, format+"; the upload starts over", args...)
}

// finish moves the part into the store, which computes its SHA-256 on the way. It continues if the client disconnects.
func (u *Upload) finish() error {
	rec := u.record()
	if rec.Size >= 0 && u.size != rec.Size {
		return u.wrong("size", "%d bytes came, %d were announced", u.size, rec.Size)
	}
	if _, err := u.part.Seek(0, io.SeekStart); err != nil {
		return u.broken(err)
	}
	size, sum, err := u.as.move(rec.ID, u.size, u.part)
	if err != nil {
		return err
	}
	if size != u.size || rec.SHA256 != "" && sum != rec.SHA256 {
		u.as.dropObject(rec.ID)
		return u.wrong("sha256", "the SHA-256 of the bytes that came is %s, %s was announced", sum, rec.SHA256)
	}
	rec.State, rec.Size, rec.Received, rec.SHA256, rec.UpdatedAt = wire.ArtifactComplete, size, size, sum, time.Now().UTC()
	if err := u.complete(rec); err != nil {
		return err
	}
	u.as.removePart(rec.ID)
	return nil
}

// complete stores the record that makes the object a complete artifact.
func (u *Upload) complete(rec wire.Artifact) error {
	ctx, cancel := context.WithTimeout(context.Background(), u.as.o.Timeout)
	defer cancel()
	u.as.mu.Lock()
	rev := u.a.rev
	u.as.mu.Unlock()
	rev, err := u.as.o.Store.PutArtifact(ctx, &rec, rev)
	if err != nil {
		return u.as.notStored(rec.ID, err)
	}
	u.as.mu.Lock()
	defer u.as.mu.Unlock()
	u.a.rec, u.a.rev = rec, rev
	return nil
}

// move puts a file into the store. After an error, nothing of the file is left there.
func (as *Artifacts) move(id wire.ArtifactID, size int64, r io.Reader) (int64, string, error) {
	select {
	case as.moves <- struct{}{}:
		defer func() { <-as.moves }()
	case <-as.ctx.Done():
		return 0, "", ErrStopping
	}
	if err := as.room(size); err != nil {
		return 0, "", err
	}
	size, sum, err := as.o.Store.PutObject(as.ctx, id, &roomy{as: as, r: r})
	if err != nil {
		as.dropObject(id)
		if errors.Is(err, &wire.Error{Code: wire.CodeUnavailable}) {
			return 0, "", wire.AsError(err)
		}
		return 0, "", as.notStored(id, err)
	}
	return size, sum, nil
}

func (as *Artifacts) dropObject(id wire.ArtifactID) {
	ctx, cancel := context.WithTimeout(context.Background(), as.o.Timeout)
	defer cancel()
	if err := as.o.Store.DeleteObject(ctx, id); err != nil { // the next PutObject or the next start tries again
		as.log.Error("the bytes of an artifact could not be removed", "artifact", id, "err", err)
	}
}

// roomy is a reader that fails when the disk has no room for what it reads.
type roomy struct {
	as        *Artifacts
	r         io.Reader
	unchecked int
}

func (r *roomy) Read(b []byte) (int, error) {
	if r.unchecked >= spaceEvery {
		r.unchecked = 0
		if err := r.as.room(0); err != nil {
			return 0, err
		}
	}
	n, err := r.r.Read(b)
	r.unchecked += n
	return n, err
}

// room returns an error if need bytes do not fit on the disk in addition to the reserve.
func (as *Artifacts) room(need int64) error {
	free, err := as.free()
	if err != nil || free >= need { // if the free space is unknown, the write itself reports a full disk
		return nil
	}
	return as.full(need)
}

// free returns how many more bytes artifacts may take. It may be negative.
func (as *Artifacts) free() (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(as.dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail)*st.Bsize - min(diskReserve, int64(st.Blocks)*st.Bsize/8), nil
}

// full returns the error of a full disk, with how much is left and how much is needed.
func (as *Artifacts) full(need int64) error {
	free, _ := as.free()
	needs := ""
	if need > 0 {
		needs = fmt.Sprintf(", and the file needs %d MiB", (need+1<<20-1)>>20)
	}
	return wire.Errorf(wire.CodeUnavailable, "the server's disk is full: %d MiB are left for artifacts%s. Nothing is lost: go on when there is space", max(0, free)>>20, needs)
}

// Open reads the records in the Store and the files that an earlier server left behind, and makes them agree. The caller
// calls Close when done.
func (as *Artifacts) Open(ctx context.Context) error {
	if err := os.MkdirAll(as.dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of uploads: %w", err)
	}
	err := as.o.Store.Artifacts(ctx, func(rec wire.Artifact, rev uint64) { as.know(rec, rev) }) // without mu: nothing else runs yet
	if err != nil {
		return err
	}
	if err := as.reconcileParts(); err != nil {
		return err
	}
	if err := as.reconcileObjects(ctx); err != nil {
		return err
	}
	as.sweep(ctx)
	return as.findOutboxes()
}

// reconcileParts finds the part of each upload and removes all others. The number of bytes received is the length of the
// part; the stored record does not have it.
func (as *Artifacts) reconcileParts() error {
	for _, a := range as.all {
		if a.rec.State == wire.ArtifactUploading {
			a.rec.Received = 0
		}
	}
	entries, err := os.ReadDir(as.dir)
	if err != nil {
		return fmt.Errorf("read the folder of uploads: %w", err)
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), partSuffix)
		if !ok {
			continue
		}
		a := as.all[wire.ArtifactID(name)]
		if a == nil || a.rec.State == wire.ArtifactComplete {
			as.removePart(wire.ArtifactID(name))
			continue
		}
		info, err := e.Info()
		if err != nil {
			return fmt.Errorf("read the part of upload %s: %w", name, err)
		}
		a.rec.Received = info.Size()
		if at := info.ModTime().UTC(); at.After(a.rec.UpdatedAt) {
			a.rec.UpdatedAt = at
		}
	}
	return nil
}

// reconcileObjects removes the objects that have no complete record, and logs the complete records whose objects are gone.
func (as *Artifacts) reconcileObjects(ctx context.Context) error {
	ids, err := as.o.Store.Objects(ctx)
	if err != nil {
		return err
	}
	there := map[wire.ArtifactID]bool{}
	for _, id := range ids {
		if a := as.all[id]; a != nil && a.rec.State == wire.ArtifactComplete {
			there[id] = true
			continue
		}
		if err := as.o.Store.DeleteObject(ctx, id); err != nil {
			return err
		}
	}
	for id, a := range as.all {
		if a.rec.State == wire.ArtifactComplete && !there[id] {
			as.log.Error("the bytes of an artifact are gone from the store", "artifact", id, "name", a.rec.Name)
		}
	}
	return nil
}
