// Package artifacts keeps files: those that clients upload, and those that agents leave in their outboxes.
// The package does no network I/O. It uses a [Store], which keeps records and bytes, and [Life], which knows agents and
// tasks.
//
// # Locks
//
// Two tokens, which are channels with one value, come before the only mutex. A goroutine that holds one of them may take
// those below it.
//
//	outbox.idle    the state of an outbox, for a scan of its folder and while its files are kept
//	artifact.turn  the right to write the part file and the record of an artifact
//	Artifacts.mu   all maps, and the fields of every artifact; not held while the Store or the disk is used
//
// No goroutine holds outbox.idle and artifact.turn at the same time. Artifacts.moves and Artifacts.keeps only bound how
// much is done at once: keeps is taken with outbox.idle held, and moves with outbox.idle and keeps held, or with
// artifact.turn.
package artifacts

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// Store keeps the records of artifacts and their bytes.
type Store interface {
	// PutArtifact replaces the record with this revision, or creates it if revision is 0. The record is on the disk when
	// PutArtifact returns.
	PutArtifact(ctx context.Context, a *wire.Artifact, revision uint64) (uint64, error)
	DeleteArtifact(ctx context.Context, id wire.ArtifactID) error
	Artifacts(ctx context.Context, each func(a wire.Artifact, revision uint64)) error

	// PutObject stores bytes and returns their number and their SHA-256. They are on the disk when PutObject returns.
	// After an error, some of them may be stored.
	PutObject(ctx context.Context, id wire.ArtifactID, r io.Reader) (size int64, sha256 string, err error)
	// OpenObject returns a reader of the bytes from an offset, which works until ctx ends.
	OpenObject(ctx context.Context, id wire.ArtifactID, offset int64) (io.Reader, error)
	DeleteObject(ctx context.Context, id wire.ArtifactID) error
	// Objects returns the ids of all objects, including those that are incomplete.
	Objects(ctx context.Context) ([]wire.ArtifactID, error)
}

// Artifacts holds the files that were kept.
//
// A file passes through these steps:
//
//	Create ── record: uploading ──> Upload ── bytes ──> <data folder>/uploads/<id>.part
//	the last byte ── size and SHA-256 right ──> object in the Store ──> record: complete ──> part removed
//	outbox ── a file that is complete ──> object in the Store ──> record: complete ──> file removed
//
// A crash between any two steps leaves an upload that continues where it stopped, or a complete artifact. The next start
// removes objects without a complete record, and parts whose record is complete or gone.
type Artifacts struct {
	// static
	o      Options
	log    *slog.Logger
	dir    string          // folder of the parts
	ctx    context.Context // ends with Close
	cancel context.CancelCauseFunc
	moves  chan struct{}  // bounds the files on their way into the store
	keeps  chan struct{}  // bounds the outboxes being emptied
	work   sync.WaitGroup // uploads, and files being kept

	mu        sync.Mutex // guards what follows, and the fields of every artifact
	all       map[wire.ArtifactID]*artifact
	byRequest map[string]*artifact
	creations map[string]*creation // by request
	outboxes  map[wire.AgentID]*outbox
	closed    bool
}

// artifact is one artifact: its record and its upload.
type artifact struct {
	turn chan struct{} // static; holds one token, whose owner may write the part and the record

	rec    wire.Artifact
	rev    uint64
	upload *Upload // the latest one; nil if it ended
	gone   bool
}

const (
	// movesAtOnce bounds Artifacts.moves, because each move holds a few chunks in memory.
	movesAtOnce = 4
	keepsAtOnce = 2
	// sweepInterval is the time between two scans for abandoned uploads.
	sweepInterval = 10 * time.Minute
	maxMediaType  = 255 // bytes
)

// ErrStopping interrupts transfers when the server stops. The bytes that have arrived are kept.
var ErrStopping = wire.Errorf(wire.CodeUnavailable, "the server is stopping: go on when it is back")

// Life is what artifacts need to know about agents and tasks.
type Life interface {
	HasAgent(wire.AgentID) bool
	HasTask(wire.TaskID) bool
	// WorkOf reports whether the process of an agent has ended, and the tasks that the agent is working on.
	WorkOf(wire.AgentID) (ended bool, tasks []wire.TaskID)
}

// Options are the options of New. All are required except Timeout.
type Options struct {
	Store   Store
	Life    Life
	Dir     string        // the data folder, which holds uploads and outboxes
	WorkDir string        // holds the working folders of agents; an agent that works in its own has its outbox there
	Timeout time.Duration // how long a request waits for a store that does not answer; 0: 10 s
}

// New returns artifacts without content. Open reads them from the Store.
func New(o Options, log *slog.Logger) *Artifacts {
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
	as := &Artifacts{o: o, log: log, dir: filepath.Join(o.Dir, "uploads"), moves: make(chan struct{}, movesAtOnce), keeps: make(chan struct{}, keepsAtOnce),
		all: map[wire.ArtifactID]*artifact{}, byRequest: map[string]*artifact{}, creations: map[string]*creation{}, outboxes: map[wire.AgentID]*outbox{}}
	as.ctx, as.cancel = context.WithCancelCause(context.Background())
	return as
}

// Close interrupts the uploads, which can continue after the next start, and waits for all work to end.
func (as *Artifacts) Close() {
	as.mu.Lock()
	as.closed = true
	as.mu.Unlock()
	as.cancel(ErrStopping)
	as.work.Wait()
}

// begin counts work that Close waits for. It returns false if Close was called.
func (as *Artifacts) begin() bool {
	as.mu.Lock()
	defer as.mu.Unlock()
	if as.closed {
		return false
	}
	as.work.Add(1)
	return true
}

// Tend scans the outboxes for complete files and drops abandoned uploads, until ctx ends.
func (as *Artifacts) Tend(ctx context.Context) {
	scan, sweep := time.NewTicker(outboxInterval), time.NewTicker(sweepInterval)
	defer scan.Stop()
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-scan.C:
			as.scanOutboxes()
		case <-sweep.C:
			as.sweep(ctx)
		}
	}
}

// Create makes the record of an artifact to be uploaded. A repeated request gets the artifact that the first one made.
func (as *Artifacts) Create(_ context.Context, by noun.Caller, params wire.ArtifactCreateParams) (*wire.Artifact, error) {
	if err := as.check(&params); err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	return as.add(wire.Artifact{
		ID: newArtifactID(), Name: params.Name, MediaType: params.MediaType, Size: params.Size, SHA256: params.SHA256,
		Task: params.Task, Agent: params.Agent, Actor: by.Actor, State: wire.ArtifactUploading, CreatedAt: now, UpdatedAt: now,
		Request: by.Request,
	})
}

func newArtifactID() wire.ArtifactID { return wire.ArtifactID(noun.NewID("f")) }

// creation is a record that is being stored.
type creation struct {
	done chan struct{} // closed when it is known whether the record is stored
	rec  wire.Artifact
	err  error
}

// add stores a new record. If the request has made one before, add returns that one. If the store does not answer in time,
// storing continues, and the same request waits for it when it is repeated.
func (as *Artifacts) add(rec wire.Artifact) (*wire.Artifact, error) {
	c, there := as.creating(rec)
	if there != nil {
		return there, nil
	}
	if c == nil {
		return nil, ErrStopping
	}
	late := time.NewTimer(as.o.Timeout)
	defer late.Stop()
	select {
	case <-c.done:
		if c.err != nil {
			return nil, c.err
		}
		return &c.rec, nil
	case <-late.C:
		return nil, wire.Errorf(wire.CodeOutcomeUnknown, "the store does not answer, so that it is not known yet whether the artifact was made. Send the same request again to find out")
	}
}

// creating begins to store a record. If the request has already begun, it returns that creation; if the request has been
// carried out, it returns the record as there. It returns nil, nil if Skein is stopping.
func (as *Artifacts) creating(rec wire.Artifact) (c *creation, there *wire.Artifact) {
	as.mu.Lock()
	defer as.mu.Unlock()
	if rec.Request != "" {
		if a := as.byRequest[rec.Request]; a != nil {
			rec = a.rec
			return nil, &rec
		}
		if c = as.creations[rec.Request]; c != nil {
			return c, nil
		}
	}
	if as.closed {
		return nil, nil
	}
	c = &creation{done: make(chan struct{}), rec: rec}
	if rec.Request != "" {
		as.creations[rec.Request] = c
	}
	as.work.Add(1)
	go as.create(c)
	return c, nil
}

// create tries to store a record until it is known whether it is stored, or until Skein stops. The next start finds out
// in that case.
func (as *Artifacts) create(c *creation) {
	defer as.work.Done()
	defer close(c.done)
	for {
		ctx, cancel := context.WithTimeout(as.ctx, as.o.Timeout)
		rev, err := as.o.Store.PutArtifact(ctx, &c.rec, 0)
		cancel()
		if errors.Is(err, &wire.Error{Code: wire.CodeOutcomeUnknown}) && as.ctx.Err() == nil {
			continue
		}
		if err != nil {
			err = as.notStored(c.rec.ID, err)
		}
		as.mu.Lock()
		defer as.mu.Unlock()
		delete(as.creations, c.rec.Request)
		if c.err = err; err == nil {
			as.know(c.rec, rev)
		}
		return
	}
}

// madeBy returns the artifact that a request made.
func (as *Artifacts) madeBy(request string) (wire.Artifact, bool) {
	as.mu.Lock()
	defer as.mu.Unlock()
	a := as.byRequest[request]
	if a == nil || request == "" {
		return wire.Artifact{}, false
	}
	return a.rec, true
}

// know adds a stored record. The caller holds mu.
func (as *Artifacts) know(rec wire.Artifact, rev uint64) {
	a := &artifact{rec: rec, rev: rev, turn: make(chan struct{}, 1)}
	a.turn <- struct{}{}
	as.all[rec.ID] = a
	if rec.Request != "" {
		as.byRequest[rec.Request] = a
	}
}

// notStored logs why the store failed and returns an error for the client that says that it did.
func (as *Artifacts) notStored(id wire.ArtifactID, err error) error {
	if as.ctx.Err() != nil {
		return ErrStopping
	}
	as.log.Error("an artifact could not be stored", "artifact", id, "err", err)
	if errors.Is(err, &wire.Error{Code: wire.CodeOutcomeUnknown}) {
		return wire.Errorf(wire.CodeOutcomeUnknown, "the store does not answer, so that it is not known whether the artifact was stored. Nothing is lost: try again")
	}
	return wire.Errorf(wire.CodeUnavailable, "the artifact could not be stored; the server's log says why. Nothing is lost: try again later")
}

// check validates the parameters of an upload and fills in those that were left out.
func (as *Artifacts) check(p *wire.ArtifactCreateParams) error {
	if why := badName(p.Name); why != "" {
		return noun.Bad("name", "the name %s", why)
	}
	if p.Size < -1 {
		return noun.Bad("size", "the size must be a number of bytes, or -1 when it is not known")
	}
	if p.Size > wire.MaxArtifactSize {
		return errTooLarge
	}
	if p.SHA256 != "" {
		b, err := hex.DecodeString(p.SHA256)
		if err != nil || len(b) != 32 {
			return noun.Bad("sha256", "sha256 must be 64 hexadecimal digits")
		}
		p.SHA256 = hex.EncodeToString(b)
	}
	p.MediaType = cmp.Or(p.MediaType, mediaType(p.Name))
	if _, _, err := mime.ParseMediaType(p.MediaType); err != nil || len(p.MediaType) > maxMediaType {
		return noun.Bad("media_type", "media_type must be one such as text/plain, of at most %d bytes", maxMediaType)
	}
	return as.checkLinks(p.Task, p.Agent)
}

var errTooLarge = wire.Errorf(wire.CodeTooLarge, "an artifact has at most %d bytes (64 GiB)", int64(wire.MaxArtifactSize)).WithField("size")

// checkLinks checks that the task and the agent exist.
func (as *Artifacts) checkLinks(task wire.TaskID, agent wire.AgentID) error {
	if task != "" && !as.o.Life.HasTask(task) {
		return wire.Errorf(wire.CodeNotFound, "there is no task %q", task).WithField("task")
	}
	if agent != "" && !as.o.Life.HasAgent(agent) {
		return wire.Errorf(wire.CodeNotFound, "there is no agent %q", agent).WithField("agent")
	}
	return nil
}

// badName returns what is wrong with a name, or "" if it is valid.
func badName(name string) string {
	switch {
	case name == "":
		return "is missing"
	case len(name) > wire.MaxArtifactName:
		return fmt.Sprintf("is longer than %d bytes", wire.MaxArtifactName)
	case !utf8.ValidString(name):
		return "is not UTF-8"
	case strings.ContainsAny(name, `/\`), name == ".", name == "..":
		return "must be a file name without folders"
	case !wire.Printable(name):
		return "holds a control character"
	}
	return ""
}

// mediaType returns the media type for the extension of a file name.
func mediaType(name string) string {
	return cmp.Or(mime.TypeByExtension(filepath.Ext(name)), "application/octet-stream")
}

// Get returns an artifact. The error has CodeNotFound if there is none.
func (as *Artifacts) Get(id wire.ArtifactID) (wire.Artifact, error) {
	as.mu.Lock()
	defer as.mu.Unlock()
	a, err := as.find(id)
	if err != nil {
		return wire.Artifact{}, err
	}
	return a.rec, nil
}

// find returns an artifact. The caller holds mu.
func (as *Artifacts) find(id wire.ArtifactID) (*artifact, error) {
	a, ok := as.all[id]
	if !ok {
		return nil, wire.Errorf(wire.CodeNotFound, "there is no artifact %q", id).WithField("id")
	}
	return a, nil
}

// Download returns an artifact and a reader of its bytes from an offset, which works until ctx ends.
func (as *Artifacts) Download(ctx context.Context, id wire.ArtifactID, offset int64) (wire.Artifact, io.Reader, error) {
	rec, err := as.Get(id)
	switch {
	case err != nil:
		return rec, nil, err
	case rec.State != wire.ArtifactComplete:
		return rec, nil, wire.Errorf(wire.CodePrecondition, "artifact %s is not complete: %d bytes of its upload came so far", id, rec.Received).WithField("id")
	case offset < 0 || offset > rec.Size:
		return rec, nil, noun.Bad("offset", "the artifact has %d bytes: there is no offset %d", rec.Size, offset)
	}
	r, err := as.o.Store.OpenObject(ctx, id, offset)
	return rec, r, err
}

// Delete removes an artifact and interrupts its upload.
func (as *Artifacts) Delete(ctx context.Context, id wire.ArtifactID) error {
	as.mu.Lock()
	a, err := as.find(id)
	if err == nil && a.upload != nil {
		a.upload.cancel(errDeleted)
	}
	as.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case <-a.turn:
	case <-ctx.Done():
		return wire.Errorf(wire.CodeTimeout, "the artifact is being stored just now: try again")
	}
	defer func() { a.turn <- struct{}{} }()
	return as.drop(ctx, a)
}

// drop removes an artifact. It removes the record first, so that nobody finds half of an artifact. The caller has its turn.
func (as *Artifacts) drop(ctx context.Context, a *artifact) error {
	as.mu.Lock()
	gone, rec := a.gone, a.rec
	as.mu.Unlock()
	if gone {
		return wire.Errorf(wire.CodeNotFound, "there is no artifact %q", rec.ID).WithField("id")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), as.o.Timeout)
	defer cancel()
	if err := as.o.Store.DeleteArtifact(ctx, rec.ID); err != nil {
		as.log.Error("an artifact could not be deleted", "artifact", rec.ID, "err", err)
		return wire.Errorf(wire.CodeOutcomeUnknown, "the store does not answer, so that it is not known whether the artifact was deleted: try again")
	}
	as.mu.Lock()
	a.gone = true
	delete(as.all, rec.ID)
	if as.byRequest[rec.Request] == a {
		delete(as.byRequest, rec.Request)
	}
	as.mu.Unlock()
	as.removePart(rec.ID)
	if err := as.o.Store.DeleteObject(ctx, rec.ID); err != nil { // the next start tries again
		as.log.Error("the bytes of a deleted artifact could not be removed", "artifact", rec.ID, "err", err)
	}
	return nil
}

// sweep drops the uploads that nobody has continued for wire.UploadLifetime.
func (as *Artifacts) sweep(ctx context.Context) {
	var old []*artifact
	as.mu.Lock()
	for _, a := range as.all {
		if a.rec.State == wire.ArtifactUploading && a.upload == nil && time.Since(a.rec.UpdatedAt) > wire.UploadLifetime {
			old = append(old, a)
		}
	}
	as.mu.Unlock()
	for _, a := range old {
		select {
		case <-a.turn:
		default:
			continue // somebody has continued it meanwhile
		}
		if err := as.drop(ctx, a); err != nil {
			as.log.Error("an old upload could not be dropped", "artifact", a.rec.ID, "err", err)
		}
		a.turn <- struct{}{}
	}
}
