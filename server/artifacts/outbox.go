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

// EnvOutbox is the environment variable that holds the path of an agent's outbox. The files in it become artifacts.
const EnvOutbox = "SKEIN_OUTBOX"

const (
	outboxName     = "outbox"
	outboxInterval = time.Second
	// outboxSettle is how long a file must be unchanged before it is taken while its agent runs.
	outboxSettle = 2 * time.Second
	// outboxPatience is how long the end of an agent waits for its last files to be kept.
	outboxPatience = 10 * time.Second
	// outboxRetry is how long an outbox is left alone after a file in it could not be kept.
	outboxRetry = 30 * time.Second
	outboxFiles = 10_000 // bounds the files of one scan
	outboxDepth = 32     // bounds the nesting of folders
)

// outbox is the folder in which an agent puts files that it wants to be kept. A file is taken when it is complete, which
// is when one of these is true:
//
//   - the agent ended; or
//   - the agent has answered its task, and nobody has the file open for writing; or
//   - nobody has it open for writing, and nobody wrote to it for outboxSettle; or
//   - its name began with a dot, and it was renamed to one that does not.
//
// Names that begin with a dot are never taken, and neither is anything but a regular file. The artifact of a file in a
// folder has both names: "charts/load.svg" becomes "charts-load.svg". The file is removed once it is kept.
//
// A file belongs to the task that the agent was working on when the file appeared. An agent gets its next task only after
// the files of the previous one were taken, so that these, and what the agent writes over them, are never attributed to
// the next task.
type outbox struct {
	// static
	agent wire.AgentID
	dir   string
	left  bool          // an earlier server left it behind
	idle  chan struct{} // holds one token, whose owner may scan the folder

	// owned by the owner of the token
	outboxSeen
	rest  time.Time       // no scan before this time
	large map[string]bool // files that were reported as too large
}

// outboxSeen is what the last scan saw.
type outboxSeen struct {
	files  map[string]outFile
	hidden map[uint64]struct{} // inodes of the files whose names began with a dot
	vacant time.Time           // the modification time of the folder when it was empty; nothing has come while it is the same
}

// outFile is a file in an outbox.
type outFile struct {
	path  string
	info  fs.FileInfo
	since time.Time // it is unchanged since this time
	task  wire.TaskID
	ready bool
	done  bool // it was complete when its task was answered; what is written to it from then on belongs to the next task
}

func newOutbox(agent wire.AgentID, dir string) *outbox {
	o := &outbox{agent: agent, dir: dir, idle: make(chan struct{}, 1), large: map[string]bool{}}
	o.idle <- struct{}{}
	return o
}

// Outbox creates the outbox of an agent that works in the folder cwd, and returns the environment variables that name it.
// An agent runs without an outbox if it can't be created.
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

// findOutboxes finds the outboxes that an earlier server left behind. Their files are kept as if their agents had ended
// just now.
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

// scanOutboxes keeps the files that are complete in every outbox. Each outbox with such files is emptied by a goroutine of
// its own.
func (as *Artifacts) scanOutboxes() {
	as.mu.Lock()
	all := make([]*outbox, 0, len(as.outboxes))
	for _, o := range as.outboxes {
		all = append(all, o)
	}
	as.mu.Unlock()
	for _, o := range all {
		select {
		case <-o.idle:
		default: // the files that the last scan found are still being kept
			continue
		}
		if time.Now().Before(o.rest) {
			o.idle <- struct{}{}
			continue
		}
		ready, ended := as.scan(o, criteria{})
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

// criteria decides which files a scan of an outbox takes.
type criteria struct {
	ended    bool          // the agent's process has ended: all files are complete
	answered wire.TaskID   // this task is answered: its files are complete if nobody writes to them
	tasks    []wire.TaskID // the tasks that the agent is working on
}

// of returns the task that a file belongs to. If the agent works on several, only the name of the file tells.
func (c *criteria) of(file string) wire.TaskID {
	if len(c.tasks) == 1 {
		return c.tasks[0]
	}
	for _, id := range c.tasks {
		if strings.Contains(file, string(id)) {
			return id
		}
	}
	return ""
}

// scanTries bounds the scans of an outbox if the tasks of its agent change all the time.
const scanTries = 3

// scan returns the files of an outbox that are complete, and reports whether its agent has ended. It repeats a scan during
// which the tasks of the agent changed, because what that saw may belong to either task. The caller has the token.
func (as *Artifacts) scan(o *outbox, c criteria) (ready []outFile, ended bool) {
	before := o.outboxSeen
	ended, c.tasks = as.o.Life.WorkOf(o.agent)
	c.ended = c.ended || ended
	for range scanTries {
		ready = o.scan(as, c)
		ended, now := as.o.Life.WorkOf(o.agent)
		if slices.Equal(now, c.tasks) {
			return ready, ended
		}
		o.outboxSeen, c.tasks = before, now
	}
	c.tasks = nil // it is unknown which task the files belong to
	return o.scan(as, c), ended
}

// Collect keeps the files that an agent left in its outbox when its process ended. It waits until they are kept, but at
// most for outboxPatience.
func (as *Artifacts) Collect(id wire.AgentID) {
	kept := make(chan struct{})
	as.take(id, criteria{ended: true}, func() { close(kept) })
	<-kept
}

// Answered keeps the files of a task that its agent has answered, except those that somebody is writing to. It calls done
// when they are kept, which is at once if there are none, and at the latest after outboxPatience.
func (as *Artifacts) Answered(agent wire.AgentID, task wire.TaskID, done func()) {
	as.take(agent, criteria{answered: task}, done)
}

// take keeps the files that are complete in the outbox of an agent. It calls done when they are kept, which is at once if
// there are none, and at the latest after outboxPatience.
func (as *Artifacts) take(id wire.AgentID, c criteria, done func()) {
	as.mu.Lock()
	o := as.outboxes[id]
	as.mu.Unlock()
	if o == nil || as.nothing(o, c) || !as.begin() {
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
		for { // a single scan may not see all files
			if ready, _ := as.scan(o, c); as.keepAll(o, ready, c.ended) == 0 {
				return
			}
		}
	}()
}

// nothing reports whether an outbox has no files to take, which is so for most of them. It returns false if the outbox has
// some, or if another goroutine has the token.
func (as *Artifacts) nothing(o *outbox, c criteria) bool {
	select {
	case <-o.idle:
	default:
		return false
	}
	defer func() { o.idle <- struct{}{} }()
	ready, _ := as.scan(o, c)
	return len(ready) == 0
}

// forgetOutbox removes the outbox of an agent that has ended. The folder stays if files are left in it, such as those
// whose names begin with a dot.
func (as *Artifacts) forgetOutbox(o *outbox) {
	os.Remove(o.dir) // if it is empty
	as.mu.Lock()
	defer as.mu.Unlock()
	delete(as.outboxes, o.agent)
}

// keepAll keeps files of an outbox and returns how many were kept. If one can't be kept, the others wait as well.
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

// keepFile makes a file an artifact and removes it. A file that changes meanwhile stays for another scan.
func (as *Artifacts) keepFile(o *outbox, root *os.Root, out outFile, ended bool) (kept bool, err error) {
	f, err := root.OpenFile(out.path, os.O_RDONLY|unix.O_NONBLOCK, 0) // O_NONBLOCK in case it has become a pipe
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

// alike reports whether a file was neither written to nor replaced between a and b.
func alike(a, b fs.FileInfo) bool {
	return a.Mode().IsRegular() && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// writing reports whether somebody has a file open for writing: the kernel grants no read lease on such a file (fcntl(2)).
// On file systems without leases that is not known, and only the time since the last write counts.
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

// keptName returns the name of the artifact of a file in an outbox.
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
	if over := len(name) - wire.MaxArtifactName; over > 0 { // the end of a name says more than its beginning
		name = name[over:]
		for !utf8.RuneStart(name[0]) {
			name = name[1:]
		}
	}
	return name
}

// keptRequest returns the idempotency key of a file: the same file of a task becomes one artifact, however often the agent
// leaves it.
func keptRequest(agent wire.AgentID, task wire.TaskID, sum, name string) string {
	key := "outbox " + string(agent) + " " + sum + " " + name
	if task != "" {
		key = string(task) + " " + key
	}
	return key
}

// keptBefore returns the artifact that a file became before a crash that prevented the removal of the file.
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

// Keep makes a file an artifact of an agent, and of a task unless task is empty. Keeping the same file again returns the
// same artifact.
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
	if !ok && o.left { // it is no longer known which task the agent was working on
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

// contextReader is a reader that fails once its context has ended.
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

// open opens the folder. It fails if an agent has put something else in its place, such as a symbolic link.
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

// scan returns the files that are complete. The caller has the token.
func (o *outbox) scan(as *Artifacts, what criteria) []outFile {
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
	s := &outboxScan{o: o, as: as, root: root, criteria: what, now: now, files: map[string]outFile{}, hidden: map[uint64]struct{}{}}
	s.folder(".", false, 0)
	o.files, o.hidden, o.vacant = s.files, s.hidden, time.Time{}
	if s.seen == 0 && now.Sub(dir.ModTime()) > outboxInterval { // a file that came at the same moment would not change the folder's time
		o.vacant = dir.ModTime()
	}
	var ready []outFile
	for _, f := range s.files {
		if f.ready {
			ready = append(ready, f)
		}
	}
	return ready
}

// outboxScan is one scan of an outbox.
type outboxScan struct {
	o    *outbox
	as   *Artifacts
	root *os.Root
	criteria
	now    time.Time
	files  map[string]outFile
	hidden map[uint64]struct{}
	seen   int
}

// folder scans the files of a folder. It reads a few entries at a time, so that its memory does not depend on their number.
func (s *outboxScan) folder(name string, hidden bool, depth int) {
	dir, err := s.root.OpenFile(name, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer dir.Close()
	for {
		entries, err := dir.ReadDir(128)
		for _, e := range entries {
			if s.seen++; s.seen > outboxFiles {
				return
			}
			file, hidden := path.Join(name, e.Name()), hidden || strings.HasPrefix(e.Name(), ".")
			if e.IsDir() && depth < outboxDepth {
				s.folder(file, hidden, depth+1)
				if s.ended {
					s.root.Remove(file) // if it is empty
				}
			} else if info, err := s.root.Lstat(file); err == nil && info.Mode().IsRegular() {
				s.file(file, hidden, info)
			}
		}
		if err != nil {
			return
		}
	}
}

// file decides whether a file is complete.
func (s *outboxScan) file(name string, hidden bool, info fs.FileInfo) {
	inode := uint64(0)
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		inode = st.Ino
	}
	if hidden {
		s.hidden[inode] = struct{}{}
		return
	}
	if info.Size() > wire.MaxArtifactSize {
		s.tooLarge(name)
		return
	}
	f := outFile{path: name, info: info, since: s.now, task: s.of(name)}
	before, known := s.o.files[name]
	switch {
	case known && alike(info, before.info):
		f.since, f.task, f.done = before.since, before.task, before.done
	case known && os.SameFile(info, before.info) && !before.done: // the file is still being written
		f.task = cmp.Or(before.task, f.task)
	}
	_, wasHidden := s.o.hidden[inode]
	settled := s.now.Sub(f.since) >= outboxSettle || s.now.Sub(info.ModTime()) >= outboxSettle
	if s.answered != "" && f.task == s.answered && !f.done {
		f.done = !s.written(name)
	}
	f.ready = s.ended || settled || f.done || wasHidden && !known
	s.files[name] = f
}

// written reports whether somebody may have a file open for writing.
func (s *outboxScan) written(name string) bool {
	f, err := s.root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return true
	}
	defer f.Close()
	busy, known := writing(f)
	return busy || !known
}

func (s *outboxScan) tooLarge(name string) {
	if !s.o.large[name] {
		s.o.large[name] = true
		s.as.log.Error("a file in an agent's outbox is too large to be kept; it stays there", "agent", s.o.agent, "file", name, "most", int64(wire.MaxArtifactSize))
	}
}
