package web

import (
	"context"

	"skein.dev/skein/webtransport/wire"
)

// Asks answers an ask.list.
func (f *Fragments) Asks(ctx context.Context, p wire.AskListParams) (wire.AskListResult, error) {
	r, err := f.plane.Asks.List(ctx, p)
	return r.Page(p.Limit), err
}
