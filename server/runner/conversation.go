package runner

import (
	"context"

	"skein.dev/skein/webtransport/wire"
)

// Configurer is a session whose agent has options, such as its model, and commands. What it offers may change at any time: see [Offers].
type Configurer interface {
	// Options returns what the agent offers now. Its slices must not be written to.
	Options() wire.OptionsResult
	// Configure sets an option, and returns when the agent has confirmed it. Otherwise nothing has changed, and the error is a
	// *wire.Error that says why.
	Configure(ctx context.Context, option, value string) error
}

// Lister is a session whose agent may know conversations of other times.
type Lister interface {
	// Sessions returns a page of them: the first, or the one after a cursor. The error is a *wire.Error.
	Sessions(ctx context.Context, cursor string) (*wire.SessionsResult, error)
}

// Offers says that what a Configurer returns has changed, and in which conversation the agent is.
type Offers struct{ Session string }

func (Offers) event() {}
