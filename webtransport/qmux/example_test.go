package qmux_test

import (
	"context"
	"fmt"
	"io"

	"skein.dev/skein/webtransport/qmux"
)

func Example() {
	ctx := context.Background()
	near, far := qmux.Pipe() // or two ends of a WebSocket
	client, server := qmux.Client(near, qmux.Config{}), qmux.Server(far, qmux.Config{})

	go func() {
		stream, _ := server.AcceptStream(ctx)
		io.Copy(stream, stream)
		stream.Close()
	}()

	stream, _ := client.OpenStream(ctx)
	fmt.Fprint(stream, "honk")
	stream.Close()
	answer, _ := io.ReadAll(stream)
	fmt.Printf("%s\n", answer)

	client.Close(3000, "moving on")
	<-server.Context().Done()
	fmt.Println(context.Cause(server.Context()))
	server.Close(0, "")
	// Output:
	// honk
	// session closed by the peer with code 3000: moving on
}
