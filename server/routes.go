package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/a-h/templ"

	"skein.dev/skein/server/auth"
	"skein.dev/skein/server/exchange"
	"skein.dev/skein/server/rpc"
	"skein.dev/skein/static"
	"skein.dev/skein/ui"
	"skein.dev/skein/ui/agent"
	"skein.dev/skein/ui/fleet"
	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/login"
	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

// maxForm bounds the body of a request, in bytes.
const maxForm = 64 << 10

// routes is everything a server answers to. Only /healthz, /readyz and the login page answer a stranger; the doors
// take one in, and close unless it says hello with a ticket.
func (s *Server) routes() http.Handler {
	open := http.NewServeMux()
	open.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	open.HandleFunc("GET /readyz", s.readyz)
	open.HandleFunc("GET /login", s.loginPage)
	open.HandleFunc("POST /login", s.withForm(s.login))

	in := http.NewServeMux()
	in.HandleFunc("GET /{$}", s.fleetPage)
	in.HandleFunc("GET /agents/{id}", s.agentPage)
	in.HandleFunc("GET /tasks", s.tasksPage)
	in.HandleFunc("GET /tasks/{id}", s.taskPage)
	in.HandleFunc("GET /tasks/{id}/input", s.taskPayload(taskInput))
	in.HandleFunc("GET /tasks/{id}/result", s.taskPayload(taskResult))
	in.HandleFunc("POST /tasks/{id}/cancel", s.postTask(s.cancelTask))
	in.HandleFunc("POST /tasks/{id}/retry", s.postTask(s.retryTask))
	in.HandleFunc("POST /tasks/{id}/stop", s.postTask(s.stopTask))
	in.HandleFunc("POST /admission", s.withForm(s.postAdmission))
	in.HandleFunc("POST /stop", s.withForm(s.postStop))
	s.memoryRoutes(in)
	s.artifactRoutes(in)
	in.HandleFunc("GET /network", s.networkPage)
	in.HandleFunc("GET /stories", func(w http.ResponseWriter, r *http.Request) { s.page(w, r, http.StatusOK, ui.Stories(static.URL)) })
	in.HandleFunc("POST /connect", s.connect)
	in.Handle("POST "+wire.RPCPath, &rpc.Endpoint{API: s.api, Auth: s.auth, Metrics: s.met, Server: s.sessions, Renderer: s.fragments, Logger: s.log})
	in.HandleFunc("POST /login/token", s.loginToken)
	in.HandleFunc("POST /logout", s.logout)
	in.HandleFunc("GET /static/", asset)
	in.Handle("GET /metrics", s.met.Handler())
	in.HandleFunc("GET /static", s.noPage) // else the mux leads to /static/, and forgets the base path
	in.HandleFunc("/", s.noPage)
	open.Handle("/", s.signedIn(in))
	csrf := http.NewCrossOriginProtection()
	for _, o := range s.o.AllowOrigins {
		csrf.AddTrustedOrigin(o)
	}
	csrf.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, r, http.StatusForbidden, "The request came from another site's page.")
	}))
	doors := http.NewServeMux() // their Origin is checked, against another list
	doors.HandleFunc("GET /ws", s.sessions.ServeWebSocket)
	doors.HandleFunc("CONNECT "+wire.WebTransportPath, s.sessions.ServeWebTransport)
	doors.Handle("POST /connect", s.fromPages(csrf.Handler(open))) // its tickets are not compressed
	doors.Handle("OPTIONS /connect", s.fromPages(nil))
	doors.Handle("/", compressed(csrf.Handler(open)))
	return s.below(exchange.NotEarly(s.headers(s.known(doors))))
}

// headers are the same for every answer. A page runs the server's own scripts and styles only, and talks to its doors.
func (s *Server) headers(next http.Handler) http.Handler {
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

func csp(nonce string) string {
	script, style := "'self'", "'self'"
	if nonce != "" {
		script, style = "'nonce-"+nonce+"'", "'nonce-"+nonce+"'"
	}
	return "default-src 'none'; script-src " + script + "; style-src " + style + "; img-src 'self' data:; font-src 'self'; " +
		"connect-src 'self' https: wss: ws:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}

// known refuses names that are not the server's own.
func (s *Server) known(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.allowedHost(r.Host) {
			http.Error(w, "this server does not answer to the name "+wire.Cut(r.Host, 80)+"; see --allow-host", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// signedIn lets nobody else in.
func (s *Server) signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := s.auth.Request(r); !ok {
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

// refuse says no, with the reason: as a page to a browser, as an error object to a program.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, status int, detail string) {
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		v := login.RefusedView{Status: status, Detail: detail, Nonce: nonce(w)}
		s.page(w, r, status, login.Refused(v))
		return
	}
	code := map[int]wire.ErrorCode{401: wire.CodeUnauthorized, 403: wire.CodeUnauthorized, 404: wire.CodeNotFound, 409: wire.CodePrecondition}[status]
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="skein"`)
		detail = "not signed in: send the token of the data folder as a bearer token, or run `skein login` and open the URL it prints"
	}
	exchange.WriteJSON(w, status, map[string]*wire.Error{"error": wire.Errorf(code, "%s", detail)})
}

func (s *Server) noPage(w http.ResponseWriter, r *http.Request) {
	s.refuse(w, r, http.StatusNotFound, "There is no page at "+wire.Cut(r.URL.Path, 80)+".")
}

// nonce makes a content security policy for a page that stands alone.
func nonce(w http.ResponseWriter) string {
	n := rand.Text()
	w.Header().Set("Content-Security-Policy", csp(n))
	return n
}

func (s *Server) page(w http.ResponseWriter, r *http.Request, status int, c templ.Component) {
	w.Header().Set("Cache-Control", "no-store")
	if s.overSocketAlone(r) {
		r = r.WithContext(frame.WithEarly(r.Context(), static.Extra()))
	}
	templ.Handler(c, templ.WithStatus(status), templ.WithErrorHandler(func(r *http.Request, err error) http.Handler {
		s.log.Error("a page could not be rendered", "path", r.URL.Path, "err", err)
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "the page could not be rendered; the server's log says why", http.StatusInternalServerError)
		})
	})).ServeHTTP(w, r)
}

// readyTimeout bounds the look at the store, so that whoever asks has an answer within a second.
const readyTimeout = 800 * time.Millisecond

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	switch err := s.store.Healthy(ctx); {
	case s.sessions.Draining():
		http.Error(w, "stopping", http.StatusServiceUnavailable)
	case errors.Is(err, &wire.Error{Code: wire.CodeUnavailable}): // it says itself why, such as a full disk
		http.Error(w, wire.AsError(err).Message, http.StatusServiceUnavailable)
	case err != nil:
		s.log.Error("the store does not answer", "err", err)
		http.Error(w, "the store does not answer", http.StatusServiceUnavailable)
	default:
		fmt.Fprintln(w, "ok")
	}
}

func (s *Server) fleetPage(w http.ResponseWriter, r *http.Request) {
	s.page(w, r, http.StatusOK, fleet.Fleet(fleet.FleetView{
		Agents: s.plane.List(wire.Filter{}).Agents, Types: s.plane.Types(), Filter: fleet.ParseFleetFilter(r.URL.Query()),
		Node: s.plane.Node(), Version: s.o.Version, Epoch: s.plane.Epoch(), Now: time.Now(), Assets: static.URL, Theme: frame.Theme(r),
		Admission: s.plane.Admission(),
	}))
}

func (s *Server) agentPage(w http.ResponseWriter, r *http.Request) {
	id := wire.AgentID(r.PathValue("id"))
	f, at, err := s.plane.Follow(r.Context(), wire.Header{Lane: wire.LaneAgent, Agent: id, Tail: agent.MaxEvents})
	if err != nil {
		if e := wire.AsError(err); e.Code == wire.CodeNotFound {
			s.refuse(w, r, http.StatusNotFound, "There is no agent "+wire.Cut(string(id), 40)+". It may have been forgotten: the oldest exited agents are.")
			return
		}
		s.log.Error("an agent's page failed", "agent", id, "err", err)
		s.refuse(w, r, http.StatusInternalServerError, "The agent's events could not be read; the server's log says why.")
		return
	}
	v := agent.AgentView{
		Agent: at.Agent, Cursor: f.Cursor(), Node: s.plane.Node(), Version: s.o.Version, Epoch: at.Epoch, Now: time.Now(),
		Assets: static.URL, Theme: frame.Theme(r), Admission: s.plane.Admission(), Kept: s.kept(id, ""),
	}
	// The last events of an agent that just exited are on their way to the log, which a full disk may keep waiting.
	ctx, cancel := context.WithTimeout(r.Context(), endShown)
	defer cancel()
	for {
		page, err := f.Next(ctx)
		if err != nil {
			break
		}
		v.Events = append(v.Events, page...)
		v.Cursor = f.Cursor()
	}
	v.Earlier = len(v.Events) > 0 && v.Events[0].Seq > at.First
	lifecycle, err := s.plane.EventPage(r.Context(), wire.AgentEventsParams{ID: id, Which: wire.LifecycleEvents, Newest: true, Limit: agent.MaxLifecycle})
	if err != nil {
		s.log.Error("an agent's page failed", "agent", id, "err", err)
		s.refuse(w, r, http.StatusInternalServerError, "The agent's events could not be read; the server's log says why.")
		return
	}
	v.Lifecycle, v.EarlierLifecycle = lifecycle.Events, lifecycle.More
	for _, t := range s.plane.Types() {
		if t.Name == at.Agent.Type {
			v.Type = t
		}
	}
	s.page(w, r, http.StatusOK, agent.AgentPage(v))
}

func (s *Server) loginPage(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Query().Get("token")
	if token == "" && r.URL.Query().Has("out") && asksForPage(r) {
		v := login.RefusedView{Status: http.StatusUnauthorized, Title: "You are signed out", Detail: "To come back, run this command where Skein runs, and open the URL that it prints:", Nonce: nonce(w)}
		s.page(w, r, v.Status, login.Refused(v))
		return
	}
	if token == "" {
		s.refuse(w, r, http.StatusUnauthorized, "")
		return
	}
	uncompressed(w) // it holds a secret beside what the URL says
	s.page(w, r, http.StatusOK, login.Login(login.LoginView{Token: token, Next: localPath(r.URL.Query().Get("next")), Nonce: nonce(w)}))
}

// localPath gives a path of this server, or nothing: a login must not lead elsewhere, nor out of the base path.
func localPath(p string) string {
	control := func(r rune) bool { return r < 0x20 || r == 0x7f }
	path, _, _ := strings.Cut(p, "?")
	for part := range strings.SplitSeq(path, "/") {
		if dots := strings.ReplaceAll(strings.ToLower(part), "%2e", "."); dots == "." || dots == ".." {
			return ""
		}
	}
	if !strings.HasPrefix(p, "/") || strings.HasPrefix(p, "//") || strings.Contains(p, `\`) || strings.ContainsFunc(p, control) {
		return ""
	}
	return p
}

func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	value, err := s.auth.Login(r.Context(), r.FormValue("token"), wire.Cut(r.UserAgent(), 200))
	switch {
	case err != nil:
		s.log.Error("a login could not be stored", "err", err)
		s.refuse(w, r, http.StatusInternalServerError, "The login could not be stored; the server's log says why.")
	case value == "":
		s.refuse(w, r, http.StatusForbidden, "This login link was used before, or is older than "+auth.OneTimeLifetime.String()+". Get another one:")
	default:
		http.SetCookie(w, auth.Cookie(value, frame.At(r.Context(), "/"), encrypted(r)))
		remembered := takeNext(w, r)
		redirect(w, r, cmp.Or(localPath(r.FormValue("next")), remembered, "/"))
	}
}

// loginToken makes a login URL, for `skein login`. A browser's cookie is not enough: who sits at it is in already.
func (s *Server) loginToken(w http.ResponseWriter, r *http.Request) {
	if who, _ := s.auth.Request(r); who.Name != "cli" {
		s.refuse(w, r, http.StatusForbidden, "Login links are made by `skein login`.")
		return
	}
	exchange.WriteJSON(w, http.StatusOK, map[string]any{"url": s.loginURL(), "expires_ms": auth.OneTimeLifetime.Milliseconds()})
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	who, _ := s.auth.Request(r)
	if who.Name != "browser" {
		s.refuse(w, r, http.StatusForbidden, "A token has no login to end; remove the file token from the data folder to make another.")
		return
	}
	if err := s.auth.Logout(r.Context(), who); err != nil {
		s.log.Error("a login could not be revoked", "err", err)
		s.refuse(w, r, http.StatusInternalServerError, "The login could not be revoked; the server's log says why.")
		return
	}
	s.sessions.SignOut(who)
	http.SetCookie(w, auth.Cookie("", frame.At(r.Context(), "/"), encrypted(r)))
	redirect(w, r, "/login?out")
}

// connect answers with the document that names the doors, as the client that asked can reach them.
func (s *Server) connect(w http.ResponseWriter, r *http.Request) {
	if s.sessions.Draining() {
		w.Header().Set("Retry-After", "1")
		exchange.WriteJSON(w, http.StatusServiceUnavailable, map[string]*wire.Error{"error": wire.Errorf(wire.CodeUnavailable, "the server stops")})
		return
	}
	who, _ := s.auth.Request(r)
	contained := s.procs.Containment()
	doc := wire.Connect{Version: wire.Version, Node: s.plane.Node(), Policy: s.policy(), Containment: &contained}
	door := func(t wire.Transport, url string) *wire.Door {
		doc.Doors = append(doc.Doors, wire.Door{Transport: t, URL: url, Ticket: s.auth.Ticket(who), TicketExpiresMS: wire.TicketLifetime.Milliseconds()})
		return &doc.Doors[len(doc.Doors)-1]
	}
	if url := s.quicDoor(r, r.Header.Get("Origin")); url != "" {
		d := door(wire.WebTransport, url)
		d.CertificateHashes = s.certs.Hashes()
	}
	d := door(wire.WebSocket, s.base+"/ws") // a proxy may have taken TLS off: the page's own scheme decides
	d.Protocols = webtransport.Subprotocols(wire.Version)
	exchange.WriteJSON(w, http.StatusOK, doc)
}

// quicDoor is the WebTransport door as whoever sent r reaches it; "": there is none. No proxy of HTTP passes UDP on: where r
// came through one, from another machine, the door is beside it, and can be reached if --listen is for other machines, or
// --quic-port says how. A page of an origin that it would refuse is spared the attempt.
func (s *Server) quicDoor(r *http.Request, origin string) string {
	host := fmt.Sprintf("%s:%d", hostname(r.Host), s.quicPort())
	reached := r.TLS != nil || !s.localTLS || s.o.QUICPort != 0 || local(r.Host)
	if s.tlsPort == 0 || !reached || !s.mayOpen(origin, host, true) {
		return ""
	}
	return "https://" + host + s.base + wire.WebTransportPath
}

// overSocketAlone reports whether the page that r asks for connects over WebSocket alone: it is told of no WebTransport door, or
// its browser has no WebTransport, which is for secure contexts.
func (s *Server) overSocketAlone(r *http.Request) bool {
	origin := pageOrigin(r)
	return s.quicDoor(r, origin) == "" || !secureContext(origin)
}

// socketDoor is the WebSocket door for people to read, likewise.
func (s *Server) socketDoor(r *http.Request) string {
	return strings.Replace(pageOrigin(r), "http", "ws", 1) + s.base + "/ws"
}

// policy is what a client may try, and when.
func (s *Server) policy() wire.Policy {
	return wire.Policy{RaceDelayMS: cmp.Or(s.o.RaceDelay, wire.RaceDelay).Milliseconds(), BackoffMinMS: 500, BackoffMaxMS: 20_000, HealthyMS: 10_000, PingMS: 5_000}
}

// hostname gives the host of host:port as a URL has it, an IPv6 address in brackets.
func hostname(hostport string) string {
	if i := strings.LastIndexByte(hostport, ':'); i > strings.LastIndexByte(hostport, ']') {
		return hostport[:i]
	}
	return hostport
}
