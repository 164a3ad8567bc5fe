package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"skein.dev/skein/server"
)

func serveCommand(g *global) *cobra.Command {
	var o server.Options
	var logFormat, logLevel string
	var masking bool
	c := &cobra.Command{
		Use: "serve", Short: "Serve the dashboard and run the agents", Args: cobra.NoArgs,
		Long: `Serve the dashboard and run the agents.

On a workstation nothing needs to be configured: the dashboard is on http://localhost:4480, and the URL printed at the
start signs a browser in, once (skein login prints another). Sessions run over WebTransport on UDP port 4433, or over
WebSocket. State lives in --data-dir and survives restarts; agents do not: they are stopped, in order, at Ctrl-C.

To serve other machines give a certificate that they trust with --tls-cert and --tls-key, and --listen :4433.

--config names a file such as this one:

` + indent(server.ConfigExample, "  "),
		Example: `  skein serve
  skein serve --config skein.yaml --data-dir ./data
  skein serve --http off --listen :4433 --tls-cert cert.pem --tls-key key.pem --allow-host skein.example.com`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := newLogger(cmd.ErrOrStderr(), logFormat, logLevel)
			if err != nil {
				return usageError{err}
			}
			o.Mask.Off = !masking
			o.DataDir, o.Logger, o.Version = g.dataDir, log, version
			if self, err := os.Executable(); err == nil {
				o.MCPBridge = []string{self, "mcp"}
			}
			o.Ready = func(a server.Addresses) { announce(cmd, log, a) }
			return serve(cmd.Context(), o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.HTTP, "http", server.DefaultHTTP, "plain HTTP for this machine's browsers, or off")
	f.StringVar(&o.Listen, "listen", server.DefaultListen, "HTTPS, WebSocket and WebTransport, TCP and UDP, or off")
	f.StringVar(&o.MetricsListen, "metrics-listen", "", "separate address that serves /metrics without a token, such as 127.0.0.1:9480")
	f.IntVar(&o.QUICPort, "quic-port", 0, "UDP port to tell clients, if another port is mapped to that of --listen")
	f.BoolVar(&masking, "loss-masking", true, "send packets of thin QUIC connections twice while they lose some")
	f.Int64Var(&o.Mask.Ceiling, "loss-masking-ceiling", server.DefaultMaskCeiling, "bits a second up to which a connection counts as thin")
	f.StringVar(&o.TLSCert, "tls-cert", "", "certificate file (PEM); without one a development certificate is made")
	f.StringVar(&o.TLSKey, "tls-key", "", "key file (PEM)")
	f.BoolVar(&o.InsecureListen, "insecure-listen", false, "listen beyond this machine without a certificate that others can verify")
	f.StringSliceVar(&o.AllowOrigins, "allow-origin", nil, "origin of pages elsewhere that may open sessions, such as https://ops.example.com")
	f.StringSliceVar(&o.AllowHosts, "allow-host", nil, "host name by which the server is reached")
	f.StringVar(&o.BasePath, "base-path", "/", "path below which everything is served, such as /skein/ behind a proxy")
	f.StringVar(&o.ConfigFile, "config", "", "skein.yaml with agent types")
	f.BoolVar(&o.FindAgents, "find-agents", true, "add types for the coding agents that are on the PATH; none is started by that")
	f.StringVar(&o.NATS, "nats", "", "URL of a NATS server to keep the state in, for this server alone; default: embedded")
	f.Int64Var(&o.MaxEventBytes, "max-event-bytes", 4<<30, "size limit of the event log; beyond it, the agents with the most output lose their oldest")
	f.IntVar(&o.KeepExited, "keep-exited", 1000, "how many exited agents are remembered")
	f.DurationVar(&o.KeepFor, "keep-exited-for", 0, "how long exited agents are remembered, such as 720h; 0s: as long as --keep-exited lets them")
	f.IntVar(&o.KeepTasks, "keep-tasks", 10_000, "how many tasks that have ended are remembered")
	f.StringVar(&o.Node, "node", "", "name of this node; default: the host's")
	f.DurationVar(&o.DevCertLifetime, "dev-cert-lifetime", 0, "lifetime of the development certificate, at most 13 days")
	f.StringVar(&logFormat, "log-format", "auto", "human, json, or auto: human on a terminal")
	f.StringVar(&logLevel, "log-level", "info", "debug, info, warn or error")
	return c
}

func serve(ctx context.Context, o server.Options) error {
	if o.DevCertLifetime < 0 || o.DevCertLifetime > 13*24*time.Hour {
		return usageError{fmt.Errorf("--dev-cert-lifetime must be 13 days (312h) at most: browsers accept no longer one")}
	}
	// The reader of its log may go first: a closed pipe must not end a server that has agents to stop. It is not ignored, which
	// agents would inherit.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	s, err := server.New(ctx, o)
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

// announce prints how to get in: for a person on a terminal, in the log otherwise.
func announce(cmd *cobra.Command, log *slog.Logger, a server.Addresses) {
	log.Info("serving", "http", a.HTTP, "https", a.HTTPS, "metrics", a.Metrics, "login", a.Login)
	if isTerminal(os.Stdout) {
		cmd.Printf("\n  Skein is up. Sign this browser in (the link works once):\n\n    %s\n\n  Another link: skein login      Stop: Ctrl-C\n\n", a.Login)
	}
}
