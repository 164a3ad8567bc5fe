package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func mcpCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "mcp", Short: "Be an MCP server on standard input and output", Args: cobra.NoArgs,
		Long: `Be a server of the Model Context Protocol on standard input and output, for programs that start such servers. Its tools are
those of the server's own endpoint, /mcp: agents, tasks, memory, artifacts, and what agents ask.

Claude Code, for example, is told of it by "claude mcp add skein -- skein mcp".

A program that speaks streamable HTTP needs no bridge: give it the URL of the server with /mcp, and the header
"Authorization: Bearer TOKEN" with the content of the file token in the data folder.`,
		Example: `  skein mcp`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, _, err := g.options()
			if err != nil {
				return err
			}
			return bridge(cmd.Context(), o, &mcp.IOTransport{Reader: io.NopCloser(cmd.InOrStdin()), Writer: nopCloser{cmd.OutOrStdout()}})
		},
	}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// bridge passes messages on between a client and the server, until one of them ends.
func bridge(ctx context.Context, o client.Options, to mcp.Transport) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	here, err := to.Connect(ctx)
	if err != nil {
		return err
	}
	defer here.Close()
	hc := &http.Client{Transport: bearer{o.Token, &http.Transport{TLSClientConfig: client.TLSConfig(o.CertificateHashes)}}}
	there, err := (&mcp.StreamableClientTransport{Endpoint: strings.TrimSuffix(o.URL, "/") + wire.MCPPath, HTTPClient: hc}).Connect(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnreachable, err)
	}
	defer there.Close()
	var ways sync.WaitGroup
	ways.Go(func() { end(up(ctx, here, lost{there})) })
	ways.Go(func() { end(down(ctx, lost{there}, here)); here.Close() })
	ways.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// up passes on what the client sends, until it sends no more. The server begins to answer a call when it has the result, so that calls are not waited for; only
// the first one is, which opens the session.
func up(ctx context.Context, from, to mcp.Connection) error {
	ctx, end := context.WithCancelCause(ctx)
	var calls sync.WaitGroup
	defer calls.Wait()
	for first := true; ; first = false {
		m, err := from.Read(ctx)
		if errors.Is(err, io.EOF) {
			err = context.Canceled
		}
		if err != nil {
			end(err)
			return context.Cause(ctx)
		}
		if r, is := m.(*jsonrpc.Request); is && r.IsCall() && !first {
			calls.Go(func() {
				if err := to.Write(ctx, m); err != nil {
					end(err)
				}
			})
			continue
		}
		if err := to.Write(ctx, m); err != nil {
			end(err)
			return context.Cause(ctx)
		}
	}
}

// down passes on what the server sends.
func down(ctx context.Context, from, to mcp.Connection) error {
	for {
		m, err := from.Read(ctx)
		if err != nil {
			return err
		}
		if err := to.Write(ctx, m); err != nil {
			return err
		}
	}
}

// lost is a connection with the server, whose errors are those of a server that can't be reached or that refuses the login.
type lost struct{ mcp.Connection }

func (l lost) Read(ctx context.Context) (jsonrpc.Message, error) {
	m, err := l.Connection.Read(ctx)
	return m, unreachable(ctx, err)
}

func (l lost) Write(ctx context.Context, m jsonrpc.Message) error {
	return unreachable(ctx, l.Connection.Write(ctx, m))
}

func unreachable(ctx context.Context, err error) error {
	var se *client.StatusError
	switch {
	case err == nil, ctx.Err() != nil:
		return err
	case errors.As(err, &se):
		return se
	}
	return fmt.Errorf("%w: %w", errUnreachable, err)
}

// bearer adds a token to each request. That the server refuses it is an error.
type bearer struct {
	token string
	http.RoundTripper
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	resp, err := b.RoundTripper.RoundTrip(r)
	if err == nil && resp.StatusCode == http.StatusUnauthorized {
		resp.Body.Close()
		return nil, &client.StatusError{Status: resp.StatusCode}
	}
	return resp, err
}
