package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"regexp"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// detachKeys match Ctrl-], as in telnet: the control character, and what a terminal sends in the kitty keyboard protocol, with Caps Lock
// and Num Lock too.
var detachKeys = regexp.MustCompile("\x1d|\x1b\\[93;(?:5|69|133|197)u")

// attachTerminal shows an agent's terminal in one's own, which is raw meanwhile, until the agent ends or the detach key is
// pressed.
func attachTerminal(cmd *cobra.Command, c *client.Client, a *wire.Agent, take bool) error {
	if !isTerminal(os.Stdin) || !isTerminal(os.Stdout) {
		return usageError{errors.New("agent " + string(a.ID) + " has a terminal, which needs one of yours: standard input and output are none. skein logs prints what it wrote")}
	}
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	restore, err := rawTerminal(int(os.Stdin.Fd()))
	if err != nil {
		return err
	}
	defer restore()
	v := &ownTerminal{out: os.Stdout}
	t := c.Terminal(a.ID, client.TerminalOptions{Size: ownSize(), Write: true, Screen: v.show, State: v.state, Left: v.left})
	if take {
		t.Write()
	}
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, unix.SIGWINCH)
	defer signal.Stop(resized)
	go func() {
		for {
			select {
			case <-resized:
				t.Resize(ownSize())
			case <-ctx.Done():
				return
			}
		}
	}()
	detached := make(chan struct{})
	go func() { // ends with the process: a read of the terminal can't be interrupted
		if typeUntilDetached(os.Stdin, t) {
			close(detached)
			cancel()
		}
	}()
	err = t.Run(ctx)
	v.close()
	restore()
	select {
	case <-detached:
		printErrf(cmd, "skein: detached; agent %s keeps running\n", a.ID)
		return nil
	default:
	}
	if err != nil {
		return leftAgent(cmd, err, a.ID)
	}
	if end, err := c.Get(cmd.Context(), a.ID); err == nil && end.Exit != nil {
		printErrf(cmd, "skein: %s\n", eventText(wire.Event{Type: wire.EventExited, Data: wire.EventData{Reason: end.Reason, Exit: end.Exit}}))
	}
	return nil
}

// typeUntilDetached sends what is typed, until the detach key is. It returns false at the end of the input.
func typeUntilDetached(in io.Reader, t *client.Terminal) bool {
	buf := make([]byte, 32<<10)
	for {
		n, err := in.Read(buf)
		b, detach := buf[:n], false
		if at := detachKeys.FindIndex(b); at != nil {
			b, detach = b[:at[0]], true
		}
		if len(b) > 0 {
			if err := t.Type(b); err != nil {
				io.WriteString(os.Stderr, "\a") // it takes nothing more
			}
		}
		if detach {
			return true
		}
		if err != nil {
			return false
		}
	}
}

// ownTerminal is the terminal of who attaches.
type ownTerminal struct {
	out   io.Writer
	begun bool
	over  bool
	title string
}

const (
	// harmless resets what a program may have changed in a terminal.
	harmless = "\x1b[?2026l\x1b[?1049l\x1b[!p\x1b[?9l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1016l\x1b[?1004l\x1b[?2004l\x1b[?5l\x1b[=0;1u\x1b[?25h\x1b[0 q\x1b]8;;\x1b\\\x1b[m\x1b[r"
	// fresh also clears it.
	fresh = harmless + "\x1b[H\x1b[2J"
)

func (v *ownTerminal) show(b []byte, reset bool) {
	if reset {
		v.begun = true
		io.WriteString(v.out, fresh)
	}
	v.out.Write(b)
}

// state gives the own terminal the title of the agent's. The server has made it harmless.
func (v *ownTerminal) state(s wire.TerminalState) {
	if s.Title != v.title {
		v.title = s.Title
		io.WriteString(v.out, "\x1b]2;"+safe(s.Title)+"\x1b\\")
	}
}

func (v *ownTerminal) left(b []byte) {
	v.over = true
	v.out.Write(b)
}

// close returns the terminal to its owner when the program goes on.
func (v *ownTerminal) close() {
	if v.begun && !v.over {
		io.WriteString(v.out, harmless+"\x1b[999;1H\r\n")
	}
}

func ownSize() wire.Size {
	ws, err := unix.IoctlGetWinsize(int(os.Stdout.Fd()), unix.TIOCGWINSZ)
	if err != nil || ws.Col == 0 || ws.Row == 0 {
		return wire.DefaultSize
	}
	return wire.Size{Cols: min(ws.Col, wire.MaxCols), Rows: min(ws.Row, wire.MaxRows)}
}

// rawTerminal makes a terminal pass every key on (cfmakeraw(3)).
func rawTerminal(fd int) (restore func(), err error) {
	was, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, err
	}
	raw := *was
	raw.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	raw.Oflag &^= unix.OPOST
	raw.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	raw.Cflag = raw.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &raw); err != nil {
		return nil, err
	}
	return func() { unix.IoctlSetTermios(fd, unix.TCSETS, was) }, nil
}
