package main

import (
	"github.com/spf13/cobra"

	"skein.dev/skein/cmd/skein-bench/peers"
	"skein.dev/skein/webtransport/bare"
	"skein.dev/skein/webtransport/wire"
)

// bareCommand is the process of the bare libraries' servers.
func bareCommand() *cobra.Command {
	return &cobra.Command{
		Use: "bare", Short: "Serve the bare libraries' echo, for run", Args: cobra.NoArgs, Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return serveBare(cmd) },
	}
}

func serveBare(cmd *cobra.Command) error {
	cert, err := peers.NewCertificate()
	if err != nil {
		return err
	}
	s, err := bare.Serve(cert)
	if err != nil {
		return err
	}
	defer s.Close()
	p, err := serveSessions(cert)
	if err != nil {
		return err
	}
	defer p.close()
	line, err := wire.AppendLine(nil, barePeers{QUIC: s.QUIC, WS: s.WS, SessionQUIC: p.QUIC, SessionWS: p.WS})
	if err != nil {
		return err
	}
	cmd.OutOrStdout().Write(line)
	<-cmd.Context().Done()
	return nil
}

// barePeers are the URLs of the process that serves the bare libraries, and Skein's sessions beside them.
type barePeers struct{ QUIC, WS, SessionQUIC, SessionWS string }
