package server

import (
	"bytes"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// browser sends a request as a browser without JavaScript does.
type browser struct {
	n      *node
	cookie *http.Cookie
}

func (n *node) browser(t *testing.T) browser { return browser{n, n.login(t)} }

func (b browser) get(t *testing.T, path string) answer {
	t.Helper()
	return b.n.ask(t, "GET", path, with(b.cookie), header("Accept", "text/html"))
}

func (b browser) post(t *testing.T, path string, fields ...string) answer {
	t.Helper()
	v := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		v.Set(fields[i], fields[i+1])
	}
	return b.n.ask(t, "POST", path, with(b.cookie), header("Accept", "text/html"), header("Sec-Fetch-Site", "same-origin"), form(v))
}

// holds reads an entry; "" if there is none.
func (n *node) holds(t *testing.T, namespace, key string) (text string, revision uint64) {
	t.Helper()
	e, err := n.plane.Memory.Retrieve(t.Context(), wire.MemoryKeyParams{Namespace: namespace, Key: key})
	if err != nil {
		if wire.AsError(err).Code == wire.CodeNotFound {
			return "", 0
		}
		t.Fatal(err)
	}
	return string(e.Value.Bytes()), e.Revision
}

func wants(t *testing.T, what string, a answer, status int, texts ...string) {
	t.Helper()
	if a.StatusCode != status {
		t.Errorf("%s: %s, want %d", what, a.Status, status)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("%s: the page does not say %q", what, text)
		}
	}
}

func leads(t *testing.T, what string, a answer, to string) {
	t.Helper()
	if got := a.Header.Get("Location"); a.StatusCode != http.StatusSeeOther || got != to {
		t.Fatalf("%s: %s to %q, want %s: %.300s", what, a.Status, got, to, a.body)
	}
}

func TestMemoryWithoutScript(t *testing.T) {
	n := start(t)
	b := n.browser(t)
	wants(t, "an empty memory", b.get(t, "/memory"), 200, "Nothing is stored yet")
	leads(t, "a new entry", b.post(t, "/memory", "namespace", "demo", "key", "plan/1", "value", "one\r\ntwo"), "/memory/demo/plan%2F1")
	if got, _ := n.holds(t, "demo", "plan/1"); got != "one\ntwo" {
		t.Fatalf("stored is %q", got)
	}
	wants(t, "the namespaces", b.get(t, "/memory"), 200, `href="/memory/demo"`)
	wants(t, "the entries", b.get(t, "/memory/demo"), 200, `href="/memory/demo/plan%2F1"`, ">one two<")
	wants(t, "no such prefix", b.get(t, "/memory/demo?prefix=x"), 200, "No key begins like this")
	wants(t, "a search", b.get(t, "/memory?q=TWO"), 200, "<mark>two</mark>")
	wants(t, "a search for nothing", b.get(t, "/memory?q=*"), 200, "The query has no word")
	wants(t, "the entry", b.get(t, "/memory/demo/plan%2F1"), 200, "one\ntwo</pre>")

	_, revision := n.holds(t, "demo", "plan/1")
	save := []string{"do", "save", "value", "three", "expires", "after", "ttl", "1", "unit", "h", "revision", strconv.FormatUint(revision, 10)}
	leads(t, "a change", b.post(t, "/memory/demo/plan%2F1", save...), "/memory/demo/plan%2F1")
	e, err := n.plane.Memory.Retrieve(t.Context(), wire.MemoryKeyParams{Namespace: "demo", Key: "plan/1"})
	if err != nil || e.Value.Text != "three" || e.ExpiresAt == nil || e.Writer != "dashboard" {
		t.Fatalf("changed is %+v, %v", e, err)
	}
	restore := []string{"do", "restore", "version", strconv.FormatUint(revision, 10), "revision", strconv.FormatUint(e.Revision, 10)}
	leads(t, "a restore", b.post(t, "/memory/demo/plan%2F1", restore...), "/memory/demo/plan%2F1")
	got, last := n.holds(t, "demo", "plan/1")
	if got != "one\ntwo" {
		t.Errorf("restored is %q", got)
	}
	leads(t, "a delete", b.post(t, "/memory/demo/plan%2F1", "do", "delete", "revision", strconv.FormatUint(last, 10)), "/memory/demo/plan%2F1")
	if got, revision := n.holds(t, "demo", "plan/1"); revision != 0 {
		t.Errorf("after the delete there is %q", got)
	}
	wants(t, "what is gone", b.get(t, "/memory/demo/plan%2F1"), 200, "It was deleted by dashboard", "Restore")
	wants(t, "what never was", b.get(t, "/memory/demo/none"), 404, "There is no such entry")
	wants(t, "no namespace", b.get(t, "/memory/No+One"), 404, "There is no such entry")
}

// TestBytesAreRestoredInAConflictWithoutScript overwrites theirs with an earlier value that is no text.
func TestBytesAreRestoredInAConflictWithoutScript(t *testing.T) {
	n := start(t)
	b := n.browser(t)
	raw := []byte{0, 1, 0xfe, '\r', 0xff}
	var last uint64
	for _, v := range []wire.Payload{wire.NewMemoryValue(raw), {Text: "theirs"}} {
		if _, err := n.plane.Memory.Store(t.Context(), noun.Caller{Actor: "dashboard"}, wire.MemoryStoreParams{Namespace: "demo", Key: "k", Value: v, ContentType: "a/b"}); err != nil {
			t.Fatal(err)
		}
		if last == 0 {
			_, last = n.holds(t, "demo", "k")
		}
	}
	version := strconv.FormatUint(last, 10)
	page := b.post(t, "/memory/demo/k", "do", "restore", "version", version, "revision", version)
	wants(t, "a restore of what was changed", page, 409, "00 01 fe 0d ff")
	_, form, _ := strings.Cut(strings.ToValidUTF8(page.body, "\uFFFD"), `data-do="yours">`) // as browsers read it
	form, _, _ = strings.Cut(form, "</form>")
	var fields []string
	for _, f := range regexp.MustCompile(`name="(\w+)" value="([^"]*)"`).FindAllStringSubmatch(form, -1) {
		fields = append(fields, f[1], f[2])
	}
	leads(t, "overwriting", b.post(t, "/memory/demo/k", fields...), "/memory/demo/k")
	e, err := n.plane.Memory.Retrieve(t.Context(), wire.MemoryKeyParams{Namespace: "demo", Key: "k"})
	if err != nil || !bytes.Equal(e.Value.Bytes(), raw) || e.ContentType != "a/b" {
		t.Errorf("there is %+v, %v", e, err)
	}
}

func TestMemoryConflictWithoutScript(t *testing.T) {
	n := start(t)
	b := n.browser(t)
	b.post(t, "/memory", "namespace", "demo", "key", "k", "value", "first")
	_, first := n.holds(t, "demo", "k")
	if _, err := n.plane.Memory.Store(t.Context(), noun.Caller{Actor: "dashboard"}, wire.MemoryStoreParams{Namespace: "demo", Key: "k", Value: wire.Payload{Text: "theirs"}}); err != nil {
		t.Fatal(err)
	}
	_, second := n.holds(t, "demo", "k")
	mine := []string{"do", "save", "value", "mine", "revision", strconv.FormatUint(first, 10)}
	wants(t, "a change of what was changed", b.post(t, "/memory/demo/k", mine...), 409, "It was changed meanwhile", "\ntheirs</pre>", "\nmine</pre>",
		"&lt;&lt;&lt;&lt;&lt;&lt;&lt; theirs")
	if got, at := n.holds(t, "demo", "k"); got != "theirs" || at != second {
		t.Fatalf("there is %q of revision %d", got, at)
	}
	wants(t, "a delete of what was changed", b.post(t, "/memory/demo/k", "do", "delete", "revision", strconv.FormatUint(first, 10)), 409, "omebody changed the entry meanwhile")
	unmerged := []string{"do", "save", "value", "<<<<<<< theirs\na\n=======\nb\n>>>>>>> yours", "revision", strconv.FormatUint(second, 10)}
	wants(t, "a merge that is not done", b.post(t, "/memory/demo/k", unmerged...), 400, "still a marker")
	if got, _ := n.holds(t, "demo", "k"); got != "theirs" {
		t.Fatalf("there is %q", got)
	}
	mine[5] = strconv.FormatUint(second, 10)
	leads(t, "overwriting", b.post(t, "/memory/demo/k", mine...), "/memory/demo/k")
	if got, _ := n.holds(t, "demo", "k"); got != "mine" {
		t.Errorf("there is %q", got)
	}
	wants(t, "a new entry that is there", b.post(t, "/memory", "namespace", "demo", "key", "k", "value", "other"), 409, "\nmine</pre>", "\nother</pre>")
}

func TestMemoryFormsSayWhatIsWrong(t *testing.T) {
	n := start(t)
	b := n.browser(t)
	wants(t, "a namespace", b.post(t, "/memory", "namespace", "No One", "key", "k", "value", "kept text"), 400, "A namespace is made of", "kept text", `value="No One"`)
	wants(t, "no key", b.post(t, "/memory", "namespace", "demo", "value", "x"), 400, "The key is missing")
	wants(t, "a time to live", b.post(t, "/memory", "namespace", "demo", "key", "k", "expires", "after", "ttl", "-1"), 400, "after how long it expires")
	large := strings.Repeat("é", wire.MaxMemoryValue/2)
	leads(t, "the largest value", b.post(t, "/memory", "namespace", "demo", "key", "large", "value", large), "/memory/demo/large")
	if got, _ := n.holds(t, "demo", "large"); got != large {
		t.Errorf("of the largest value there are %d bytes", len(got))
	}
	if a := b.post(t, "/memory", "namespace", "demo", "key", "k", "value", large+"x"); a.StatusCode < 400 || a.StatusCode > 499 || !strings.Contains(a.body, "the limit is 524288") {
		t.Errorf("a value that is too large: %s", a.Status)
	}
	if all := n.plane.Memory.Namespaces().Namespaces; len(all) != 1 || all[0].Keys != 1 {
		t.Errorf("there are %+v", all)
	}
	if a := n.ask(t, "POST", "/memory", with(b.cookie), header("Sec-Fetch-Site", "cross-site"), form(url.Values{"namespace": {"demo"}, "key": {"evil"}})); a.StatusCode != http.StatusForbidden {
		t.Errorf("another site's form: %s", a.Status)
	}
}

func TestMemoryKeysThatPathsCanNotHold(t *testing.T) {
	n := start(t)
	b := n.browser(t)
	for _, key := range []string{".", "..", "a/../b", "//", "%2e%2e", "q?x=1#y", "ünï cödé 🪿", `back\slash`, "plus+and space"} {
		a := b.post(t, "/memory", "namespace", "demo", "key", key, "value", "value of "+key)
		to := a.Header.Get("Location")
		if a.StatusCode != http.StatusSeeOther {
			t.Errorf("%q: %s", key, a.Status)
			continue
		}
		wants(t, to, b.get(t, to), 200, "value of ")
		sep := "?"
		if strings.Contains(to, "?") {
			sep = "&"
		}
		got := b.get(t, to+sep+"content")
		if got.body != "value of "+key || got.Header.Get("Content-Type") != "application/octet-stream" || !strings.HasPrefix(got.Header.Get("Content-Disposition"), "attachment") {
			t.Errorf("%s: the download is %q, %v", to, got.body, got.Header)
		}
	}
}

func TestArtifactsWithoutScript(t *testing.T) {
	n := start(t)
	b := n.browser(t)
	wants(t, "no artifacts", b.get(t, "/artifacts"), 200, "No artifacts yet", "Uploads need JavaScript")
	agent := n.script(t, "idle 1h")
	rec := n.keep(t, wire.ArtifactCreateParams{Name: "a <b>.txt", Agent: agent.ID}, "hello")
	wants(t, "the artifacts", b.get(t, "/artifacts"), 200, "a &lt;b&gt;.txt", "/artifacts/"+string(rec.ID)+"/content", ">"+agent.Name+"</a>")
	wants(t, "those of the agent", b.get(t, "/artifacts?agent="+string(agent.ID)), 200, "a &lt;b&gt;.txt", "Of agent "+agent.Name)
	wants(t, "those of another", b.get(t, "/artifacts?agent=anobody"), 200, "No artifact matches")
	wants(t, "the agent's page", b.get(t, "/agents/"+string(agent.ID)), 200, "a &lt;b&gt;.txt")
	wants(t, "the question", b.get(t, "/artifacts?delete="+string(rec.ID)), 200, "Its 5 B are removed for good")
	leads(t, "the delete", b.post(t, "/artifacts/"+string(rec.ID)+"/delete", "next", "/artifacts?q=x"), "/artifacts?q=x")
	if _, err := n.plane.Artifacts.Get(rec.ID); wire.AsError(err).Code != wire.CodeNotFound {
		t.Errorf("it is still there: %v", err)
	}
	leads(t, "a way elsewhere", b.post(t, "/artifacts/"+string(half(t, n))+"/delete", "next", "//evil.example/artifacts"), "/artifacts")
	wants(t, "what is gone", b.post(t, "/artifacts/fnone/delete"), 404, "There is no artifact")
}

func half(t *testing.T, n *node) wire.ArtifactID {
	t.Helper()
	rec, err := n.plane.Artifacts.Create(t.Context(), noun.Caller{Actor: "dashboard"}, wire.ArtifactCreateParams{Name: "x", Size: 5})
	if err != nil {
		t.Fatal(err)
	}
	return rec.ID
}
