package main

import (
	"slices"
	"time"

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

func benchEcho(b *benchRun, transport string) (result, error) {
	c, err := b.dial(transport)
	if err != nil {
		return result{}, err
	}
	defer c.Close()
	peer, err := b.dialBare(transport)
	if err != nil {
		return result{}, err
	}
	defer peer.Close()
	msg := []byte(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{}}` + "\n")
	// Taken in turns of a few, so that the machine's moods hit both.
	var ours, bares []time.Duration
	for range b.n(150) {
		for range 20 {
			d, err := c.Ping(b.ctx)
			if err != nil {
				return result{}, err
			}
			ours = append(ours, d)
		}
		for range 20 {
			begin := time.Now()
			if err := peer.Echo(slices.Clone(msg)); err != nil {
				return result{}, err
			}
			bares = append(bares, time.Since(begin))
		}
	}
	r := percentiles(ours, time.Microsecond)
	r.Bare = percentiles(bares, time.Microsecond).P50
	return r, nil
}
