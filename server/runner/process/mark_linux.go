package process

import (
	"bytes"
	"hash/fnv"
	"strconv"

	"golang.org/x/sys/unix"

	"skein.dev/skein/server/fork"
	"skein.dev/skein/webtransport/wire"
)

// limitMark marks every process of an agent by a resource limit. It is for processes outside the agent's cgroup, because
// none could be created or they were moved out of it. It finds those that have overwritten their environment, left their
// session and were handed to init, since a limit is inherited by fork and exec (getrlimit(2)), is not in the memory of
// the process, and can be read by everybody in /proc/PID/limits.
//
// The limit is the soft RLIMIT_RTTIME, in µs, with a value of at least 146,000 years. Only real-time schedulers use that
// limit, and nobody sets it to such a value. 0 stands for no mark.
type limitMark uint64

const (
	markBit   = limitMark(1) << 62
	agentBits = 40
)

// markOf returns a mark with a hash of the instance in 22 bits and one of the agent in 40.
func markOf(instance string, agent wire.AgentID) limitMark {
	return markBit | hashOf(instance)>>42<<agentBits | hashOf(string(agent))>>24
}

func hashOf(s string) limitMark {
	h := fnv.New64a()
	h.Write([]byte(s))
	return limitMark(h.Sum64())
}

// of reports whether the mark is from this instance.
func (m limitMark) of(instance string) bool {
	return m >= markBit && m>>agentBits == markOf(instance, "")>>agentBits
}

var limitLine = []byte("Max realtime timeout")

// parseLimits returns the mark in /proc/PID/limits (proc_pid_limits(5)), or 0 if there is none.
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

// readLimitMark reads the mark of a process.
func (p *proc) readLimitMark() error {
	var buf [4096]byte
	n, err := readSmall(procDir(p.PID)+"/limits", buf[:])
	if gone(err) || denied(err) {
		return nil
	}
	p.mark = parseLimits(buf[:n])
	return err
}

// inherit calls start, which forks a child, so that the child has the mark, and no other. If the limit can't be set, the child has no mark, and only its
// environment and its ancestors show whose it is.
func (m limitMark) inherit(start func()) {
	fork.Alone(func() { // what else is forked would count as a process of the agent, and end with it
		var before unix.Rlimit
		if m != 0 && unix.Getrlimit(unix.RLIMIT_RTTIME, &before) == nil && before.Max >= uint64(m) {
			if unix.Setrlimit(unix.RLIMIT_RTTIME, &unix.Rlimit{Cur: uint64(m), Max: before.Max}) == nil {
				defer unix.Setrlimit(unix.RLIMIT_RTTIME, &before)
			}
		}
		start()
	})
}
