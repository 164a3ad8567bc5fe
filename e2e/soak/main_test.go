// Package soak runs a fleet with agents of every kind for as long as it is told, with SKEIN_SOAK (3m without it; make soak
// says 1h), while its server is restarted and killed and its clients' network changes. Then no process may be left that
// belongs to no agent, no agent, task or question may be stuck, nothing may be done twice, and the server and its clients
// may not have grown.
//
//	soak_test.go     the test: what happens when
//	world_test.go    the server, the network between it and the clients, and a way around
//	fleet_test.go    the agents, and how many of each there are
//	programs_test.go what the agents run
//	load_test.go     the clients' process: it keeps the fleet at its number and checks what it is told
//	work_test.go     tasks and remote agents
//	talk_test.go     prompts, questions, terminals
//	data_test.go     events, memory, artifacts
//	judge_test.go    what may not be, seen from outside
//	sample_test.go   what the server uses, over time
//
// The processes of the lab are this test's own binary, for a socket is in the namespace of the thread that opens it.
package soak

import (
	"fmt"
	"os"
	"testing"
)

// roleVar names what a process of this binary is, if it is not the test.
const roleVar = "SKEIN_SOAK_ROLE"

var roles = map[string]func() error{
	"server": serve,
	"model":  serveModel,
	"load":   load,
	"coder":  code,
	"liner":  doTasks,
}

func TestMain(m *testing.M) {
	name := os.Getenv(roleVar)
	if name == "" {
		os.Exit(m.Run())
	}
	role, ok := roles[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "no role %q\n", name)
		os.Exit(2)
	}
	if err := role(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
