// Package web is the endpoint of pages and forms, and of POST /connect, which names the endpoints of sessions.
//
// How a request is served: New first applies the rules for all requests (guard): only POST /rpc may come as early data, the
// host must be one of the server's names, the headers forbid foreign scripts, and a form must be posted from one of the
// server's pages. Sessions, /mcp and POST /rpc then go to their endpoints. Everything else, except the login page, requires a
// login (signedIn). A page reads from the plane and renders a component of ui (site.page). A form lets the API act in the
// name of the user (site.do) and redirects to a page (redirect), or shows why it was refused (refuseForm). Later changes of
// a page come over a session: Fragments renders them with the same components.
//
// Reach describes how clients reach the server: which hosts are its own, which pages may open sessions, and at which URLs.
//
// # Locks
//
// Fragments.mu guards the rendered HTML. It is not held while something is rendered. transcripts.mu guards which conversations are kept;
// the lock of one, kept.reads, is taken without it, and is held while its events are read from the log and its entries are rendered.
package web

import (
	"fmt"
	"net/http"

	"skein.dev/skein/server/cast"
	"skein.dev/skein/server/exchange"
	"skein.dev/skein/static"
	"skein.dev/skein/ui"
	"skein.dev/skein/ui/frame"
	"skein.dev/skein/webtransport/wire"
)

// New returns the handler of everything that a server serves over HTTP. Without a login, only /healthz, /readyz, the
// login page and what an app is installed with answer. The endpoints of sessions accept every connection, and close it unless it says hello with a ticket.
func New(c Config) http.Handler {
	s := &site{c}
	in := http.NewServeMux()
	s.pages(in)
	return s.guard(s.open(in))
}

// open adds the routes for everybody; in has those that require a login.
func (s *site) open(in http.Handler) http.Handler {
	open := http.NewServeMux()
	open.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	open.HandleFunc("GET /readyz", s.readyz)
	open.HandleFunc("GET /login", signIn{s}.loginPage)
	open.HandleFunc("POST /login", s.withForm(signIn{s}.login))
	s.app(open)
	open.Handle("/", s.signedIn(in))
	return open
}

// pages adds the routes that require a login.
func (s *site) pages(in *http.ServeMux) {
	in.HandleFunc("GET /{$}", fleetPages{s}.fleetPage)
	in.HandleFunc("GET /agents/{id}", fleetPages{s}.agentPage)
	in.HandleFunc("GET /agents/{id}/session"+cast.Extension, s.recording)
	changesPages{s}.routes(in)
	in.HandleFunc("GET /inbox", inboxPages{s}.inboxPage)
	in.HandleFunc("POST /inbox", s.withForm(inboxPages{s}.postAnswer))
	pushForms{s}.routes(in)
	tasks := taskPages{s}
	in.HandleFunc("GET /tasks", tasks.tasksPage)
	in.HandleFunc("GET /tasks/{id}", tasks.taskPage)
	in.HandleFunc("GET /tasks/{id}/input", tasks.taskPayload(taskInput))
	in.HandleFunc("GET /tasks/{id}/result", tasks.taskPayload(taskResult))
	in.HandleFunc("GET /tasks/{id}/input/view", tasks.payloadView(taskInput))
	in.HandleFunc("GET /tasks/{id}/result/view", tasks.payloadView(taskResult))
	in.HandleFunc("POST /tasks/{id}/cancel", tasks.postTask(tasks.cancelTask))
	in.HandleFunc("POST /tasks/{id}/retry", tasks.postTask(tasks.retryTask))
	in.HandleFunc("POST /tasks/{id}/stop", tasks.postTask(tasks.stopTask))
	schedulePages{s}.routes(in)
	in.HandleFunc("POST /admission", s.withForm(s.postAdmission))
	in.HandleFunc("POST /stop", s.withForm(s.postStop))
	memoryPages{s}.routes(in)
	artifactPages{s}.routes(in)
	in.HandleFunc("GET /wall", wallPages{s}.wallPage)
	in.HandleFunc("GET /history", wallPages{s}.historyPage)
	in.HandleFunc("GET /usage", usagePages{s}.usagePage)
	in.HandleFunc("GET /network", networkPages{s}.networkPage)
	in.HandleFunc("GET /stories", func(w http.ResponseWriter, r *http.Request) { s.page(w, r, http.StatusOK, ui.Stories(static.URL)) })
	in.HandleFunc("POST /connect", s.connect)
	in.Handle("POST "+wire.RPCPath, s.RPC)
	in.HandleFunc("POST /login/token", signIn{s}.loginToken)
	in.HandleFunc("POST /logout", signIn{s}.logout)
	in.HandleFunc("GET /static/", asset)
	in.Handle("GET /metrics", s.Metrics.Handler())
	in.HandleFunc("GET /static", s.noPage) // otherwise the mux redirects to /static/, without the base path
	in.HandleFunc("/", s.noPage)
}

// guard applies the rules for all requests, and routes those for the endpoints of sessions.
func (s *site) guard(open http.Handler) http.Handler {
	csrf := http.NewCrossOriginProtection()
	for _, o := range s.Reach.AllowOrigins {
		csrf.AddTrustedOrigin(o)
	}
	csrf.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, r, http.StatusForbidden, "The request came from another site's page.")
	}))
	top := http.NewServeMux() // not behind csrf: the Origin of sessions is checked against another list
	top.HandleFunc("GET /ws", s.Sessions.ServeWebSocket)
	top.HandleFunc("CONNECT "+wire.WebTransportPath, s.Sessions.ServeWebTransport)
	top.Handle("POST /connect", s.fromPages(csrf.Handler(open))) // its tickets are not compressed
	top.Handle("OPTIONS /connect", s.fromPages(nil))
	top.Handle(wire.MCPPath, csrf.Handler(s.MCP)) // it streams
	top.Handle("/", compressed(csrf.Handler(open)))
	return s.below(exchange.NotEarly(s.headers(s.known(top))))
}

// headers sets the headers of every answer. A page may use only the server's own scripts and styles, and connect only to
// its endpoints.
func (s *site) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", csp(""))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if r.ProtoMajor < 3 || r.Method != http.MethodConnect {
			r.Body = http.MaxBytesReader(w, r.Body, limitOf(r.URL))
		}
		next.ServeHTTP(w, r)
	})
}

// known refuses requests for hosts that are not the server's names.
func (s *site) known(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.Reach.allowedHost(r.Host) {
			http.Error(w, "this server does not answer to the name "+wire.Cut(r.Host, 80)+"; see --allow-host", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// signedIn refuses requests without a login.
func (s *site) signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := s.Auth.Request(r); !ok {
			if asksForPage(r) {
				rememberNext(w, r)
			}
			s.refuse(w, r, http.StatusUnauthorized, "")
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// below serves routes under the base path, and nothing outside it. Only here is the base removed from a request: all other
// code has paths without it, and frame.At adds it again.
func (s *site) below(routes http.Handler) http.Handler {
	if s.Reach.Base == "" {
		return routes
	}
	mux := http.NewServeMux() // redirects to the clean form of a path while it still has the base
	mux.Handle(s.Reach.Base+"/", http.StripPrefix(s.Reach.Base, routes))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, r, http.StatusNotFound, "Skein is below "+s.Reach.Base+"/ here (--base-path).")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, r.WithContext(frame.WithBase(r.Context(), s.Reach.Base)))
	})
}

// fromPages lets pages of other origins call /connect: those that may open sessions get an answer, and the others can read
// why they are refused. No cookie comes from another origin, so such a page sends a token.
func (s *site) fromPages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		h := w.Header()
		h.Add("Vary", "Origin")
		if origin != "" {
			h.Set("Access-Control-Allow-Origin", origin)
		}
		switch {
		case r.Method == http.MethodOptions:
			h.Set("Access-Control-Allow-Methods", http.MethodPost)
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
			h.Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
		case !s.Reach.Allowed(r):
			s.Logger.Warn("a page of an origin that is not allowed asked for a session", "origin", wire.Cut(origin, 200), "host", r.Host)
			exchange.WriteJSON(w, http.StatusForbidden, map[string]*wire.Error{"error": wire.Errorf(wire.CodeOrigin,
				"pages of %s may not open sessions here (the server was asked as %s): allow them with --allow-origin %s, or have the proxy pass the header Host on",
				wire.Cut(origin, 200), wire.Cut(r.Host, 80), wire.Cut(origin, 200))})
		default:
			next.ServeHTTP(w, r)
		}
	})
}
