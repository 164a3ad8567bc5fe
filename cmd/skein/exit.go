package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// Exit codes, for scripts.
const (
	exitFailed      = 1 // anything else
	exitUsage       = 2 // the command line makes no sense
	exitUnreachable = 3 // no server, or it refuses this client
	exitNotFound    = 4 // no such agent, question, task, type or entry
	exitRefused     = 5 // a cap, closed admission or a state, such as an entry's revision, does not allow it
	exitLeftovers   = 6 // a stop left processes behind
	exitTaskFailed  = 7 // the task that was waited for failed, or was rejected
	exitCanceled    = 8 // it was canceled
	exitInterrupted = 130
)

const exitHelp = `Exit codes: 0 done; 1 failed; 2 wrong usage; 3 the server can't be reached or refuses the login;
4 no such agent, question, task, type or entry; 5 refused by a cap, by closed admission or by a state; 6 a stop left processes
behind; 7 the task that was waited for failed, 8 it was canceled; 130 interrupted: an agent or a task that was followed keeps
running.
Every flag has an environment variable: --data-dir is SKEIN_DATA_DIR.`

// exitFor gives the exit code of what ended a command.
func exitFor(err error) int {
	var we *wire.Error
	var ue usageError
	var se *client.StatusError
	var ce *client.ConnectError
	var in interruption
	switch {
	case errors.As(err, &in):
		return exitInterrupted
	case errors.As(err, &ue), strings.HasPrefix(err.Error(), "unknown command"): // cobra's, which has no type
		return exitUsage
	case errors.As(err, &se), errors.Is(err, client.ErrNoServer), errors.Is(err, errUnreachable), errors.As(err, &ce):
		return exitUnreachable
	case !errors.As(err, &we):
		return exitFailed
	}
	switch we.Code {
	case wire.CodeNotFound:
		return exitNotFound
	case wire.CodeExhausted, wire.CodePrecondition, wire.CodeUnavailable, wire.CodeConflict:
		return exitRefused
	case wire.CodeInvalidParams:
		return exitUsage
	}
	return exitFailed
}

// exitCode ends the program with a code and no message.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// interruption is the end of a command by Ctrl-C or SIGTERM before what it does is over.
type interruption struct{ message string }

func (i interruption) Error() string { return i.message }

// usageError is a mistake on the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

var errUnreachable = errors.New("the server can't be reached")

// answerTime is how long an interrupted command waits for the answer to what it began.
const answerTime = 3 * time.Second

// answered gives a context for a request that begins something: it outlives an interruption for answerTime, so that the
// command can say what goes on.
func answered(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() { time.AfterFunc(answerTime, cancel) })
	return longer, cancel
}
