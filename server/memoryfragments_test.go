package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"skein.dev/skein/webtransport/wire"
)

// renderMemory asks for a part of a page of memory.
func (s *stream) renderMemory(t *testing.T, p wire.MemoryRenderParams) wire.MemoryRenderResult {
	t.Helper()
	return result[wire.MemoryRenderResult](t, s.ask(t, `"`+clientID()+`"`, wire.MethodMemoryRender, p))
}

// still removes from HTML what depends on when it was rendered.
func still(html string) string {
	var b strings.Builder
	for i, part := range strings.Split(html, "<time") {
		if _, after, ok := strings.Cut(part, "</time>"); i > 0 && ok {
			part = "<time>" + after
		}
		b.WriteString(part)
	}
	return b.String()
}

func TestMemoryIsRenderedForItsPages(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t, func(o *Options) { o.BasePath = "/skein" })
		m := n.join(t, tr).memory(t)
		for id, e := range []wire.MemoryStoreParams{storing("demo", "a fox", "<b>quick</b> fox"), storing("demo", "constructor", "[1]"), storing("other", "k", "fox")} {
			if id == 0 {
				e.TTLMS = 3_600_000
			}
			result[wire.MemoryEntry](t, m.ask(t, fmt.Sprint(id), wire.MethodMemoryStore, e))
		}
		rows := m.renderMemory(t, wire.MemoryRenderParams{HTML: wire.MemoryAsRow, Namespace: "demo", Keys: []string{"a fox", "gone", "constructor"}}).Rows
		spaces := m.renderMemory(t, wire.MemoryRenderParams{HTML: wire.MemoryAsNamespace, Keys: []string{"other", "none"}}).Rows
		if len(rows) != 2 || len(spaces) != 1 {
			t.Errorf("%d rows of 2, %d namespaces of 1", len(rows), len(spaces))
		}
		space := m.renderMemory(t, wire.MemoryRenderParams{HTML: wire.MemoryAsSpace, Namespace: "demo"}).HTML
		use := space[strings.Index(space, `<div class="space-use"`):]
		for what, c := range map[string]struct {
			path, html string
			want       []string
		}{
			"a row":       {"/memory/demo", rows["a fox"], []string{`data-key="a fox"`, `href="/skein/memory/demo/a%20fox"`, "&lt;b&gt;quick", `data-tick="left" data-before="in "`, `>in `, `data-tick="ago"`}},
			"its like":    {"/memory/demo", rows["constructor"], []string{`data-kind="json"`, "data-none", "–"}},
			"a namespace": {"/memory", spaces["other"], []string{`data-name="other"`, `href="/skein/memory/other"`, "of 100000", `data-revision="`}},
			"its sum":     {"/memory/demo", strings.TrimSuffix(space, use), []string{"2 keys, 19 B"}},
			"its use":     {"/memory/demo", use, []string{`data-keys="2"`, "64 MiB"}},
			"hits":        {"/memory/demo?q=qu*", m.renderMemory(t, wire.MemoryRenderParams{HTML: wire.MemoryAsHits, Namespace: "demo", Query: "qu*"}).HTML, []string{"Found in demo", "1 entry", "&lt;b&gt;<mark>quick</mark>", "/skein/memory?q=qu%2A"}},
			"no hit":      {"/memory?q=geese", m.renderMemory(t, wire.MemoryRenderParams{HTML: wire.MemoryAsHits, Query: "geese"}).HTML, []string{"Found in all namespaces", "No key or value has all these words"}},
			"no query":    {"/memory?q=*", m.renderMemory(t, wire.MemoryRenderParams{HTML: wire.MemoryAsHits, Query: "*"}).HTML, []string{"has no word"}},
		} {
			for _, want := range c.want {
				if !strings.Contains(c.html, want) {
					t.Errorf("%s has no %s: %s", what, want, c.html)
				}
			}
			if page := n.ask(t, http.MethodGet, c.path, with(n.login(t)), asPage).body; !strings.Contains(still(page), still(c.html)) {
				t.Errorf("the first render of %s has another than %s", c.path, c.html)
			}
		}
	})
}

func TestAnEntryIsRenderedForItsPage(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, tr wire.Transport) {
		n := start(t, func(o *Options) { o.BasePath = "/skein" })
		m := n.join(t, tr).memory(t)
		for id, value := range []string{"one\ntwo", "one\n<b>2</b>"} {
			result[wire.MemoryEntry](t, m.ask(t, fmt.Sprint(id), wire.MethodMemoryStore, storing("demo", "k", value)))
		}
		html := m.renderMemory(t, wire.MemoryRenderParams{HTML: wire.MemoryAsPage, Namespace: "demo", Key: "k"}).HTML
		for _, want := range []string{"\none\n&lt;b&gt;2&lt;/b&gt;</pre>", `<span class="sr">Added: </span><span class="dl-text">&lt;b&gt;2`, ">Created<", ">Changed<", ">12 B<", `name="version"`, `data-do="edit"`} {
			if !strings.Contains(html, want) {
				t.Errorf("the page has no %s: %s", want, html)
			}
		}
		page := still(n.ask(t, http.MethodGet, "/memory/demo/k", with(n.login(t)), asPage).body)
		rest := still(html)
		for _, id := range []string{`<dl class="facts" id="facts"`, `<p class="gone" id="gone"`, `<section class="panel value-panel" id="value"`, `<ol id="versions"`, `<p class="hint" id="no-history"`} {
			part, after, ok := strings.Cut(rest, id)
			if rest = id + after; !ok || !strings.Contains(page, part) {
				t.Errorf("the first render has another than %s", part)
			}
		}
		if !strings.Contains(page, rest) {
			t.Errorf("the first render has another than %s", rest)
		}
		result[wire.MemoryDeleteResult](t, m.ask(t, "9", wire.MethodMemoryDelete, keyOf("demo", "k")))
		html = m.renderMemory(t, wire.MemoryRenderParams{HTML: wire.MemoryAsPage, Namespace: "demo", Key: "k"}).HTML
		for _, want := range []string{"It was deleted by test.", `id="value" aria-labelledby="value-title" hidden`, ">Deleted<"} {
			if !strings.Contains(html, want) {
				t.Errorf("of what is gone the page has no %s: %s", want, html)
			}
		}
	})
}

func TestAConflictIsRenderedForItsPage(t *testing.T) {
	t.Parallel()
	n := start(t)
	m := n.join(t, wire.WebSocket).memory(t)
	e := result[wire.MemoryEntry](t, m.ask(t, "1", wire.MethodMemoryStore, storing("demo", "k", "one\n<i>theirs</i>")))
	p := wire.MemoryRenderParams{HTML: wire.MemoryAsConflict, Namespace: "demo", Key: "k", Value: wire.Payload{Text: "one\nyours"}, ContentType: "text/markdown", TTLMS: 1500, IfRevision: 7}
	html := m.renderMemory(t, p).HTML
	page := n.browser(t).post(t, "/memory/demo/k", "do", "save", "expires", "after", "ttl", "1.5", "unit", "s", "content_type", p.ContentType, "revision", "7", "value", p.Value.Text).body
	if !strings.Contains(still(page), still(html)) {
		t.Errorf("without script it is another than %s", html)
	}
	for _, want := range []string{"It was changed meanwhile", "\none\n&lt;i&gt;theirs&lt;/i&gt;</pre>", "made from revision 7", fmt.Sprintf(`data-revision="%d"`, e.Revision), "&lt;&lt;&lt;&lt;&lt;&lt;&lt; theirs", `name="ttl" value="1.5"`} {
		if !strings.Contains(html, want) {
			t.Errorf("it has no %s: %s", want, html)
		}
	}
	result[wire.MemoryDeleteResult](t, m.ask(t, "2", wire.MethodMemoryDelete, keyOf("demo", "k")))
	p.IfRevision = 0
	html = m.renderMemory(t, p).HTML
	for _, want := range []string{"It was deleted meanwhile", "Nothing: it is deleted.", "the entry was to be new", "Store yours anew", `data-revision="0" data-gone`} {
		if !strings.Contains(html, want) {
			t.Errorf("of what is gone it has no %s: %s", want, html)
		}
	}
}

func TestMemoryThatCannotBeRendered(t *testing.T) {
	t.Parallel()
	m := start(t).join(t, wire.WebSocket).memory(t)
	for id, c := range []struct {
		p     wire.MemoryRenderParams
		code  wire.ErrorCode
		field string
	}{
		{wire.MemoryRenderParams{}, wire.CodeInvalidParams, "html"},
		{wire.MemoryRenderParams{HTML: "card"}, wire.CodeInvalidParams, "html"},
		{wire.MemoryRenderParams{HTML: wire.MemoryAsRow, Namespace: "demo"}, wire.CodeInvalidParams, "keys"},
		{wire.MemoryRenderParams{HTML: wire.MemoryAsNamespace, Keys: make([]string, wire.MaxRender+1)}, wire.CodeInvalidParams, "keys"},
		{wire.MemoryRenderParams{HTML: wire.MemoryAsRow, Namespace: "No", Keys: []string{"k"}}, wire.CodeInvalidParams, "namespace"},
		{wire.MemoryRenderParams{HTML: wire.MemoryAsPage, Namespace: "demo"}, wire.CodeInvalidParams, "key"},
		{wire.MemoryRenderParams{HTML: wire.MemoryAsConflict, Namespace: "No", Key: "k"}, wire.CodeInvalidParams, "namespace"},
		{wire.MemoryRenderParams{HTML: wire.MemoryAsHits, Namespace: "demo", Query: strings.Repeat("a", 400_000)}, wire.CodeTooLarge, "query"},
	} {
		isError(t, m.ask(t, fmt.Sprint(id), wire.MethodMemoryRender, c.p), c.code, c.field)
	}
}

// TestMemoryIsRenderedInMessages renders more than one message holds.
func TestMemoryIsRenderedInMessages(t *testing.T) {
	t.Parallel()
	m := start(t).join(t, wire.WebSocket).memory(t)
	var many wire.MemorySetManyParams
	var keys []string
	for i := range wire.MaxRender {
		keys = append(keys, fmt.Sprintf("%03d%s", i, strings.Repeat(`<"&`, 80)))
		many.Entries = append(many.Entries, storing("demo", keys[i], "fox"))
	}
	result[wire.MemoryManyResult](t, m.ask(t, "1", wire.MethodMemorySetMany, many))
	rows := m.renderMemory(t, wire.MemoryRenderParams{HTML: wire.MemoryAsRow, Namespace: "demo", Keys: keys}).Rows
	if len(rows) == 0 || len(rows) > len(keys) || rows[keys[0]] == "" {
		t.Errorf("%d rows", len(rows))
	}
	long := storing("demo", "long", strings.Repeat("&", 100_000))
	result[wire.MemoryEntry](t, m.ask(t, "2", wire.MethodMemoryStore, long))
	for _, as := range []wire.MemoryHTML{wire.MemoryAsPage, wire.MemoryAsConflict} {
		if res := m.renderMemory(t, wire.MemoryRenderParams{HTML: as, Namespace: "demo", Key: "long"}); res.HTML != "" {
			t.Errorf("a %s of %d bytes", as, len(res.HTML))
		}
	}
	hits := m.renderMemory(t, wire.MemoryRenderParams{HTML: wire.MemoryAsHits, Query: "fox"}).HTML
	if !strings.Contains(hits, " best of 100 entries") || !strings.Contains(hits, "<li") {
		t.Errorf("%d bytes of hits: %.2000s", len(hits), hits)
	}
}

func TestMemoryIsRenderedWithoutASession(t *testing.T) {
	t.Parallel()
	n := start(t)
	store := request("1", wire.MethodMemoryStore, storing("demo", "k", "v"))
	if a := n.rpc(t, clientID(), store); a.StatusCode != http.StatusOK {
		t.Fatal(a.Status, a.body)
	}
	var m wire.Message
	a := n.rpc(t, clientID(), request("2", wire.MethodMemoryRender, wire.MemoryRenderParams{HTML: wire.MemoryAsRow, Namespace: "demo", Keys: []string{"k"}}))
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		t.Fatal(err)
	}
	if row := result[wire.MemoryRenderResult](t, &m).Rows["k"]; !strings.Contains(row, `data-key="k"`) {
		t.Errorf("%s", a.body)
	}
}
