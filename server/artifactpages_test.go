package server

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// keep makes an artifact with this content.
func (n *node) keep(t *testing.T, p wire.ArtifactCreateParams, content string) wire.Artifact {
	t.Helper()
	p.Size = int64(len(content))
	rec, err := n.plane.Artifacts.Create(t.Context(), noun.Caller{Actor: "dashboard"}, p)
	if err != nil {
		t.Fatal(err)
	}
	up, _, err := n.plane.Artifacts.Upload(t.Context(), rec.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer up.Close()
	whole, err := up.Receive(strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return whole
}

const tinyPNG = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"

func TestArtifactPages(t *testing.T) {
	t.Parallel()
	n := start(t)
	b := n.browser(t)
	agent := n.script(t, "idle 1h")
	task, err := n.plane.Tasks.Submit(t.Context(), noun.Caller{Actor: "dashboard"}, wire.SubmitParams{Tasks: []wire.TaskSpec{{Name: "make <it>", Type: "remote", Queue: "q"}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		artifact wire.ArtifactCreateParams
		content  string
		query    string
		want     []string
	}{
		"what it is of":  {wire.ArtifactCreateParams{Name: "a <b>.txt", Agent: agent.ID, Task: task.Tasks[0].ID}, "one\n<b>two", "", []string{"a &lt;b&gt;.txt", ">" + agent.Name + "</a>", ">make &lt;it&gt;</a>", `<span class="txt">one</span>` + "\n" + `<span class="txt">&lt;b&gt;two</span>`, "2 lines"}},
		"a table":        {wire.ArtifactCreateParams{Name: "x.csv"}, "name,n\nfox,<3>\n", "", []string{`>name</th>`, "&lt;3&gt;", "1 row"}},
		"its text":       {wire.ArtifactCreateParams{Name: "y.csv"}, "name,n\nfox,3\n", "?as=text", []string{`<span class="txt">fox,3</span>`, `?as=table"`}},
		"a document":     {wire.ArtifactCreateParams{Name: "x.md"}, "# One\n[a](javascript:x)", "", []string{"<h3>One</h3>", `<span class="md-dead"`}},
		"a picture":      {wire.ArtifactCreateParams{Name: "x.png"}, tinyPNG, "", []string{`<img src="/artifacts/`, `/view" alt="x.png"`}},
		"a page":         {wire.ArtifactCreateParams{Name: "x.html"}, "<script>alert(1)</script>", "", []string{`<span class="txt">&lt;script&gt;alert(1)&lt;/script&gt;</span>`}},
		"bytes":          {wire.ArtifactCreateParams{Name: "x"}, "\x00\x01abc", "", []string{"00 01 61 62 63"}},
		"nothing":        {wire.ArtifactCreateParams{Name: "x.json"}, "", "", []string{"It is empty."}},
		"a long one":     {wire.ArtifactCreateParams{Name: "x.log"}, strings.Repeat("0123456789\n", 200_000) + "the end", "", []string{"The first 5000 lines", "These are the first 54 KiB of 2.1 MiB", "?part=end"}},
		"its end":        {wire.ArtifactCreateParams{Name: "y.log"}, strings.Repeat("0123456789\n", 200_000) + "the end", "?part=end", []string{"The last 5000 lines", "These are the last 54 KiB", `<span class="txt">the end</span>`}},
		"another's type": {wire.ArtifactCreateParams{Name: "x.pdf", MediaType: "application/pdf"}, "hello", "", []string{"Its media type is application/pdf, but its bytes are text."}},
	} {
		a := n.keep(t, c.artifact, c.content)
		got := b.get(t, "/artifacts/"+string(a.ID)+c.query)
		wants(t, name, got, 200, c.want...)
		if policy := got.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "script-src 'self';") || !strings.Contains(policy, "img-src 'self' data:;") {
			t.Errorf("%s: the policy is %q", name, policy)
		}
	}
	wants(t, "one that is uploaded", b.get(t, "/artifacts/"+string(half(t, n))), 200, "0 B of 5 B came so far", "Uploading at 0%", `<progress class="bar"`)
	wants(t, "none", b.get(t, "/artifacts/fnone"), 404, "There is no artifact fnone")
	if got := n.ask(t, "GET", "/artifacts/fnone"); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("to a stranger: %s", got.Status)
	}
}

// The page has the neighbours in the list that it was opened from.
func TestArtifactPagesHaveNeighbours(t *testing.T) {
	t.Parallel()
	n := start(t)
	b := n.browser(t)
	agent := n.script(t, "idle 1h")
	one := n.keep(t, wire.ArtifactCreateParams{Name: "one.txt", Agent: agent.ID}, "1")
	other := n.keep(t, wire.ArtifactCreateParams{Name: "other.md"}, "2")
	two := n.keep(t, wire.ArtifactCreateParams{Name: "two.txt", Agent: agent.ID}, "3")
	of := "?agent=" + string(agent.ID)
	for name, c := range map[string]struct {
		id                   wire.ArtifactID
		query                string
		place                string
		previous, next, list string
	}{
		"the newest":             {two.ID, "", "1 of 3", "", "/artifacts/" + string(other.ID), "/artifacts"},
		"one between":            {other.ID, "", "2 of 3", "/artifacts/" + string(two.ID), "/artifacts/" + string(one.ID), "/artifacts"},
		"the newest of an agent": {two.ID, of, "1 of 2", "", "/artifacts/" + string(one.ID) + of, "/artifacts" + of},
		"the oldest of a search": {one.ID, "?q=TXT", "2 of 2", "/artifacts/" + string(two.ID) + "?q=TXT", "", "/artifacts?q=TXT"},
		"one of another list":    {other.ID, of, "", "", "", "/artifacts" + of},
	} {
		got := b.get(t, "/artifacts/"+string(c.id)+c.query)
		wants(t, name, got, 200, c.place)
		for do, want := range map[string]string{"previous": c.previous, "next": c.next, "list": c.list} {
			m := regexp.MustCompile(`data-do="` + do + `" href="([^"]*)"`).FindStringSubmatch(got.body)
			if want == "" && m != nil || want != "" && (m == nil || m[1] != want) {
				t.Errorf("%s: %s leads to %q, want %q", name, do, m, want)
			}
		}
	}
}

// What a browser's viewer gets is never a page, whatever its maker says, and can run nothing.
func TestBytesOfArtifactsAreHarmless(t *testing.T) {
	t.Parallel()
	n := start(t)
	cookie := with(n.login(t))
	for name, c := range map[string]struct {
		artifact    wire.ArtifactCreateParams
		content     string
		typ         string // "": it is not served for a viewer
		disposition string
	}{
		"a picture":                   {wire.ArtifactCreateParams{Name: "x.png"}, tinyPNG, "image/png", `inline; filename="x.png"`},
		"a picture called a page":     {wire.ArtifactCreateParams{Name: "x.html", MediaType: "text/html"}, tinyPNG, "image/png", `inline; filename="x.html"`},
		"SVG":                         {wire.ArtifactCreateParams{Name: "x.svg"}, `<svg onload="alert(1)"/>`, "image/svg+xml", `attachment; filename="x.svg"`},
		"a PDF":                       {wire.ArtifactCreateParams{Name: "x.pdf"}, "%PDF-1.4", "application/pdf", `inline; filename="x.pdf"`},
		"a page":                      {wire.ArtifactCreateParams{Name: "x.html"}, "<script>alert(1)</script>", "", ""},
		"a page called a picture":     {wire.ArtifactCreateParams{Name: "x.png", MediaType: "image/png"}, "<script>alert(1)</script>", "", ""},
		"a page called SVG":           {wire.ArtifactCreateParams{Name: "x.svg", MediaType: "image/svg+xml"}, "<html><script>alert(1)</script>", "", ""},
		"a script":                    {wire.ArtifactCreateParams{Name: "x.js", MediaType: "text/javascript"}, "alert(1)", "", ""},
		"a name with a quote":         {wire.ArtifactCreateParams{Name: `"; x=`}, tinyPNG, "image/png", `inline; filename="__ x="; filename*=UTF-8''%22%3B%20x%3D`},
		"one whose upload is pending": {wire.ArtifactCreateParams{}, "", "", ""},
	} {
		id := wire.ArtifactID("")
		if c.artifact.Name == "" {
			id = half(t, n)
		} else {
			id = n.keep(t, c.artifact, c.content).ID
		}
		got := n.ask(t, "GET", "/artifacts/"+string(id)+"/view", cookie)
		h := got.Header
		if c.typ == "" {
			if got.StatusCode != http.StatusNotFound {
				t.Errorf("%s: %s, %s", name, got.Status, h.Get("Content-Type"))
			}
			continue
		}
		policy := h.Get("Content-Security-Policy")
		if got.StatusCode != 200 || got.body != c.content || h.Get("Content-Type") != c.typ || h.Get("Content-Disposition") != c.disposition ||
			h.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(policy, "sandbox; default-src 'none';") || strings.Contains(policy, "script") {
			t.Errorf("%s: %s %v", name, got.Status, h)
		}
		got = n.ask(t, "GET", "/artifacts/"+string(id)+"/view", cookie, header("Range", "bytes=1-3"))
		if got.StatusCode != http.StatusPartialContent || got.body != c.content[1:4] {
			t.Errorf("a part of %s: %s %q", name, got.Status, got.body)
		}
		got = n.ask(t, "GET", "/artifacts/"+string(id)+"/content", cookie)
		if policy := got.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "sandbox; default-src 'none';") || !strings.HasPrefix(got.Header.Get("Content-Disposition"), "attachment") {
			t.Errorf("the download of %s: %v", name, got.Header)
		}
		if got := n.ask(t, "GET", "/artifacts/"+string(id)+"/view"); got.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s to a stranger: %s", name, got.Status)
		}
	}
}
