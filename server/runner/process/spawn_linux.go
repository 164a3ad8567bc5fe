package process

import (
	"errors"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// command is a launch that was checked for everything that can be checked before the start.
type command struct {
	path string
	argv []string
	env  []string
	dir  string

	noInput bool
	tty     *wire.Size
}

func newCommand(l runner.Launch) (command, error) {
	if len(l.Argv) == 0 || l.Argv[0] == "" {
		return command{}, runner.SpawnError("there is no command to run").WithField("argv")
	}
	for i, a := range l.Argv {
		if strings.ContainsRune(a, 0) {
			return command{}, runner.SpawnError("argument %d holds a NUL byte", i).WithField("argv")
		}
	}
	env, err := environ(os.Environ(), l)
	if err != nil {
		return command{}, err
	}
	if err := folder(l.Cwd, l.CreateCwd); err != nil {
		return command{}, err
	}
	path, err := lookup(l.Argv[0], l.Cwd, env["PATH"])
	if err != nil {
		return command{}, err
	}
	c := command{path: path, argv: l.Argv, dir: l.Cwd, noInput: l.NoInput, tty: l.TTY}
	for _, k := range slices.Sorted(maps.Keys(env)) {
		c.env = append(c.env, k+"="+env[k])
	}
	return c, nil
}

// environ returns the environment of the agent: the server's own variables, so that PATH, HOME, proxies and locale are
// those of the person who started it, without Skein's, which may include a ticket or token; then those of the launch;
// then the marks by which the agent's processes are found.
func environ(base []string, l runner.Launch) (map[string]string, error) {
	env := map[string]string{"PATH": defaultPath}
	for _, kv := range base {
		k, v, ok := strings.Cut(kv, "=")
		if ok && k != "" && k != "OLDPWD" && !strings.HasPrefix(k, "SKEIN_") {
			env[k] = v
		}
	}
	env["PWD"] = l.Cwd
	for k, v := range l.Env {
		if k == "" || strings.ContainsAny(k, "=\x00") || strings.ContainsRune(v, 0) {
			return nil, runner.SpawnError("the environment variable %q cannot be set: its name is empty or holds =, or there is a NUL byte", k).WithField("env")
		}
		env[k] = v
	}
	if strings.ContainsRune(string(l.Agent)+l.Instance, 0) {
		return nil, runner.SpawnError("the agent's or the instance's id holds a NUL byte")
	}
	env[runner.EnvAgent], env[runner.EnvInstance] = string(l.Agent), l.Instance
	return env, nil
}

func folder(dir string, create bool) error {
	if !filepath.IsAbs(dir) {
		return runner.SpawnError("the working folder %q is not an absolute path", dir).WithField("cwd")
	}
	if create {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return runner.SpawnError("the working folder cannot be made: %s", reason(err)).WithField("cwd")
		}
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return runner.SpawnError("the working folder %s does not exist", dir).WithField("cwd")
	case err != nil:
		return runner.SpawnError("the working folder %s cannot be used: %s", dir, reason(err)).WithField("cwd")
	case !info.IsDir():
		return runner.SpawnError("the working folder %s is not a folder", dir).WithField("cwd")
	case unix.Faccessat(unix.AT_FDCWD, dir, unix.X_OK, unix.AT_EACCESS) != nil:
		return runner.SpawnError("the working folder %s cannot be entered: permission denied", dir).WithField("cwd")
	}
	return nil
}

// lookup finds the program as a shell of the agent would. A name with a slash is a path relative to the working folder.
// Any other name is searched in the agent's PATH, of which only absolute folders are used.
func lookup(name, dir, path string) (string, error) {
	if strings.ContainsRune(name, '/') {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		if err := executable(name); err != nil {
			return "", runner.SpawnError("%s cannot be run: %s", name, reason(err)).WithField("argv")
		}
		return name, nil
	}
	var found error
	for _, folder := range filepath.SplitList(path) {
		if !filepath.IsAbs(folder) {
			continue
		}
		file := filepath.Join(folder, name)
		err := executable(file)
		if err == nil {
			return file, nil
		}
		if found == nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
			found = runner.SpawnError("%s cannot be run: %s", file, reason(err)).WithField("argv")
		}
	}
	if found != nil {
		return "", found
	}
	return "", runner.SpawnError("command not found: %s is in no folder of PATH (%s)", name, path).WithField("argv")
}

func executable(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return unix.EISDIR
	}
	return unix.Faccessat(unix.AT_FDCWD, file, unix.X_OK, unix.AT_EACCESS)
}

// reason returns the system's text for an error without the path, which the message already has.
func reason(err error) string {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err.Error()
	}
	switch errno {
	case unix.EACCES:
		return "permission denied, or it is not executable"
	case unix.ENOEXEC:
		return "this machine cannot run its format (a script needs a first line with #!)"
	case unix.E2BIG:
		return "arguments and environment are too long"
	case unix.EAGAIN:
		return "the limit of processes is reached"
	case unix.EMFILE, unix.ENFILE:
		return "the limit of open files is reached"
	}
	return errno.Error()
}

// child is a process that was just started, with Skein's ends of its standard streams.
type child struct {
	*stdio
	pid   int
	pidfd *os.File
}

// start forks and executes. It does not use os/exec because the zombie must stay until it is reaped, and because a pidfd
// in the poller needs no thread while the process runs.
//
// The child leads a session of its own. Without a controlling terminal, an agent can't read from the terminal that Skein
// was started in, which would stop it (setsid(2), credentials(7)); its own terminal controls it.
func (c command) start(group *cgroup, mark limitMark) (child, error) {
	std, err := c.openStdio()
	if err != nil {
		return child{}, err
	}
	pidfd := -1
	sys := &syscall.SysProcAttr{}
	if group != nil {
		sys = group.attr()
	}
	sys.Setsid, sys.Setctty, sys.PidFD = true, c.tty != nil, &pidfd
	sys.Ctty = 1 // in the child, where standard input may be /dev/null
	files := make([]uintptr, 3)
	for i, fd := range std.theirs {
		files[i] = uintptr(fd)
	}
	var pid int
	mark.inherit(func() {
		pid, _, err = syscall.StartProcess(c.path, c.argv, &syscall.ProcAttr{Dir: c.dir, Env: c.env, Files: files, Sys: sys})
	})
	std.started()
	if err != nil {
		std.close()
		return child{}, c.explain(err)
	}
	if pidfd < 0 {
		std.close()
		unix.Kill(-pid, unix.SIGKILL)
		unix.Wait4(pid, nil, 0, nil)
		return child{}, runner.SpawnError("this kernel has no pidfd: Linux 5.4 or later is needed")
	}
	unix.SetNonblock(pidfd, true)
	return child{stdio: std, pid: pid, pidfd: os.NewFile(uintptr(pidfd), "pidfd")}, nil
}

// explain describes why exec was refused. The file itself existed a moment ago, so if something does not exist, it is
// most likely the interpreter that the file names.
func (c command) explain(err error) error {
	if errors.Is(err, unix.ENOENT) && executable(c.path) == nil {
		return runner.SpawnError("%s cannot be run: the interpreter that it names does not exist", c.path).WithField("argv")
	}
	return runner.SpawnError("%s cannot be run: %s", c.path, reason(err)).WithField("argv")
}

// abandon kills and reaps a child that can't be adopted.
func (c child) abandon(group *cgroup) {
	if group != nil {
		group.kill()
	}
	unix.Kill(-c.pid, unix.SIGKILL)
	unix.Wait4(c.pid, nil, 0, nil)
	group.remove()
	c.pidfd.Close()
	c.stdio.close()
}

// closeOnExec makes sure that agents do not inherit what this process has inherited, such as a lock that a shell holds.
// What Go opens has that flag already (close_range(2), fcntl(2)).
func closeOnExec() {
	if unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) == nil {
		return
	}
	entries, err := os.ReadDir("/proc/self/fd") // for Linux before 5.11
	if err != nil {
		return
	}
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
}
