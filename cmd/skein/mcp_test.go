package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"skein.dev/skein/webtransport/client"
)

// bridged is a client of a server, with the bridge between them. The channel has what the bridge returns.
func bridged(t *testing.T, s *mcp.Server) (*mcp.ClientSession, <-chan error) {
	t.Helper()
	at := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, nil))
	t.Cleanup(at.Close)
	near, far := mcp.NewInMemoryTransports()
	ended := make(chan error, 1)
	go func() { ended <- bridge(t.Context(), client.Options{URL: at.URL}, far) }()
	c, err := mcp.NewClient(&mcp.Implementation{Name: "tester", Version: "1"}, nil).Connect(t.Context(), near, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, ended
}

func TestACallDoesNotHoldUpTheNext(t *testing.T) {
	t.Parallel()
	s := mcp.NewServer(&mcp.Implementation{Name: "server", Version: "1"}, nil)
	next := make(chan struct{})
	tool := func(name string, f func(ctx context.Context)) {
		s.AddTool(&mcp.Tool{Name: name, InputSchema: json.RawMessage(`{"type":"object"}`)}, func(ctx context.Context, _ *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			f(ctx)
			return &mcp.CallToolResult{}, nil
		})
	}
	began := make(chan struct{})
	tool("wait", func(ctx context.Context) {
		close(began)
		select {
		case <-next:
		case <-ctx.Done():
		}
	})
	tool("next", func(context.Context) { close(next) })
	c, ended := bridged(t, s)
	waited := make(chan error, 1)
	go func() {
		_, err := c.CallTool(t.Context(), &mcp.CallToolParams{Name: "wait"})
		waited <- err
	}()
	<-began
	if _, err := c.CallTool(t.Context(), &mcp.CallToolParams{Name: "next"}); err != nil {
		t.Error(err)
	}
	if err := <-waited; err != nil {
		t.Error(err)
	}
	c.Close()
	if err := <-ended; err != nil {
		t.Errorf("the bridge ends by %v", err)
	}
}

func TestABridgeSaysWhyItEnds(t *testing.T) {
	t.Parallel()
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusUnauthorized) }))
	defer refuses.Close()
	leaves := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer leaves.Close()
	for name, url := range map[string]string{"the server refuses the token": refuses.URL, "there is no server": "http://127.0.0.1:1", "the server ends": leaves.URL} {
		t.Run(name, func(t *testing.T) {
			near, far := mcp.NewInMemoryTransports()
			ended := make(chan error, 1)
			go func() { ended <- bridge(t.Context(), client.Options{URL: url}, far) }()
			if _, err := mcp.NewClient(&mcp.Implementation{Name: "tester", Version: "1"}, nil).Connect(t.Context(), near, nil); err == nil {
				t.Error("there is a session")
			}
			if err := <-ended; err == nil || exitFor(err) != exitUnreachable {
				t.Errorf("%v", err)
			}
		})
	}
}
