package artifacts

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"skein.dev/skein/webtransport/wire"
)

// EnvOutbox is the environment variable that tells an agent its outbox: what it puts there becomes artifacts.
const EnvOutbox = "SKEIN_OUTBOX"

const (
	outboxName     = "outbox"
	outboxInterval = time.Second
	// outboxSettle is how long nobody may have written to a file before it is taken from an agent that runs.
	outboxSettle = 2 * time.Second
	// outboxPatience is how long an agent's end waits for its last files to be kept.
	outboxPatience = 10 * time.Second
	// outboxRetry is how long an outbox rests after a file in it could not be kept.
	outboxRetry = 30 * time.Second
	outboxFiles = 10_000 // bounds what one look takes in
	outboxDepth = 32     // folders within folders
)

// outbox is the folder where an agent puts files that it wants to be kept. A file is taken when it is complete:
//
//   - the agent ended; or
//   - the agent has answered its task, and nobody has the file open for writing; or
//   - nobody has it open for writing, and nobody wrote to it for outboxSettle; or
//   - it had a name that begins with a dot, and was renamed to one that does not.
//
// What begins with a dot is never taken, and neither is anything but a regular file. A file in a folder is named for
// both: "charts/load.svg" becomes "charts-load.svg". It is removed when it was kept.
//
// A file is of the task in whose time it appeared. An agent gets its next task only when what it left of the one before
// was taken, so that neither its files nor what it writes over them can be taken for the next one's.
type outbox struct {
	// static
	agent wire.AgentID
	dir   string
	left  bool          // by an earlier server
	idle  chan struct{} // holds one token: who has it looks at the folder

	// owned by who has the token
	outboxSeen
	rest  time.Time       // no look before
	large map[string]bool // reported as too large
}

// outboxSeen is what the last look saw.
type outboxSeen struct {
	files  map[string]outFile
	hidden map[uint64]struct{} // inodes of the files whose names began with a dot
	vacant time.Time           // the folder was empty, and nothing has come as long as its time of change is this
}

// outFile is a file in an outbox.
type outFile struct {
	path  string
	info  fs.FileInfo
	since time.Time // it has looked like this since
	task  wire.TaskID
	ready bool
	done  bool // its task was answered when it was complete: what is written to it from then on is the next one's
}

func newOutbox(agent wire.AgentID, dir string) *outbox {
	o := &outbox{agent: agent, dir: dir, idle: make(chan struct{}, 1), large: map[string]bool{}}
	o.idle <- struct{}{}
	return o
}

// Outbox makes the outbox of an agent that works in the folder cwd, and gives the environment that tells of it. An agent
// without one runs all the same.
func (as *Artifacts) Outbox(agent wire.AgentID, cwd string) map[string]string {
	dir := filepath.Join(as.o.Dir, outboxName, string(agent))
	if cwd == filepath.Join(as.o.WorkDir, string(agent)) {
		dir = filepath.Join(cwd, outboxName)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		as.log.Error("an agent gets no outbox", "agent", agent, "err", err)
		return nil
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	as.outboxes[agent] = newOutbox(agent, dir)
	return map[string]string{EnvOutbox: dir}
}

// findOutboxes finds those that an earlier server left: what is in them is kept as if their agents had ended just now.
func (as *Artifacts) findOutboxes() error {
	apart, err := filepath.Glob(filepath.Join(as.o.Dir, outboxName, "*"))
	if err != nil {
		return fmt.Errorf("look for outboxes: %w", err)
	}
	own, err := filepath.Glob(filepath.Join(as.o.WorkDir, "*", outboxName))
	if err != nil {
		return fmt.Errorf("look for outboxes: %w", err)
	}
	for _, dir := range apart {
		as.leftOutbox(wire.AgentID(filepath.Base(dir)), dir)
	}
	for _, dir := range own {
		as.leftOutbox(wire.AgentID(filepath.Base(filepath.Dir(dir))), dir)
	}
	return nil
}

func (as *Artifacts) leftOutbox(id wire.AgentID, dir string) {
	o := newOutbox(id, dir)
	o.left = true
	as.outboxes[id] = o
}

// look takes what is complete in every outbox, each on a goroutine of its own that ends with it.
func (as *Artifacts) look() {
	as.mu.Lock()
	all := make([]*outbox, 0, len(as.outboxes))
	for _, o := range as.outboxes {
		all = append(all, o)
	}
	as.mu.Unlock()
	for _, o := range all {
		select {
		case <-o.idle:
		default: // what the last look found is still being kept
			continue
		}
		if time.Now().Before(o.rest) {
			o.idle <- struct{}{}
			continue
		}
		ready, ended := as.scan(o, lookFor{})
		if len(ready) == 0 && ended {
			as.forgetOutbox(o)
		}
		if len(ready) == 0 || !as.begin() {
			o.idle <- struct{}{}
			continue
		}
		go func() {
			defer as.work.Done()
			as.keepAll(o, ready, ended)
			o.idle <- struct{}{}
		}()
	}
}

// lookFor says what a look at an outbox takes.
type lookFor struct {
	ended    bool          // the agent's process did: everything
	answered wire.TaskID   // this task is answered: what of its files nobody writes to
	tasks    []wire.TaskID // which the agent has in work
}

// of says whose a file is: of several tasks at once, only its name can tell.
func (l *lookFor) of(file string) wire.TaskID {
	if len(l.tasks) == 1 {
		return l.tasks[0]
	}
	for _, id := range l.tasks {
		if strings.Contains(file, string(id)) {
			return id
		}
	}
	return ""
}

// scanTries bounds the looks at an outbox whose agent's tasks change all the time.
const scanTries = 3

// scan looks at an outbox. A look during which the agent's tasks changed does not count: what it saw might be of either.
// The caller has the token.
func (as *Artifacts) scan(o *outbox, l lookFor) (ready []outFile, ended bool) {
	before := o.outboxSeen
	ended, l.tasks = as.o.Life.WorkOf(o.agent)
	l.ended = l.ended || ended
	for range scanTries {
		ready = o.look(as, l)
		ended, now := as.o.Life.WorkOf(o.agent)
		if slices.Equal(now, l.tasks) {
			return ready, ended
		}
		o.outboxSeen, l.tasks = before, now
	}
	l.tasks = nil // nobody can tell
	return o.look(as, l), ended
}

// Collect keeps what an agent left in its outbox when its process ended, and waits for it, but not for ever.
func (as *Artifacts) Collect(id wire.AgentID) {
	kept := make(chan struct{})
	as.take(id, lookFor{ended: true}, func() { close(kept) })
	<-kept
}

// Answered keeps the files of a task that its agent has answered, those that nobody writes to, and then calls done: at once
// when there are none, and after outboxPatience whatever there is.
func (as *Artifacts) Answered(agent wire.AgentID, task wire.TaskID, done func()) {
	as.take(agent, lookFor{answered: task}, done)
}

// take keeps what is complete in an agent's outbox, and then calls done: at once when there is nothing, and after
// outboxPatience whatever there is.
func (as *Artifacts) take(id wire.AgentID, l lookFor, done func()) {
	as.mu.Lock()
	o := as.outboxes[id]
	as.mu.Unlock()
	if o == nil || as.nothing(o, l) || !as.begin() {
		done()
		return
	}
	go func() {
		defer as.work.Done()
		done := sync.OnceFunc(done)
		defer done()
		late := time.AfterFunc(outboxPatience, func() {
			as.log.Warn("an agent is done, and the files that it left are still being kept", "agent", id)
			done()
		})
		defer late.Stop()
		select {
		case <-o.idle:
		case <-as.ctx.Done():
			return
		}
		defer func() { o.idle <- struct{}{} }()
		for { // one look may not see all
			if ready, _ := as.scan(o, l); as.keepAll(o, ready, l.ended) == 0 {
				return
			}
		}
	}()
}

// nothing reports that an outbox has nothing to take: most have not. false: it has, or somebody looks at it just now.
func (as *Artifacts) nothing(o *outbox, l lookFor) bool {
	select {
	case <-o.idle:
	default:
		return false
	}
	defer func() { o.idle <- struct{}{} }()
	ready, _ := as.scan(o, l)
	return len(ready) == 0
}

// forgetOutbox removes the folder of an agent that ended. What was not taken, such as files whose names begin with a
// dot, stays with it.
func (as *Artifacts) forgetOutbox(o *outbox) {
	os.Remove(o.dir) // if it is empty
	as.mu.Lock()
	defer as.mu.Unlock()
	delete(as.outboxes, o.agent)
}

// keepAll keeps files of an outbox and gives their number. When one can't be kept the rest waits.
func (as *Artifacts) keepAll(o *outbox, files []outFile, ended bool) (kept int) {
	if len(files) == 0 {
		return 0
	}
	select {
	case as.keeps <- struct{}{}:
		defer func() { <-as.keeps }()
	case <-as.ctx.Done():
		return 0
	}
	root, err := o.open()
	if err != nil {
		return 0
	}
	defer root.Close()
	for _, f := range files {
		ok, err := as.keepFile(o, root, f, ended)
		if err != nil {
			if as.ctx.Err() == nil {
				as.log.Error("a file in an agent's outbox could not be kept; it stays there", "agent", o.agent, "file", f.path, "err", err)
			}
			o.rest = time.Now().Add(outboxRetry)
			return 0
		}
		if ok {
			kept++
		}
	}
	return kept
}

// keepFile makes one file an artifact and removes it. A file that changes meanwhile stays for another look.
func (as *Artifacts) keepFile(o *outbox, root *os.Root, out outFile, ended bool) (kept bool, err error) {
	f, err := root.OpenFile(out.path, os.O_RDONLY|unix.O_NONBLOCK, 0) // should it have become a pipe
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	same := func() bool {
		busy, _ := writing(f)
		opened, err1 := f.Stat()
		there, err2 := root.Lstat(out.path)
		return err1 == nil && err2 == nil && alike(opened, out.info) && alike(there, out.info) && (ended || !busy)
	}
	if !same() {
		return false, nil
	}
	_, err = as.keep(as.ctx, o, out.task, keptName(out.path), f)
	if errors.Is(err, errChanging) || err == nil && !same() {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	delete(o.files, out.path)
	return true, root.Remove(out.path)
}

// alike reports whether two looks at a file saw the same: it was not written to, nor replaced.
func alike(a, b fs.FileInfo) bool {
	return a.Mode().IsRegular() && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// writing reports whether somebody has a file open for writing: nobody gets a read lease on such a one (fcntl(2)). On
// file systems without leases it is not known, and the time since the last write alone counts.
func writing(f *os.File) (busy, known bool) {
	conn, err := f.SyscallConn()
	if err != nil {
		return false, false
	}
	conn.Control(func(fd uintptr) {
		_, err := unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_RDLCK)
		busy = errors.Is(err, unix.EAGAIN)
		known = busy || err == nil
		if err == nil {
			unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_UNLCK)
		}
	})
	return busy, known
}

// keptName is the name of an artifact that was a file in an outbox.
func keptName(file string) string {
	name := strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' {
			return '-'
		}
		if r == utf8.RuneError || wire.Unprintable(r) {
			return '_'
		}
		return r
	}, file)
	if over := len(name) - wire.MaxArtifactName; over > 0 { // its end says more than its beginning
		name = name[over:]
		for !utf8.RuneStart(name[0]) {
			name = name[1:]
		}
	}
	return name
}

// keptRequest marks what is kept: the same file of a task is one artifact, however often it is left.
func keptRequest(agent wire.AgentID, task wire.TaskID, sum, name string) string {
	mark := "outbox " + string(agent) + " " + sum + " " + name
	if task != "" {
		mark = string(task) + " " + mark
	}
	return mark
}

// keptBefore finds the artifact that a file became before a crash, which kept the file from being removed.
func (as *Artifacts) keptBefore(agent wire.AgentID, sum, name string) (wire.Artifact, bool) {
	as.mu.Lock()
	defer as.mu.Unlock()
	for _, a := range as.all {
		if rec := a.rec; rec.Agent == agent && rec.SHA256 == sum && rec.Name == name && rec.Actor == string(agent) {
			return rec, true
		}
	}
	return wire.Artifact{}, false
}

var errChanging = errors.New("the file changes while it is read")

// Keep makes a file an artifact of an agent, and of a task if there is one. The same file kept again is one artifact.
func (as *Artifacts) Keep(ctx context.Context, agent wire.AgentID, task wire.TaskID, name string, f io.ReadSeeker) (*wire.Artifact, error) {
	return as.keep(ctx, newOutbox(agent, ""), task, name, f)
}

func (as *Artifacts) keep(ctx context.Context, o *outbox, task wire.TaskID, name string, f io.ReadSeeker) (*wire.Artifact, error) {
	agent := o.agent
	hash := sha256.New()
	size, err := io.Copy(hash, contextReader{ctx, f})
	if err != nil {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	sum := hex.EncodeToString(hash.Sum(nil))
	request := keptRequest(agent, task, sum, name)
	there, ok := as.madeBy(request)
	if !ok && o.left { // nobody knows any more at which task its agent was
		there, ok = as.keptBefore(agent, sum, name)
	}
	if ok {
		return &there, nil
	}
	id := newArtifactID()
	stored, storedSum, err := as.move(id, size, f)
	if err != nil {
		return nil, err
	}
	if stored != size || storedSum != sum {
		as.dropObject(id)
		return nil, errChanging
	}
	now := time.Now().UTC()
	rec, err := as.add(wire.Artifact{ID: id, Name: name, MediaType: mediaType(name), Size: size, SHA256: sum, Task: task, Agent: agent,
		Actor: string(agent), State: wire.ArtifactComplete, Received: size, CreatedAt: now, UpdatedAt: now, Request: request})
	if err == nil && rec.ID != id || err != nil && !errors.Is(err, &wire.Error{Code: wire.CodeOutcomeUnknown}) {
		as.dropObject(id)
	}
	return rec, err
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

// open opens the folder: the folder itself, not what an agent may have put in its place.
func (o *outbox) open() (*os.Root, error) {
	there, err := os.Lstat(o.dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(o.dir)
	if err != nil {
		return nil, err
	}
	if opened, err := root.Stat("."); err != nil || !os.SameFile(there, opened) {
		root.Close()
		return nil, errors.New("the outbox is not a folder")
	}
	return root, nil
}

// look gives the files that are complete. The caller has the token.
func (o *outbox) look(as *Artifacts, what lookFor) []outFile {
	now := time.Now()
	dir, err := os.Lstat(o.dir)
	if err != nil || dir.ModTime().Equal(o.vacant) && !what.ended { // most outboxes are empty all the time
		return nil
	}
	root, err := o.open()
	if err != nil {
		return nil
	}
	defer root.Close()
	l := &outboxLook{o: o, as: as, root: root, lookFor: what, now: now, files: map[string]outFile{}, hidden: map[uint64]struct{}{}}
	l.folder(".", false, 0)
	o.files, o.hidden, o.vacant = l.files, l.hidden, time.Time{}
	if l.seen == 0 && now.Sub(dir.ModTime()) > outboxInterval { // what came in the same moment would not change it
		o.vacant = dir.ModTime()
	}
	var ready []outFile
	for _, f := range l.files {
		if f.ready {
			ready = append(ready, f)
		}
	}
	return ready
}

// outboxLook is one look at a folder.
type outboxLook struct {
	o    *outbox
	as   *Artifacts
	root *os.Root
	lookFor
	now    time.Time
	files  map[string]outFile
	hidden map[uint64]struct{}
	seen   int
}

// folder looks at a folder's files, a few at a time, whatever their number.
func (l *outboxLook) folder(name string, hidden bool, depth int) {
	dir, err := l.root.OpenFile(name, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer dir.Close()
	for {
		entries, err := dir.ReadDir(128)
		for _, e := range entries {
			if l.seen++; l.seen > outboxFiles {
				return
			}
			file, hidden := path.Join(name, e.Name()), hidden || strings.HasPrefix(e.Name(), ".")
			if e.IsDir() && depth < outboxDepth {
				l.folder(file, hidden, depth+1)
				if l.ended {
					l.root.Remove(file) // if it is empty
				}
			} else if info, err := l.root.Lstat(file); err == nil && info.Mode().IsRegular() {
				l.file(file, hidden, info)
			}
		}
		if err != nil {
			return
		}
	}
}

// file judges a file.
func (l *outboxLook) file(name string, hidden bool, info fs.FileInfo) {
	inode := uint64(0)
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		inode = st.Ino
	}
	if hidden {
		l.hidden[inode] = struct{}{}
		return
	}
	if info.Size() > wire.MaxArtifactSize {
		l.tooLarge(name)
		return
	}
	f := outFile{path: name, info: info, since: l.now, task: l.of(name)}
	before, known := l.o.files[name]
	switch {
	case known && alike(info, before.info):
		f.since, f.task, f.done = before.since, before.task, before.done
	case known && os.SameFile(info, before.info) && !before.done: // it is still being written
		f.task = cmp.Or(before.task, f.task)
	}
	_, wasHidden := l.o.hidden[inode]
	settled := l.now.Sub(f.since) >= outboxSettle || l.now.Sub(info.ModTime()) >= outboxSettle
	if l.answered != "" && f.task == l.answered && !f.done {
		f.done = !l.written(name)
	}
	f.ready = l.ended || settled || f.done || wasHidden && !known
	l.files[name] = f
}

// written reports whether somebody may have a file open for writing.
func (l *outboxLook) written(name string) bool {
	f, err := l.root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return true
	}
	defer f.Close()
	busy, known := writing(f)
	return busy || !known
}

func (l *outboxLook) tooLarge(name string) {
	if !l.o.large[name] {
		l.o.large[name] = true
		l.as.log.Error("a file in an agent's outbox is too large to be kept; it stays there", "agent", l.o.agent, "file", name, "most", int64(wire.MaxArtifactSize))
	}
}
