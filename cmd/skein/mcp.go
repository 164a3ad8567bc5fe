package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

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

A program that speaks streamable HTTP needs no bridge: give it the URL of the server with /mcp, and the header
"Authorization: Bearer TOKEN" with the content of the file token in the data folder.`,
		Example: `  skein mcp
  claude mcp add skein -- skein mcp`,
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
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
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
	var up, down error
	ways.Go(func() { up = pass(ctx, here, there); cancel() })
	ways.Go(func() { down = pass(ctx, there, here); here.Close(); cancel() })
	ways.Wait()
	for _, err := range []error{up, down} {
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, context.Canceled) {
			return err
		}
	}
	return nil
}

func pass(ctx context.Context, from, to mcp.Connection) error {
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

// bearer adds a token to each request.
type bearer struct {
	token string
	http.RoundTripper
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.RoundTripper.RoundTrip(r)
}
