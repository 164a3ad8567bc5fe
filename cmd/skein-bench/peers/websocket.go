package peers

import (
	"context"
	"encoding/json"
	"net"
	"net/http"

	"github.com/coder/websocket"
)

func serveWebSocket(ctx context.Context, addr string, ready func(net.Addr)) error {
	return serveTLS(ctx, addr, ready, false, func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		each(c.CloseRead(r.Context()), func(ctx context.Context, from int) error {
			return speak(ctx, from, func(b []byte) error { return c.Write(ctx, websocket.MessageText, b) })
		})
	})
}

func followWebSocket(ctx context.Context, addr string, take func(message)) error {
	hc := &http.Client{Transport: &http.Transport{TLSClientConfig: anyCertificate()}}
	c, _, err := websocket.Dial(ctx, "wss://"+addr+"/", &websocket.DialOptions{HTTPClient: hc})
	if err != nil {
		return err
	}
	defer c.CloseNow()
	for {
		_, b, err := c.Read(ctx)
		if err != nil {
			return err
		}
		var m message
		if err := json.Unmarshal(b, &m); err != nil {
			return err
		}
		take(m)
	}
}
