package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/e2e/netlab"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"skein-bench": main})
}

// TestScripts measures the product that was built, as make bench does: SKEIN_BIN, or bin/skein.
func TestScripts(t *testing.T) {
	t.Parallel()
	if kit.Quick {
		t.Skip("a benchmark is measured without the race detector: make soak runs this")
	}
	built, err := filepath.Abs(cmp.Or(os.Getenv("SKEIN_BIN"), "../../bin/skein"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(built); err != nil {
		t.Skipf("%v: make build makes it", err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("SKEIN", built)
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name != "lab" {
				return false, fmt.Errorf("the condition %q is none", name)
			}
			return netlab.Unavailable() == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits CODE COMMAND... runs a command that must end with this code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	got := 0
	err := ts.Exec(args[1], args[2:]...)
	if ee := new(exec.ExitError); errors.As(err, &ee) {
		got = ee.ExitCode()
	} else {
		ts.Check(err)
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

func TestEachCommandHasHelpWithExamplesThatExist(t *testing.T) {
	t.Parallel()
	for _, c := range append(newRoot().Commands(), newRoot()) {
		if c.Hidden {
			continue
		}
		t.Run(c.CommandPath(), func(t *testing.T) {
			root := newRoot()
			var out bytes.Buffer
			root.SetOut(&out)
			root.SetArgs(append(strings.Fields(c.CommandPath())[1:], "--help"))
			if err := root.ExecuteContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out.String(), "Examples:") || c.Short == "" {
				t.Errorf("--help has no example:\n%s", out.String())
			}
			for line := range strings.Lines(c.Example) {
				words := strings.Fields(line)
				cmd, _, err := newRoot().Find(words[1:])
				if words[0] != "skein-bench" || err != nil || !cmd.HasParent() {
					t.Errorf("%q: %v", line, err)
					continue
				}
				for _, w := range words {
					if name, ok := strings.CutPrefix(w, "--"); ok && name != "help" && cmd.Flag(name) == nil {
						t.Errorf("%q: there is no flag %s", line, w)
					}
				}
			}
		})
	}
}

func TestTheProductIsSaidToBeMissing(t *testing.T) {
	t.Parallel()
	_, err := product(filepath.Join(t.TempDir(), "skein"))
	if !errors.As(err, &usageError{}) || !strings.Contains(err.Error(), "--skein") {
		t.Errorf("%v", err)
	}
}
