package server

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/runner"
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

func TestAPermissionOfAForm(t *testing.T) {
	n := start(t)
	a := n.shell(t, "exec sleep 300")
	const odd = `a"b <c>&é ` // an id is the agent's, and may be any text
	answers := make(chan string, 3)
	for _, key := range []string{"1", "2", "3"} {
		n.plane.Asks.Request(a, runner.Permission{Key: key, Text: "Run the tests", Tool: &wire.AskTool{Kind: "execute", Command: "make test"},
			Options: []wire.AskOption{{ID: "y", Name: "Yes", Kind: wire.AllowOnce}, {ID: odd, Name: "No", Kind: wire.RejectOnce}},
			Answer:  func(answer *wire.AskAnswer) { answers <- answer.Option }})
	}
	asks := n.asks(t, 3)
	mine := with(n.login(t))
	page := n.ask(t, "GET", "/agents/"+string(a.ID), mine, asPage)
	for _, want := range []string{"3 shell agents", "want to run", "make test", `value="a&#34;b &lt;c&gt;&amp;é "`, "(3) "} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the agent's page has no %s", want)
		}
	}
	from := header("Referer", n.addrs.HTTP+"/agents/"+string(a.ID))
	post := func(option string, which ...wire.Ask) answer {
		v := url.Values{"prompt": {asks[0].Prompt}, "option": {option}}
		for _, ask := range which {
			v.Add("ask", string(ask.ID))
		}
		return n.ask(t, "POST", "/inbox", mine, asPage, from, form(v))
	}
	if r := post("no such", asks[0]); r.StatusCode != http.StatusBadRequest || !strings.Contains(r.body, "One of its options answers this question") {
		t.Errorf("an option that it has not: %s", r.Status)
	}
	if r := post(odd, asks[0]); r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/agents/"+string(a.ID) {
		t.Errorf("one: %s to %q", r.Status, r.Header.Get("Location"))
	}
	if got := <-answers; got != odd {
		t.Errorf("the agent got %q", got)
	}
	// Of several, those that can be answered are, and the page tells of the other.
	if r := post("y", asks...); r.StatusCode != http.StatusConflict || !strings.Contains(r.body, "Dashboard has answered it already: No.") {
		t.Errorf("all: %s", r.Status)
	}
	for range 2 {
		if got := <-answers; got != "y" {
			t.Errorf("an agent got %q", got)
		}
	}
	n.asks(t, 0)
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
