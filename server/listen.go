package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"skein.dev/skein/server/exchange"
	"skein.dev/skein/server/rpc"
	"skein.dev/skein/server/web"
	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/wire"
)

const (
	DefaultHTTP   = "localhost:4480"
	DefaultListen = "localhost:4433"

	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
)

// listeners are the sockets of one Run.
type listeners struct {
	http    []net.Listener
	tls     []net.Listener
	udp     []*net.UDPConn
	metrics []net.Listener
	servers []*http.Server
	quic    *webtransport.QUICServer
}

// listen opens every socket before anything is served, so that a taken port is an error and not half a server.
func (s *Server) listen() (_ *listeners, err error) {
	l := &listeners{}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	httpAddr, tlsAddr := s.listensOn()
	if httpAddr != "off" {
		if l.http, s.reach.HTTPPort, err = listenTCP(httpAddr); err != nil {
			return nil, listenError("--http", httpAddr, err)
		}
		s.addrs.HTTP = "http://" + publicAddr(httpAddr, s.reach.HTTPPort) + s.reach.Base
	}
	if tlsAddr != "off" {
		if l.tls, l.udp, s.reach.TLSPort, err = listenBoth(tlsAddr); err != nil {
			return nil, listenError("--listen", tlsAddr, err)
		}
		s.reach.LocalTLS, _ = onlyLoopback(tlsAddr)
		s.reach.QUICPort = cmp.Or(s.o.QUICPort, s.reach.TLSPort)
		s.addrs.HTTPS = "https://" + publicAddr(tlsAddr, s.reach.TLSPort) + s.reach.Base
	}
	if s.o.MetricsListen != "" {
		var port int
		if l.metrics, port, err = listenTCP(s.o.MetricsListen); err != nil {
			return nil, listenError("--metrics-listen", s.o.MetricsListen, err)
		}
		s.addrs.Metrics = "http://" + publicAddr(s.o.MetricsListen, port) + "/metrics"
	}
	return l, nil
}

func listenError(flag, addr string, err error) error {
	return fmt.Errorf("listen on %s: %w; free the port, or choose another with %s", addr, err, flag)
}

// listensOn returns the addresses to listen on for HTTP and for HTTPS, either of which may be "off".
func (s *Server) listensOn() (httpAddr, tlsAddr string) {
	return cmp.Or(s.o.HTTP, DefaultHTTP), cmp.Or(s.o.Listen, DefaultListen)
}

// checkAddresses refuses addresses that the server must not listen on. It needs the certificate, but nothing else is open yet:
// a mistake in a flag starts no agents.
func (s *Server) checkAddresses() error {
	httpAddr, tlsAddr := s.listensOn()
	if httpAddr == "off" && tlsAddr == "off" {
		return errNoListener
	}
	if httpAddr != "off" {
		if err := s.mayListen("--http", httpAddr, false); err != nil {
			return err
		}
	}
	if tlsAddr == "off" {
		return nil
	}
	return s.mayListen("--listen", tlsAddr, !s.certs.IsDevelopment())
}

// mayListen refuses addresses that others can reach unless connections are protected by a real certificate.
func (s *Server) mayListen(flag, addr string, protected bool) error {
	if _, _, err := split(addr); err != nil {
		return fmt.Errorf("%s %s: %w", flag, addr, err)
	}
	if protected || s.o.InsecureListen {
		return nil
	}
	local, err := onlyLoopback(addr)
	if err != nil {
		return fmt.Errorf("%s %s: %w", flag, addr, err)
	}
	if !local {
		return fmt.Errorf("%s %s can be reached from other machines without a certificate that they can check: "+
			"give --tls-cert and --tls-key (and keep --http on loopback), or say --insecure-listen", flag, addr)
	}
	return nil
}

// onlyLoopback reports whether an address to listen on can be reached from this machine alone.
func onlyLoopback(addr string) (bool, error) {
	ips, err := addresses(addr)
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(ips, func(ip net.IP) bool { return !ip.IsLoopback() }), nil
}

// addresses gives the IPs of host:port; "localhost" is both loopbacks, an empty host every address.
func addresses(addr string) ([]net.IP, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("an address is host:port: %w", err)
	}
	switch host {
	case "localhost":
		return []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}, nil
	case "":
		return []net.IP{net.IPv6unspecified}, nil
	}
	return net.LookupIP(host)
}

// listenTCP listens on every address of addr, on one port. On "localhost", one loopback is enough.
func listenTCP(addr string) (all []net.Listener, port int, err error) {
	ips, port, err := split(addr)
	if err != nil {
		return nil, 0, err
	}
	for i, ip := range ips {
		l, err := net.Listen("tcp", net.JoinHostPort(ip.String(), strconv.Itoa(port)))
		if err != nil {
			if i > 0 && noIPv6(err) {
				continue
			}
			closeAll(all)
			return nil, 0, err
		}
		port = l.Addr().(*net.TCPAddr).Port
		all = append(all, l)
	}
	return all, port, nil
}

// listenBoth listens on TCP and UDP, on one port. With port 0 it tries until a port is free for all.
func listenBoth(addr string) (tcp []net.Listener, udp []*net.UDPConn, port int, err error) {
	_, asked, err := split(addr)
	if err != nil {
		return nil, nil, 0, err
	}
	for range 20 {
		if tcp, port, err = listenTCP(addr); err != nil {
			continue
		}
		udp, err = listenUDP(tcp)
		if err == nil {
			return tcp, udp, port, nil
		}
		closeAll(tcp)
		if asked != 0 {
			break
		}
	}
	return nil, nil, 0, err
}

func listenUDP(tcp []net.Listener) (all []*net.UDPConn, err error) {
	for _, l := range tcp {
		a := l.Addr().(*net.TCPAddr)
		pc, err := net.ListenUDP("udp", &net.UDPAddr{IP: a.IP, Port: a.Port, Zone: a.Zone})
		if err != nil {
			closeAll(all)
			return nil, err
		}
		all = append(all, pc)
	}
	return all, nil
}

func split(addr string) ([]net.IP, int, error) {
	ips, err := addresses(addr)
	if err != nil {
		return nil, 0, err
	}
	_, p, _ := net.SplitHostPort(addr)
	port, err := net.LookupPort("tcp", p)
	return ips, port, err
}

// noIPv6 reports an error that says that the machine has no IPv6 loopback.
func noIPv6(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EAFNOSUPPORT))
}

func publicAddr(addr string, port int) string {
	host, _, _ := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

func closeAll[T io.Closer](all []T) {
	for _, c := range all {
		c.Close()
	}
}

// serve starts a goroutine for each socket, counted in parts. The first that fails ends the server.
func (s *Server) serve(l *listeners, parts *sync.WaitGroup, fail func(error)) {
	routes := web.New(web.Config{API: s.api, Plane: s.plane, Auth: s.auth, Metrics: s.met, Reach: s.reach, Logger: s.log, Sessions: s.sessions,
		MCP: s.mcp, Push: s.push,
		RPC:   &rpc.Endpoint{API: s.api, Auth: s.auth, Metrics: s.met, Server: s.sessions, Renderer: s.fragments, Logger: s.log},
		Store: s.store, Processes: s.procs, Fragments: s.fragments, URL: s.url(), Version: s.o.Version, RaceDelay: s.o.RaceDelay, Lanes: s.limits.Lanes(), MaskOff: s.o.Mask.Off,
		Start: web.Start{Looked: s.o.FindAgents, Known: knownAgents(), Folder: startFolder()}})
	run := func(f func() error) {
		parts.Go(func() {
			if err := f(); err != nil && !errors.Is(err, http.ErrServerClosed) {
				fail(err)
			}
		})
	}
	if len(l.tls) > 0 {
		srv := s.httpServer(altSvc(routes, s.reach.QUICPort))
		srv.TLSConfig = s.tls()
		l.servers = append(l.servers, srv)
		key := sha256.Sum256([]byte("QUIC stateless reset of " + s.dir.Instance))
		l.quic = webtransport.NewQUICServer(webtransport.QUICConfig{
			ResetKey: &key, TLS: s.tickets.Configure(s.tls()), Handler: s.timed(routes), Protocols: []string{wire.Version}, MaxStreams: s.sessions.MaxStreams,
			CheckOrigin: s.reach.Allowed, Mask: s.o.Mask, Logger: quiet(s.log),
		})
		s.sessions.UseQUIC(l.quic)
		s.met.CountMasking(l.quic)
		for _, ln := range l.tls {
			run(func() error { return srv.ServeTLS(ln, "", "") })
		}
		for _, pc := range l.udp {
			run(func() error { return l.quic.Serve(pc) })
		}
	}
	if len(l.http) > 0 {
		srv := s.httpServer(routes)
		l.servers = append(l.servers, srv)
		for _, ln := range l.http {
			run(func() error { return srv.Serve(ln) })
		}
	}
	if len(l.metrics) > 0 {
		srv := s.httpServer(s.met.Handler())
		l.servers = append(l.servers, srv)
		for _, ln := range l.metrics {
			run(func() error { return srv.Serve(ln) })
		}
	}
}

func (s *Server) timed(h http.Handler) http.Handler {
	return exchange.TimedBodies(cmp.Or(s.o.BodyTimeout, exchange.DefaultBodyTimeout), h)
}

func (s *Server) httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: s.timed(h), ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: stdlog.New(logWriter{s.log}, "", 0), ConnContext: webtransport.ConnContext,
	}
}

// altSvc tells clients of HTTPS that HTTP/3 is there (RFC 7838). It is written by hand: http3.Server's SetQUICHeaders
// knows only listeners that it opened itself, and webtransport.Server opens its own.
func altSvc(next http.Handler, port int) http.Handler {
	value := fmt.Sprintf(`h3=":%d"; ma=3600`, port)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Alt-Svc", value)
		next.ServeHTTP(w, r)
	})
}

// close ends every socket; requests under way get a moment.
func (l *listeners) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for _, srv := range l.servers {
		if err := srv.Shutdown(ctx); err != nil {
			srv.Close()
		}
	}
	if l.quic != nil {
		l.quic.Close()
	}
	closeAll(l.http)
	closeAll(l.tls)
	closeAll(l.udp)
	closeAll(l.metrics)
}

// logWriter takes net/http's own lines, which are about single connections, as debug lines.
type logWriter struct{ log *slog.Logger }

func (w logWriter) Write(b []byte) (int, error) {
	w.log.Debug("http", "line", string(b))
	return len(b), nil
}

// quiet lowers a library's lines to debug.
func quiet(log *slog.Logger) *slog.Logger {
	if log.Enabled(context.Background(), slog.LevelDebug) {
		return log
	}
	return slog.New(slog.DiscardHandler)
}
