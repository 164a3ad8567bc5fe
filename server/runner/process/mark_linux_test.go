package process

import (
	"os/exec"
	"testing"
	"time"

	"skein.dev/skein/server/fork"
)

// What is started while an agent is has no mark of it: it would end when the agent is stopped, as git once did.
func TestOnlyTheAgentHasItsMark(t *testing.T) {
	type answer struct {
		limits []byte
		err    error
	}
	other := make(chan answer, 1)
	var own []byte
	mark := markOf("me", "a1")
	mark.inherit(func() {
		go func() {
			out, err := fork.Output(exec.Command("cat", "/proc/self/limits"))
			other <- answer{out, err}
		}()
		time.Sleep(50 * time.Millisecond) // it is started now, if it can be
		own, _ = exec.Command("cat", "/proc/self/limits").Output()
	})
	if got := parseLimits(own); got != mark {
		t.Skipf("a mark can't be set here: %#x", got)
	}
	if a := <-other; a.err != nil || len(a.limits) == 0 || parseLimits(a.limits) != 0 {
		t.Errorf("what was started at the same time has the mark %#x, %v", parseLimits(a.limits), a.err)
	}
}
