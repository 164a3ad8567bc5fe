package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"skein.dev/skein/webtransport/wire"
)

// cgroups makes a cgroup v2 for each process that is started. A process can't leave it without the right to write to the
// cgroup tree, whatever it does to its environment, title, group, session or user (cgroups(7), Documentation/
// admin-guide/cgroup-v2.rst). They lie in a folder of this instance, below the cgroup that Skein itself runs in:
//
//	<Skein's cgroup>/skein-<instance>/<agent>[.<n>]
type cgroups struct {
	base string // the instance's folder; "": none can be made
	why  string // they can't be made
	old  []string
}

// openCgroups finds out whether cgroups can be made. The bases that earlier runs used stand in the file state, so that what
// they left is found; "": nothing is remembered, and no cgroups are made.
func openCgroups(instance, state string) *cgroups {
	c := &cgroups{}
	if state == "" {
		c.why = "there is no file to remember them in"
		return c
	}
	b, err := os.ReadFile(state)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.why = plain(err)
		return c
	}
	for line := range strings.Lines(string(b)) {
		if dir := strings.TrimSpace(line); filepath.Base(dir) == baseName(instance) && isDir(dir) {
			c.old = append(c.old, dir)
		}
	}
	own, err := ownCgroup()
	if err != nil {
		c.why = err.Error()
		return c
	}
	base := filepath.Join(own, baseName(instance))
	bases := slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(c.old), base))))
	if err := os.WriteFile(state, []byte(strings.Join(bases, "\n")+"\n"), 0o600); err != nil {
		c.why = plain(err)
		return c
	}
	if err := probe(base); err != nil {
		os.Remove(base) // unless what an earlier run left is in it
		c.why = err.Error()
		return c
	}
	c.base, c.old = base, bases
	return c
}

func baseName(instance string) string { return "skein-" + instance }

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// ownCgroup is the folder of the cgroup v2 that this process is in.
func ownCgroup() (string, error) {
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", fmt.Errorf("read the own cgroup: %w", err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", fmt.Errorf("read the mounts: %w", err)
	}
	return cgroupDir(string(b), string(mounts))
}

var errNoCgroup2 = errors.New("cgroup v2 is not mounted here")

// cgroupDir puts together /proc/self/cgroup and /proc/self/mountinfo (proc_pid_mountinfo(5)).
func cgroupDir(cgroup, mountinfo string) (string, error) {
	own := ""
	for line := range strings.Lines(cgroup) {
		if path, ok := strings.CutPrefix(line, "0::"); ok {
			own = strings.TrimSuffix(path, "\n")
		}
	}
	if !strings.HasPrefix(own, "/") || strings.HasPrefix(own, "/..") {
		return "", errNoCgroup2
	}
	for line := range strings.Lines(mountinfo) {
		fields, rest, ok := strings.Cut(line, " - ")
		f := strings.Fields(fields)
		if !ok || len(f) < 5 || !strings.HasPrefix(rest, "cgroup2 ") {
			continue
		}
		root, mount := unescape(f[3]), unescape(f[4])
		below, err := filepath.Rel(root, own)
		if err == nil && filepath.IsLocal(below) {
			return filepath.Join(mount, below), nil
		}
	}
	return "", errNoCgroup2
}

var octal = regexp.MustCompile(`\\[0-7]{3}`)

// unescape undoes what the kernel does to blanks in a path of mountinfo.
func unescape(s string) string {
	return octal.ReplaceAllStringFunc(s, func(e string) string {
		n, err := strconv.ParseUint(e[1:], 8, 8)
		if err != nil {
			return e
		}
		return string([]byte{byte(n)})
	})
}

// probe tries all that a stop needs: to make a cgroup, to start a process in it, to kill it. Nothing is executed: a program
// that does not exist is refused only after the fork into the cgroup.
func probe(base string) error {
	if err := os.Mkdir(base, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("a cgroup can't be made below Skein's own: %s", plain(err))
	}
	g, err := makeCgroup(base, "probe")
	if err != nil {
		return fmt.Errorf("a cgroup can't be made: %s", plain(err))
	}
	defer g.remove()
	_, err = syscall.ForkExec("/proc/self/no-such-program", []string{"probe"}, &syscall.ProcAttr{Sys: g.attr()})
	if !errors.Is(err, syscall.ENOENT) {
		return fmt.Errorf("a process can't be started in a cgroup of its own: %s", plain(err))
	}
	if err := g.kill(); err != nil {
		return fmt.Errorf("a cgroup can't be killed (Linux 5.14 is needed): %s", plain(err))
	}
	return nil
}

// plain is the system's word for an error, without the path.
func plain(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return err.Error()
}

// cgroup is one agent's.
type cgroup struct {
	dir string
	fd  *os.File // nil for one that an earlier run made
}

var safeName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// makeCgroup makes one with a name that begins with the agent's id: what an earlier process of the agent left may still have
// the plain name.
func makeCgroup(base, agent string) (*cgroup, error) {
	if !safeName.MatchString(agent) {
		return nil, fmt.Errorf("%q is no name for a cgroup", agent)
	}
	dir := filepath.Join(base, agent)
	for n := 1; ; n++ {
		err := os.Mkdir(dir, 0o755)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrExist) || n > 1000 {
			return nil, err
		}
		dir = filepath.Join(base, agent+"."+strconv.Itoa(n))
	}
	fd, err := os.Open(dir)
	if err != nil {
		os.Remove(dir)
		return nil, err
	}
	return &cgroup{dir: dir, fd: fd}, nil
}

func (g *cgroup) attr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(g.fd.Fd())}
}

// pids are the processes in the cgroup and in those that its processes made below it. A zombie is none.
func (g *cgroup) pids() (pids []int, err error) {
	for _, dir := range g.tree() {
		inside, err := numbers(dir, "cgroup.procs")
		if errors.Is(err, unix.EOPNOTSUPP) { // in a threaded cgroup
			inside, err = numbers(dir, "cgroup.threads")
			for i, tid := range inside {
				inside[i] = processOf(tid)
			}
			inside = slices.Compact(slices.Sorted(slices.Values(inside)))
		}
		if err != nil {
			return nil, err
		}
		pids = append(pids, inside...)
	}
	return pids, nil
}

// numbers reads a file of a cgroup that lists processes or threads. There are none in a cgroup that was removed.
func numbers(dir, file string) (ids []int, err error) {
	b, err := os.ReadFile(filepath.Join(dir, file))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return nil, nil
	}
	for field := range bytes.FieldsSeq(b) {
		if id, err := strconv.Atoi(string(field)); err == nil && id > 0 { // 0: of another pid namespace
			ids = append(ids, id)
		}
	}
	return ids, err
}

// processOf is the process that a thread is of; one that ended meanwhile counts as its own.
func processOf(tid int) int {
	b, _ := os.ReadFile(procDir(tid) + "/status")
	_, line, _ := bytes.Cut(b, []byte("\nTgid:"))
	line, _, _ = bytes.Cut(line, []byte{'\n'})
	if pid, err := strconv.Atoi(string(bytes.TrimSpace(line))); err == nil {
		return pid
	}
	return tid
}

// members are pids as a set. Without a cgroup there are none.
func (g *cgroup) members() (map[int]bool, error) {
	if g == nil {
		return nil, nil
	}
	pids, err := g.pids()
	set := make(map[int]bool, len(pids))
	for _, pid := range pids {
		set[pid] = true
	}
	return set, err
}

// holds is populated, for a cgroup that may be none. What can't be read is not gone.
func (g *cgroup) holds() bool {
	if g == nil {
		return false
	}
	populated, err := g.populated()
	return populated || err != nil
}

// populated reports whether a process lives in the cgroup or below it: cgroup.events, which the kernel keeps.
func (g *cgroup) populated() (bool, error) {
	b, err := os.ReadFile(filepath.Join(g.dir, "cgroup.events"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return false, nil
	}
	return bytes.Contains(b, []byte("populated 1")), err
}

// kill sends SIGKILL to every process in the cgroup and below, also to those of other users, and to those that are being
// forked.
func (g *cgroup) kill() error {
	return os.WriteFile(filepath.Join(g.dir, "cgroup.kill"), []byte("1"), 0)
}

// tree is the cgroup's folder and those below it, parents first.
func (g *cgroup) tree() []string {
	dirs := []string{g.dir}
	for i := 0; i < len(dirs); i++ {
		entries, err := os.ReadDir(dirs[i])
		if err != nil {
			continue // it was removed
		}
		for _, e := range entries {
			if e.IsDir() {
				dirs = append(dirs, filepath.Join(dirs[i], e.Name()))
			}
		}
	}
	return dirs
}

// remove takes the cgroup away, unless something lives in it.
func (g *cgroup) remove() {
	if g == nil {
		return
	}
	if g.fd != nil {
		g.fd.Close()
	}
	for _, dir := range slices.Backward(g.tree()) {
		os.Remove(dir)
	}
}

// left are the cgroups that exist for agents of this instance, by agent.
func (c *cgroups) left() map[wire.AgentID][]*cgroup {
	found := map[wire.AgentID][]*cgroup{}
	for _, base := range c.old {
		entries, err := os.ReadDir(base)
		if err != nil {
			continue // nothing was left
		}
		for _, e := range entries {
			if e.IsDir() {
				agent, _, _ := strings.Cut(e.Name(), ".")
				found[wire.AgentID(agent)] = append(found[wire.AgentID(agent)], &cgroup{dir: filepath.Join(base, e.Name())})
			}
		}
	}
	return found
}

// close removes the folders that are empty.
func (c *cgroups) close() {
	for _, base := range c.old {
		os.Remove(base)
	}
}
