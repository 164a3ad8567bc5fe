package jet

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skein.dev/skein/webtransport/wire"
)

func TestADamagedStoreIsNotOpened(t *testing.T) {
	flip := func(from, n int) func(t *testing.T, file string) {
		return func(t *testing.T, file string) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for i := from; i < from+n; i++ {
				b[i] ^= 0xff
			}
			if err := os.WriteFile(file, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(t *testing.T, file string) {
		if err := os.RemoveAll(file); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		file   string // relative to the folder of the streams
		damage func(t *testing.T, file string)
	}{
		"wrong bytes in a block":     {"records/KV_agents/msgs/1.blk", flip(3000, 40)},
		"a block is missing":         {"records/KV_tasks/msgs/1.blk", remove},
		"a description is no JSON":   {"records/KV_agents/meta.inf", flip(10, 20)},
		"a stream is missing":        {"records/KV_agents", remove},
		"events that were destroyed": {"events/LOG/msgs/1.blk", remove},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := Open(t.Context(), Config{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 50 {
				if err := s.PutAgent(t.Context(), &wire.Agent{ID: wire.AgentID(fmt.Sprintf("a%d", i)), Name: strings.Repeat("x", 50)}); err != nil {
					t.Fatal(err)
				}
				if err := s.PutTask(t.Context(), &wire.Task{ID: wire.TaskID(fmt.Sprintf("t%d", i))}); err != nil {
					t.Fatal(err)
				}
				done := make(chan struct{})
				s.Append(&wire.Event{Subject: "a1", Type: wire.EventStdout, Data: wire.EventData{Text: "line"}}, func(uint64) { close(done) })
				<-done
			}
			s.Close()
			node, rest, _ := strings.Cut(c.file, "/")
			c.damage(t, filepath.Join(dir, "store", node, "jetstream", "$G", "streams", rest))
			s, err = Open(t.Context(), Config{Dir: dir})
			var damaged *DamagedError
			if !errors.As(err, &damaged) {
				if err == nil {
					s.Close()
				}
				t.Fatalf("it was opened: %v", err)
			}
			if !bytes.Contains([]byte(err.Error()), []byte("mv "+filepath.Join(dir, "store"))) {
				t.Errorf("it shows no way out: %v", err)
			}
			if err := os.Rename(damaged.Dir, damaged.Dir+".damaged"); err != nil {
				t.Fatal(err)
			}
			s, err = Open(t.Context(), Config{Dir: dir})
			if err != nil {
				t.Fatalf("the way out: %v", err)
			}
			s.Close()
		})
	}
}
