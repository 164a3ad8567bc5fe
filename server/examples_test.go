package server

import (
	"compress/gzip"
	"context"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/fork"
	"skein.dev/skein/server/runner/scripted"
	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

var updateDocs = flag.Bool("update-docs", false, "write the files of docs/examples into docs/agents.md")

const agentsDoc = "../docs/agents.md"

// shown matches a file of docs/examples in docs/agents.md: a link to it, and a block with its content.
var shown = regexp.MustCompile("(?s)\\[examples/([a-z.]+)\\]\\(examples/[a-z.]+\\)[^\n]*\n\n```[a-z]*\n(.*?)```\n")

func TestTheAgentsDocShowsTheExamples(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(agentsDoc)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	text := shown.ReplaceAllStringFunc(string(doc), func(block string) string {
		m := shown.FindStringSubmatch(block)
		name, was := m[1], m[2]
		file, err := os.ReadFile(filepath.Join("../docs/examples", name))
		if err != nil {
			t.Error(err)
			return block
		}
		if seen[name] = true; was != string(file) && !*updateDocs {
			t.Errorf("it shows another %s: go test ./server -run AgentsDoc -update-docs", name)
		}
		return strings.Replace(block, was+"```\n", string(file)+"```\n", 1)
	})
	files, err := filepath.Glob("../docs/examples/*")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d examples: %v", len(files), err)
	}
	for _, f := range files {
		if !seen[filepath.Base(f)] {
			t.Errorf("it does not show %s", f)
		}
	}
	if *updateDocs {
		if err := os.WriteFile(agentsDoc, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheAgentsDocNamesEverything(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(agentsDoc)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	names = append(names, fileFields["agent_types"]...)
	names = append(names, scripted.Statements...)
	for _, s := range wire.TaskStates {
		names = append(names, string(s))
	}
	source, err := os.ReadFile("../webtransport/wire/task.go")
	if err != nil {
		t.Fatal(err)
	}
	reasons := regexp.MustCompile(`FailureReason = "([a-z_]+)"`).FindAllStringSubmatch(string(source), -1)
	source, err = os.ReadFile("runner/lines/lines.go")
	if err != nil {
		t.Fatal(err)
	}
	messages := regexp.MustCompile(`\tmethod[A-Z]\w+ += "([a-z._]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(reasons) < 10 || len(messages) != 8 {
		t.Fatalf("%d reasons, %d messages", len(reasons), len(messages))
	}
	for _, m := range slices.Concat(reasons, messages) {
		names = append(names, m[1])
	}
	for _, name := range names {
		if !regexp.MustCompile("`" + regexp.QuoteMeta(name) + "[` ]").Match(doc) {
			t.Errorf("it says nothing of %s", name)
		}
	}
}

func TestTheAgentsDocIsRight(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(agentsDoc)
	if err != nil {
		t.Fatal(err)
	}
	configs := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(doc), -1)
	for _, m := range configs {
		if _, err := LoadConfig(write(t, "skein.yaml", m[1])); err != nil {
			t.Errorf("%v in\n%s", err, m[1])
		}
	}
	messages := regexp.MustCompile("(?m)^[←→] ({.*})$").FindAllStringSubmatch(string(doc), -1)
	whole := 0
	for _, m := range messages {
		if strings.Contains(m[1], "…") {
			continue
		}
		whole++
		if _, err := wire.ParseMessage([]byte(m[1])); err != nil || !strings.HasPrefix(m[1], `{"jsonrpc"`) {
			t.Errorf("%v: %s", err, m[1])
		}
	}
	if len(configs) < 2 || whole < 15 {
		t.Errorf("%d configurations and %d messages were found", len(configs), whole)
	}
}

// interpreter fails or skips a test if an interpreter is not installed.
func interpreter(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("SKEIN_REQUIRE_INTEROP") == "1" {
				t.Fatal(err)
			}
			t.Skipf("NOT TESTED: the examples of docs/agents.md: %v", err)
		}
	}
}

// exampleNode starts a server with the types of docs/examples, and a client of it.
type exampleNode struct {
	*node
	c *client.Client
}

// slow are the examples with work that takes a minute, so that there is something to cancel, or until a file exists.
const slow = `
  slow-words: {kind: exec, argv: [python3, /srv/agents/words.py], tasks: lines, memory: ["*"], env: {PAUSE: "60"}}
  slow-slugs: {kind: exec, argv: [node, /srv/agents/slugs.mjs], tasks: lines, memory: ["slug*"], env: {PAUSE: "60"}}
  slow-sorted: {kind: exec, argv: [sh, /srv/agents/sorted.sh], tasks: lines, env: {PAUSE: "60"}}
  slow-gather: {kind: exec, argv: [python3, /srv/agents/gather.py], tasks: lines, coordinator: true, env: {TYPE: slow-sorted}}
  late-gather: {kind: exec, argv: [python3, /srv/agents/gather.py], tasks: lines, coordinator: true, env: {TYPE: late-count}}
  late-count: {kind: exec, argv: [sh, -c, "until [ -e ../../go ]; do sleep 0.1; done; exec python3 /srv/agents/count.py"], tasks: process}
`

func startExamples(t *testing.T) exampleNode {
	t.Helper()
	interpreter(t, "python3", "node", "sh", "base64", "gzip")
	here, err := filepath.Abs("../docs/examples")
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(here, "skein.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	file := write(t, "skein.yaml", strings.ReplaceAll(string(config)+slow, "/srv/agents", here))
	n := exampleNode{node: start(t, func(o *Options) { o.ConfigFile = file })}
	n.c, err = client.Dial(t.Context(), client.Options{URL: n.addrs.HTTP, Token: n.token, NoStatus: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.c.Close() })
	return n
}

func (n exampleNode) submit(t *testing.T, typ, input string) wire.TaskID {
	t.Helper()
	res, err := n.c.TaskSubmit(t.Context(), wire.SubmitParams{Tasks: []wire.TaskSpec{{Type: typ, Input: wire.Payload{Text: input}}}})
	if err != nil {
		t.Fatal(err)
	}
	return res.Tasks[0].ID
}

// until watches a task until it satisfies ok.
func (n exampleNode) until(t *testing.T, id wire.TaskID, ok func(*wire.Task) bool) wire.Task {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	var last wire.Task
	for change, err := range n.c.TaskWatch(ctx, wire.TaskWatchParams{Filter: wire.TaskFilter{IDs: []wire.TaskID{id}}}) {
		if err != nil {
			t.Fatalf("task %s is %s (%s %s), runs %+v: %v", id, last.State, last.Waiting, last.Message, last.Runs, err)
		}
		for _, task := range change.Tasks {
			if last = task; ok(&task) {
				return task
			}
		}
	}
	t.Fatal("the watch ended")
	return last
}

// over waits for the end of a task, and returns the whole task and its result.
func (n exampleNode) over(t *testing.T, id wire.TaskID) (*wire.Task, string) {
	t.Helper()
	n.until(t, id, func(task *wire.Task) bool { return task.State.Terminal() })
	task, err := n.c.TaskGet(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if task.Result == nil {
		return task, ""
	}
	return task, string(task.Result.Bytes())
}

// works submits a task that must give this result.
func (n exampleNode) works(t *testing.T, typ, input, want string) *wire.Task {
	t.Helper()
	task, got := n.over(t, n.submit(t, typ, input))
	if task.State != wire.TaskCompleted || got != want {
		t.Fatalf("it is %s with %q, want %q: %s %s", task.State, got, want, task.Failure, task.Message)
	}
	return task
}

func (n exampleNode) memory(t *testing.T, namespace, key string) *wire.MemoryEntry {
	t.Helper()
	e, err := n.plane.Memory.Retrieve(t.Context(), wire.MemoryKeyParams{Namespace: namespace, Key: key})
	if err != nil {
		t.Fatalf("%s/%s: %v", namespace, key, err)
	}
	return e
}

func TestExamples(t *testing.T) {
	t.Parallel()
	n := startExamples(t)
	t.Run("words", n.testWords)
	t.Run("slugs", n.testSlugs)
	t.Run("sorted", n.testSorted)
	t.Run("processes", n.testProcesses)
	t.Run("gather", n.testGather)
	t.Run("canceled", n.testCanceled)
	t.Run("canceled as a tree", n.testCanceledTree)
}

func (n exampleNode) testWords(t *testing.T) {
	task := n.works(t, "words", "one two\nthree\n\nfour \u00e4 \u2028 \"five\"", `{"words": 6}`)
	if n := len(task.Progress); n != 5 || task.Progress[4].Fraction != 1 || task.Progress[1].Text != "3 words" {
		t.Errorf("its progress is %+v", task.Progress)
	}
	e := n.memory(t, "words", string(task.ID))
	if e.Value.Text != "6" || e.Writer != string(task.Runs[0].Agent) || e.ExpiresAt == nil {
		t.Errorf("memory holds %+v", e)
	}
}

func (n exampleNode) testSlugs(t *testing.T) {
	var ids []wire.TaskID
	for _, title := range []string{"Crème brûlée!", "creme -- BRULEE", "Creme Brulee", "…"} {
		ids = append(ids, n.submit(t, "slugs", title))
	}
	slugs := map[string]wire.TaskID{}
	for _, id := range ids {
		task, slug := n.over(t, id)
		slugs[slug] = id
		if task.State != wire.TaskCompleted || len(task.Progress) != 1 {
			t.Errorf("it is %s: %s; progress %+v", task.State, task.Message, task.Progress)
		}
	}
	for _, slug := range []string{"creme-brulee", "creme-brulee-2", "creme-brulee-3", "untitled"} {
		if id := slugs[slug]; id == "" || n.memory(t, "slugs", slug).Value.Text != string(id) {
			t.Errorf("%s is not claimed by whom it was given to: %v", slug, slugs)
		}
	}
}

func (n exampleNode) testSorted(t *testing.T) {
	n.works(t, "sorted", "pear\n\"apple\"\nback\\slash\\n\n\ttab\nfig /\u00fc\n%s $HOME `id` 'q'\n", "\ttab\n\"apple\"\n%s $HOME `id` 'q'\nback\\slash\\n\nfig /\u00fc\npear\n")
	n.works(t, "sorted", "", "")
	long := strings.Repeat("b a c <&>\n", wire.MaxTaskInput/10)
	n.works(t, "sorted", long, long)
}

func (n exampleNode) testProcesses(t *testing.T) {
	n.works(t, "count", "a b A", `{"a": 2, "b": 1}`)
	n.works(t, "tidy", `{"a":[1]}`, "{\n  \"a\": [\n    1\n  ]\n}\n")
	for typ, says := range map[string]string{"count": "exit status 1: there are no words", "tidy": "exit status 1: Unexpected end of JSON"} {
		if task, _ := n.over(t, n.submit(t, typ, " ")); task.Failure != wire.FailAgentError || task.Attempt != 1 || !strings.HasPrefix(task.Message, says) {
			t.Errorf("%s: it is %s, %s after %d attempts: %q", typ, task.State, task.Failure, task.Attempt, task.Message)
		}
	}
	id := n.submit(t, "pack", "packed")
	if _, name := n.over(t, id); name != string(id)+".gz\n" {
		t.Fatalf("the result is %q", name)
	}
	kept := n.plane.Artifacts.List(wire.ArtifactFilter{Task: id})
	if kept.Total != 1 || kept.Artifacts[0].Name != string(id)+".gz" {
		t.Fatalf("the artifacts are %+v", kept)
	}
	_, content, err := n.plane.Artifacts.Download(t.Context(), kept.Artifacts[0].ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(content)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(z); string(b) != "packed" {
		t.Errorf("the artifact holds %q, %v", b, err)
	}
}

func (n exampleNode) testGather(t *testing.T) {
	task := n.works(t, "gather", "a b\n\na c\n\n\n\na", `{"a": 3, "b": 1, "c": 1}`)
	fans, err := n.c.TaskList(t.Context(), wire.TaskFilter{Parent: task.ID})
	if err != nil || len(fans.Tasks) != 1 || fans.Tasks[0].Actor != string(task.Runs[0].Agent) || fans.Tasks[0].Orchestration.Completed != 3 {
		t.Fatalf("below it there is %+v, %v", fans, err)
	}
	failed, _ := n.over(t, n.submit(t, "gather", ""))
	if failed.Failure != wire.FailAgentError || !strings.Contains(failed.Message, "inputs") {
		t.Errorf("it is %s: %s", failed.State, failed.Message)
	}
}

// testCanceled checks that an agent stops working on a canceled task in time, and stays alive.
func (n exampleNode) testCanceled(t *testing.T) {
	for _, typ := range []string{"slow-words", "slow-slugs", "slow-sorted"} {
		t.Run(typ, func(t *testing.T) {
			id := n.submit(t, typ, "what\nis this")
			task := n.until(t, id, func(task *wire.Task) bool { return len(task.Progress) > 0 })
			n.cancel(t, id)
			n.letGo(t, task.Runs[0].Agent, id)
		})
	}
}

func (n exampleNode) testCanceledTree(t *testing.T) {
	id := n.submit(t, "slow-gather", "one\n\ntwo")
	task := n.until(t, id, func(task *wire.Task) bool { return len(task.Progress) > 0 })
	fans, err := n.c.TaskList(t.Context(), wire.TaskFilter{Parent: id})
	if err != nil || len(fans.Tasks) != 1 {
		t.Fatalf("%+v, %v", fans, err)
	}
	children, err := n.c.TaskList(t.Context(), wire.TaskFilter{Parent: fans.Tasks[0].ID})
	if err != nil || len(children.Tasks) != 2 {
		t.Fatalf("%+v, %v", children, err)
	}
	at := map[wire.TaskID]wire.AgentID{id: task.Runs[0].Agent}
	for _, c := range children.Tasks {
		at[c.ID] = n.until(t, c.ID, func(c *wire.Task) bool { return len(c.Progress) > 0 }).Runs[0].Agent
	}
	n.cancel(t, id)
	for task, agent := range at {
		n.letGo(t, agent, task)
	}
}

func (n exampleNode) cancel(t *testing.T, id wire.TaskID) {
	t.Helper()
	if _, err := n.c.TaskCancel(t.Context(), wire.TaskCancelParams{IDs: []wire.TaskID{id}}); err != nil {
		t.Fatal(err)
	}
}

// letGo waits until an agent has stopped working on a canceled task, and checks that the agent is still alive.
func (n exampleNode) letGo(t *testing.T, agent wire.AgentID, id wire.TaskID) {
	t.Helper()
	task := n.until(t, id, func(task *wire.Task) bool { return task.State.Terminal() && len(task.Late) > 0 })
	if task.State != wire.TaskCanceled || len(task.Late) != 1 || !task.Late[0].Failed || task.Late[0].Agent != agent {
		t.Errorf("the task is %s, late %+v", task.State, task.Late)
	}
	var a *wire.Agent
	var err error
	kit.Eventually(t, "the record of the agent is without it, too", func() bool {
		a, err = n.c.Get(t.Context(), agent)
		return err != nil || !slices.Contains(a.Tasks, id)
	})
	if err != nil || a.Status != wire.StatusRunning || a.Desired != wire.DesiredRun || a.Generation != 1 {
		t.Errorf("its agent is %+v, %v", a, err)
	}
}

// TestTheSecondAttemptOfAnExample checks that it continues the work of the first one.
func TestTheSecondAttemptOfAnExample(t *testing.T) {
	t.Parallel()
	n := startExamples(t)
	id := n.submit(t, "late-gather", "a b\n\nb")
	task := n.until(t, id, func(task *wire.Task) bool { return len(task.Progress) > 0 })
	for _, pid := range processes(t, task.Runs[0].Agent) {
		if err := fork.Run(exec.Command("kill", "-9", pid)); err != nil {
			t.Fatal(err)
		}
	}
	task = n.until(t, id, func(task *wire.Task) bool { return task.Attempt == 2 && len(task.Progress) > 0 })
	if first := task.Runs[0]; first.Failure != wire.FailAgentLost || task.Runs[1].Agent == first.Agent {
		t.Errorf("its runs are %+v", task.Runs)
	}
	if err := os.WriteFile(filepath.Join(n.o.DataDir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if task, got := n.over(t, id); got != `{"a": 1, "b": 2}` {
		t.Errorf("it is %s with %q: %s", task.State, got, task.Message)
	}
	fans, err := n.c.TaskList(t.Context(), wire.TaskFilter{Parent: id})
	if err != nil || len(fans.Tasks) != 1 || fans.Tasks[0].Orchestration.Completed != 2 || fans.Tasks[0].Actor != string(task.Runs[0].Agent) {
		t.Errorf("below it there is %+v, %v", fans, err)
	}
}
