// Package mcp is the endpoint /mcp: Skein as a server of the Model Context Protocol (modelcontextprotocol.io, streamable HTTP). Its tools
// are the methods of the protocol, by the names that models take: memory_store for memory.store. A person has all of them, and an agent
// those that its type allows.
//
//	endpoint ── bearer token ──> a person, or an agent ── tools/call ──> api.CallTool, or api.CallAgent
//
// A call goes on when its connection ends. A client that comes back with the Last-Event-ID of its stream gets the result then.
//
// # Locks
//
// Endpoint.mu guards the servers. It is not held while something is called.
package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	sdkauth "github.com/modelcontextprotocol/go-sdk/auth"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"skein.dev/skein/server/api"
	"skein.dev/skein/server/auth"
	"skein.dev/skein/server/control"
	"skein.dev/skein/webtransport/wire"
)

// Bounds of sessions.
const (
	MaxSessions    = 1000      // of the agents of a type, or of people
	sessionTimeout = time.Hour // without a request
	callTimeout    = time.Hour
	replayBytes    = 16 << 20 // of all sessions, for clients that come back
)

const instructions = "Skein runs fleets of agents. Spawn agents, give them tasks or prompts, read what they print, answer what they ask, stop them. " +
	"Agents share a memory of namespaces, keys and values. Times are in milliseconds."

// Options configure an Endpoint. All are needed.
type Options struct {
	API    *api.API
	Auth   *auth.Authenticator
	Plane  *control.Plane
	Server Server
	Logger *slog.Logger
}

// Server says whether it stops.
type Server interface {
	Draining() bool
}

// Endpoint answers /mcp.
type Endpoint struct {
	Options
	handler http.Handler

	mu      sync.Mutex
	servers map[string]*sdk.Server // by type of agents; "": for people
	closed  bool
}

// New returns an Endpoint. Close ends its sessions.
func New(o Options) *Endpoint {
	e := &Endpoint{Options: o, servers: map[string]*sdk.Server{}}
	events := sdk.NewMemoryEventStore(nil)
	events.SetMaxBytes(replayBytes)
	streams := sdk.NewStreamableHTTPHandler(e.server, &sdk.StreamableHTTPOptions{
		EventStore: events, SessionTimeout: sessionTimeout, MaxRequestBodyBytes: wire.MaxRPCBody,
		DisableLocalhostProtection: true, // the server answers to its own names alone
	})
	e.handler = sdkauth.RequireBearerToken(e.verify, nil)(e.bounded(streams))
	return e
}

// ServeHTTP implements http.Handler.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if e.Server.Draining() {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "the server is stopping", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	if _, ok := auth.Bearer(r); !ok {
		w.Header().Set("WWW-Authenticate", "Bearer") // RFC 6750, section 3
		http.Error(w, "a bearer token is needed: the content of the file token in the data folder", http.StatusUnauthorized)
		return
	}
	e.handler.ServeHTTP(w, r)
}

// bounded refuses a new session where there are many: a client that begins one for each call, and ends none, would take all memory.
func (e *Endpoint) bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s := e.server(r); s != nil && r.Header.Get("Mcp-Session-Id") == "" && many(s) {
			http.Error(w, fmt.Sprintf("there are %d sessions already; end one, or wait until one has had no request for %s", MaxSessions, sessionTimeout), http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func many(s *sdk.Server) bool {
	n := 0
	for range s.Sessions() {
		n++
	}
	return n >= MaxSessions
}

// Close ends the sessions.
func (e *Endpoint) Close() {
	if e == nil {
		return
	}
	e.mu.Lock()
	e.closed = true
	servers := e.servers
	e.servers = nil
	e.mu.Unlock()
	for _, s := range servers {
		for session := range s.Sessions() {
			session.Close()
		}
	}
}

// agentUser begins the ids of agents as users.
const agentUser = "agent "

// verify tells whose token a request has.
func (e *Endpoint) verify(_ context.Context, token string, r *http.Request) (*sdkauth.TokenInfo, error) {
	info := &sdkauth.TokenInfo{Expiration: time.Now().Add(sessionTimeout)}
	if id, ok := e.Auth.Agent(token); ok {
		if a, err := e.Plane.Get(id); err != nil || !a.Status.Alive() {
			return nil, sdkauth.ErrInvalidToken
		}
		info.UserID = agentUser + string(id)
		return info, nil
	}
	who, ok := e.Auth.Request(r)
	if !ok {
		return nil, sdkauth.ErrInvalidToken
	}
	info.UserID = who.ID
	info.Extra = map[string]any{"name": who.Name}
	return info, nil
}

// agentOf is the agent of a user; nil: a person.
func (e *Endpoint) agentOf(user string) (*wire.Agent, error) {
	id, is := strings.CutPrefix(user, agentUser)
	if !is {
		return nil, nil
	}
	a, err := e.Plane.Get(wire.AgentID(id))
	if err != nil {
		return nil, err
	}
	return &a, nil
}

// server is the server for whoever sent a request; nil: there is none.
func (e *Endpoint) server(r *http.Request) *sdk.Server {
	a, err := e.agentOf(sdkauth.TokenInfoFromContext(r.Context()).UserID)
	if err != nil {
		return nil
	}
	tools, typ := api.Tools, ""
	if a != nil {
		typ = a.Type
		tools = func() []api.Tool {
			t, _ := e.Plane.Type(typ)
			return api.ToolsOf(t)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	s := e.servers[typ]
	if s == nil {
		s = e.newServer(tools())
		e.servers[typ] = s
	}
	return s
}

func (e *Endpoint) newServer(tools []api.Tool) *sdk.Server {
	s := sdk.NewServer(&sdk.Implementation{Name: "skein", Title: "Skein", Version: wire.Version}, &sdk.ServerOptions{
		Instructions: instructions, Logger: slog.New(slog.DiscardHandler), PageSize: len(tools) + 1,
		Capabilities: &sdk.ServerCapabilities{Tools: &sdk.ToolCapabilities{}},
	})
	closed := false
	for _, t := range tools {
		s.AddTool(&sdk.Tool{
			Name: ToolName(t.Name), Description: t.About, InputSchema: t.Parameters,
			Annotations: &sdk.ToolAnnotations{ReadOnlyHint: t.Effect == wire.Reads, DestructiveHint: &t.Destroys, IdempotentHint: t.Effect == wire.Repeats, OpenWorldHint: &closed},
		}, func(ctx context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
			return e.call(ctx, r, t.Name), nil
		})
	}
	return s
}

// ToolName is what a method is called as a tool.
func ToolName(method string) string { return strings.ReplaceAll(method, ".", "_") }

// call makes a call of a tool.
func (e *Endpoint) call(ctx context.Context, r *sdk.CallToolRequest, method string) *sdk.CallToolResult {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	params := r.Params.Arguments
	if len(params) == 0 {
		params = json.RawMessage("{}")
	}
	user := r.Extra.TokenInfo
	a, err := e.agentOf(user.UserID)
	var res any
	switch {
	case err != nil:
	case a != nil && !a.Status.Alive():
		err = wire.Errorf(wire.CodeUnauthorized, "the agent has ended")
	case a != nil:
		res, err = e.API.CallAgent(ctx, *a, method, params)
	default:
		name, _ := user.Extra["name"].(string)
		res, err = e.API.CallTool(ctx, api.Asker{Principal: api.Principal{ID: user.UserID, Name: name}, Client: client(r), Gone: ctx.Done()}, method, params)
	}
	text, is := "", err != nil
	if is {
		text = wire.AsError(err).Message
	} else if b, err := json.Marshal(res); err != nil {
		text, is = err.Error(), true
	} else {
		text = string(b)
	}
	return &sdk.CallToolResult{IsError: is, Content: []sdk.Content{&sdk.TextContent{Text: text}}}
}

// client is what a client says of itself.
func client(r *sdk.CallToolRequest) (c wire.ClientInfo) {
	c.Name = "mcp"
	if p := r.Session.InitializeParams(); p != nil && p.ClientInfo != nil {
		if name := p.ClientInfo.Name; name != "" && len(name) <= wire.MaxClientID && wire.CheckNames("name", name) == nil {
			c.Name = name
		}
	}
	c.ID = wire.Cut(r.Session.ID(), wire.MaxClientID)
	return c
}
