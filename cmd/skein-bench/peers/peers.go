// Package peers is what one would use in place of Skein, for skein-bench to compare with: the same messages over plain
// WebSocket, centrifuge, HTTP/2 and webtransport-go. The benchmark runs each server and each client as a process.
package peers

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// kind is one way to bring the messages of all senders to one client.
type kind struct {
	serve  func(ctx context.Context, addr string, ready func(net.Addr)) error // until ctx ends
	follow func(ctx context.Context, addr string, take func(message)) error   // until ctx ends or the connection does; nil: no messages
	dial   func(ctx context.Context, addr string) (open, func(), error)       // for bulk; nil: no bulk
}

var kinds = map[string]kind{
	"websocket":       {serveWebSocket, followWebSocket, nil},
	"centrifuge":      {serveCentrifuge, followCentrifuge, nil},
	"http2":           {serveHTTP2, followHTTP2, nil},
	"webtransport-go": {serveWebTransport, followWebTransport, dialWebTransport},
	"tcp":             {serveTCP, nil, dialTCP},
}

func isKind(kind) bool        { return true }
func hasMessages(k kind) bool { return k.follow != nil }
func hasBulk(k kind) bool     { return k.dial != nil }
func hasStreams(k kind) bool  { return hasBulk(k) && hasMessages(k) } // more than one

// kindNames are those that can do something.
func kindNames(can func(kind) bool) (names []string) {
	for name, k := range kinds {
		if can(k) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Command is "skein-bench peers".
func Command() *cobra.Command {
	c := &cobra.Command{
		Use: "peers", Short: "Be what Skein is compared with, for run",
		Long: `A helper of "skein-bench run", which starts it by itself. It carries the load of Skein's case in the lab by other means:
a hundred senders, each a message of about 256 bytes every 100 ms, to one client that gets all. The kinds are:

  websocket        one WebSocket, each message as JSON (coder/websocket)
  centrifuge       a channel for each sender, with history and recovery, over one WebSocket, as JSON
  http2            a response without end for each sender, over one TLS connection (net/http)
  webtransport-go  a stream for each sender in one session, with the settings of quic-go

Two kinds carry bulk, as much as a stream brings: webtransport-go, and tcp, a plain TCP stream.

A server is for one client. The client accepts any certificate.`,
		Example: `  skein-bench peers serve --kind http2 --listen localhost:4480
  skein-bench peers follow --kind http2 --addr localhost:4480 --warm 1s --count 5s
  skein-bench peers receive --kind tcp --addr localhost:4481 --bytes 8388608`,
	}
	c.AddCommand(serveCommand(), followCommand(), receiveCommand(), besideCommand(), typeCommand(), serveTTYCommand())
	return c
}

func serveCommand() *cobra.Command {
	var name, listen string
	c := &cobra.Command{
		Use: "serve", Short: "Send the messages to the client that comes", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			k, err := kindOf(name, isKind)
			if err != nil {
				return err
			}
			return k.serve(cmd.Context(), listen, func(a net.Addr) { cmd.Printf("serving %s\n", a) })
		},
	}
	c.Flags().StringVar(&name, "kind", "", strings.Join(kindNames(isKind), ", "))
	c.Flags().StringVar(&listen, "listen", "localhost:0", "address to listen on; it is printed")
	return c
}

func followCommand() *cobra.Command {
	var name, addr string
	var warm, count time.Duration
	c := &cobra.Command{
		Use: "follow", Short: "Receive them; print their ages, and how many were lost or came twice, as JSON", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			k, err := kindOf(name, hasMessages)
			if err != nil {
				return err
			}
			rep, err := follow(cmd.Context(), k, addr, warm, count)
			if err != nil {
				return err
			}
			return json.NewEncoder(cmd.OutOrStdout()).Encode(rep)
		},
	}
	clientFlags(c, hasMessages, &name, &addr, &warm, &count)
	return c
}

func receiveCommand() *cobra.Command {
	var name, addr string
	var size int64
	var warm, count time.Duration
	c := &cobra.Command{
		Use: "receive", Short: "Receive bulk on one stream and check it; print how much and how long it took, as JSON", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			k, err := kindOf(name, hasBulk)
			if err != nil {
				return err
			}
			r, err := receive(cmd.Context(), k, addr, size, warm, count)
			if err != nil {
				return err
			}
			return json.NewEncoder(cmd.OutOrStdout()).Encode(r)
		},
	}
	clientFlags(c, hasBulk, &name, &addr, &warm, &count)
	c.Flags().Int64Var(&size, "bytes", forever, "how much; default: what comes in the time that it counts")
	return c
}

func besideCommand() *cobra.Command {
	var name, addr string
	var streams int
	var warm, count time.Duration
	c := &cobra.Command{
		Use: "beside", Short: "Time round trips beside streams of bulk; print them as JSON", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			k, err := kindOf(name, hasStreams)
			if err != nil {
				return err
			}
			r, err := beside(cmd.Context(), k, addr, streams, warm, count)
			if err != nil {
				return err
			}
			return json.NewEncoder(cmd.OutOrStdout()).Encode(r)
		},
	}
	clientFlags(c, hasStreams, &name, &addr, &warm, &count)
	c.Flags().IntVar(&streams, "streams", 500, "how many")
	return c
}

func clientFlags(c *cobra.Command, can func(kind) bool, name, addr *string, warm, count *time.Duration) {
	c.Flags().StringVar(name, "kind", "", strings.Join(kindNames(can), ", "))
	c.Flags().StringVar(addr, "addr", "", "address of the server")
	c.Flags().DurationVar(warm, "warm", 8*time.Second, "how long before it counts")
	c.Flags().DurationVar(count, "count", 20*time.Second, "how long it counts")
}

func kindOf(name string, can func(kind) bool) (kind, error) {
	k, ok := kinds[name]
	if !ok || !can(k) {
		return kind{}, fmt.Errorf("--kind %q: allowed are %s", name, strings.Join(kindNames(can), ", "))
	}
	return k, nil
}
