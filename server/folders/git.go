package folders

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"skein.dev/skein/server/fork"
	"skein.dev/skein/webtransport/wire"
)

const (
	maxOut    = 16 << 20 // bytes of the output of git that are read
	maxStderr = 8 << 10
	killAfter = 2 * time.Second // from SIGTERM, at which git removes its locks, to SIGKILL
)

// git runs git, in a folder.
type git struct {
	ctx     context.Context
	program string
	dir     string
	env     []string // beyond the server's own
}

// at is git in a folder of which it finds the repository itself.
func (fs *Folders) at(ctx context.Context, dir string) git {
	return git{ctx: ctx, program: fs.o.Git, dir: dir}
}

// in is git in what a repository has checked out.
func (fs *Folders) in(top, gitDir string) git {
	return git{program: fs.o.Git, dir: top, env: []string{"GIT_DIR=" + gitDir, "GIT_WORK_TREE=" + top}}
}

// with adds to the environment.
func (g git) with(env ...string) git {
	g.env = slices.Concat(g.env, env)
	return g
}

// failure is what git said when it failed.
type failure struct {
	what string // the subcommand
	code int    // -1: it was killed, or did not start
	text string // of standard error
	err  error
}

func (f *failure) Error() string { return "git " + f.what + ": " + f.reason() }

// reason is the first line that says something.
func (f *failure) reason() string {
	for line := range strings.Lines(f.text) {
		line = strings.TrimSpace(line)
		for _, begin := range []string{"fatal: ", "error: "} {
			line = strings.TrimPrefix(line, begin)
		}
		if line != "" && !strings.HasPrefix(line, "warning: ") && !strings.HasPrefix(line, "hint: ") {
			return wire.Cut(strings.ToValidUTF8(line, "\uFFFD"), 300)
		}
	}
	return f.err.Error()
}

// errCut is the error of output beyond the bound.
var errCut = errors.New("git printed more than is read")

// settings keep git from starting what would outlive it, from asking somebody, and from printing in another form, whatever the repository says.
var settings = []string{"-c", "core.fsmonitor=false", "-c", "core.quotePath=false", "-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "advice.detachedHead=false",
	"-c", "core.untrackedCache=false", "-c", "core.splitIndex=false", "-c", "core.safecrlf=false", "-c", "log.showSignature=false", "-c", "i18n.logOutputEncoding=UTF-8",
	"-c", "diff.suppressBlankEmpty=false", "-c", "diff.noPrefix=false", "-c", "diff.mnemonicPrefix=false"}

// run runs git, with a text on standard input, and returns at most max bytes of what it prints: those and errCut if there is more.
func (g git) run(max int, in string, args ...string) ([]byte, error) {
	c := exec.CommandContext(g.ctx, g.program, slices.Concat(settings, args)...)
	c.Dir, c.Env = g.dir, slices.Concat(clean(os.Environ()), []string{"LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0", "GIT_EDITOR=:", "GIT_LITERAL_PATHSPECS=0"}, g.env)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGTERM) }
	c.WaitDelay = killAfter
	out, said := &capped{max: max}, &capped{max: maxStderr}
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(in), out, said
	err := fork.Run(c)
	if c.Process != nil {
		syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // what a hook has left
	}
	switch {
	case out.over:
		return out.Bytes(), errCut
	case err == nil, errors.Is(err, exec.ErrWaitDelay): // a hook has left a process, which has the pipes
		return out.Bytes(), nil
	}
	f := &failure{what: args[0], code: -1, text: said.String(), err: err}
	if e := new(exec.ExitError); errors.As(err, &e) {
		f.code = e.ExitCode()
	}
	if g.ctx.Err() != nil {
		f.text, f.err = "", errors.New("it took too long and was ended")
	}
	return out.Bytes(), f
}

// all runs git and returns what it prints.
func (g git) all(args ...string) ([]byte, error) { return g.run(maxOut, "", args...) }

// line runs git and returns the line that it prints.
func (g git) line(args ...string) (string, error) {
	b, err := g.run(maxStderr, "", args...)
	return strings.TrimSuffix(string(b), "\n"), err
}

// is runs git and reports whether it succeeded: exit code 1 is a no.
func (g git) is(args ...string) (bool, error) {
	_, err := g.run(maxStderr, "", args...)
	if f := new(failure); errors.As(err, &f) && f.code == 1 {
		return false, nil
	}
	return err == nil, err
}

// clean leaves out the variables by which git is told of another repository.
func clean(env []string) []string {
	return slices.DeleteFunc(env, func(v string) bool {
		return strings.HasPrefix(v, "GIT_") && !strings.HasPrefix(v, "GIT_SSH") && !strings.HasPrefix(v, "GIT_CONFIG_")
	})
}

// capped keeps the beginning of what is written to it.
type capped struct {
	bytes.Buffer
	max  int
	over bool
}

// Write implements io.Writer. Its error ends the program that writes.
func (c *capped) Write(b []byte) (int, error) {
	if room := c.max - c.Len(); len(b) > room {
		c.over = true
		c.Buffer.Write(b[:room])
		return room, errCut
	}
	return c.Buffer.Write(b)
}

// look finds the repository that a folder is in, and the commit that it has checked out.
func (fs *Folders) look(ctx context.Context, dir string) (f wire.Folder, err error) {
	g := fs.at(ctx, dir)
	out, err := g.line("rev-parse", "--path-format=absolute", "--show-toplevel", "--absolute-git-dir")
	if err != nil {
		return f, inWords(err, dir)
	}
	top, gitDir, _ := strings.Cut(out, "\n")
	f.Top, f.GitDir = filepath.Clean(top), gitDir
	if f.Base, err = g.line("rev-parse", "--verify", "--quiet", "HEAD^{commit}"); err != nil {
		return f, wire.Errorf(wire.CodePrecondition, "the repository of %s has no commit yet: make one first", dir)
	}
	f.From, _ = g.line("symbolic-ref", "--short", "--quiet", "HEAD")
	return f, nil
}

// inWords says what a person can do about what git says.
func inWords(err error, dir string) error {
	f := new(failure)
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return wire.Errorf(wire.CodePrecondition, "git is not installed on the server: worktrees and diffs need it")
	case !errors.As(err, &f):
		return err
	case errors.Is(f.err, exec.ErrNotFound):
		return wire.Errorf(wire.CodePrecondition, "git is not installed on the server: worktrees and diffs need it")
	case strings.Contains(f.text, "not a git repository"):
		return wire.Errorf(wire.CodePrecondition, "%s is in no git repository", dir)
	case strings.Contains(f.text, "must be run in a work tree"):
		return wire.Errorf(wire.CodePrecondition, "%s has nothing checked out: it is a bare repository; name a folder with a working copy", dir)
	case strings.Contains(f.text, "dubious ownership"):
		return wire.Errorf(wire.CodePrecondition, "git does not use %s, because it belongs to another user: git config --global --add safe.directory %s", dir, dir)
	case strings.Contains(f.text, "empty ident name"), strings.Contains(f.text, "tell me who you are"):
		return wire.Errorf(wire.CodePrecondition, "git does not know who commits: git config --global user.name NAME, and user.email ADDRESS, as the user that Skein runs as")
	case strings.Contains(f.text, "index.lock"):
		return wire.Errorf(wire.CodeUnavailable, "git is at work in %s: try again, or, if nothing else is, remove its index.lock", dir)
	}
	return wire.Errorf(wire.CodePrecondition, "%s", f.Error())
}
