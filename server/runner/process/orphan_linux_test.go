package process

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"skein.dev/skein/server/fork"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// helperEnv makes the test binary act as a Skein that will be killed.
const helperEnv = "RUNNER_TEST_HELPER"

// helper starts agents, prints their records on stdout, and waits to be killed.
func helper() {
	r := New(Options{})
	known := map[wire.AgentID]*wire.Process{}
	for _, script := range helperAgents {
		l := runner.Launch{Agent: nextAgent(), Instance: os.Getenv(helperEnv), Argv: []string{"sh", "-c", script}, Cwd: os.TempDir()}
		sink := &quiet{up: make(chan struct{})}
		run, err := r.Start(context.Background(), l, sink.sink)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		<-sink.up
		known[l.Agent] = run.(*process).Process()
	}
	json.NewEncoder(os.Stdout).Encode(known)
	select {}
}

// helperAgents each print once all their processes run; none ends by itself on a broken pipe or an end of input.
var helperAgents = []string{
	`echo up; exec sleep 600`,
	`sleep 600 & echo up; exec sleep 600`,
	`trap "" TERM; sleep 600 & echo up; wait`, // neither of them ends by SIGTERM
	`setsid sh -c 'echo up; exec sleep 600' & exec sleep 600`,
	`env -i sleep 600 & echo up; exec sleep 600`, // a group member without the mark
}

type quiet struct {
	up   chan struct{}
	seen bool
}

func (q *quiet) sink(e runner.Event) error {
	if _, ok := e.(runner.Output); ok && !q.seen {
		q.seen = true
		close(q.up)
	}
	return nil
}

// orphans runs a Skein that is killed with SIGKILL, and returns its records.
func orphans(t *testing.T, instance string) map[wire.AgentID]*wire.Process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"="+instance)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := fork.Start(cmd); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	cmd.Process.Kill()
	cmd.Wait()
	known := map[wire.AgentID]*wire.Process{}
	if err != nil || json.Unmarshal(line, &known) != nil {
		t.Fatalf("helper: %q, %v", line, err)
	}
	return known
}

func TestOrphans(t *testing.T) {
	tests := map[string]struct {
		known    func(map[wire.AgentID]*wire.Process) // changes the records to what a crash may lose
		grace    time.Duration
		atLeast  int
		unmarked bool // the member without a mark is found, too
	}{
		"recorded":     {func(map[wire.AgentID]*wire.Process) {}, 100 * time.Millisecond, 9, true},
		"not recorded": {func(m map[wire.AgentID]*wire.Process) { clear(m) }, 100 * time.Millisecond, 9, true},
		"killed at once": {func(m map[wire.AgentID]*wire.Process) {
			for id := range m { // records whose pids belong to other processes now
				m[id] = &wire.Process{PID: m[id].PID, Group: m[id].Group, StartTime: m[id].StartTime - 1}
			}
		}, 0, 9, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			instance := string(nextAgent())
			recorded := orphans(t, instance)
			known := maps.Clone(recorded)
			test.known(known)
			r := New(Options{Instance: instance})
			defer r.Close()
			found, err := r.FindOrphans(known)
			if err != nil {
				t.Fatal(err)
			}
			if len(found) < test.atLeast {
				t.Errorf("%d found: %+v", len(found), found)
			}
			for id, p := range recorded {
				if !slices.Contains(found, Orphan{id, instance, *p}) {
					t.Errorf("agent %s, process %+v was not found", id, *p)
				}
			}
			if left := r.Reap(t.Context(), found, test.grace); len(left) > 0 {
				t.Errorf("left: %+v", left)
			}
			all, err := scan(true)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range all.procs {
				group := slices.ContainsFunc(slices.Collect(maps.Values(recorded)), func(r *wire.Process) bool { return r.Group == p.Group })
				if (p.instance == instance || group) && p.lives() {
					t.Errorf("still there: %+v", p)
				}
			}
		})
	}
}

func TestReapSparesAReusedPID(t *testing.T) {
	r := processes(t)
	run := start(t, r, launch("sleep", "600"), newRecord(t))
	then := *run.Process()
	then.StartTime -= 100
	instance := string(nextAgent())
	next := New(Options{Instance: instance})
	defer next.Close()
	if found, err := next.FindOrphans(map[wire.AgentID]*wire.Process{"aold": &then, "anone": nil}); err != nil || len(found) > 0 {
		t.Errorf("found %+v, %v", found, err)
	}
	if left := next.Reap(t.Context(), []Orphan{{"aold", instance, then}}, 0); len(left) > 0 {
		t.Errorf("left %+v", left)
	}
	if hasExited(int(run.pidfd.Fd())) {
		t.Error("it was killed")
	}
}

func TestReapContext(t *testing.T) {
	cmd := exec.Command("sh", "-c", `trap "" TERM; echo up; while :; do sleep 0.2; done`)
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	instance := string(nextAgent())
	cmd.Env = append(os.Environ(), runner.EnvAgent+"=ax", runner.EnvInstance+"="+instance)
	out, _ := cmd.StdoutPipe()
	if err := fork.Start(cmd); err != nil {
		t.Fatal(err)
	}
	bufio.NewReader(out).ReadString('\n')
	r := New(Options{Instance: instance})
	defer r.Close()
	found, err := r.FindOrphans(nil)
	if err != nil || len(found) == 0 {
		t.Fatal(found, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if left := r.Reap(ctx, found, longGrace); !slices.ContainsFunc(left, func(o Orphan) bool { return o.Process.PID == cmd.Process.Pid }) {
		t.Errorf("left %+v", left)
	}
	ended := make(chan error)
	go func() { ended <- cmd.Wait() }() // its zombie is ours here; a real orphan's is not
	if left := r.Reap(t.Context(), found, 0); len(left) > 0 {
		t.Errorf("left %+v", left)
	}
	<-ended
}

// Tests the rules of FindOrphans on process tables that can't be created on demand.
func TestOrphansAmong(t *testing.T) {
	self := os.Getpid()
	one := func(pid, group int, start uint64, agent, instance string) proc {
		return proc{Process: wire.Process{PID: pid, Group: group, StartTime: start}, parent: 1, state: 'S', threads: 1,
			agent: wire.AgentID(agent), instance: instance}
	}
	zombie := func(p proc) proc { p.state = 'Z'; return p }
	// The user of a recorded process is looked up in the real /proc, so the test uses its own parent.
	pid := os.Getppid()
	known := map[wire.AgentID]*wire.Process{"a1": {PID: pid, Group: pid, StartTime: 50}}
	child := one(self, 7, 1, "", "")
	tests := map[string]struct {
		procs []proc
		want  []int
	}{
		"marked":                       {[]proc{one(100, 100, 5, "a9", "me"), one(101, 3, 5, "a9", "me")}, []int{100, 101}},
		"another instance":             {[]proc{one(100, 100, 5, "a9", "you")}, nil},
		"no instance":                  {[]proc{one(100, 100, 5, "a9", "")}, nil},
		"a mark without an agent":      {[]proc{one(100, 100, 5, "", "me")}, nil},
		"recorded":                     {[]proc{one(pid, pid, 50, "", "")}, []int{pid}},
		"recorded, with its group":     {[]proc{one(200, pid, 60, "", ""), one(pid, pid, 50, "", "")}, []int{200, pid}},
		"another start time":           {[]proc{one(pid, pid, 51, "", ""), one(200, pid, 60, "", "")}, nil},
		"another group":                {[]proc{one(pid, 9, 50, "", "")}, nil},
		"another instance's by number": {[]proc{one(pid, pid, 50, "a1", "you")}, nil},
		"another instance's by limit":  {[]proc{func() proc { p := one(pid, pid, 50, "", ""); p.mark = markOf("you", "a1"); return p }()}, nil},
		"leader gone, group unproven":  {[]proc{one(200, pid, 60, "", "")}, nil},
		"leader gone, a marked member": {[]proc{one(200, pid, 60, "", ""), one(201, pid, 60, "a1", "me")}, []int{200, 201}},
		"leader a zombie":              {[]proc{zombie(one(pid, pid, 50, "", "")), one(200, pid, 60, "", "")}, []int{200}},
		"joined a stranger's group":    {[]proc{one(100, 300, 5, "a9", "me"), one(300, 300, 4, "", "")}, []int{100}},
		"this process":                 {[]proc{one(self, self, 5, "a9", "me")}, nil},
		"an ancestor": {[]proc{
			func() proc { p := child; p.parent = 400; return p }(), one(400, 400, 2, "a9", "me"), one(401, 400, 3, "a9", "me")}, []int{401}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []int
			for _, o := range orphansAmong(newTable(test.procs), "me", known, nil) {
				got = append(got, o.Process.PID)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}
