// Package server is one Skein node on the network. It opens the parts of the node, puts them together, and listens.
//
// The story of a request: a listener (listen.go) hands it to server/web, which checks what holds for every request and answers
// pages, forms and POST /connect. POST /rpc goes on to server/rpc. What asks for /ws or /wt becomes a session of server/session.
// All three know by server/auth who asks, and have server/api carry requests out; the agents themselves are server/control's.
// None of them knows another, or this package: what they need of each other they ask for in interfaces of their own.
package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"skein.dev/skein/server/api"
	"skein.dev/skein/server/auth"
	"skein.dev/skein/server/cert"
	"skein.dev/skein/server/control"
	"skein.dev/skein/server/datadir"
	"skein.dev/skein/server/fleet"
	"skein.dev/skein/server/hook"
	"skein.dev/skein/server/jet"
	"skein.dev/skein/server/mcp"
	"skein.dev/skein/server/push"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/server/runner/process"
	"skein.dev/skein/server/session"
	"skein.dev/skein/server/telemetry"
	"skein.dev/skein/server/web"
	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// DefaultMaskCeiling is the rate up to which a connection is thin enough for loss masking, in bits a second.
const DefaultMaskCeiling = webtransport.DefaultMaskCeiling

// Options configure a Server. The zero value of each field but DataDir works.
type Options struct {
	DataDir string

	HTTP          string                  // plain HTTP for loopback; "": localhost:4480, "off": none
	Listen        string                  // HTTPS, WebSocket and WebTransport, TCP and UDP; "": localhost:4433, "off": none
	MetricsListen string                  // a separate address that serves /metrics without a token; "": none
	QUICPort      int                     // the UDP port that clients are told, where it is mapped; 0: the one that is listened on
	Mask          webtransport.MaskConfig // of lossy connections

	TLSCert, TLSKey string   // files; both empty: a development certificate
	InsecureListen  bool     // allow listening beyond loopback without a real certificate
	AllowOrigins    []string // origins, such as https://skein.example.com, beside the server's own
	AllowHosts      []string // host names under which the server is reached, beside loopback's, Listen's and the certificate's

	ConfigFile    string // skein.yaml; "": built-in agent types
	FindAgents    bool   // add types for the coding agents that are on the PATH
	BasePath      string // the path, such as /skein/, below which everything is served; "": /
	NATS          string // URL of an external NATS; "": embedded
	MaxEventBytes int64
	KeepExited    int           // how many exited agents are remembered; 0: 1,000
	KeepFor       time.Duration // how long exited agents are remembered; 0: any time
	KeepTasks     int           // how many tasks that have ended are remembered; 0: 10,000
	Node          string        // "": the host's name
	// StoreTimeout is how long a request waits for a store that does not answer; 0: 10 s.
	StoreTimeout time.Duration

	// MCPBridge is a command that bridges standard input and output to the MCP server, for agents that know only such servers.
	MCPBridge []string

	Logger  *slog.Logger
	Version string
	// OwnerLease is how long an external store stays claimed when this server does not renew the claim. 0: jet.OwnerLease.
	OwnerLease time.Duration
	// RaceDelay is how long clients wait for WebTransport before WebSocket joins the race. 0: wire.RaceDelay.
	RaceDelay time.Duration
	// BodyTimeout is how long the body of an HTTP request may take, beside a second for every 2 KiB. 0: 15 s.
	BodyTimeout time.Duration
	// DevCertLifetime shortens the development certificate's life, for tests. 0: 13 days.
	DevCertLifetime time.Duration
	// Of tests; zero: the sessions' own.
	share         int64
	inputPatience time.Duration
	freeMemory    func()
	maxStreams    int64
	maxAfterEnd   int64
	snapshotPart  int

	// Ready is called once, when everything listens.
	Ready func(Addresses)
}

// Addresses is where a Server listens.
type Addresses struct {
	HTTP    string // http://localhost:4480
	HTTPS   string // https://localhost:4433
	Metrics string // http://…/metrics
	Login   string // a URL with a one-time token
}

// Server is one node.
type Server struct {
	// static after New
	o         Options
	log       *slog.Logger
	dir       *datadir.Dir
	config    Config
	certs     *cert.Keeper
	store     *jet.Store
	node      string
	procs     *process.Kind
	hook      *hook.Hook // nil: none
	push      *push.Push // nil: none
	plane     *control.Plane
	auth      *auth.Authenticator
	tickets   *cert.Tickets // of TLS
	api       *api.API
	limits    session.Limits
	met       *telemetry.Metrics
	reach     *web.Reach
	sessions  *session.Endpoint
	fragments *web.Fragments
	mcp       *mcp.Endpoint

	addrs     Addresses
	listening chan struct{} // closed when addrs are known
}

// New opens the data folder and everything in it. Run serves; without Run, Close releases it.
func New(ctx context.Context, o Options) (_ *Server, err error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	s := &Server{o: o, log: o.Logger, listening: make(chan struct{})}
	if s.config, err = LoadConfig(o.ConfigFile); err != nil {
		return nil, err
	}
	if o.FindAgents {
		s.config.Types = withFound(s.config.Types, findAgents(ctx))
	}
	s.reach = &web.Reach{AllowOrigins: o.AllowOrigins, Mapped: o.QUICPort != 0}
	if s.reach.Base, err = web.ParseBase(o.BasePath); err != nil {
		return nil, err
	}
	s.limits = s.config.Lanes.Over(session.DefaultLimits)
	for _, origin := range o.AllowOrigins {
		if err = http.NewCrossOriginProtection().AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("--allow-origin %q: an origin is scheme://host[:port]: %w", origin, err)
		}
	}
	if s.dir, err = datadir.Open(o.DataDir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if s.dir.Copied {
		s.log.Warn("this data folder is a copy of one that a skein serves from; its agents are not this one's", "folder", s.dir.Path)
	}
	if err = s.openCertificates(); err != nil {
		return nil, err
	}
	if err = s.checkAddresses(); err != nil {
		return nil, err
	}
	if s.store, err = jet.Open(ctx, jet.Config{Dir: s.dir.Path, URL: o.NATS, Owner: s.owner(), OwnerLease: o.OwnerLease,
		MaxEventBytes: o.MaxEventBytes, Attempt: o.StoreTimeout / 5, Logger: o.Logger}); err != nil {
		return nil, err
	}
	s.auth = auth.New(s.dir.Token, s.store, s.log)
	if s.tickets, err = cert.NewTickets(ctx, s.store, s.log); err != nil {
		return nil, err
	}
	s.procs = process.New(process.Options{Logger: s.log, Instance: s.dir.Instance, CgroupState: s.dir.File("cgroups")})
	if err = s.openPush(); err != nil {
		return nil, err
	}
	s.met = telemetry.New()
	if err = s.openPlane(ctx); err != nil {
		return nil, err
	}
	s.met.Count(s.plane, s.plane.Tasks)
	s.fragments = web.NewFragments(s.plane, s.reach.Base)
	if err = s.api.Open(ctx, s.plane, s.fragments, s.store, s.log); err != nil {
		return nil, err
	}
	s.sessions = session.New(session.Config{API: s.api, Plane: s.plane, Auth: s.auth, Limits: s.limits, Metrics: s.met, Renderer: s.fragments,
		Origins: s.reach, Version: s.o.Version, Logger: s.log, Share: o.share, InputPatience: o.inputPatience, FreeMemory: o.freeMemory,
		MaxStreams: o.maxStreams, MaxAfterEnd: o.maxAfterEnd, SnapshotPart: o.snapshotPart})
	s.mcp = mcp.New(mcp.Options{API: s.api, Auth: s.auth, Plane: s.plane, Server: s.sessions, Logger: s.log})
	return s, nil
}

func (s *Server) openCertificates() (err error) {
	if s.o.TLSCert != "" || s.o.TLSKey != "" {
		s.certs, err = cert.Load(s.o.TLSCert, s.o.TLSKey)
	} else {
		s.certs, err = cert.Development(s.dir.File("tls"), cmp.Or(s.o.DevCertLifetime, cert.Lifetime), s.log)
	}
	if err != nil {
		return err
	}
	s.reach.Certs = s.certs
	s.reach.Hosts = map[string]bool{"localhost": true, "127.0.0.1": true, "::1": true}
	if host, _, err := net.SplitHostPort(s.o.Listen); err == nil && host != "" {
		s.reach.Hosts[host] = true // named by whoever started it
	}
	for _, h := range s.o.AllowHosts {
		s.reach.Hosts[h] = true
	}
	return nil
}

// owner is what an external store is claimed for: one server at a time.
func (s *Server) owner() *jet.Owner {
	host, err := os.Hostname()
	if err != nil {
		host = "skein"
	}
	s.node = cmp.Or(s.o.Node, host)
	return &jet.Owner{Node: s.node, Host: host, PID: os.Getpid(), Folder: s.dir.Instance, Since: time.Now().UTC()}
}

func (s *Server) openPlane(ctx context.Context) (err error) {
	s.api = api.New()
	if len(s.config.AskHook) > 0 {
		s.hook = hook.New(hook.Options{Argv: s.config.AskHook, Logger: s.log})
	}
	s.plane, err = control.Open(ctx, control.Options{
		Store: s.store, Types: s.config.Types, Node: wire.NodeID(s.node), Instance: s.dir.Instance, WorkDir: s.dir.File("agents"), DataDir: s.dir.Path,
		KeepExited: s.o.KeepExited, KeepFor: s.o.KeepFor, KeepTasks: s.o.KeepTasks, MaxAgents: s.config.MaxAgents, Budget: s.config.Budget, Logger: s.log, Orphans: s.orphans, Leftovers: s.procs.ReapLeftovers, Spawned: s.met.Spawned,
		StoreTimeout: s.o.StoreTimeout,
		Kinds:        allKinds(s.procs),
		Asked:        s.asked,
		Scheduled:    s.met.Scheduled,
		Offer:        s.offer,
		Call:         s.api.CallAgent,
	})
	return err
}

// asked tells people of a question that waits for one of them.
func (s *Server) asked(a wire.Ask) {
	s.hook.Asked(a)
	s.push.Asked(a)
}

func (s *Server) openPush() (err error) {
	c := s.config.Push
	if c.Off {
		return nil
	}
	s.push, err = push.New(push.Options{Dir: s.dir.File("push"), Subject: c.Subject, Private: c.Private, Asks: s.waiting, SignedIn: s.auth.SignedIn, Logger: s.log})
	return err
}

// waiting returns the questions that wait, the oldest first.
func (s *Server) waiting() []wire.Ask {
	all, err := s.plane.Asks.List(context.Background(), wire.AskListParams{})
	if err != nil {
		return nil
	}
	return all.Asks
}

// offer returns the calls that an agent may make, as its type allows.
func (s *Server) offer(a wire.Agent, t wire.AgentType) (tools []runner.Tool, at func(context.Context) *runner.MCP) {
	for _, tool := range api.ToolsOf(t) {
		tools = append(tools, tool.Tool)
	}
	if len(tools) == 0 {
		return nil, nil
	}
	return tools, func(ctx context.Context) *runner.MCP {
		select {
		case <-s.listening:
		case <-ctx.Done():
			return nil
		}
		if s.addrs.HTTP == "" { // programs would not trust the certificate of HTTPS
			return nil
		}
		return &runner.MCP{URL: s.addrs.HTTP + wire.MCPPath, Token: s.auth.AgentToken(a.ID), Command: s.o.MCPBridge}
	}
}

// orphans ends what an earlier server that was killed left running.
func (s *Server) orphans(ctx context.Context, known map[wire.AgentID]*wire.Process) map[wire.AgentID][]wire.Leftover {
	found, err := s.procs.FindOrphans(known)
	if err != nil {
		s.log.Error("processes that an earlier skein may have left behind can't be looked for", "err", err)
		return nil
	}
	if len(found) == 0 {
		return nil
	}
	s.log.Warn("ending processes that an earlier skein left behind", "processes", len(found))
	left := map[wire.AgentID][]wire.Leftover{}
	for _, o := range s.procs.Reap(ctx, found, fleet.DefaultStopGrace) {
		left[o.Agent] = append(left[o.Agent], o.Leftover())
	}
	return left
}

// Run serves until ctx ends, then says goodbye to the clients, stops the agents and waits for all of it. It closes the
// server. The first part that fails ends the others.
func (s *Server) Run(ctx context.Context) error {
	defer s.Close()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	l, err := s.listen()
	if err != nil {
		return err
	}
	close(s.listening)
	s.certs.OnRenew(func() {
		if err := s.dir.Announce(s.local()); err != nil {
			s.log.Error("local clients could not be told of the new certificate", "err", err)
		}
	})
	var parts sync.WaitGroup
	s.serve(l, &parts, fail)
	parts.Go(func() { s.certs.Keep(ctx) })
	parts.Go(func() { s.tickets.Keep(ctx) })
	parts.Go(func() {
		select {
		case err := <-s.store.Lost():
			fail(err)
		case <-ctx.Done():
		}
	})
	news, stopNews := context.WithCancel(context.Background())
	parts.Go(func() { s.sessions.Run(news) })
	s.hook.Begin(s.url() + "/inbox")
	if err := s.dir.Announce(s.local()); err != nil {
		fail(err)
	} else if s.o.Ready != nil {
		s.addrs.Login = s.auth.LoginURL(s.url())
		s.o.Ready(s.addrs)
	}

	<-ctx.Done()
	s.drain()
	stopNews()
	l.close()
	parts.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// local is what local clients need to find and trust this server.
func (s *Server) local() wire.Local {
	return wire.Local{PID: os.Getpid(), HTTP: s.addrs.HTTP, HTTPS: s.addrs.HTTPS, CertificateHashes: s.certs.Hashes()}
}

// url is where a browser on this machine finds the server.
func (s *Server) url() string { return cmp.Or(s.addrs.HTTP, s.addrs.HTTPS) }

const drainTimeout = 30 * time.Second

// drain ends the server's work in order: clients are told, agents are stopped, sessions are closed.
func (s *Server) drain() {
	s.sessions.Drain()
	s.mcp.Close()
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	reports := s.plane.Close(ctx)
	if len(reports) > 0 {
		s.log.Info("stopped every agent", "agents", len(reports))
	}
	s.sessions.Close()
}

// Close releases what New opened. It may be called more than once.
func (s *Server) Close() error {
	s.push.Close() // it reads the plane
	if s.plane != nil {
		ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
		defer cancel()
		s.plane.Close(ctx)
		s.plane = nil
	}
	s.hook.Close()
	if s.procs != nil {
		s.procs.Close()
		s.procs = nil
	}
	if s.store != nil {
		s.store.Close()
		s.store = nil
	}
	if s.dir != nil {
		s.dir.Close()
		s.dir = nil
	}
	return nil
}

// tls is the configuration of the TCP and UDP listeners.
func (s *Server) tls() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.certs.Get}
}

var errNoListener = fmt.Errorf("--http and --listen are both off: nobody could reach the server")
