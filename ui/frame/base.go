package frame

import (
	"context"
	"strings"

	"github.com/a-h/templ"
)

type baseKey struct{}

// WithBase gives ctx the path that stands before every path of this server, such as /skein; "": none does.
func WithBase(ctx context.Context, base string) context.Context {
	return context.WithValue(ctx, baseKey{}, base)
}

type earlyKey struct{}

// WithEarly gives ctx the path of a module that a page's script will import, so that browsers fetch it beside the script.
func WithEarly(ctx context.Context, module string) context.Context {
	return context.WithValue(ctx, earlyKey{}, module)
}

// early gives what WithEarly gave; "": nothing.
func early(ctx context.Context) string {
	module, _ := ctx.Value(earlyKey{}).(string)
	return module
}

// Base gives what WithBase gave.
func Base(ctx context.Context) string {
	base, _ := ctx.Value(baseKey{}).(string)
	return base
}

// At is the address, for a browser, of a path of this server. Everything else in these packages has paths without the
// base: links, forms, redirects and cookies get theirs here. What is no path, such as a fragment, stays as it is.
func At(ctx context.Context, path string) string {
	if !strings.HasPrefix(path, "/") {
		return path
	}
	return Base(ctx) + path
}

// Link is At as the pages' attributes have it. A test holds them to it.
func Link(ctx context.Context, path string) templ.SafeURL { return templ.SafeURL(At(ctx, path)) }
