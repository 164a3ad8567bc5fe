package main

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestCtrlCLeavesAnOrchestrationToGoOn(t *testing.T) {
	t.Parallel()
	s := startServing(t, t.TempDir())
	file := filepath.Join(t.TempDir(), "go")
	left := exec.Command("skein", "--data-dir", s.dir, "task", "orchestrate", "--input", "now", "--input", file, "--",
		"sh", "-c", `read f; case $f in /*) while ! [ -e "$f" ]; do sleep 0.05; done;; esac; echo done`)
	var stderr bytes.Buffer
	left.Stderr = &stderr
	out, err := left.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := left.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); line != "0\tcompleted\tdone\n" {
		t.Fatalf("it prints %q, %v\n%s", line, err, stderr.Bytes())
	}
	if err := left.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if rest, _ := lines.ReadString(0); rest != "" {
		t.Errorf("then it prints %q", rest)
	}
	var ee *exec.ExitError
	if err := left.Wait(); !errors.As(err, &ee) || ee.ExitCode() != exitInterrupted {
		t.Errorf("it ends with %v", err)
	}
	again := regexp.MustCompile(`keeps running; see it again with: skein (task results t[a-z2-7]{12} --after 1)\n`).FindSubmatch(stderr.Bytes())
	if again == nil {
		t.Fatalf("it says %q", stderr.Bytes())
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := s.skein(t, strings.Fields(string(again[1]))...); !strings.HasPrefix(got, "1\tcompleted\tdone\n[") {
		t.Errorf("then that prints %q", got)
	}
}
