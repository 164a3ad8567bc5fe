// Package hook runs a command of the operator for each question that waits for a person, so that it can tell one: by a message, a mail,
// a sound.
//
// The command gets the question as one line of JSON on its standard input, and in its environment
//
//	SKEIN_ASK_ID     the question's id
//	SKEIN_AGENT_ID   the agent's
//	SKEIN_ASK_URL    its page
//
// Nobody waits for it. Running bounds how many run at a time, Waiting how many wait; beyond that the oldest is dropped.
//
// # Locks
//
//	Hook.mu   what waits and how many run; nothing outside the package is called with it held
package hook

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"skein.dev/skein/server/fork"
	"skein.dev/skein/webtransport/wire"
)

// Bounds of a Hook.
const (
	Running = 4                // commands at a time
	Waiting = 64               // questions
	Limit   = 10 * time.Second // of a command; then it is killed
)

// keepsStderr is how long what a command leaves behind may keep its standard error open.
const keepsStderr = time.Second

// Options configure a Hook. Argv is required.
type Options struct {
	Argv   []string
	Limit  time.Duration // 0: Limit
	Logger *slog.Logger  // nil: none
}

// Hook runs the command. A nil Hook runs nothing.
type Hook struct {
	o   Options
	ctx context.Context // ends when Close is called
	end context.CancelFunc

	workers sync.WaitGroup

	mu      sync.Mutex
	page    string     // "": nothing runs yet
	waiting []wire.Ask // the oldest first
	running int
	closed  bool
}

// New returns a Hook that runs nothing before Begin. The caller must Close it.
func New(o Options) *Hook {
	o.Limit = cmp.Or(o.Limit, Limit)
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	h := &Hook{o: o}
	h.ctx, h.end = context.WithCancel(context.Background())
	return h
}

// Begin runs the command for what waits already, and for what comes. The inbox is at the URL page.
func (h *Hook) Begin(page string) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.page = page
	h.start()
}

// Asked runs the command for a question, soon. It does not block.
func (h *Hook) Asked(a wire.Ask) {
	if h == nil {
		return
	}
	if late := h.add(a); late != nil {
		h.o.Logger.Warn("the command for questions is too slow: one was dropped", "command", h.o.Argv[0], "ask", late.ID, "agent", late.Agent)
	}
}

// add returns the question that has no room any more.
func (h *Hook) add(a wire.Ask) (late *wire.Ask) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil
	}
	if len(h.waiting) == Waiting {
		first := h.waiting[0]
		late, h.waiting = &first, slices.Delete(h.waiting, 0, 1)
	}
	h.waiting = append(h.waiting, a)
	h.start()
	return late
}

// start begins workers for what waits. The caller holds mu.
func (h *Hook) start() {
	for i := 0; h.page != "" && !h.closed && i < len(h.waiting) && h.running < Running; i++ {
		h.running++
		h.workers.Go(h.work)
	}
}

// work runs the command for one question after the other until none waits.
func (h *Hook) work() {
	for {
		h.mu.Lock()
		if h.closed || len(h.waiting) == 0 {
			h.running--
			h.mu.Unlock()
			return
		}
		a, page := h.waiting[0], h.page
		h.waiting = slices.Delete(h.waiting, 0, 1)
		h.mu.Unlock()
		if err := h.run(a, page); err != nil && h.ctx.Err() == nil {
			h.o.Logger.Warn("the command for questions failed", "command", h.o.Argv[0], "ask", a.ID, "agent", a.Agent, "err", err)
		}
	}
}

func (h *Hook) run(a wire.Ask, page string) error {
	line, err := wire.AppendLine(nil, a)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(h.ctx, h.o.Limit)
	defer cancel()
	var says tail
	c := exec.CommandContext(ctx, h.o.Argv[0], h.o.Argv[1:]...)
	c.Stdin, c.Stderr = bytes.NewReader(line), &says
	c.Env = append(os.Environ(), "SKEIN_ASK_ID="+string(a.ID), "SKEIN_AGENT_ID="+string(a.Agent), "SKEIN_ASK_URL="+page+"#"+string(a.ID))
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // also keeps the terminal's Ctrl-C from it
	c.Cancel = func() error { return killGroup(c) }
	c.WaitDelay = keepsStderr
	err = fork.Run(c)
	switch {
	case errors.Is(err, exec.ErrWaitDelay) && c.ProcessState.Success(): // what keeps its standard error is in its group
		killGroup(c)
		return nil
	case err == nil:
		return nil
	case ctx.Err() != nil:
		err = fmt.Errorf("it was killed after %s", h.o.Limit)
	}
	if last := says.last(); last != "" {
		return fmt.Errorf("%w: %s", err, last)
	}
	return err
}

func killGroup(c *exec.Cmd) error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }

// Close kills what runs, waits for its end, and forgets what waits.
func (h *Hook) Close() {
	if h == nil {
		return
	}
	h.mu.Lock()
	h.closed, h.waiting = true, nil
	h.mu.Unlock()
	h.end()
	h.workers.Wait()
}

// maxLine bounds the line of standard error that is logged.
const maxLine = 500

// tail keeps the end of what is written.
type tail struct{ b []byte }

func (t *tail) Write(b []byte) (int, error) {
	t.b = append(t.b, b[max(0, len(b)-2*maxLine):]...)
	t.b = append(t.b[:0], t.b[max(0, len(t.b)-2*maxLine):]...)
	return len(b), nil
}

// last returns the last line that has anything.
func (t *tail) last() string {
	text := bytes.TrimSpace(t.b)
	line := text[bytes.LastIndexByte(text, '\n')+1:]
	return strings.ToValidUTF8(string(line[max(0, len(line)-maxLine):]), "�")
}
