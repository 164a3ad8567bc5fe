package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// ticks is USER_HZ, the unit of times in /proc. It is 100 on every Linux that Go runs on.
const ticks = 100

// proc is the content of /proc/PID/stat, and the marks that the process has inherited.
type proc struct {
	wire.Process
	parent  int
	state   byte
	threads int
	kernel  bool   // a kernel thread
	cpu     uint64 // ticks of the process and of the children that it has waited for
	rss     int64  // bytes

	agent    wire.AgentID // from the environment; "" if it has none or marks were not read
	instance string
	mark     limitMark // read only if the environment has no mark
}

// lives returns false for a zombie, unless other threads of the process run on after its first one.
func (p *proc) lives() bool { return p.state != 'X' && (p.state != 'Z' || p.threads > 1) }

var errStat = errors.New("unexpected /proc/PID/stat")

// parseStat parses proc_pid_stat(5). The name in parentheses may contain spaces, parentheses and newlines, so the fields
// are counted from the last parenthesis.
func parseStat(b []byte) (p proc, err error) {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 1 || end < open {
		return p, errStat
	}
	if p.PID, err = strconv.Atoi(string(bytes.TrimSpace(b[:open]))); err != nil {
		return p, errStat
	}
	var f [25]int64 // indexed by the field numbers of the manual page
	n := 3
	for field := range bytes.FieldsSeq(b[end+1:]) {
		if n == 3 {
			p.state = field[0]
		} else if v, err := strconv.ParseUint(string(field), 10, 64); err == nil {
			f[n] = int64(v)
		} // fields that may be negative (tpgid, nice) are not needed
		if n++; n == len(f) {
			break
		}
	}
	if n != len(f) {
		return p, errStat
	}
	const kernelThread = 0x00200000 // PF_KTHREAD
	p.parent, p.Group, p.kernel = int(f[4]), int(f[5]), f[9]&kernelThread != 0
	p.cpu = uint64(f[14] + f[15] + f[16] + f[17])
	p.threads, p.StartTime, p.rss = int(f[20]), uint64(f[22]), f[24]*int64(os.Getpagesize())
	return p, nil
}

func procDir(pid int) string { return "/proc/" + strconv.Itoa(pid) }

// readProc reads one process.
func readProc(pid int) (proc, error) {
	var buf [1024]byte
	n, err := readSmall(procDir(pid)+"/stat", buf[:])
	if err != nil {
		return proc{}, err
	}
	return parseStat(buf[:n])
}

// readSmall reads a file without the overhead of the os package, because a scan opens thousands of files.
func readSmall(path string, b []byte) (n int, err error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	for n < len(b) {
		m, err := unix.Read(fd, b[n:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return n, err
		}
		if m == 0 {
			break
		}
		n += m
	}
	return n, nil
}

// readMark reads the variables that Skein gave the process, if it still has them. The environment of another user's
// process can't be read, and such a process has no mark.
func (p *proc) readMark(buf *[]byte) error {
	path := procDir(p.PID) + "/environ"
	n, err := readSmall(path, *buf)
	for err == nil && n == len(*buf) && n < 8<<20 { // the kernel allows 6 MiB for argv and environment
		*buf = make([]byte, 4*n)
		n, err = readSmall(path, *buf)
	}
	if gone(err) || denied(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for v := range bytes.SplitSeq((*buf)[:n], []byte{0}) {
		if id, ok := bytes.CutPrefix(v, []byte(runner.EnvAgent+"=")); ok {
			p.agent = wire.AgentID(id)
		} else if id, ok := bytes.CutPrefix(v, []byte(runner.EnvInstance+"=")); ok {
			p.instance = string(id)
		}
	}
	return nil
}

// gone reports whether reading a file of /proc failed because its process has ended.
func gone(err error) bool { return err == unix.ENOENT || err == unix.ESRCH }

// denied reports whether only the process's own user may read a file of /proc.
func denied(err error) bool { return err == unix.EACCES || err == unix.EPERM }

// scan reads all processes, with their marks if marks is set. Processes that start or end during the scan may be missing,
// and so may those of other users if /proc is mounted with hidepid. Any other gap is an error.
func scan(marks bool) (*table, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	names, err := dir.Readdirnames(-1)
	dir.Close()
	if err != nil {
		return nil, err
	}
	procs := make([]proc, 0, len(names))
	var buf []byte
	if marks {
		buf = make([]byte, 32<<10)
	}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		p, err := readProc(pid)
		if gone(err) || denied(err) || err == nil && p.kernel {
			continue
		}
		if err == nil && marks && p.lives() {
			err = p.readMark(&buf)
			if err == nil && p.agent == "" {
				err = p.readLimitMark()
			}
		}
		if err != nil {
			return nil, fmt.Errorf("read process %d: %w", pid, err)
		}
		procs = append(procs, p)
	}
	return newTable(procs), nil
}

// table has all processes. It is not a snapshot, because /proc can't be read in one moment.
type table struct {
	procs    []proc
	children map[int][]int // by the pid of the parent: indices of procs
}

func newTable(procs []proc) *table {
	t := &table{procs: procs, children: make(map[int][]int, len(procs))}
	for i := range procs {
		t.children[procs[i].parent] = append(t.children[procs[i].parent], i)
	}
	return t
}

// kin returns the processes that seed selects and all their descendants, including dead ones. It leaves out what spare
// selects and what descends only from that.
func (t *table) kin(seed, spare func(*proc) bool) (found []*proc) {
	seen := make(map[int]bool)
	add := func(i int) {
		if q := &t.procs[i]; !seen[i] && !spare(q) {
			seen[i] = true
			found = append(found, q)
		}
	}
	for i := range t.procs {
		if seed(&t.procs[i]) {
			add(i)
		}
	}
	for i := 0; i < len(found); i++ {
		for _, child := range t.children[found[i].PID] {
			if t.procs[child].StartTime >= found[i].StartTime { // otherwise the parent's pid was reused
				add(child)
			}
		}
	}
	return found
}

// living returns the processes that are alive.
func living(found []*proc) (alive []proc) {
	for _, q := range found {
		if q.lives() {
			alive = append(alive, *q)
		}
	}
	return alive
}

// scans shares scans of /proc among those who need one at the same time, so that stopping a thousand agents does not take
// a thousand scans. Each caller gets a scan that started after its call.
type scans struct {
	one  sync.Mutex // held during a scan
	mu   sync.Mutex
	next *sharedScan // a scan that has not started
}

type sharedScan struct {
	once  sync.Once
	table *table
	err   error
}

func (s *scans) fresh() (*table, error) {
	s.mu.Lock()
	if s.next == nil {
		s.next = new(sharedScan)
	}
	mine := s.next
	s.mu.Unlock()
	mine.once.Do(func() {
		s.one.Lock()
		defer s.one.Unlock()
		s.mu.Lock()
		s.next = nil // later callers need a later scan
		s.mu.Unlock()
		mine.table, mine.err = scan(true)
	})
	return mine.table, mine.err
}

// kill signals the process and never another one with the same pid: it compares the start time while it holds a pidfd.
func (p *proc) kill(sig unix.Signal) error {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	now, err := readProc(p.PID)
	if err != nil || now.StartTime != p.StartTime {
		return unix.ESRCH
	}
	return unix.PidfdSendSignal(fd, sig, nil, 0)
}

// leftovers returns what a person needs to know to end the processes.
func leftovers(procs []proc) (left []wire.Leftover) {
	for _, p := range procs {
		left = append(left, leftover(p.Process))
	}
	return left
}

// leftover returns the name and the user of a process if it still exists.
func leftover(id wire.Process) wire.Leftover {
	l := wire.Leftover{Process: id}
	var buf [64]byte
	if n, err := readSmall(procDir(id.PID)+"/comm", buf[:]); err == nil {
		l.Name = strings.ToValidUTF8(strings.TrimRight(string(buf[:n]), "\n"), "\uFFFD")
	}
	var st unix.Stat_t
	if unix.Stat(procDir(id.PID), &st) == nil {
		l.User = strconv.Itoa(int(st.Uid))
		if u, err := user.LookupId(l.User); err == nil {
			l.User = u.Username
		}
	}
	return l
}
