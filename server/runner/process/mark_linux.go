package process

import (
	"bytes"
	"hash/fnv"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"skein.dev/skein/webtransport/wire"
)

// limitMark marks every process of an agent by a resource limit. Where no cgroup can be made, or a process was moved out of
// it, it finds what overwrote its environment, left its session and was handed to init: a limit is inherited by fork and exec (getrlimit(2)), belongs to
// no memory of the process, and /proc/PID/limits shows it to everybody.
//
// It is the soft RLIMIT_RTTIME, in µs, of at least 146,000 years: a limit that only real-time schedulers look at, and which
// nobody sets to such a number. 0: no mark.
type limitMark uint64

const (
	markBit   = limitMark(1) << 62
	agentBits = 40
)

// markOf has a hash of the instance in 22 bits, and one of the agent in 40.
func markOf(instance string, agent wire.AgentID) limitMark {
	return markBit | hashOf(instance)>>42<<agentBits | hashOf(string(agent))>>24
}

func hashOf(s string) limitMark {
	h := fnv.New64a()
	h.Write([]byte(s))
	return limitMark(h.Sum64())
}

// of reports whether the mark is one of this instance's.
func (m limitMark) of(instance string) bool {
	return m >= markBit && m>>agentBits == markOf(instance, "")>>agentBits
}

var limitLine = []byte("Max realtime timeout")

// parseLimits finds the mark in /proc/PID/limits (proc_pid_limits(5)); 0: there is none.
func parseLimits(b []byte) limitMark {
	_, line, ok := bytes.Cut(b, limitLine)
	if !ok {
		return 0
	}
	line, _, _ = bytes.Cut(line, []byte{'\n'})
	soft := bytes.Fields(line)
	if len(soft) == 0 {
		return 0
	}
	v, err := strconv.ParseUint(string(soft[0]), 10, 64)
	if m := limitMark(v); err == nil && m >= markBit && m < markBit<<1 {
		return m
	}
	return 0
}

// readLimitMark reads a process's mark.
func (p *proc) readLimitMark() error {
	var buf [4096]byte
	n, err := readSmall(procDir(p.PID)+"/limits", buf[:])
	if gone(err) || denied(err) {
		return nil
	}
	p.mark = parseLimits(buf[:n])
	return err
}

// marking is held from setting this process's own limit to the end of the fork that inherits it.
var marking sync.Mutex

// inherit forks with a mark. Where the limit can't be set, it forks without: the environment and the tree of parents still
// tell whose a process is.
func (m limitMark) inherit(fork func()) {
	if m == 0 {
		fork()
		return
	}
	marking.Lock()
	defer marking.Unlock()
	var before unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_RTTIME, &before) == nil && before.Max >= uint64(m) {
		if unix.Setrlimit(unix.RLIMIT_RTTIME, &unix.Rlimit{Cur: uint64(m), Max: before.Max}) == nil {
			defer unix.Setrlimit(unix.RLIMIT_RTTIME, &before)
		}
	}
	fork()
}
