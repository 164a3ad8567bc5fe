// Package faults is the fault matrix: what a network does to a session, over each transport, for the Go client and for
// the JavaScript client in Chromium. A fault happens in a lab, with a server at one end of its link and every client at
// the other; the test stands outside, and asks the server by a way that has no fault.
//
//	lab_test.go      the link, the server, and the way around
//	cell_test.go     what a client does while the network does what it does; the Go client
//	chromium.js      the same in a page
//	peer_test.go     a process with such cells, as the test sees it
//	faults_test.go   the faults
//	judge_test.go    what must be true afterwards
//	matrix_test.go   the test
//
// The processes in the lab are this test's own binary, for a socket is in the namespace of the thread that opens it.
package faults

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// roleVar names what a process of this binary is, if it is not the test.
const roleVar = "SKEIN_FAULTS_ROLE"

func TestMain(m *testing.M) {
	var err error
	switch role := os.Getenv(roleVar); role {
	case "":
		goleak.VerifyTestMain(m)
	case "server":
		err = serve()
	case "client":
		err = clients(os.Stdin, os.Stdout)
	default:
		err = fmt.Errorf("no role %q", role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
