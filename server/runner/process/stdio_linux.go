package process

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// stdio is both ends of the standard streams of an agent that is about to start.
type stdio struct {
	stdin    *os.File // Skein's ends, which don't block
	outputs  []source
	terminal *os.File // nil: there are pipes

	theirs [3]int // the agent's ends, which do; the same three times if it is a terminal
}

// source is where the output of an agent is read.
type source struct {
	stream wire.EventType
	f      *os.File
}

// openStdio makes the standard streams of a command: pipes, or a terminal.
func (c command) openStdio() (*stdio, error) {
	open := openPipes
	if c.tty != nil {
		open = c.openTerminal
	}
	s, err := open()
	if err == nil && c.noInput {
		err = s.emptyInput()
	}
	if err != nil {
		s.close()
		return nil, runner.SpawnError("%s cannot be run: %s", c.argv[0], reason(err))
	}
	return s, nil
}

func openPipes() (*stdio, error) {
	s := &stdio{theirs: [3]int{-1, -1, -1}}
	for i, stream := range []wire.EventType{"", wire.EventStdout, wire.EventStderr} {
		var p [2]int
		if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
			return s, err
		}
		ours, theirs := p[0], p[1]
		if i == 0 {
			ours, theirs = p[1], p[0]
		}
		unix.SetNonblock(ours, true) // only our ends: the agent gets ordinary pipes, as from a shell
		s.theirs[i] = theirs
		if f := os.NewFile(uintptr(ours), "pipe"); i == 0 {
			s.stdin = f
		} else {
			s.outputs = append(s.outputs, source{stream, f})
		}
	}
	return s, nil
}

// openTerminal makes a pseudoterminal (pty(7)). It does not use creack/pty, which makes Skein's end block: its deadlines would have no
// effect then, and a write to an agent that does not read would never end.
func (c command) openTerminal() (*stdio, error) {
	s := &stdio{theirs: [3]int{-1, -1, -1}}
	ours, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return s, &os.PathError{Op: "open", Path: "/dev/ptmx", Err: err}
	}
	s.terminal = os.NewFile(uintptr(ours), "terminal")
	s.outputs = []source{{wire.EventTTY, s.terminal}}
	if err := unix.IoctlSetPointerInt(ours, unix.TIOCSPTLCK, 0); err != nil {
		return s, err
	}
	if err := resize(s.terminal, *c.tty); err != nil {
		return s, err
	}
	in, err := unix.FcntlInt(uintptr(ours), unix.F_DUPFD_CLOEXEC, 3) // closing it is not the end of the terminal
	if err != nil {
		return s, err
	}
	s.stdin = os.NewFile(uintptr(in), "terminal")
	for i := range s.theirs {
		fd, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(ours), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
		if errno != 0 {
			return s, errno
		}
		s.theirs[i] = int(fd)
	}
	return s, nil
}

// resize tells a terminal its size. The kernel sends SIGWINCH to the processes in the foreground.
func resize(terminal *os.File, s wire.Size) error {
	raw, err := terminal.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Col: s.Cols, Row: s.Rows})
	})
	return errors.Join(err, failed)
}

// emptyInput replaces the agent's end of standard input by /dev/null. An empty pipe would not do, because programs such as
// rg read standard input if it is a pipe, and the folder otherwise.
func (s *stdio) emptyInput() error {
	null, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: os.DevNull, Err: err}
	}
	defer unix.Close(null)
	return unix.Dup3(null, s.theirs[0], unix.O_CLOEXEC)
}

// started closes the agent's ends, which the agent has.
func (s *stdio) started() {
	for i, fd := range s.theirs {
		if fd >= 0 {
			unix.Close(fd)
			s.theirs[i] = -1
		}
	}
}

func (s *stdio) close() {
	s.started()
	s.stdin.Close() // of nil: nothing
	for _, out := range s.outputs {
		out.f.Close()
	}
}
