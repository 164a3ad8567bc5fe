package server

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/noun"
	"skein.dev/skein/webtransport/wire"
)

// submit submits a task and waits until it is in that state.
func (n *node) submit(t *testing.T, s wire.TaskSpec, state wire.TaskState) wire.Task {
	t.Helper()
	res, err := n.plane.Tasks.Submit(t.Context(), noun.Caller{Actor: "test"}, wire.SubmitParams{Tasks: []wire.TaskSpec{s}})
	if err != nil {
		t.Fatal(err)
	}
	return n.until(t, res.Tasks[0].ID, state)
}

func (n *node) until(t *testing.T, id wire.TaskID, state wire.TaskState) (rec wire.Task) {
	t.Helper()
	kit.Eventually(t, string(id)+" is "+string(state), func() bool {
		var err error
		if rec, err = n.plane.Tasks.Get(id); err != nil {
			t.Fatal(err)
		}
		return rec.State == state
	})
	return rec
}

var asPage = header("Accept", "text/html")

func TestTasksPages(t *testing.T) {
	n := start(t)
	in := with(n.login(t))
	done := n.submit(t, wire.TaskSpec{Type: "shell", Name: "three words", Argv: []string{"wc", "-w"}, Input: wire.Payload{Text: "a b c"}}, wire.TaskCompleted)
	after := n.submit(t, wire.TaskSpec{Type: "shell", Argv: []string{"echo", "after it"}, DependsOn: []string{string(done.ID)}}, wire.TaskCompleted)
	for path, want := range map[string][]string{
		"/tasks/" + string(after.ID): {"<h1 data-f=\"name\">echo &#39;after it&#39;</h1>", "Depends on", ">three words</a>"},
		"/tasks":                     {"three words", "Completed", ">3<"},
		"/tasks?view=board":          {"three words", "view=board"},
		"/tasks?q=no+such":           {"No task matches"},
		"/tasks/" + string(done.ID):  {"three words", "a b c", "Attempt 1 began", "Submit again"},
	} {
		a := n.ask(t, "GET", path, in, asPage)
		if a.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, a.Status)
		}
		for _, w := range want {
			if !strings.Contains(a.body, w) {
				t.Errorf("%s has no %q", path, w)
			}
		}
		if a := n.ask(t, "GET", path); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s to a stranger: %s", path, a.Status)
		}
	}
	if a := n.ask(t, "GET", "/tasks/tnone", in, asPage); a.StatusCode != http.StatusNotFound || !strings.Contains(a.body, "To the tasks") {
		t.Errorf("a page for no task: %s %s", a.Status, a.body)
	}
	if e := n.ask(t, "GET", "/tasks/tnone", in).reason(t); e.Code != wire.CodeNotFound {
		t.Errorf("a program is told %v", e)
	}
}

func TestTaskPayloads(t *testing.T) {
	n := start(t)
	in := with(n.login(t))
	sh := func(script string) wire.TaskSpec {
		return wire.TaskSpec{Type: "shell", Argv: []string{"sh", "-c", script}, Input: wire.Payload{Text: "<b>the input</b>"}}
	}
	for name, c := range map[string]struct{ script, body, kind string }{
		"text":   {"printf '<script>alert(1)</script>'", "<script>alert(1)</script>", "text/plain; charset=utf-8"},
		"JSON":   {`printf '{"n":12345678901234567890}'`, `{"n":12345678901234567890}`, "application/json"},
		"binary": {`printf '\377\000'`, "\xff\x00", "application/octet-stream"},
		"long":   {"head -c 5000 /dev/zero | tr '\\0' x", strings.Repeat("x", 5000), "text/plain; charset=utf-8"},
	} {
		t.Run(name, func(t *testing.T) {
			id := string(n.submit(t, sh(c.script), wire.TaskCompleted).ID)
			a := n.ask(t, "GET", "/tasks/"+id+"/result", in)
			if a.StatusCode != http.StatusOK || a.body != c.body || a.Header.Get("Content-Type") != c.kind {
				t.Errorf("%s %q, %q", a.Status, a.body[:min(len(a.body), 60)], a.Header.Get("Content-Type"))
			}
			if !strings.HasPrefix(a.Header.Get("Content-Disposition"), "attachment; ") || a.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Error("a browser may show it as a page of this server")
			}
			if a := n.ask(t, "GET", "/tasks/"+id+"/input", in); a.body != "<b>the input</b>" {
				t.Errorf("the input is %q", a.body)
			}
			if a := n.ask(t, "GET", "/tasks/"+id+"/result"); a.StatusCode != http.StatusUnauthorized {
				t.Errorf("to a stranger: %s", a.Status)
			}
		})
	}
	id := string(n.submit(t, sh("exit 3"), wire.TaskFailed).ID)
	if a := n.ask(t, "GET", "/tasks/"+id+"/result", in); a.StatusCode != http.StatusNotFound {
		t.Errorf("no result: %s", a.Status)
	}
}

// TestTaskForms checks that the forms work without JavaScript, but only with a login and not from another site.
func TestTaskForms(t *testing.T) {
	n := start(t)
	in := with(n.login(t))
	sleep := wire.TaskSpec{Type: "shell", Argv: []string{"sleep", "300"}}
	agentOf := func(rec wire.Task) wire.AgentID {
		kit.Eventually(t, "an agent has it", func() bool {
			rec, _ = n.plane.Tasks.Get(rec.ID)
			return rec.Runs[0].Agent != "" && len(processes(t, rec.Runs[0].Agent)) > 0
		})
		return rec.Runs[0].Agent
	}
	for act, message := range map[string]string{"cancel": "canceled by dashboard", "stop": "stopped by dashboard"} {
		t.Run(act, func(t *testing.T) {
			rec := n.submit(t, sleep, wire.TaskWorking)
			agent, path := agentOf(rec), "/tasks/"+string(rec.ID)+"/"+act
			if a := n.ask(t, "POST", path); a.StatusCode != http.StatusUnauthorized {
				t.Fatalf("a stranger: %s", a.Status)
			}
			if a := n.ask(t, "POST", path, in, header("Sec-Fetch-Site", "cross-site"), header("Origin", "https://evil.example")); a.StatusCode != http.StatusForbidden {
				t.Fatalf("another site: %s", a.Status)
			}
			if a := n.ask(t, "GET", path, in); a.StatusCode != http.StatusMethodNotAllowed && a.StatusCode != http.StatusNotFound {
				t.Fatalf("GET: %s", a.Status)
			}
			if len(processes(t, agent)) == 0 {
				t.Fatal("the process is gone already")
			}
			if a := n.ask(t, "POST", path, in); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/tasks/"+string(rec.ID) {
				t.Fatalf("%s to %s", a.Status, a.Header.Get("Location"))
			}
			if rec, _ := n.plane.Tasks.Get(rec.ID); rec.State != wire.TaskCanceled || rec.Message != message { // as the page shows it now
				t.Errorf("it is %s: %s", rec.State, rec.Message)
			}
			kit.Eventually(t, "the process is gone", func() bool { return len(processes(t, agent)) == 0 })
		})
	}
	t.Run("retry", func(t *testing.T) {
		rec := n.submit(t, wire.TaskSpec{Type: "shell", Argv: []string{"sh", "-c", "exit 3"}}, wire.TaskFailed)
		if a := n.ask(t, "POST", "/tasks/"+string(rec.ID)+"/retry", in); a.StatusCode != http.StatusSeeOther {
			t.Fatal(a.Status)
		}
		kit.Eventually(t, "a second attempt", func() bool {
			rec, _ = n.plane.Tasks.Get(rec.ID)
			return rec.Attempt == 2 && rec.State == wire.TaskFailed
		})
	})
	t.Run("what can't be done", func(t *testing.T) {
		rec := n.submit(t, wire.TaskSpec{Type: "shell", Argv: []string{"true"}}, wire.TaskCompleted)
		path := "/tasks/" + string(rec.ID) + "/retry"
		a := n.ask(t, "POST", path, in, asPage, header("Referer", n.addrs.HTTP+"/tasks/"+string(rec.ID)))
		if a.StatusCode != http.StatusConflict || !strings.Contains(a.body, "This was not done") || !strings.Contains(a.body, `href="/tasks/`+string(rec.ID)+`"`) {
			t.Errorf("%s %s", a.Status, a.body)
		}
		if e := n.ask(t, "POST", path, in).reason(t); e.Code != wire.CodePrecondition {
			t.Errorf("a program is told %v", e)
		}
		if a := n.ask(t, "POST", "/tasks/tnone/cancel", in, asPage); a.StatusCode != http.StatusNotFound {
			t.Errorf("no such task: %s", a.Status)
		}
	})
}

func TestAdmissionForm(t *testing.T) {
	n := start(t)
	in := with(n.login(t))
	agent := n.script(t, "say here")
	if _, err := n.plane.SetAdmission(t.Context(), noun.Caller{Actor: "skein stop"}, wire.AdmissionParams{Closed: true, Reason: "stop of all"}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/tasks", "/agents/" + string(agent.ID)} {
		a := n.ask(t, "GET", path, in, asPage)
		if !strings.Contains(a.body, "Admission is closed: no agent is spawned") || !strings.Contains(a.body, "by skein stop: stop of all") {
			t.Errorf("%s does not say that admission is closed", path)
		}
	}
	open := form(url.Values{"closed": {"false"}})
	if a := n.ask(t, "POST", "/admission", in, open, header("Origin", "https://evil.example")); a.StatusCode != http.StatusForbidden || !n.plane.Admission().Closed {
		t.Fatalf("another site: %s", a.Status)
	}
	for referer, want := range map[string]string{
		n.addrs.HTTP + "/tasks?view=board": "/tasks?view=board", "https://evil.example/tasks": "/", "": "/", n.addrs.HTTP + "//evil.example": "/",
	} {
		if a := n.ask(t, "POST", "/admission", in, open, header("Referer", referer)); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != want {
			t.Errorf("from %q: %s to %q, want %q", referer, a.Status, a.Header.Get("Location"), want)
		}
	}
	if a := n.plane.Admission(); a.Closed || a.Actor != "dashboard" {
		t.Errorf("admission is %+v", a)
	}
}

// A result is shown as the table, the diff or the picture that it is, and its bytes are served to the browser only as a picture.
func TestResultsOnTheTaskPage(t *testing.T) {
	t.Parallel()
	n := start(t)
	b := n.browser(t)
	print := func(format string) wire.Task {
		return n.submit(t, wire.TaskSpec{Type: "shell", Argv: []string{"printf", format}}, wire.TaskCompleted)
	}
	table := print(`[{"name":"fox","n":3},{"name":"<owl>"}]`)
	wants(t, "a list", b.get(t, "/tasks/"+string(table.ID)), 200, `<th scope="col"`, ">fox</td>", ">&lt;owl&gt;</td>", "2 rows, JSON")
	wants(t, "a list as a picture", b.get(t, "/tasks/"+string(table.ID)+"/result/view"), 404, "nothing that a browser shows")
	wants(t, "none as a picture", b.get(t, "/tasks/"+string(table.ID)+"/input/view"), 404)
	picture := print(`\211PNG\r\n\032\n\000\000\000\rIHDR`)
	wants(t, "a picture", b.get(t, "/tasks/"+string(picture.ID)), 200, `<img src="/tasks/`+string(picture.ID)+`/result/view"`)
	got := b.get(t, "/tasks/"+string(picture.ID)+"/result/view")
	if got.body != tinyPNG || got.Header.Get("Content-Type") != "image/png" || !strings.HasPrefix(got.Header.Get("Content-Security-Policy"), "sandbox; default-src 'none';") {
		t.Errorf("the picture: %q, %v", got.body, got.Header)
	}
}
