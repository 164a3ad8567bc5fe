package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// finish sorts the report and judges it.
func (d *diagnosis) finish() {
	r := &d.report
	for _, name := range Checks {
		if !slices.ContainsFunc(r.Checks, func(c Check) bool { return c.Name == name }) {
			r.Checks = append(r.Checks, Check{Name: name, Verdict: Skipped, Found: "not looked at: a step before it failed"})
		}
	}
	slices.SortFunc(r.Checks, func(a, b Check) int {
		return cmp.Compare(slices.Index(Checks, a.Name), slices.Index(Checks, b.Name))
	})
	slices.SortFunc(r.Endpoints, func(a, b Endpoint) int { return cmp.Compare(b.Transport, a.Transport) })
	if r.Endpoints == nil {
		r.Endpoints = []Endpoint{}
	}
	d.judge()
}

// judge says which endpoint a client will use, by the rules of the client's race.
func (d *diagnosis) judge() {
	r := &d.report
	var wt, ws Endpoint
	for _, endpoint := range r.Endpoints {
		if d.o.Transport != client.Auto && d.o.Transport != string(endpoint.Transport) {
			continue
		}
		if endpoint.Transport == wire.WebTransport {
			wt = endpoint
		} else {
			ws = endpoint
		}
	}
	delay := 0.0
	if d.document != nil {
		delay = float64(d.document.Policy.RaceDelayMS)
	}
	steps := []string{CheckUDP, CheckQUIC, CheckWebTransport}
	switch {
	case wt.Open && (!ws.Open || wt.HelloMS <= delay+ws.HelloMS):
		r.Endpoint, r.Why = wire.WebTransport, "it is the first choice, and it answers"
		return
	case wt.Open:
		r.Endpoint = wire.WebSocket
		r.Why = fmt.Sprintf("WebTransport took %s; WebSocket joins after %s and is first", inWords(wt.HelloMS), inWords(delay))
		r.Better = "Find out what delays UDP on the way: the first packets of a connection are lost or wait."
		return
	case ws.Open && d.o.Transport == client.WebSocket:
		r.Endpoint, r.Why = wire.WebSocket, "it was asked for"
		return
	case ws.Open:
		r.Endpoint, r.Why = wire.WebSocket, "WebTransport does not work"
	default:
		steps = Checks
		if d.stranger { // its certificate does not matter
			steps = append([]string{CheckHTTP}, steps...)
		}
		if d.o.Transport == client.WebTransport {
			steps = slices.DeleteFunc(slices.Clone(steps), func(n string) bool { return n == CheckWebSocket })
		}
	}
	for _, name := range steps {
		if c := r.Check(name); c.Verdict == Failed {
			r.Why, r.Better = strings.TrimPrefix(r.Why+": "+c.Found, ": "), c.Do
			return
		}
	}
	if r.Why == "" { // the time ended between two steps
		r.Why, r.Better = "the time was too short to find out", "Give it more."
	}
}
