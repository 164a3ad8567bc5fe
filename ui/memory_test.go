package ui

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/ui/agent"
	"skein.dev/skein/ui/artifact"
	"skein.dev/skein/ui/frame"
	"skein.dev/skein/ui/memory"
	"skein.dev/skein/ui/task"
	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

func entryView(i int) memory.EntryView {
	v := memory.StoryEntry(i)
	v.Frame.Assets, v.Cursor, v.LogEpoch = assets, 9, "log"
	v.Form = memory.EntryFormOf(&v.Entry, v.Gone())
	return v
}

func spaceView(entries ...wire.MemoryEntry) memory.SpaceView {
	return memory.SpaceView{Frame: frame.Frame{Now: frame.StoryNow, Assets: assets}, Namespace: wire.MemoryNamespace{Name: "demo", Keys: len(entries)}, Entries: entries, Total: len(entries)}
}

func value(t *testing.T, n node, name string) string {
	t.Helper()
	v, _ := n.attr(name)
	return v
}

func TestMemoryListsNamespaces(t *testing.T) {
	doc := render(t, memory.Memory(memory.MemoryView{Frame: frame.Frame{Now: frame.StoryNow, Assets: assets}, Namespaces: memory.StoryNamespaces()}))
	rows := doc.all(class("namespace"))
	if len(rows) != 3 {
		t.Fatalf("%d rows, want 3", len(rows))
	}
	if got := rows[0].text(); got != "demo412 of 100000 18 MiB of 64 MiB Last change 3s ago" {
		t.Errorf("the first row reads %q", got)
	}
	for i, want := range []int{1, 2, 0} { // 412 of 100,000 keys are no bar, and neither are 5 B
		if got := len(rows[i].all(class("usage-bar"))); got != want {
			t.Errorf("row %d has %d bars, want %d", i, got, want)
		}
	}
	if got := value(t, rows[1].one(t, with("data-f", "bytes-bar")), "width"); got != "0.9844" {
		t.Errorf("the bar of 63 of 64 MiB is %s wide", got)
	}
	if got := doc.one(t, with("id", "summary")).text(); got != "3 namespaces, 96725 keys, 81 MiB" {
		t.Errorf("the summary reads %q", got)
	}
	if !doc.one(t, with("id", "no-memory")).is("hidden") || !doc.one(t, with("id", "form")).is("hidden") {
		t.Error("what an empty page shows is shown")
	}
}

func TestMemoryEmptySaysWhatToDo(t *testing.T) {
	doc := render(t, memory.Memory(memory.MemoryView{Frame: frame.Frame{Assets: assets}}))
	empty := doc.one(t, with("id", "no-memory"))
	if empty.is("hidden") || !strings.Contains(empty.text(), "skein memory set demo hello world") {
		t.Errorf("an empty memory says %q", empty.text())
	}
	form := empty.one(t, tag("form"))
	sent := url.Values{}
	for _, in := range form.all(tag("input")) {
		sent.Set(value(t, in, "name"), value(t, in, "value"))
	}
	if value(t, form, "method") != "post" || value(t, form, "action") != "/memory" || sent.Encode() != "key=hello&namespace=demo&value=world" {
		t.Errorf("the form sends %s to %s", sent.Encode(), value(t, form, "action"))
	}
}

func TestSpaceListsEntries(t *testing.T) {
	doc := render(t, memory.Space(spaceView(memory.StoryEntries()...)))
	rows := doc.all(class("entry"))
	if len(rows) != len(memory.StoryEntries()) {
		t.Fatalf("%d rows", len(rows))
	}
	for i, want := range []struct{ key, value, kind, href string }{
		{"plan", "name: skein steps: - design", "text", "/memory/demo/plan"},
		{"notes", "The quick brown fox jumps", "text", "/memory/demo/notes"},
		{"config.json", `nameskeinlimits{"agents":16,"budget":12.5}labelsa, b`, "fields", "/memory/demo/config.json"},
		{"thumb.png", "89 50 4e 47 0d 0a 1a 0a 00 00 00 0d …", "binary", "/memory/demo/thumb.png"},
		{"empty", "empty", "empty", "/memory/demo/empty"},
		{"session/token", "abc", "text", "/memory/demo/session%2Ftoken"},
	} {
		key, v := rows[i].one(t, with("data-f", "key")), rows[i].one(t, with("data-f", "value"))
		if key.text() != want.key || value(t, key, "href") != want.href {
			t.Errorf("the key is %q, its link %s", key.text(), value(t, key, "href"))
		}
		if !strings.HasPrefix(v.text(), want.value) || value(t, v, "data-kind") != want.kind {
			t.Errorf("%s: the value reads %q, a %s", want.key, v.text(), value(t, v, "data-kind"))
		}
	}
	if got := rows[5].one(t, with("data-f", "expires")).text(); got != "in 4m 10s" {
		t.Errorf("expires %q", got)
	}
	if got := value(t, rows[0].one(t, with("data-f", "writer")), "href"); got != "/agents/abcdefghijk23" {
		t.Errorf("the agent's link is %q", got)
	}
	if w := rows[1].one(t, with("data-f", "writer")); w.is("href") || w.text() != "dashboard" {
		t.Errorf("a client is %q, link %v", w.text(), w.is("href"))
	}
}

func TestSpaceHasAWayOnWithoutScript(t *testing.T) {
	v := spaceView(memory.StoryEntries()[:2]...)
	v.Prefix, v.Next, v.Total = "n&", "notes", 40
	doc := render(t, memory.Space(v))
	if got := value(t, doc.one(t, with("id", "load-more")), "href"); got != "/memory/demo?after=notes&prefix=n%26" {
		t.Errorf("the next page is %s", got)
	}
	if got := doc.one(t, with("id", "more")).text(); got != "Show more 2 of 40 are shown" {
		t.Errorf("it says %q", got)
	}
}

func TestSearchMarksWords(t *testing.T) {
	v := spaceView(memory.StoryEntries()...)
	v.Search = &memory.MemorySearchView{Query: "fox*", Namespace: "demo", Hits: memory.StoryHits(), Total: 9}
	doc := render(t, memory.Space(v))
	var marks []string
	for _, m := range doc.all(tag("mark")) {
		marks = append(marks, m.text())
	}
	if want := []string{"fox", "foxes", "foxes"}; !slices.Equal(marks, want) {
		t.Errorf("marked are %q, want %q", marks, want)
	}
	if got := doc.one(t, with("data-f", "found")).text(); got != "The 3 best of 9 entries" {
		t.Errorf("it says %q", got)
	}
	if got := value(t, doc.one(t, with("data-do", "everywhere")), "href"); got != "/memory?q=fox%2A" {
		t.Errorf("all namespaces are searched at %s", got)
	}
}

func TestEntryShowsValueAndHistory(t *testing.T) {
	v := entryView(0)
	v.History = memory.StoryHistory()
	doc := render(t, memory.Entry(v))
	page := doc.one(t, with("id", "entry"))
	if value(t, page, "data-revision") != "7" || value(t, page, "data-cursor") != "9" || value(t, page, "data-epoch") != "log" {
		t.Error("the script does not get where it goes on")
	}
	versions := doc.all(class("version"))
	var words, restores []string
	for _, n := range versions {
		words = append(words, n.one(t, with("data-f", "word")).text())
		if !n.one(t, with("data-f", "restore")).is("hidden") {
			restores = append(restores, value(t, n, "data-revision"))
		}
	}
	if want := []string{"Changed", "Created", "Deleted", "Expired"}; !slices.Equal(words, want) {
		t.Errorf("the history is %q, want %q", words, want)
	}
	if want := []string{"5"}; !slices.Equal(restores, want) {
		t.Errorf("%q can be restored, want %q", restores, want)
	}
	var ops []string
	for _, l := range versions[0].all(class("dl")) {
		ops = append(ops, value(t, l, "data-op"))
	}
	if got, want := strings.Join(ops, ""), "…   -+ +"; got != want {
		t.Errorf("the changes are %q, want %q", got, want)
	}
}

func TestEntryThatIsGone(t *testing.T) {
	v := entryView(0)
	v.History = memory.StoryHistory()[2:]
	v.Entry = v.History[0]
	v.Form = memory.EntryFormOf(&v.Entry, true)
	doc := render(t, memory.Entry(v))
	if gone := doc.one(t, with("id", "gone")); gone.is("hidden") || !strings.HasPrefix(gone.text(), "It was deleted by skein-cli.") {
		t.Errorf("it says %q", gone.text())
	}
	if !doc.one(t, with("id", "value")).is("hidden") || !doc.one(t, with("id", "acts")).is("hidden") {
		t.Error("there is a value, or something to delete")
	}
	if got := value(t, doc.one(t, with("id", "entry-form")).one(t, with("name", "revision")), "value"); got != "0" {
		t.Errorf("a new value must find revision %s, want 0", got)
	}
}

func TestEntryFormKeepsLeadingNewlines(t *testing.T) {
	v := entryView(0)
	v.Form.Value = "\n\nthird line"
	doc := render(t, memory.Entry(v))
	text := doc.one(t, with("id", "form-value")).FirstChild.Data
	if text != v.Form.Value {
		t.Errorf("the form has %q, want %q", text, v.Form.Value)
	}
}

func TestBytesAreNotEditedAsText(t *testing.T) {
	v := entryView(3)
	doc := render(t, memory.Entry(v))
	if doc.one(t, with("id", "form-value")).text() != "" {
		t.Error("bytes stand in the form as text")
	}
	if got := doc.one(t, with("id", "value")).one(t, with("data-f", "value")).text(); !strings.HasPrefix(got, "00000000 89 50 4e 47") {
		t.Errorf("the value reads %q", got)
	}
}

func TestConflictShowsBothAndCarriesTheirRevision(t *testing.T) {
	v := entryView(0)
	v.Conflict = &memory.Conflict{Theirs: v.Entry, Yours: memory.StoryForm()}
	doc := render(t, memory.Entry(v))
	c := doc.one(t, with("id", "conflict"))
	if c.is("hidden") {
		t.Fatal("it is hidden")
	}
	if theirs := c.one(t, with("data-f", "theirs")).text(); !strings.Contains(theirs, "planner") {
		t.Errorf("theirs reads %q", theirs)
	}
	if yours := c.one(t, with("data-f", "yours")).text(); !strings.Contains(yours, "indexer") {
		t.Errorf("yours reads %q", yours)
	}
	for _, do := range []string{"yours", "merged"} {
		form := c.one(t, both(tag("form"), with("data-do", do)))
		if got := value(t, form.one(t, with("name", "revision")), "value"); got != "7" {
			t.Errorf("%s stores over revision %s, want theirs, 7", do, got)
		}
		if got := value(t, form.one(t, with("name", "ttl")), "value"); got != "0" {
			t.Errorf("%s has lost the time to live: %q", do, got)
		}
	}
	if merged := c.one(t, with("id", "merged")).FirstChild.Data; !words.Unmerged(merged) || !strings.Contains(merged, "planner") || !strings.Contains(merged, "indexer") {
		t.Errorf("what is to be merged reads %q", merged)
	}
}

func TestEntryFormParams(t *testing.T) {
	now := frame.StoryNow
	at := now.Add(90 * time.Second)
	for name, c := range map[string]struct {
		fields string
		ttl    int64
		field  string
	}{
		"never":         {"expires=never&ttl=5&unit=s", 0, ""},
		"nothing said":  {"", 0, ""},
		"after":         {"expires=after&ttl=1.5&unit=h", 5_400_000, ""},
		"after nothing": {"expires=after&ttl=&unit=h", 0, "ttl"},
		"after zero":    {"expires=after&ttl=0&unit=h", 0, "ttl"},
		"after a word":  {"expires=after&ttl=NaN&unit=h", 0, "ttl"},
		"kept":          {"expires=keep&keep_until=" + url.QueryEscape(at.Format(time.RFC3339Nano)), 90_000, ""},
		"too late":      {"expires=keep&keep_until=" + url.QueryEscape(now.Add(-time.Hour).Format(time.RFC3339Nano)), 0, "ttl"},
	} {
		t.Run(name, func(t *testing.T) {
			q, err := url.ParseQuery("namespace=demo&key=a&value=x%0D%0Ay&revision=12&" + c.fields)
			if err != nil {
				t.Fatal(err)
			}
			p, err := memory.ParseEntryForm(q).Params(now)
			if field := ""; err != nil {
				if e := wire.AsError(err); e.Data != nil {
					field = e.Data.Field
				}
				if field != c.field {
					t.Fatalf("it is refused for %q: %v", field, err)
				}
				return
			}
			if c.field != "" {
				t.Fatal("it is not refused")
			}
			if p.TTLMS != c.ttl || p.Value.Text != "x\ny" || *p.IfRevision != 12 {
				t.Errorf("it asks for %+v, ttl %d, if revision %d", p, p.TTLMS, *p.IfRevision)
			}
		})
	}
}

func TestArtifactsPage(t *testing.T) {
	v := artifact.StoryArtifacts()
	v.Frame.Assets, v.Filter, v.Bytes = assets, artifact.ArtifactFilter{Agent: "abcdefghijk23"}, 5<<20
	doc := render(t, artifact.Artifacts(v))
	rows := doc.all(class("artifact"))
	if len(rows) != len(v.Artifacts) {
		t.Fatalf("%d rows", len(rows))
	}
	for i, hidden := range []bool{true, true, false} {
		if got := rows[i].one(t, func(n node) bool { return strings.HasSuffix(value(t, n, "href"), "/content") }).is("hidden"); got != hidden {
			t.Errorf("the download of row %d is hidden: %v", i, got)
		}
	}
	if got := rows[0].one(t, class("status")).text(); got != "Uploading at 33%" {
		t.Errorf("an upload is %q", got)
	}
	if got := rows[1].one(t, class("status")).text(); got != "Paused at 32%" {
		t.Errorf("an upload that stands still is %q", got)
	}
	if got := value(t, rows[2].one(t, class("name")), "href"); got != "/artifacts/fbcdefghijk23?agent=abcdefghijk23" {
		t.Errorf("its page is %s", got)
	}
	if got := value(t, rows[2].one(t, with("data-do", "delete")), "href"); got != "/artifacts?agent=abcdefghijk23&delete=fbcdefghijk23" {
		t.Errorf("without script it is deleted at %s", got)
	}
	if got := value(t, rows[3].all(class("writer"))[1], "href"); got != "/tasks/tbcdefghijk23" {
		t.Errorf("the task's link is %s", got)
	}
	if got := doc.one(t, with("id", "whose")).text(); got != "Of agent indexer Show all artifacts" {
		t.Errorf("the filter reads %q", got)
	}
	if n := len(doc.all(tag("noscript"))); n != 1 {
		t.Errorf("%d noscript", n)
	}
}

func TestArtifactsAskWithoutScript(t *testing.T) {
	v := artifact.StoryArtifacts()
	v.Frame.Assets, v.Filter, v.Delete = assets, artifact.ArtifactFilter{Query: "x"}, &v.Artifacts[2]
	ask := render(t, artifact.Artifacts(v)).one(t, with("id", "delete-page"))
	form := ask.one(t, tag("form"))
	if got := value(t, form, "action"); got != "/artifacts/fbcdefghijk23/delete" {
		t.Errorf("it is deleted at %s", got)
	}
	if got := value(t, form.one(t, with("name", "next")), "value"); got != "/artifacts?q=x" {
		t.Errorf("it leads back to %s", got)
	}
}

func TestAgentPageHasItsArtifacts(t *testing.T) {
	v := agent.AgentView{Agent: running("abcdefghijk23", time.Minute), Assets: assets, Now: frame.StoryNow}
	if !render(t, agent.AgentPage(v)).one(t, with("id", "kept")).is("hidden") {
		t.Error("a section without artifacts is shown")
	}
	v.Kept = artifact.Kept{Agent: "abcdefghijk23", Artifacts: artifact.StoryArtifacts().Artifacts[:2], Total: 7}
	section := render(t, agent.AgentPage(v)).one(t, with("id", "kept"))
	if got := section.text(); got != "ArtifactsAll 7photos.tar Uploading at 33%half.tar Paused at 32%" {
		t.Errorf("it reads %q", got)
	}
	if got := value(t, section.one(t, with("data-f", "all")), "href"); got != "/artifacts?agent=abcdefghijk23" {
		t.Errorf("all are at %s", got)
	}
}

func TestTaskPageHasItsArtifacts(t *testing.T) {
	v := task.TaskView{Frame: frame.Frame{Now: frame.StoryNow, Assets: assets}, Task: wire.Task{ID: "tbcdefghijk23", State: wire.TaskCompleted, CreatedAt: frame.StoryNow},
		Kept: artifact.Kept{Task: "tbcdefghijk23", Artifacts: artifact.StoryArtifacts().Artifacts[2:3], Total: 1}}
	section := render(t, task.Task(v)).one(t, with("id", "kept"))
	if got := value(t, section.one(t, class("name")), "href"); got != "/artifacts/fbcdefghijk23?task=tbcdefghijk23" {
		t.Errorf("its artifact is at %q", got)
	}
	if got := value(t, section.one(t, with("data-f", "all")), "href"); got != "/artifacts?task=tbcdefghijk23" {
		t.Errorf("all are at %s", got)
	}
}
