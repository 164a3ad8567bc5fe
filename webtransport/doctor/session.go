package doctor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"skein.dev/skein/webtransport"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// tryEndpoints opens a session through each endpoint at the same time.
func (d *diagnosis) tryEndpoints(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	offered := func(t wire.Transport) *wire.Endpoint {
		if i := slices.IndexFunc(d.document.Endpoints, func(endpoint wire.Endpoint) bool { return endpoint.Transport == t }); i >= 0 {
			return &d.document.Endpoints[i]
		}
		return nil
	}
	if endpoint := offered(wire.WebSocket); endpoint != nil {
		work.Go(func() { d.tryWebSocket(ctx, *endpoint) })
	} else {
		d.put(Check{Name: CheckWebSocket, Verdict: Failed, Found: "the server offers no WebSocket endpoint",
			Means: "There is nothing to fall back to where UDP is blocked.", Do: "Update the server."})
	}
	if endpoint := offered(wire.WebTransport); endpoint != nil {
		work.Go(func() { d.tryWebTransport(ctx, *endpoint) })
	} else {
		d.put(Check{Name: CheckWebTransport, Verdict: Failed, Found: "the server offers no WebTransport endpoint",
			Means: "Clients use WebSocket alone.", Do: "Start the server with --listen ADDRESS:PORT for this machine, or say with --quic-port where UDP is mapped. A proxy of HTTP passes none on: it goes beside it."})
	}
}

// hello opens the control lane of a session within ctx.
func (d *diagnosis) hello(ctx context.Context, sess webtransport.Session, endpoint wire.Endpoint) (*client.Control, error) {
	ctrl, err := client.SayHello(ctx, sess, wire.Hello{Versions: []string{wire.Version}, Ticket: endpoint.Ticket, NoStatus: d.o.NoStatus,
		Client: wire.ClientInfo{ID: d.id, Name: d.o.Name, Version: d.o.Version}})
	if err != nil {
		return nil, cmp.Or(ctx.Err(), err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.report.Server, d.report.Protocol = ctrl.Welcome.Server, ctrl.Welcome.Version
	return ctrl, nil
}

// A session is measured by a train of pings: enough packets to notice a loss of one in a hundred, within about a second.
// If there is less time, there are fewer.
const (
	trainPings = 200
	trainGap   = 5 * time.Millisecond
)

// train measures a session. If the pings are not answered in time, it closes the session and counts what arrived until
// then.
func (d *diagnosis) train(ctx context.Context, sess webtransport.Session, ctrl *client.Control, endpoint *Endpoint) {
	ctx, stop := d.part(ctx, 0.4)
	defer stop()
	defer context.AfterFunc(ctx, func() { sess.Close(uint32(wire.CloseNormal), "") })()
	sent := make([]time.Time, min(trainPings, max(1, int(d.total/5/trainGap))))
	var mu sync.Mutex // guards sent
	var work sync.WaitGroup
	defer work.Wait() // the writer ends with the session or when all pings are sent
	work.Go(func() {
		tick := time.NewTicker(trainGap)
		defer tick.Stop()
		for i := range sent {
			m, err := wire.NewRequest(json.RawMessage(fmt.Sprint(i)), wire.MethodPing, nil)
			if err != nil {
				return
			}
			line, err := wire.AppendLine(nil, m)
			if err != nil {
				return
			}
			mu.Lock()
			sent[i] = time.Now()
			mu.Unlock()
			ctrl.Stream.Write(line)
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	var took []time.Duration
	answered := make([]bool, len(sent))
	for len(took) < len(sent) {
		m, err := ctrl.Reader.Message()
		if err != nil {
			break
		}
		var i int
		if json.Unmarshal(m.ID, &i) == nil && m.IsResponse() && i >= 0 && i < len(sent) && !answered[i] {
			answered[i] = true
			mu.Lock()
			took = append(took, time.Since(sent[i]))
			mu.Unlock()
		}
	}
	mu.Lock()
	endpoint.Answered, endpoint.Pings = len(took), len(took)+overdue(sent, answered, time.Now())
	mu.Unlock()
	if len(took) == 0 {
		return
	}
	slices.Sort(took)
	endpoint.RTTMS, endpoint.SlowestMS = inMS(took[len(took)/2]), inMS(took[len(took)-1])
}

// overdue returns how many pings should have been answered by now, which are those that had half of the time of a whole
// train. A busy machine sends the last ones too late for a reply, which says nothing about the network.
func overdue(sent []time.Time, answered []bool, now time.Time) (n int) {
	for i, at := range sent {
		if !at.IsZero() && !answered[i] && now.Sub(at) > time.Duration(len(sent))*trainGap/2 {
			n++
		}
	}
	return n
}

// judge describes how a session was opened and what its round trips were.
func (r *Endpoint) judge(name string) Check {
	c := Check{Name: name, Verdict: OK}
	if r.Answered < r.Pings {
		c.Verdict, c.Found = Warning, fmt.Sprintf("hello answered after %s, then %d of %d pings", inWords(r.HelloMS), r.Answered, r.Pings)
		c.Means, c.Do = "Something on the way stops passing data.", "Look at the firewalls on the way: some let a flow begin, and not go on."
		return c
	}
	c.Found = fmt.Sprintf("hello answered after %s; round trip %s, the slowest of %d %s", inWords(r.HelloMS), inWords(r.RTTMS), r.Pings, inWords(r.SlowestMS))
	return c
}

// noHello explains why a session that was opened can't be used.
func noHello(name string, err error, took time.Duration) Check {
	c := Check{Name: name, Verdict: Failed}
	var we *wire.Error
	switch {
	case errors.As(err, &we):
		c.Found, c.Means, c.Do = "hello was refused: "+we.Message, "The server takes the connection, but not this client.", "Look at the server's log."
		if we.Code == wire.CodeVersion {
			c.Do = "Update the older of server and program."
		}
	case silent(err):
		c.Found = fmt.Sprintf("opened, and then nothing came for %s", inWords(inMS(took)))
		c.Means, c.Do = "Something on the way passes the beginning, and not what follows.", "Look at the firewalls on the way."
	default:
		c.Found, c.Means, c.Do = "opened, and ended before hello was answered: "+plainly(err), "The server, or something on the way, closes it.", "Look at the server's log."
	}
	return c
}

func (d *diagnosis) putEndpoint(rep Endpoint, c ...Check) {
	for _, c := range c {
		d.put(c)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.report.Endpoints = append(d.report.Endpoints, rep)
}
