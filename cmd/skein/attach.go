package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func attachCommand(g *global) *cobra.Command {
	var answer, take bool
	c := &cobra.Command{
		Use: "attach AGENT", Short: "Follow an agent and type to it", Args: cobra.ExactArgs(1),
		Long: `Print an agent's output as it comes, and send it the lines of standard input. Ctrl-D closes its standard input; Ctrl-C
leaves, with exit code 130, and the agent keeps running.

The terminal of an agent that has one (spawn --tty) takes the place of your own: every key goes to the agent, and Ctrl-] leaves. If
somebody else writes, you look on; --take makes you the one who writes.

What the agent asks is shown. While it asks, a line is taken as the answer: on a terminal, attach asks you before it sends one;
lines from a pipe or a file are not sent, and the exit code is 5. With --answer they are sent.`,
		Example: `  skein attach a4k2
  echo yes | skein attach --answer a4k2`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			ids, err := resolve(cmd, c, args[0])
			if err != nil {
				return err
			}
			a, err := c.Get(cmd.Context(), ids[0])
			if err != nil {
				return err
			}
			if a.TTY != nil {
				return attachTerminal(cmd, c, a, take)
			}
			return attach(cmd, c, ids[0], answer)
		},
	}
	c.Flags().BoolVar(&take, "take", false, "write to the agent's terminal in place of who writes now")
	c.Flags().BoolVar(&answer, "answer", false, "send lines as answers to what the agent asks, without asking you first")
	return c
}

func attach(cmd *cobra.Command, c *client.Client, id wire.AgentID, answer bool) error {
	ctx, cancel := context.WithCancelCause(cmd.Context())
	defer cancel(nil)
	q := &questions{cmd: cmd, hint: "type the answer", shown: make(chan struct{})}
	w := &writer{cmd: cmd, c: c, id: id, questions: q, answer: answer, in: bufio.NewReaderSize(cmd.InOrStdin(), 32<<10)}
	go func() { // ends with the process: a read of the terminal can't be interrupted
		err := w.run(ctx)
		var no unanswered
		switch {
		case errors.As(err, &no):
			cancel(no)
		case err != nil && ctx.Err() == nil: // such as that it has ended meanwhile
			printErrf(cmd, "skein: input: %s\n", err)
		}
	}()
	for e, err := range c.Events(ctx, id, client.EventOptions{Follow: true, Tail: 20, Attached: q.attached}) {
		if err != nil {
			if no := (unanswered{}); errors.As(context.Cause(ctx), &no) {
				return no
			}
			return leftAgent(cmd, err, id)
		}
		printOutput(cmd, e)
		q.event(e)
		if e.Type == wire.EventExited {
			printErrf(cmd, "skein: %s\n", eventText(e))
		}
	}
	return nil
}

// unanswered is the end of an attach whose input was none that answers what the agent asks.
type unanswered struct{ error }

func (u unanswered) Unwrap() error { return u.error }

// writer sends what it reads to an agent, and asks before that answers a question.
type writer struct {
	cmd       *cobra.Command
	c         *client.Client
	id        wire.AgentID
	questions *questions
	answer    bool
	in        *bufio.Reader
}

// run sends what it reads, and the end, once what the agent asks is shown.
func (w *writer) run(ctx context.Context) error {
	select {
	case <-w.questions.shown:
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		buf := make([]byte, 32<<10)
		n, err := w.in.Read(buf)
		if n > 0 {
			if err := w.send(ctx, wire.InputParams{ID: w.id, Base64: buf[:n]}); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			err := w.send(ctx, wire.InputParams{ID: w.id, EOF: true})
			if errors.Is(err, &wire.Error{Code: wire.CodePrecondition}) && !errors.As(err, new(unanswered)) {
				return nil // it has ended: there is nothing to close
			}
			return err
		}
		if err != nil {
			return err
		}
	}
}

// send writes to the agent, if it asks what was shown, and whoever writes means to answer that.
func (w *writer) send(ctx context.Context, p wire.InputParams) error {
	if w.answer {
		return w.c.Input(ctx, p)
	}
	for question := w.questions.now(); ; {
		if question != "" {
			if sends, err := w.confirm(question, p); !sends {
				return err
			}
		}
		p.Question = &question
		err := w.c.Input(ctx, p)
		if !errors.Is(err, &wire.Error{Code: wire.CodeConflict}) {
			return err
		}
		a, err := w.c.Get(ctx, w.id) // it asks something else than was shown
		if err != nil {
			return err
		}
		question = asked(a)
	}
}

// confirm asks whether to answer a question with what was typed. What nobody types answers none.
func (w *writer) confirm(question string, p wire.InputParams) (bool, error) {
	terminal := w.cmd.InOrStdin() == io.Reader(os.Stdin) && isTerminal(os.Stdin)
	switch {
	case p.EOF:
		printErrf(w.cmd, "skein: its standard input stays open while it asks: %s\n", question)
		return false, nil
	case !terminal:
		return false, unanswered{wire.Errorf(wire.CodePrecondition, "it asks: %s: input from a pipe or a file is sent as an answer only with --answer, and was not sent", question)}
	}
	printErrf(w.cmd, "skein: it asks: %s\nskein: send %s as the answer? [y/N] ", question, fmt.Sprintf("%q", strings.TrimRight(string(p.Bytes()), "\n")))
	line, err := w.in.ReadString('\n')
	if err != nil {
		return false, err
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true, nil
	}
	printErrf(w.cmd, "skein: not sent\n")
	return false, nil
}
