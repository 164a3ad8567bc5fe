package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/e2e/netlab"
	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

func TestMain(m *testing.M) {
	for _, v := range os.Environ() { // remove SKEIN_ variables; the skein that the tests run is this binary, too
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "SKEIN_") && filepath.Base(os.Args[0]) != "skein" {
			os.Unsetenv(name)
		}
	}
	if os.Getenv("GORACE") == "" { // otherwise each command of a race build sleeps for a second at its end
		os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
	testscript.Main(m, map[string]func(){"skein": main})
}

// patience bounds every wait for something that must happen.
const patience = kit.Patience

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("NO_COLOR", "1")
			e.Setenv("GORACE", os.Getenv("GORACE"))
			e.Setenv("SKEIN_DATA_DIR", filepath.Join(e.WorkDir, "data"))
			e.Setenv("SKEIN_HTTP", "localhost:0")
			e.Setenv("SKEIN_LISTEN", "localhost:0")
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name != "lab" {
				return false, fmt.Errorf("the condition %q is none", name)
			}
			return netlab.Unavailable() == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"await": await, "exits": exits, "until": until, "field": field, "gone": gone},
	})
}

// await waits until the server of the data folder has written where it listens.
func await(ts *testscript.TestScript, _ bool, _ []string) {
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(ts.Getenv("SKEIN_DATA_DIR"), wire.LocalFile)); err == nil {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("no server within %s", patience)
		}
	}
}

// exits CODE COMMAND... runs a command that must end with this code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var ee *exec.ExitError
	if errors.As(err, &ee) {
		got = ee.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// until PATTERN COMMAND... runs a command again until its output matches.
func until(ts *testscript.TestScript, _ bool, args []string) {
	re, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	pause := 20 * time.Millisecond
	for end := time.Now().Add(patience); ; time.Sleep(pause) {
		pause = min(2*pause, 500*time.Millisecond) // a command takes much of a busy machine
		ts.Check(ts.Exec(args[1], args[2:]...))
		out := ts.ReadFile("stdout")
		if re.MatchString(out) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("it says %q, which never matches %s", out, args[0])
		}
	}
}

// gone FILE checks that the process whose pid is in a file has ended. It may still be a zombie.
func gone(ts *testscript.TestScript, _ bool, args []string) {
	pid := strings.TrimSpace(ts.ReadFile(args[0]))
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	if err == nil && !bytes.Contains(b, []byte(") Z ")) {
		ts.Fatalf("process %s lives: %s", pid, b)
	}
}

// field VARIABLE PATH sets a variable to the value at a path, such as agents.0.id, in the JSON of the last output.
func field(ts *testscript.TestScript, _ bool, args []string) {
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &v))
	for _, name := range strings.Split(args[1], ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(at) {
				ts.Fatalf("%s: there is no %s among %d", args[1], name, len(at))
			}
			v = at[i]
		}
	}
	switch v := v.(type) {
	case string:
		ts.Setenv(args[0], v)
	case float64, bool:
		b, _ := json.Marshal(v)
		ts.Setenv(args[0], string(b))
	default:
		ts.Fatalf("there is no %s: %v", args[1], v)
	}
}

func help(t *testing.T, args ...string) string {
	t.Helper()
	root := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs(append(args, "--help"))
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestHelpHasExamples(t *testing.T) {
	commands := newRoot().Commands()
	if len(commands) < 11 {
		t.Errorf("%d commands", len(commands))
	}
	for _, c := range commands {
		commands = append(commands, c.Commands()...)
	}
	for _, c := range append(commands, newRoot()) {
		t.Run(c.CommandPath(), func(t *testing.T) {
			args := strings.Fields(c.CommandPath())[1:]
			text := help(t, args...)
			if !strings.Contains(text, "Examples:") || c.Short == "" {
				t.Fatalf("--help has no example:\n%s", text)
			}
			for line := range strings.Lines(c.Example) {
				checkExample(t, strings.TrimSpace(line))
			}
		})
	}
	if text := help(t); !strings.Contains(text, "Exit codes:") || !strings.Contains(text, "SKEIN_DATA_DIR") {
		t.Error("the help does not tell exit codes and environment")
	}
	if text := help(t, "serve"); !strings.Contains(text, "agent_types:") {
		t.Error("the help of serve shows no configuration")
	}
}

// checkExample checks that the commands and the flags of an example exist.
func checkExample(t *testing.T, line string) {
	t.Helper()
	if i := strings.Index(line, "skein "); i >= 0 {
		line = line[i:]
	} else {
		t.Errorf("%q runs no skein", line)
		return
	}
	words := strings.Fields(line)[1:]
	cmd, _, err := newRoot().Find(words)
	if err != nil || !cmd.HasParent() {
		t.Errorf("%q: %v", line, err)
		return
	}
	for _, w := range words {
		if w == "--" || strings.HasPrefix(w, "#") || strings.HasPrefix(w, "$(") || w == "|" {
			return
		}
		name, _, _ := strings.Cut(strings.TrimLeft(w, "-"), "=")
		switch {
		case strings.HasPrefix(w, "--") && cmd.Flag(name) == nil, !strings.HasPrefix(w, "--") && strings.HasPrefix(w, "-") && !shorthands(cmd, name):
			t.Errorf("%q: there is no flag %s", line, w)
		}
	}
}

func shorthands(cmd *cobra.Command, letters string) bool {
	cmd.InheritedFlags() // merges them
	for _, l := range letters {
		if cmd.Flags().ShorthandLookup(string(l)) == nil {
			return false
		}
	}
	return true
}

func TestEveryFlagHasAnEnvironmentVariable(t *testing.T) {
	for _, c := range newRoot().Commands() {
		if c.Flags().Lookup("help") != nil {
			t.Errorf("%s: the test would set --help", c.Name())
		}
	}
	t.Setenv("SKEIN_DEV_CERT_LIFETIME", "1h")
	t.Setenv("SKEIN_ALLOW_ORIGIN", "https://a.example,https://b.example")
	t.Setenv("SKEIN_KEEP_EXITED", "7")
	t.Setenv("SKEIN_JSON", "true")
	root := newRoot()
	cmd, _, err := root.Find([]string{"serve"})
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.ParseFlags([]string{"--keep-exited", "9"}); err != nil {
		t.Fatal(err)
	}
	if err := fromEnv(cmd.Flags()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"dev-cert-lifetime": "1h0m0s", "allow-origin": "[https://a.example,https://b.example]", "json": "true",
		"keep-exited": "9", // what was typed counts
	} {
		if got := cmd.Flag(name).Value.String(); got != want {
			t.Errorf("--%s is %s, want %s", name, got, want)
		}
	}
	t.Setenv("SKEIN_MAX_EVENT_BYTES", "much")
	var ue usageError
	if err := fromEnv(cmd.Flags()); !errors.As(err, &ue) || !strings.Contains(err.Error(), "SKEIN_MAX_EVENT_BYTES") {
		t.Errorf("%v", err)
	}
}

// serving is `skein serve` in a separate process.
type serving struct {
	*exec.Cmd
	dir    string
	stderr bytes.Buffer
}

func startServing(t *testing.T, dir string) *serving {
	t.Helper()
	s := &serving{dir: dir}
	s.Cmd = exec.Command("skein", "serve", "--data-dir", dir, "--http", "localhost:0", "--listen", "localhost:0")
	s.Cmd.Stderr = &s.stderr
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.ProcessState == nil {
			s.Process.Signal(os.Interrupt)
			s.Wait()
		}
	})
	kit.Eventually(t, "it serves", func() bool { // a killed server leaves its file behind
		var l wire.Local
		b, err := os.ReadFile(filepath.Join(dir, wire.LocalFile))
		return err == nil && json.Unmarshal(b, &l) == nil && l.PID == s.Process.Pid
	})
	return s
}

// skein runs a command against the server.
func (s *serving) skein(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "skein", append([]string{"--data-dir", s.dir}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("skein %q: %v\n%s", args, err, stderr.Bytes())
	}
	return string(out)
}

// processes lists the living processes that carry an agent's mark.
func processes(t *testing.T, id string) (pids []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		b, err := os.ReadFile(path)
		if err == nil && bytes.Contains(b, []byte(runner.EnvAgent+"="+id+"\x00")) {
			pids = append(pids, filepath.Base(filepath.Dir(path)))
		}
	}
	return pids
}

func spawned(t *testing.T, out string) string {
	t.Helper()
	var res wire.SpawnResult
	if err := json.Unmarshal([]byte(out), &res); err != nil || len(res.Agents) != 1 {
		t.Fatalf("%q: %v", out, err)
	}
	return string(res.Agents[0].ID)
}

func TestAnInterruptStopsAgentsAndExitsWell(t *testing.T) {
	t.Parallel()
	for name, sig := range map[string]os.Signal{"Ctrl-C": os.Interrupt, "SIGTERM": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startServing(t, t.TempDir())
			id := spawned(t, s.skein(t, "--json", "spawn", "shell", "--", "sh", "-c", "sleep 300 & exec sleep 300"))
			if got := processes(t, id); len(got) == 0 {
				t.Fatal("no process")
			}
			if err := s.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			ended := make(chan struct{})
			defer close(ended)
			go func() { // timeout(1) sends it to its child, and to its group
				for again := time.NewTicker(time.Millisecond); sig == syscall.SIGTERM; {
					select {
					case <-again.C:
						s.Process.Signal(sig)
					case <-ended:
						return
					}
				}
			}()
			if err := s.Wait(); err != nil {
				t.Errorf("serve: %v\n%s", err, s.stderr.Bytes())
			}
			if left := processes(t, id); len(left) > 0 {
				t.Errorf("processes %v are left", left)
			}
			if _, err := os.Stat(filepath.Join(s.dir, wire.LocalFile)); !os.IsNotExist(err) {
				t.Errorf("%s is left: %v", wire.LocalFile, err)
			}
			for line := range strings.Lines(s.stderr.String()) { // not a terminal: JSON
				if !json.Valid([]byte(line)) {
					t.Errorf("the log has the line %q", line)
				}
			}
		})
	}
}

func TestASecondInterruptExitsAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startServing(t, dir)
	id := spawned(t, s.skein(t, "--json", "spawn", "shell", "--", "sh", "-c", `trap "" TERM; echo up; while :; do sleep 60; done`))
	kit.Eventually(t, "the agent is up", func() bool { return s.skein(t, "logs", id) == "up\n" })
	watching := exec.Command("skein", "--data-dir", dir, "logs", "--events", "--follow", id)
	out, err := watching.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watching.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		watching.Process.Kill()
		io.Copy(io.Discard, out)
		watching.Wait()
	}()
	seen, buf := "", make([]byte, 4096)
	shows := func(e wire.EventType) {
		t.Helper()
		for !strings.Contains(seen, string(e)) {
			n, err := out.Read(buf)
			if err != nil {
				t.Fatalf("after %q: %v", seen, err)
			}
			seen += string(buf[:n])
		}
	}
	shows(wire.EventStdout)
	if err := s.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	shows(wire.EventStopping) // it has been understood
	if err := s.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err = s.Wait()
	var ee *exec.ExitError
	if !errors.As(err, &ee) || ee.ExitCode() != 130 { // the code when it does not wait
		t.Errorf("serve ended with %v", err)
	}
	again := startServing(t, dir) // and it reaps what was left
	if left := processes(t, id); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
	if out := again.skein(t, "logs", id); out != "up\n" {
		t.Errorf("the output became %q", out)
	}
}
