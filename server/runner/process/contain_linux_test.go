package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/server/fork"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// contained returns Processes with cgroups and without. The first are missing where no cgroup can be created.
func contained(t *testing.T, test func(t *testing.T, r *Kind)) {
	t.Run("cgroup", func(t *testing.T) {
		r := New(Options{Instance: "test", CgroupState: filepath.Join(t.TempDir(), "cgroups")})
		t.Cleanup(r.Close)
		if c := r.Containment(); c.Mode != wire.ContainedByCgroup {
			t.Skipf("NOT TESTED: this machine gives no cgroup v2 to Skein: %s", c.Why)
		}
		test(t, r)
	})
	t.Run("marks", func(t *testing.T) { test(t, processes(t)) })
}

// freePort returns a port that a server may listen on.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

func answers(port string) bool {
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// needs skips a test whose program is not installed; make test installs them all.
func needs(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + program)
	}
	if err != nil && os.Getenv("SKEIN_REQUIRE_INTEROP") != "" {
		t.Fatalf("%s is not installed", program)
	}
	if err != nil {
		t.Skipf("NOT TESTED: %s is not installed", program)
	}
	return path
}

// Daemons leave their group, session and parent, and some overwrite their environment. A stop ends each of them all the same.
func TestStopEndsDaemons(t *testing.T) {
	dir := t.TempDir()
	nginx := filepath.Join(dir, "nginx.conf")
	tests := map[string]struct {
		program string
		script  string // $PORT, $DIR; prints up when the daemon answers
	}{
		"Redis": {"redis-server", `redis-server --port $PORT --daemonize yes --dir $DIR --save '' >/dev/null
			until redis-cli -p $PORT ping >/dev/null 2>&1; do sleep 0.02; done; echo up; exec sleep 600`},
		"nginx": {"nginx", `mkdir -p $DIR/ng/logs; PATH=$PATH:/usr/sbin nginx -p $DIR/ng -c ` + nginx + ` -e $DIR/ng/error.log -g "daemon on;"
			until (echo >/dev/tcp/127.0.0.1/$PORT) 2>/dev/null; do sleep 0.02; done; echo up; exec sleep 600`},
	}
	contained(t, func(t *testing.T, r *Kind) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				needs(t, test.program)
				port := freePort(t)
				if err := os.WriteFile(nginx, []byte("pid nginx.pid; events {} http { access_log off; server { listen 127.0.0.1:"+port+"; } }"), 0o600); err != nil {
					t.Fatal(err)
				}
				l := launch("bash", "-c", test.script)
				l.Env = map[string]string{"PORT": port, "DIR": dir}
				sink := newRecord(t)
				run := start(t, r, l, sink)
				sink.untilOut("up")
				if !answers(port) {
					t.Fatal("the daemon does not answer")
				}
				if _, left := run.Stop(t.Context(), longGrace); len(left) > 0 {
					t.Errorf("left %v", left)
				}
				if answers(port) {
					t.Error("the stop says that all is gone, and the daemon answers")
				}
			})
		}
	})
}

// Ways in which a process can hide. A file says when each runs; its pid is looked up afterwards.
func TestStopEndsWhatHides(t *testing.T) {
	tests := map[string]string{
		"emptied its environment":          `env -i setsid sh -c 'echo $$ >"$1"; exec sleep 600' - $FILE &`,
		"lost its parents, too":            `(env -i setsid sh -c 'sh -c "echo \$\$ >$1; exec sleep 600" &' - $FILE)`,
		"has a parent that did":            `env -i setsid sh -c 'setsid sh -c "echo \$\$ >$1; exec sleep 600" & exec sleep 600' - $FILE &`,
		"ignores signals":                  `env -i setsid sh -c 'trap "" TERM HUP INT; echo $$ >"$1"; while :; do sleep 1; done' - $FILE &`,
		"is stopped by a signal":           `env -i setsid sh -c 'echo $$ >"$1"; kill -STOP $$; exec sleep 600' - $FILE &`,
		"is another user's":                `setpriv --reuid 65534 --clear-groups env -i setsid sh -c 'echo $$; exec sleep 600' >$FILE &`,
		"is another user's, by a login":    `su nobody -s /bin/sh -c 'exec env -i setsid sh -c "echo \$\$; exec sleep 600"' >$FILE &`,
		"forks until it is killed":         `env -i setsid sh -c 'trap "" TERM; echo $$ >"$1"; while :; do setsid sleep 600 & sleep 0.005; done' - $FILE &`,
		"is a daemon of a process that is": `env -i setsid setsid setsid sh -c 'echo $$ >"$1"; exec sleep 600' - $FILE &`,
	}
	contained(t, func(t *testing.T, r *Kind) {
		for name, script := range tests {
			t.Run(name, func(t *testing.T) {
				if strings.HasSuffix(name, "by a login") && r.Containment().Mode == wire.ContainedByMarks {
					t.Skip("that takes all marks from it: only a cgroup holds it")
				}
				if strings.Contains(name, "user") && os.Geteuid() != 0 {
					t.Skip("NOT TESTED: it needs root")
				}
				file := filepath.Join(t.TempDir(), "pid")
				l := launch("sh", "-c", script+`
until [ -s $FILE ]; do sleep 0.01; done; echo up; exec sleep 600`)
				l.Env = map[string]string{"FILE": file}
				sink := newRecord(t)
				run := start(t, r, l, sink)
				sink.untilOut("up")
				b, _ := os.ReadFile(file)
				pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
				if err != nil {
					t.Fatal(err)
				}
				if p, err := readProc(pid); err != nil || !p.lives() || p.Group == run.Process().Group {
					t.Fatalf("the test needs a process that left its group: %+v, %v", p, err)
				}
				if _, left := run.Stop(t.Context(), 50*time.Millisecond); len(left) > 0 {
					t.Errorf("left %v", left)
				}
				if p, err := readProc(pid); err == nil && p.lives() {
					unix.Kill(pid, unix.SIGKILL)
					t.Errorf("the stop says that all is gone, and process %d is there", pid)
				}
			})
		}
	})
}

// An agent whose process ended by itself leaves no daemon behind, either.
func TestADaemonDoesNotOutliveItsAgent(t *testing.T) {
	contained(t, func(t *testing.T, r *Kind) {
		file := filepath.Join(t.TempDir(), "pid")
		l := launch("sh", "-c", `(env -i setsid sh -c 'sh -c "echo \$\$ >$1; exec sleep 600" >/dev/null 2>&1 &' - $FILE); until [ -s $FILE ]; do sleep 0.01; done; exit 3`)
		l.Env = map[string]string{"FILE": file}
		run := start(t, r, l, newRecord(t))
		kit.Receive(t, "Done", run.Done())
		if e := run.Exit(); e.Code != 3 || len(e.Leftovers) > 0 {
			t.Errorf("exit %+v", e)
		}
		b, _ := os.ReadFile(file)
		pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
		if p, err := readProc(pid); pid == 0 || err == nil && p.lives() {
			t.Errorf("process %d is there", pid)
		}
	})
}

// The cgroup of an agent that ended is gone, with those that its processes made below it.
func TestCgroupsAreRemoved(t *testing.T) {
	state := filepath.Join(t.TempDir(), "cgroups")
	r := New(Options{Instance: "gone", CgroupState: state})
	if r.Containment().Mode != wire.ContainedByCgroup {
		t.Skipf("NOT TESTED: %s", r.Containment().Why)
	}
	base := r.cgroups.base
	sink := newRecord(t)
	run := start(t, r, sh(`d=$(sed -n 's,^0::,,p' /proc/self/cgroup); echo $d; exec sleep 600`), sink)
	sink.untilOut("/")
	if dirs, _ := os.ReadDir(base); !slices.ContainsFunc(dirs, func(e os.DirEntry) bool { return e.IsDir() }) {
		t.Fatalf("no cgroup in %s", base)
	}
	if !strings.Contains(sink.out[wire.EventStdout].String(), "skein-gone") {
		t.Errorf("it runs in %s", sink.out[wire.EventStdout])
	}
	if err := os.Mkdir(filepath.Join(run.cgroup.dir, "below"), 0o755); err != nil {
		t.Fatal(err)
	}
	run.Stop(t.Context(), 0)
	kit.Receive(t, "Done", run.Done())
	r.Close()
	if _, err := os.Stat(base); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", base, err)
	}
}

// The next Skein finds the processes that a killed one left behind, however they hide.
func TestOrphansThatHide(t *testing.T) {
	for _, withCgroups := range []bool{true, false} {
		t.Run(map[bool]string{true: "cgroup", false: "marks"}[withCgroups], func(t *testing.T) {
			instance, dir := "orphans-"+string(nextAgent())+strconv.Itoa(os.Getpid()), t.TempDir()
			o := Options{Instance: instance}
			if withCgroups {
				o.CgroupState = filepath.Join(dir, "cgroups")
			}
			known, hidden := dyingSkein(t, o)
			r := New(o)
			defer r.Close()
			if withCgroups && r.Containment().Mode != wire.ContainedByCgroup {
				t.Skipf("NOT TESTED: %s", r.Containment().Why)
			}
			found, err := r.FindOrphans(known)
			if err != nil {
				t.Fatal(err)
			}
			for id, pid := range hidden {
				if !slices.ContainsFunc(found, func(o Orphan) bool { return o.Agent == id && o.Process.PID == pid }) {
					t.Errorf("process %d of agent %s is not among %+v", pid, id, found)
				}
			}
			if left := r.Reap(t.Context(), found, 50*time.Millisecond); len(left) > 0 {
				t.Errorf("left %+v", left)
			}
			for _, pid := range hidden {
				if p, err := readProc(pid); err == nil && p.lives() {
					unix.Kill(pid, unix.SIGKILL)
					t.Errorf("process %d is there", pid)
				}
			}
			if left := r.cgroups.left(); len(left) > 0 {
				t.Errorf("cgroups are left: %v", left)
			}
		})
	}
}

// dyingSkein runs agents with a hidden daemon each, and is killed. It returns the records and the daemons.
func dyingSkein(t *testing.T, o Options) (known map[wire.AgentID]*wire.Process, hidden map[wire.AgentID]int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), hiddenEnv+"="+o.Instance+"\n"+o.CgroupState)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := fork.Start(cmd); err != nil {
		t.Fatal(err)
	}
	var said struct {
		Known  map[wire.AgentID]*wire.Process
		Hidden map[wire.AgentID]int
	}
	err = json.NewDecoder(out).Decode(&said)
	cmd.Process.Kill()
	cmd.Wait()
	if err != nil || len(said.Hidden) == 0 {
		t.Fatalf("helper: %+v, %v", said, err)
	}
	return said.Known, said.Hidden
}

// hiddenEnv makes the test binary play a Skein whose agents hide.
const hiddenEnv = "RUNNER_TEST_HIDDEN"

func hiddenHelper() {
	instance, state, _ := strings.Cut(os.Getenv(hiddenEnv), "\n")
	r := New(Options{Instance: instance, CgroupState: state})
	known, hidden := map[wire.AgentID]*wire.Process{}, map[wire.AgentID]int{}
	for range 2 {
		l := runner.Launch{Agent: nextAgent(), Instance: instance, Cwd: os.TempDir(),
			Argv: []string{"sh", "-c", `(env -i setsid sh -c 'sh -c "echo \$\$; exec sleep 600" &'); exec sleep 600`}}
		sink := &firstLine{line: make(chan string, 1)}
		run, err := r.Start(context.Background(), l, sink.sink)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		var pid int
		fmt.Sscan(<-sink.line, &pid)
		known[l.Agent], hidden[l.Agent] = run.(*process).Process(), pid
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{"Known": known, "Hidden": hidden})
	select {}
}

type firstLine struct {
	line chan string
}

func (f *firstLine) sink(e runner.Event) error {
	if o, ok := e.(runner.Output); ok {
		select {
		case f.line <- string(o.Bytes):
		default:
		}
	}
	return nil
}

// A process that could not be ended is reported, and ended by a later attempt.
func TestLeftoversAreLookedForAgain(t *testing.T) {
	r := processes(t)
	cmd := exec.Command("sleep", "600")
	if err := fork.Start(cmd); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	p, err := readProc(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	before := []wire.Leftover{leftover(p.Process), {Process: wire.Process{PID: p.PID, Group: p.Group, StartTime: p.StartTime - 1}}}
	if before[0].Name != "sleep" || before[0].User == "" {
		t.Errorf("it is named %+v", before[0])
	}
	if left := r.ReapLeftovers(t.Context(), "aleft", before, 0); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	kit.Receive(t, "the process's end", ended)
}

// A leader that ends only after its agent was given up does not stay a zombie while Skein runs.
func TestALateLeaderIsBuried(t *testing.T) {
	r := processes(t)
	pid, err := syscall.ForkExec("/bin/sleep", []string{"sleep", "600"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := readProc(pid)
	if err != nil {
		t.Fatal(err)
	}
	if left := r.ReapLeftovers(t.Context(), "alate", []wire.Leftover{leftover(p.Process)}, 0); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	if p, err := readProc(pid); err == nil {
		unix.Wait4(pid, nil, 0, nil)
		t.Errorf("it is there: %+v", p)
	}
}

// A process that was stopped by a signal is reported as suspended until it continues.
func TestSuspended(t *testing.T) {
	r := New(Options{SampleInterval: 5 * time.Millisecond})
	t.Cleanup(r.Close)
	sink := newRecord(t)
	run := start(t, r, sh(`echo up; kill -STOP $$; echo on; exec sleep 600`), sink)
	sink.untilOut("up")
	kit.Eventually(t, "it is suspended", run.Suspended)
	unix.Kill(run.Process().PID, unix.SIGCONT)
	sink.untilOut("on")
	kit.Eventually(t, "it goes on", func() bool { return !run.Suspended() })
}

// An agent has no controlling terminal, also where Skein has one: its test runs Skein's part under script(1).
func TestNoControllingTerminal(t *testing.T) {
	script := needs(t, "script")
	cmd := exec.Command(script, "-qec", os.Args[0], "/dev/null")
	cmd.Env = append(os.Environ(), terminalEnv+"=1")
	out, err := fork.Output(cmd)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"server: has one", "agent: has none", "interactive shell: ok"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is not in %q", want, out)
		}
	}
}

// terminalEnv makes the test binary print which terminals it and its agents have.
const terminalEnv = "RUNNER_TEST_TERMINAL"

func terminalHelper() {
	if f, err := os.Open("/dev/tty"); err == nil {
		f.Close()
		fmt.Println("server: has one")
	}
	r := New(Options{})
	defer r.Close()
	for _, script := range []string{
		`if (: </dev/tty) 2>/dev/null; then echo "agent: has one"; else echo "agent: has none"; fi`,
		`exec bash -ilc 'echo interactive shell: ok'`,
	} {
		l := runner.Launch{Agent: nextAgent(), Instance: "terminal", Cwd: os.TempDir(), Argv: []string{"sh", "-c", script}}
		run, err := r.Start(context.Background(), l, printing{}.sink)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		<-run.Done()
	}
}

type printing struct{}

func (printing) sink(e runner.Event) error {
	if o, ok := e.(runner.Output); ok {
		os.Stdout.Write(o.Bytes)
	}
	return nil
}

// Agents do not inherit file descriptors that the server inherited.
func TestInheritedDescriptorsAreClosed(t *testing.T) {
	var p [2]int
	if err := unix.Pipe(p[:]); err != nil { // without O_CLOEXEC, as a shell's exec 9>lock
		t.Fatal(err)
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	const high = 97 // a descriptor that no shell uses itself
	if err := unix.Dup2(p[1], high); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(high)
	r := processes(t)
	sink := newRecord(t)
	run := start(t, r, sh(`for fd in `+strconv.Itoa(p[0])+` `+strconv.Itoa(high)+`; do [ -e /proc/$$/fd/$fd ] && echo "$fd is open"; done; echo up`), sink)
	kit.Receive(t, "Done", run.Done())
	if out := sink.out[wire.EventStdout].String(); out != "up\n" {
		t.Errorf("an agent inherited descriptors: %s", out)
	}
}

func TestCgroupDir(t *testing.T) {
	const unified = "24 30 0:22 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
	const hybrid = "25 31 0:27 / /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw\n26 31 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
	for name, test := range map[string]struct{ cgroup, mounts, want string }{
		"unified":        {"0::/user.slice/x.scope\n", unified, "/sys/fs/cgroup/user.slice/x.scope"},
		"hybrid":         {"8:pids:/a\n0::/\n", hybrid, "/sys/fs/cgroup/unified"},
		"v1 alone":       {"8:pids:/a\n", "26 31 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n", ""},
		"a part of it":   {"0::/docker/1/sub\n", "24 30 0:22 /docker/1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "/sys/fs/cgroup/sub"},
		"another part":   {"0::/docker/12\n", "24 30 0:22 /docker/1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", ""},
		"outside":        {"0::/../x\n", unified, ""},
		"blanks":         {"0::/a b\n", `24 30 0:22 / /mnt/c\040g rw - cgroup2 cgroup2 rw` + "\n", "/mnt/c g/a b"},
		"nothing":        {"", "", ""},
		"strange mounts": {"0::/a\n", "- cgroup2\n24\n - cgroup2 x\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := cgroupDir(test.cgroup, test.mounts); got != test.want || (err == nil) != (test.want != "") {
				t.Errorf("%q, %v; want %q", got, err, test.want)
			}
		})
	}
}

func TestLimitMark(t *testing.T) {
	line := func(soft string) string {
		return "Limit                     Soft Limit           Hard Limit           Units     \nMax realtime priority     0                    0                    \nMax realtime timeout      " + soft + "            unlimited            us        \n"
	}
	mark := markOf("me", "a1")
	for name, test := range map[string]struct {
		text string
		want limitMark
	}{
		"none":      {line("unlimited"), 0},
		"somebody":  {line("200000"), 0},
		"ours":      {line(strconv.FormatUint(uint64(mark), 10)), mark},
		"too large": {line("9223372036854775808"), 0},
		"cut":       {"Max realtime timeout", 0},
		"empty":     {"", 0},
	} {
		if got := parseLimits([]byte(test.text)); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
	if !mark.of("me") || mark.of("you") || limitMark(0).of("me") || mark == markOf("me", "a2") {
		t.Errorf("%x is whose?", uint64(mark))
	}
}
