package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// inCgroups returns Processes with cgroups, or skips the test.
func inCgroups(t *testing.T, instance string) *Kind {
	t.Helper()
	r := New(Options{Instance: instance, CgroupState: filepath.Join(t.TempDir(), "cgroups")})
	t.Cleanup(r.Close)
	if c := r.Containment(); c.Mode != wire.ContainedByCgroup {
		t.Skipf("NOT TESTED: this machine gives no cgroup v2 to Skein: %s", c.Why)
	}
	return r
}

// A process that may write to the cgroup tree can leave its agent's cgroup, as what docker, podman and systemd-run start does.
func TestStopEndsWhatLeftItsCgroup(t *testing.T) {
	r := inCgroups(t, "test")
	l := launch("sh", "-c", `(echo 0 >$OUT/cgroup.procs && env -i setsid sh -c 'sh -c "echo \$\$; exec sleep 600" &'); exec sleep 600`)
	l.Env = map[string]string{"OUT": filepath.Dir(r.cgroups.base)}
	sink := &firstLine{line: make(chan string, 1)}
	run := start(t, r, l, sink)
	var pid int
	fmt.Sscan(<-sink.line, &pid)
	if p, err := readProc(pid); err != nil || !p.lives() || slices.Contains(must(run.cgroup.pids()), pid) {
		t.Fatalf("the test needs a process that left its cgroup: %+v, %v", p, err)
	}
	if _, left := run.Stop(t.Context(), longGrace); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	if p, err := readProc(pid); err == nil && p.lives() {
		unix.Kill(pid, unix.SIGKILL)
		t.Errorf("the stop says that all is gone, and process %d is there", pid)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// In a threaded cgroup, the kernel lists threads only.
func TestStopOfAThreadedCgroup(t *testing.T) {
	r := inCgroups(t, "test")
	sink := newRecord(t)
	run := start(t, r, sh(`echo up; exec sleep 600`), sink)
	sink.untilOut("up")
	group := run.cgroup
	threaded := filepath.Join(group.dir, "threaded")
	if err := os.Mkdir(threaded, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, write := range [][2]string{{"cgroup.type", "threaded"}, {"cgroup.threads", fmt.Sprint(run.Process().PID)}} {
		if err := os.WriteFile(filepath.Join(threaded, write[0]), []byte(write[1]), 0); err != nil {
			t.Fatal(err)
		}
	}
	below := &cgroup{dir: threaded}
	if pids, err := below.pids(); err != nil || !slices.Equal(pids, []int{run.Process().PID}) {
		t.Errorf("in it are %v, %v", pids, err)
	}
	if _, left := run.Stop(t.Context(), 0); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// selfEnv makes the test binary an agent that acts as the next Skein of its instance.
const selfEnv = "RUNNER_TEST_SELF"

// selfHelper runs in the cgroup of an agent, beside an orphan that needs SIGKILL.
func selfHelper() {
	instance, state, _ := strings.Cut(os.Getenv(selfEnv), "\n")
	cmd := exec.Command("sh", "-c", `trap "" TERM; echo; while :; do sleep 0.1; done`)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out := must(cmd.StdoutPipe())
	if err := fork.Start(cmd); err != nil {
		panic(err)
	}
	out.Read(make([]byte, 1))
	go cmd.Wait()
	r := New(Options{Instance: instance, CgroupState: state})
	found := must(r.FindOrphans(nil))
	left := r.Reap(context.Background(), found, 50*time.Millisecond)
	fmt.Println("lives:", len(found) > 0, len(left))
	r.Close()
}

// A Skein that was started by an agent of an earlier run ends the other processes in that agent's cgroup, but not itself.
func TestReapSparesItself(t *testing.T) {
	instance := "self-" + string(nextAgent())
	r := inCgroups(t, instance)
	state := filepath.Join(t.TempDir(), "cgroups")
	if err := os.WriteFile(state, []byte(r.cgroups.base+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := launch(os.Args[0])
	l.Env = map[string]string{selfEnv: instance + "\n" + state}
	sink := newRecord(t)
	run := start(t, r, l, sink)
	kit.Receive(t, "Done", run.Done())
	if out := sink.out[wire.EventStdout].String(); out != "lives: true 0\n" {
		t.Errorf("it says %q, %q, and ended with %+v", out, sink.out[wire.EventStderr], run.Exit())
	}
}

// hidepidEnv makes the test binary stop an agent where /proc keeps other users' processes to itself.
const hidepidEnv = "RUNNER_TEST_HIDEPID"

func hidepidHelper() {
	const nobody = 65534
	if err := unix.Mount("proc", "/proc", "proc", 0, "hidepid="+os.Getenv(hidepidEnv)); err != nil {
		fmt.Println("cannot:", err)
		return
	}
	// The group that may see everything is root's.
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setresgid(nobody, nobody, nobody), syscall.Setresuid(nobody, nobody, nobody)); err != nil {
		panic(err)
	}
	r := New(Options{})
	defer r.Close()
	run := must(r.Start(context.Background(), runner.Launch{Agent: nextAgent(), Instance: "hidden", Cwd: "/", Argv: []string{"sleep", "600"}}, discard{}.sink))
	_, left := run.Stop(context.Background(), longGrace)
	<-run.Done()
	fmt.Println("left:", left)
}

func TestStopUnderHidepid(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: it needs root")
	}
	for _, hidepid := range []string{"1", "2"} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), hidepidEnv+"="+hidepid)
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
		out, err := cmd.CombinedOutput()
		if strings.HasPrefix(string(out), "cannot:") {
			t.Skipf("NOT TESTED: %s", out)
		}
		if err != nil || string(out) != "left: []\n" {
			t.Errorf("hidepid=%s: %s, %v", hidepid, out, err)
		}
	}
}
