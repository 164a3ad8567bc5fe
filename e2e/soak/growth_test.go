package soak

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestGrowthIsFound(t *testing.T) {
	var all []sample
	for i := range 60 {
		s := sample{at: time.Duration(i) * time.Minute, epoch: i / 30}
		s.values[0] = 1000 - 20*float64(min(i, 30)) // falls to 400, and stays
		s.values[1] = 100 + float64(i)              // 130 to 159
		s.values[2] = 100 * float64(i)              // 3000 to 5900
		all = append(all, s)
	}
	table, grown := growth(all)
	if len(grown) != 1 || !strings.Contains(grown[0], columns[2].name) {
		t.Errorf("grown: %q\n%s", grown, table)
	}
	if !strings.Contains(table, "| "+columns[0].name+" | 400 MB | 400 MB | 1.00 |") {
		t.Errorf("the table says\n%s", table)
	}
}

func TestWhatIsDoneTwiceIsFound(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := once(dir); err == nil {
		t.Error("nothing was done, and nobody says so")
	}
	t.Setenv(dirVar, dir)
	for _, lines := range [][]string{{"a", "b"}, {"c", "a"}} {
		e, err := newEffects()
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			e.add(line)
		}
		e.f.Close()
	}
	n, twice, err := once(dir)
	if n != 4 || !slices.Equal(twice, []string{"a"}) || err != nil {
		t.Errorf("%d lines, %q twice, %v", n, twice, err)
	}
}

func TestWhatIsNeverDoneIsFound(t *testing.T) {
	counts := map[string]int{"prompt of coder: error -32602": 100}
	for _, what := range deeds[1:] {
		counts[what] = 1
	}
	if got := undone(counts); !slices.Equal(got, deeds[:1]) {
		t.Errorf("never done: %q", got)
	}
}

func TestProcessesOfAgentsAreFound(t *testing.T) {
	if got := variable([]byte("A=1\x00SKEIN_AGENT_ID=x y\x00B=2"), "SKEIN_AGENT_ID"); got != "x y" {
		t.Errorf("the variable is %q", got)
	}
	j := &judge{instance: "an instance that is not there"}
	if p := j.processes(); len(p) > 0 {
		t.Errorf("processes of no server: %v", p)
	}
	own, err := os.ReadFile("/proc/self/environ")
	if err != nil {
		t.Fatal(err)
	}
	if field([]byte("Name:\tx\nVmRSS:\t  1234 kB\n"), "VmRSS:") != 1234 || variable(own, "PATH") != os.Getenv("PATH") {
		t.Error("/proc is read wrong")
	}
	if folderSize(filepath.Dir(os.Args[0])) == 0 {
		t.Error("the folder of the test has no size")
	}
}
