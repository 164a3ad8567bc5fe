package server

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/webtransport/wire"
)

// asks waits until so many questions wait.
func (n *node) asks(t *testing.T, count int) (all []wire.Ask) {
	t.Helper()
	kit.Eventually(t, "they ask", func() bool {
		r, err := n.plane.Asks.List(t.Context(), wire.AskListParams{})
		all = r.Asks
		return err == nil && len(all) == count
	})
	return all
}

func TestAnAnswerOfAForm(t *testing.T) {
	n := start(t)
	n.script(t, "ask Merge?\nread")
	a := n.asks(t, 1)[0]
	answer := form(url.Values{"ask": {string(a.ID)}, "prompt": {a.Prompt}, "text": {"with a squash"}})
	if r := n.ask(t, "POST", "/inbox", answer); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("a stranger got %d", r.StatusCode)
	}
	if r := n.ask(t, "POST", "/inbox", bearer(n.token), header("Sec-Fetch-Site", "cross-site"), answer); r.StatusCode != http.StatusForbidden {
		t.Errorf("another site got %d", r.StatusCode)
	}
	if got := n.asks(t, 1); got[0].State != wire.AskPending {
		t.Fatal("it was answered")
	}

	mine := with(n.login(t))
	shows := func(what string, status int, v url.Values, want ...string) {
		t.Helper()
		r := n.ask(t, "POST", "/inbox", mine, asPage, form(v))
		if r.StatusCode != status {
			t.Errorf("%s: %s", what, r.Status)
		}
		for _, w := range want {
			if !strings.Contains(r.body, w) {
				t.Errorf("%s: the page has no %q", what, w)
			}
		}
	}
	shows("another prompt", http.StatusConflict, url.Values{"ask": {string(a.ID)}, "prompt": {"x"}, "text": {"with a squash"}}, "The question is another one than was shown: Merge?", `value="with a squash"`)
	shows("no question", http.StatusBadRequest, url.Values{"text": {"x"}}, "Say which question is answered")
	shows("an unknown one", http.StatusNotFound, url.Values{"ask": {"qnone"}, "prompt": {"x"}, "text": {"x"}}, "There is no question")
	if r := n.ask(t, "POST", "/inbox", mine, asPage, answer); r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/inbox" {
		t.Errorf("answered %s to %q", r.Status, r.Header.Get("Location"))
	}
	if got, err := n.plane.Asks.Get(a.ID); err != nil || got.Answer == nil || got.Answer.Text != "with a squash" || got.Answer.By != "dashboard" {
		t.Errorf("it is %+v, %v", got, err)
	}
	shows("again", http.StatusConflict, url.Values{"ask": {string(a.ID)}, "prompt": {a.Prompt}, "text": {"no, wait"}}, "Dashboard has answered it already: with a squash.", "no, wait")
}

func TestAListOfQuestionsForAPage(t *testing.T) {
	n := start(t)
	c := n.dialed(t, wire.WebSocket)
	for _, text := range []string{"One?", strings.Repeat("<long>", 500)} {
		n.script(t, "ask "+text+"\nread")
	}
	asks := n.asks(t, 2)
	r, err := c.Asks(t.Context(), wire.AskListParams{HTML: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Asks) != 2 || len(r.Asks[0].Text)+len(r.Asks[1].Text) > 400 || r.Asks[0].ID != asks[0].ID {
		t.Errorf("beside its HTML it has %+v", r.Asks)
	}
	for _, want := range []string{`id="asks"`, `id="lately"`, `id="` + string(asks[1].ID) + `"`, "&lt;long&gt;"} {
		if !strings.Contains(r.HTML, want) {
			t.Errorf("its HTML has no %s", want)
		}
	}
	count, err := c.Asks(t.Context(), wire.AskListParams{Count: true})
	if err != nil || len(count.Asks) != 0 || count.Pending != 2 || count.Position != r.Position {
		t.Errorf("the count is %+v, %v", count, err)
	}
	own, err := c.Asks(t.Context(), wire.AskListParams{HTML: true, Agent: asks[0].Agent})
	if err != nil || len(own.Asks) != 1 || own.Pending != 2 || !strings.Contains(own.HTML, "hidden") || strings.Contains(own.HTML, "<article") {
		t.Errorf("of one agent it is %+v, %v", own, err)
	}
}
