package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/client"
)

// global holds the flags that every command has.
type global struct {
	dataDir, server, token, transport string
	json, verbose                     bool
	noCache                           bool
}

// dialTimeout bounds the first connection of a command.
const dialTimeout = 15 * time.Second

// options finds the server: --server, or the one that runs from the data folder. A token is needed.
func (g *global) options() (o client.Options, local bool, err error) {
	o, local, err = g.find()
	if err == nil && o.Token == "" {
		return o, local, usageError{errors.New("--server needs --token (or SKEIN_TOKEN): the content of the file token in that server's data folder")}
	}
	return o, local, err
}

// find is options without a look at the token.
func (g *global) find() (o client.Options, local bool, err error) {
	if g.server == "" {
		o, err = client.FindLocal(g.dataDir)
		local = true
	} else {
		o = client.Options{URL: g.server, Token: g.token}
		if l, err := client.FindLocal(g.dataDir); err == nil && l.URL == g.server {
			o, local = l, true
		}
	}
	if !slices.Contains([]string{client.Auto, client.WebTransport, client.WebSocket}, g.transport) {
		return o, local, usageError{fmt.Errorf("--transport %q: allowed are %s, %s, %s", g.transport, client.Auto, client.WebTransport, client.WebSocket)}
	}
	if g.token != "" {
		o.Token = g.token
	}
	o.Transport, o.Name, o.Version, o.NoStatus = g.transport, "skein-cli", version, true
	if !g.noCache {
		o.Cache = cacheDir(g.dataDir)
	}
	return o, local, err
}

// cacheDir is where commands remember servers: the data folder, where there is one, else the user's cache.
func cacheDir(dataDir string) string {
	if st, err := os.Stat(dataDir); err == nil && st.IsDir() {
		return filepath.Join(dataDir, "client")
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "" // nothing is remembered then
	}
	return filepath.Join(dir, "skein")
}

// dial connects, with the options changed by opts.
func (g *global) dial(cmd *cobra.Command, opts ...func(*client.Options)) (*client.Client, error) {
	o, _, err := g.options()
	if err != nil {
		return nil, err
	}
	if g.verbose {
		if o.Logger, err = newLogger(cmd.ErrOrStderr(), "auto", "debug"); err != nil {
			return nil, err
		}
	}
	for _, f := range opts {
		f(&o)
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), dialTimeout)
	defer cancel()
	c, err := client.Dial(ctx, o)
	if err != nil {
		var se *client.StatusError
		if errors.As(err, &se) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	if o.Logger != nil {
		conn, err := c.Connected(ctx)
		if err != nil {
			c.Close()
			return nil, fmt.Errorf("%w: %w", errUnreachable, err)
		}
		o.Logger.Log(cmd.Context(), slog.LevelDebug, "connected", "transport", conn.Transport, "reason", conn.Reason, "session", conn.Session)
	}
	return c, nil
}

// version is set by the build (-ldflags "-X main.version=…").
var version = "dev"
