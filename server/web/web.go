// Package web is the endpoint of pages and forms, and of POST /connect, which names the endpoints of sessions.
//
// The story of a request: New hands it through what holds for all of them (guard): nothing but POST /rpc comes as early data, the
// name of the host is the server's, the headers forbid foreign scripts, and a form was posted from the server's own page. Sessions
// and POST /rpc then go to their endpoints. Everything else but the login page is for who is signed in (signedIn). A page reads
// from the plane and renders a component of ui (site.page); a form has the API do something in the name of who posted it
// (site.do) and leads back to a page (redirect), or says why it was not done (refuseForm). What a page shows later comes over a
// session: Fragments renders it with the same components.
//
// Reach says how clients reach the server: which hosts are its own, which pages may open sessions, and at which URLs.
//
// # Locks
//
// There is one, Fragments.mu, which guards what was rendered. It is not held while something is rendered.
package web

import (
	"fmt"
	"net/http"

	"skein.dev/skein/server/exchange"
	"skein.dev/skein/static"
	"skein.dev/skein/ui"
	"skein.dev/skein/ui/frame"
	"skein.dev/skein/webtransport/wire"
)

// New is everything that a server answers to over HTTP. Only /healthz, /readyz and the login page answer a stranger; the endpoints
// of sessions take one in, and close unless it says hello with a ticket.
func New(c Config) http.Handler {
	s := &site{c}
	in := http.NewServeMux()
	s.pages(in)
	return s.guard(s.open(in))
}

// open are the routes for everybody, and behind them those for who is signed in.
func (s *site) open(in http.Handler) http.Handler {
	open := http.NewServeMux()
	open.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	open.HandleFunc("GET /readyz", s.readyz)
	open.HandleFunc("GET /login", signIn{s}.loginPage)
	open.HandleFunc("POST /login", s.withForm(signIn{s}.login))
	open.Handle("/", s.signedIn(in))
	return open
}

// pages are the routes for who is signed in.
func (s *site) pages(in *http.ServeMux) {
	in.HandleFunc("GET /{$}", fleetPages{s}.fleetPage)
	in.HandleFunc("GET /agents/{id}", fleetPages{s}.agentPage)
	tasks := taskPages{s}
	in.HandleFunc("GET /tasks", tasks.tasksPage)
	in.HandleFunc("GET /tasks/{id}", tasks.taskPage)
	in.HandleFunc("GET /tasks/{id}/input", tasks.taskPayload(taskInput))
	in.HandleFunc("GET /tasks/{id}/result", tasks.taskPayload(taskResult))
	in.HandleFunc("POST /tasks/{id}/cancel", tasks.postTask(tasks.cancelTask))
	in.HandleFunc("POST /tasks/{id}/retry", tasks.postTask(tasks.retryTask))
	in.HandleFunc("POST /tasks/{id}/stop", tasks.postTask(tasks.stopTask))
	in.HandleFunc("POST /admission", s.withForm(s.postAdmission))
	in.HandleFunc("POST /stop", s.withForm(s.postStop))
	memoryPages{s}.routes(in)
	artifactPages{s}.routes(in)
	in.HandleFunc("GET /network", networkPages{s}.networkPage)
	in.HandleFunc("GET /stories", func(w http.ResponseWriter, r *http.Request) { s.page(w, r, http.StatusOK, ui.Stories(static.URL)) })
	in.HandleFunc("POST /connect", s.connect)
	in.Handle("POST "+wire.RPCPath, s.RPC)
	in.HandleFunc("POST /login/token", signIn{s}.loginToken)
	in.HandleFunc("POST /logout", signIn{s}.logout)
	in.HandleFunc("GET /static/", asset)
	in.Handle("GET /metrics", s.Metrics.Handler())
	in.HandleFunc("GET /static", s.noPage) // else the mux leads to /static/, and forgets the base path
	in.HandleFunc("/", s.noPage)
}

// guard has each request pass what holds for all, and tells the endpoints of sessions from the rest.
func (s *site) guard(open http.Handler) http.Handler {
	csrf := http.NewCrossOriginProtection()
	for _, o := range s.Reach.AllowOrigins {
		csrf.AddTrustedOrigin(o)
	}
	csrf.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, r, http.StatusForbidden, "The request came from another site's page.")
	}))
	top := http.NewServeMux() // the Origin of sessions is checked against another list
	top.HandleFunc("GET /ws", s.Sessions.ServeWebSocket)
	top.HandleFunc("CONNECT "+wire.WebTransportPath, s.Sessions.ServeWebTransport)
	top.Handle("POST /connect", s.fromPages(csrf.Handler(open))) // its tickets are not compressed
	top.Handle("OPTIONS /connect", s.fromPages(nil))
	top.Handle("/", compressed(csrf.Handler(open)))
	return s.below(exchange.NotEarly(s.headers(s.known(top))))
}

// headers are the same for every answer. A page runs the server's own scripts and styles only, and talks to its endpoints.
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

// known refuses names that are not the server's own.
func (s *site) known(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.Reach.allowedHost(r.Host) {
			http.Error(w, "this server does not answer to the name "+wire.Cut(r.Host, 80)+"; see --allow-host", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// signedIn lets nobody else in.
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

// below serves routes under the base path, and nothing beside it. Only here is the base taken off a request: all that
// is behind has paths without it, and frame.At puts it before them again.
func (s *site) below(routes http.Handler) http.Handler {
	if s.Reach.Base == "" {
		return routes
	}
	mux := http.NewServeMux() // sends to the clean form of a path before the base is off it
	mux.Handle(s.Reach.Base+"/", http.StripPrefix(s.Reach.Base, routes))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, r, http.StatusNotFound, "Skein is below "+s.Reach.Base+"/ here (--base-path).")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, r.WithContext(frame.WithBase(r.Context(), s.Reach.Base)))
	})
}

// fromPages lets pages ask for /connect: those that may open sessions are answered, wherever they are from, and the others
// can read why not. No cookie comes from another origin: such a page sends a token.
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
