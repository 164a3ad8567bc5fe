package peers

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/centrifugal/centrifuge"
	client "github.com/centrifugal/centrifuge-go"
)

// A channel's history, from which a client that was cut off gets what it missed: more than a sender sends in a run.
const (
	historySize = 10_000
	historyTime = time.Hour
)

// serveCentrifuge has a channel for each sender, named by its number; a sender begins when its channel gets a subscriber.
func serveCentrifuge(ctx context.Context, addr string, ready func(net.Addr)) error {
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		return err
	}
	var begins [senders]sync.Once
	var speaking sync.WaitGroup
	node.OnConnect(func(c *centrifuge.Client) {
		c.OnSubscribe(func(e centrifuge.SubscribeEvent, reply centrifuge.SubscribeCallback) {
			from, err := strconv.Atoi(e.Channel)
			if err != nil || from < 0 || from >= senders {
				reply(centrifuge.SubscribeReply{}, centrifuge.ErrorUnknownChannel)
				return
			}
			reply(centrifuge.SubscribeReply{Options: centrifuge.SubscribeOptions{EnableRecovery: true}}, nil)
			begins[from].Do(func() {
				speaking.Go(func() {
					speak(ctx, from, func(b []byte) error {
						_, err := node.Publish(e.Channel, b, centrifuge.WithHistory(historySize, historyTime))
						return err
					})
				})
			})
		})
	})
	if err := node.Run(); err != nil {
		return err
	}
	defer node.Shutdown(context.WithoutCancel(ctx))
	defer speaking.Wait()
	h := centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{})
	return serveTLS(ctx, addr, ready, false, func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(centrifuge.SetCredentials(r.Context(), &centrifuge.Credentials{})))
	})
}

// followCentrifuge goes on after an interruption by itself, as the library does for everyone.
func followCentrifuge(ctx context.Context, addr string, take func(message)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := client.NewJsonClient("wss://"+addr+"/", client.Config{TLSConfig: anyCertificate()})
	defer c.Close()
	c.OnDisconnected(func(e client.DisconnectedEvent) { cancel(fmt.Errorf("disconnected for good: %d %s", e.Code, e.Reason)) })
	for from := range senders {
		sub, err := c.NewSubscription(strconv.Itoa(from))
		if err != nil {
			return err
		}
		sub.OnUnsubscribed(func(e client.UnsubscribedEvent) { cancel(fmt.Errorf("unsubscribed: %d %s", e.Code, e.Reason)) })
		sub.OnPublication(func(e client.PublicationEvent) {
			var m message
			if err := json.Unmarshal(e.Data, &m); err != nil {
				cancel(err)
				return
			}
			take(m)
		})
		if err := sub.Subscribe(); err != nil {
			return err
		}
	}
	if err := c.Connect(); err != nil {
		return err
	}
	<-ctx.Done()
	return context.Cause(ctx)
}
