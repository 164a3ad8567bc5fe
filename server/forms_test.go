package server

import (
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"testing"

	"skein.dev/skein/webtransport/wire"
)

func TestTheFormStopsEverything(t *testing.T) {
	n := start(t)
	one, two := n.shell(t, "exec sleep 300"), n.shell(t, "trap '' TERM; exec sleep 300")
	in := n.ask(t, "POST", "/stop", bearer(n.token), form(url.Values{}))
	if e := in.reason(t); in.StatusCode != http.StatusBadRequest || e.Data.Field != "confirm" {
		t.Errorf("without a yes the answer is %d %v", in.StatusCode, e)
	}
	yes := form(url.Values{"confirm": {"all"}})
	if a := n.ask(t, "POST", "/stop", yes); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("a stranger got %d", a.StatusCode)
	}
	if a := n.ask(t, "POST", "/stop", bearer(n.token), header("Sec-Fetch-Site", "cross-site"), yes); a.StatusCode != http.StatusForbidden {
		t.Errorf("another site got %d", a.StatusCode)
	}
	for _, a := range []wire.Agent{one, two} {
		if err := syscall.Kill(a.Process.PID, 0); err != nil {
			t.Fatalf("the process of %s is gone, and nothing was confirmed: %v", a.ID, err)
		}
	}

	a := n.ask(t, "POST", "/stop", bearer(n.token), header("Sec-Fetch-Site", "same-origin"), yes)
	if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/" {
		t.Errorf("answered %d to %q", a.StatusCode, a.Header.Get("Location"))
	}
	for _, a := range []wire.Agent{one, two} {
		if err := syscall.Kill(a.Process.PID, 0); err != syscall.ESRCH {
			t.Errorf("the process of %s is there: %v", a.ID, err)
		}
	}
	if adm := n.plane.Admission(); !adm.Closed || adm.Actor != "dashboard" {
		t.Errorf("admission %+v, want it closed by the dashboard", adm)
	}
}

// Invalid UTF-8 is refused: on its way to the API it would become other text, and change the wrong entry.
func TestAFormThatIsNoText(t *testing.T) {
	n := start(t)
	b := n.browser(t)
	leads(t, "a key with a replacement character", b.post(t, "/memory", "namespace", "demo", "key", "k\ufffd", "value", "kept"), "/memory/demo/k%EF%BF%BD")
	_, revision := n.holds(t, "demo", "k\ufffd")
	wants(t, "a new entry", b.post(t, "/memory", "namespace", "demo", "key", "n\xff", "value", "x"), 400, "UTF-8")
	wants(t, "a delete", b.post(t, "/memory/demo/k%FF", "do", "delete", "revision", strconv.FormatUint(revision, 10)), 404, "UTF-8")
	for key, want := range map[string]string{"k\ufffd": "kept", "n\ufffd": ""} {
		if got, _ := n.holds(t, "demo", key); got != want {
			t.Errorf("%q holds %q", key, got)
		}
	}
}
