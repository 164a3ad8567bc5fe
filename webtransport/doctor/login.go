package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

// login fetches the document that names the endpoints.
func (d *diagnosis) login(ctx context.Context) {
	d.begin(CheckLogin)
	c := Check{Name: CheckLogin, Verdict: OK}
	defer func() { d.put(c) }()
	const where = "Give the content of the file token in the server's data folder: --token or SKEIN_TOKEN."
	if d.o.Token == "" {
		c.Verdict, c.Found = Failed, "there is no token"
		c.Means, c.Do = "The server lets nobody in without one; the endpoints can't be tried.", where
		return
	}
	ctx, cancel := d.part(ctx, 0.4)
	defer cancel()
	begin := time.Now()
	doc, err := client.FetchConnect(ctx, d.http, d.o)
	var se *client.StatusError
	switch {
	case err == nil:
		d.document = doc
		d.report.Node, d.report.Protocol = doc.Node, doc.Version
		c.Found = fmt.Sprintf("the token is good; the server names %s, in %s", endpoints(doc), inWords(inMS(time.Since(begin))))
	case errors.As(err, &se) && se.Status == http.StatusUnauthorized:
		c.Verdict, c.Found = Failed, "the token is not this server's"
		c.Means, c.Do = "The server refuses the login.", where
	case errors.As(err, &se) && se.Status == http.StatusServiceUnavailable:
		c.Verdict, c.Found = Failed, "the server is stopping"
		c.Means, c.Do = "It takes no new clients.", "Wait until it is back."
	default:
		c.Verdict, c.Found = Failed, plainly(err)
		c.Means, c.Do = "The document that names the endpoints can't be fetched.", "Look at the server's log, and at a proxy on the way."
	}
}

func endpoints(doc *wire.Connect) string {
	var all []string
	for _, d := range doc.Endpoints {
		all = append(all, string(d.Transport))
	}
	return strings.Join(all, " and ")
}

// protocol compares the protocol versions of both sides.
func (d *diagnosis) protocol() {
	r := &d.report
	c := Check{Name: CheckProtocol, Verdict: OK, Found: fmt.Sprintf("both speak %s", r.Protocol)}
	if r.Protocol != wire.Version {
		c.Verdict, c.Found = Failed, fmt.Sprintf("the server speaks %s, this program %s", r.Protocol, wire.Version)
		c.Means, c.Do = "They do not understand each other.", "Update the older of the two."
	}
	if r.Server != "" {
		c.Found += fmt.Sprintf("; the server is %s, this program %s", r.Server, r.Program)
	}
	d.put(c)
}

// processes reports how the server finds the processes that its agents start.
func (d *diagnosis) processes() {
	d.begin(CheckProcesses)
	c := Check{Name: CheckProcesses, Verdict: OK}
	switch held := d.document.Containment; {
	case held == nil:
		c.Verdict, c.Found = Skipped, "the server does not say how it finds what its agents start"
	case held.Mode == wire.ContainedByCgroup:
		c.Found = "each agent runs in a cgroup of its own: a stop ends whatever it started"
	default:
		c.Verdict, c.Found = Warning, "agents get no cgroup of their own: "+held.Why
		c.Means = "What an agent starts is found by marks that processes inherit, and by their parents. A daemon that takes on another login, and empties its environment, is not."
		c.Do = "Run the server as root, or as a systemd service with Delegate=yes, on Linux 5.14 or later with cgroup v2."
	}
	d.put(c)
}
