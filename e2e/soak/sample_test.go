package soak

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sample is what the server and its clients use at one time.
type sample struct {
	at     time.Duration // since the test began
	epoch  int           // counts the server's starts
	values [len(columns)]float64
}

// columns name the values of a sample. What grows by more than its bound over the last epoch is a leak.
var columns = [...]struct {
	name, unit string
	may        float64 // times as much as before
	plus       float64 // and as much more
}{
	{"server's memory (RSS)", "MB", 1.15, 10},
	{"server's heap in use", "MB", 1.2, 10},
	{"server's goroutines", "", 1.1, 50},
	{"server's open files", "", 1.1, 20},
	{"server's threads", "", 1.1, 5},
	{"data folder", "MB", 1.2, 20},
	{"clients' heap in use", "MB", 1.2, 5},
	{"clients' goroutines", "", 1.1, 30},
}

// sample takes one.
func (w *world) sample(ctx context.Context, at time.Duration, epoch int, clients news) (s sample, err error) {
	s.at, s.epoch = at, epoch
	pid := w.server.cmd.Process.Pid
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return s, err
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return s, err
	}
	metrics, err := w.metrics(ctx)
	if err != nil {
		return s, err
	}
	s.values = [...]float64{field(status, "VmRSS:") / 1024, metrics["go_memstats_heap_inuse_bytes"] / 1e6, metrics["go_goroutines"], float64(len(files)),
		field(status, "Threads:"), float64(folderSize(filepath.Join(w.dir, "data"))) / 1e6, float64(clients.Heap) / 1e6, float64(clients.Gos)}
	return s, nil
}

// field reads a number of /proc/PID/status.
func field(status []byte, name string) float64 {
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			n, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return n
		}
	}
	return 0
}

// metrics reads those that have no labels.
func (w *world) metrics(ctx context.Context) (map[string]float64, error) {
	hc := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) { return w.inside(metricsPort) }}}
	req, err := http.NewRequestWithContext(ctx, "GET", "http://localhost/metrics", nil)
	if err != nil {
		return nil, err
	}
	r, err := hc.Do(req)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	all := map[string]float64{}
	lines := bufio.NewScanner(io.LimitReader(r.Body, 4<<20))
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), " "); ok {
			if n, err := strconv.ParseFloat(value, 64); err == nil {
				all[name] = n
			}
		}
	}
	return all, lines.Err()
}

func folderSize(dir string) (n int64) {
	filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if i, err := d.Info(); err == nil {
				n += i.Size()
			}
		}
		return nil
	})
	return n
}

// growth compares, column by column, the medians of two parts of the last epoch: its third quarter but for the beginning, and its last
// fifth. It returns a table, and what has grown by more than it may. Before, the server fills what is bounded: it keeps answers for ten
// minutes, and events and what has ended up to a number.
func growth(all []sample) (table string, grown []string) {
	last := all[len(all)-1].epoch
	all = slices.DeleteFunc(slices.Clone(all), func(s sample) bool { return s.epoch != last })
	n := len(all)
	early, late := all[n*11/20:n*3/4], all[n*4/5:]
	if len(early) == 0 || len(late) == 0 {
		return "too few samples", nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| | %v–%v | %v–%v | ratio |\n|---|---|---|---|\n", early[0].at.Round(time.Second), early[len(early)-1].at.Round(time.Second),
		late[0].at.Round(time.Second), late[len(late)-1].at.Round(time.Second))
	for i, c := range columns {
		before, after := median(early, i), median(late, i)
		fmt.Fprintf(&b, "| %s | %.0f %s | %.0f %s | %.2f |\n", c.name, before, c.unit, after, c.unit, after/before)
		if after > before*c.may+c.plus {
			grown = append(grown, fmt.Sprintf("%s grew from %.0f to %.0f %s", c.name, before, after, c.unit))
		}
	}
	return b.String(), grown
}

func median(all []sample, column int) float64 {
	v := make([]float64, len(all))
	for i, s := range all {
		v[i] = s.values[column]
	}
	slices.Sort(v)
	return v[len(v)/2]
}

// write writes all samples as a table, for whoever wants to draw them.
func write(path string, all []sample) error {
	var b strings.Builder
	b.WriteString("seconds\tepoch")
	for _, c := range columns {
		b.WriteString("\t" + c.name)
	}
	b.WriteString("\n")
	for _, s := range all {
		fmt.Fprintf(&b, "%.0f\t%d", s.at.Seconds(), s.epoch)
		for _, v := range s.values {
			fmt.Fprintf(&b, "\t%.1f", v)
		}
		b.WriteString("\n")
	}
	return os.WriteFile(path, []byte(b.String()), 0o600)
}
