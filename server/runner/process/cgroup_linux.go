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

// cgroups creates a cgroup v2 for each agent. A process can't leave it without the permission to write to the
// cgroup tree, whatever it does to its environment, title, group, session or user (cgroups(7), Documentation/
// admin-guide/cgroup-v2.rst). The cgroups are in a folder of this instance, below the cgroup that Skein runs in:
//
//	<Skein's cgroup>/skein-<instance>/<agent>[.<n>]
type cgroups struct {
	base string // the folder of the instance; "" if no cgroups can be created
	why  string // why they can't be created
	old  []string
}

// openCgroups finds out whether cgroups can be created. The file state has the bases that earlier runs used, so that what
// they left can be found. If state is "", nothing is remembered and no cgroups are created.
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
		os.Remove(base) // fails if it has what an earlier run left
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

// ownCgroup returns the folder of the cgroup v2 that this process is in.
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

// cgroupDir combines /proc/self/cgroup and /proc/self/mountinfo (proc_pid_mountinfo(5)).
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

// unescape decodes the blanks in a path of mountinfo, which the kernel escapes.
func unescape(s string) string {
	return octal.ReplaceAllStringFunc(s, func(e string) string {
		n, err := strconv.ParseUint(e[1:], 8, 8)
		if err != nil {
			return e
		}
		return string([]byte{byte(n)})
	})
}

// probe tries all that is needed for a stop: to create a cgroup, to start a process in it and to kill that. Nothing is
// executed, because a program that does not exist is refused only after the fork into the cgroup.
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

// plain returns the system's text for an error, without the path.
func plain(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return err.Error()
}

// cgroup is the cgroup of one agent.
type cgroup struct {
	dir string
	fd  *os.File // nil if an earlier run created it
}

var safeName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// makeCgroup creates a cgroup whose name starts with the agent's id. An earlier process of the agent may still use the
// plain id.
func makeCgroup(base, agent string) (*cgroup, error) {
	if !safeName.MatchString(agent) {
		return nil, fmt.Errorf("%q is not a valid name for a cgroup", agent)
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

// pids returns the processes in the cgroup and in the cgroups that they created below it. Zombies are not counted.
func (g *cgroup) pids() (pids []int, err error) {
	for _, dir := range g.tree() {
		inside, err := numbers(dir, "cgroup.procs")
		if errors.Is(err, unix.EOPNOTSUPP) { // the cgroup is threaded
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

// numbers reads a file of a cgroup that lists processes or threads. A cgroup that was removed has none.
func numbers(dir, file string) (ids []int, err error) {
	b, err := os.ReadFile(filepath.Join(dir, file))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return nil, nil
	}
	for field := range bytes.FieldsSeq(b) {
		if id, err := strconv.Atoi(string(field)); err == nil && id > 0 { // 0 stands for a process of another pid namespace
			ids = append(ids, id)
		}
	}
	return ids, err
}

// processOf returns the process of a thread. A thread that has ended in the meantime counts as a process.
func processOf(tid int) int {
	b, _ := os.ReadFile(procDir(tid) + "/status")
	_, line, _ := bytes.Cut(b, []byte("\nTgid:"))
	line, _, _ = bytes.Cut(line, []byte{'\n'})
	if pid, err := strconv.Atoi(string(bytes.TrimSpace(line))); err == nil {
		return pid
	}
	return tid
}

// members returns the pids as a set, which is empty if there is no cgroup.
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

// holds is like populated, but the cgroup may be nil. If the answer can't be read, holds returns true.
func (g *cgroup) holds() bool {
	if g == nil {
		return false
	}
	populated, err := g.populated()
	return populated || err != nil
}

// populated reports whether a process is alive in the cgroup or below it, according to cgroup.events, which the kernel
// maintains.
func (g *cgroup) populated() (bool, error) {
	b, err := os.ReadFile(filepath.Join(g.dir, "cgroup.events"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return false, nil
	}
	return bytes.Contains(b, []byte("populated 1")), err
}

// kill sends SIGKILL to every process in the cgroup and below it, including those of other users and those that are being
// forked.
func (g *cgroup) kill() error {
	return os.WriteFile(filepath.Join(g.dir, "cgroup.kill"), []byte("1"), 0)
}

// tree returns the folders of the cgroup and of those below it, parents first.
func (g *cgroup) tree() []string {
	dirs := []string{g.dir}
	for i := 0; i < len(dirs); i++ {
		entries, err := os.ReadDir(dirs[i])
		if err != nil {
			continue // it has been removed
		}
		for _, e := range entries {
			if e.IsDir() {
				dirs = append(dirs, filepath.Join(dirs[i], e.Name()))
			}
		}
	}
	return dirs
}

// remove removes the cgroup, unless a process is alive in it.
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

// left returns the existing cgroups of this instance by agent.
func (c *cgroups) left() map[wire.AgentID][]*cgroup {
	found := map[wire.AgentID][]*cgroup{}
	for _, base := range c.old {
		entries, err := os.ReadDir(base)
		if err != nil {
			continue // nothing is left of it
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

// close removes the folders if they are empty.
func (c *cgroups) close() {
	for _, base := range c.old {
		os.Remove(base)
	}
}
