package runner_test

import (
	"context"
	"fmt"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// printer is a Sink that shows what it is told.
type printer struct{}

func (printer) Output(t wire.EventType, b []byte)    { fmt.Printf("%s %q\n", t, b) }
func (printer) Activity(a wire.Activity, ask string) { fmt.Printf("activity %s %q\n", a, ask) }
func (printer) Signal(name string)                   { fmt.Println("signal", name) }

func ExampleScripted() {
	var scripts runner.Scripted
	defer scripts.Close()

	run, err := scripts.Start(context.Background(), runner.Launch{Agent: "aexample", Script: `
		say Looking around
		ask Which way?
		say Going ${reply}
		exit 3`}, printer{})
	if err != nil {
		fmt.Println(err)
		return
	}
	run.Input(context.Background(), []byte("left\n"), false)
	<-run.Done()
	fmt.Println(run.Exit().Message)
	// Output:
	// activity running ""
	// output.stdout "Looking around\n"
	// activity requires_action "Which way?"
	// activity running ""
	// output.stdout "Going left\n"
	// exit status 3
}

func ExampleProcesses() {
	processes := runner.NewProcesses(runner.Options{})
	defer processes.Close()

	run, err := processes.Start(context.Background(), runner.Launch{Agent: "aexample", Instance: "example",
		Argv: []string{"sh", "-c", `read name; echo "hello $name"; sleep 600 & exit 3`}, Cwd: "/"}, printer{})
	if err != nil {
		fmt.Println(err)
		return
	}
	run.Input(context.Background(), []byte("Skein\n"), true)
	<-run.Done() // the sleep is gone, too
	fmt.Println(run.Exit().Message)
	// Output:
	// activity running ""
	// output.stdout "hello Skein\n"
	// signal SIGTERM
	// exit status 3
}

func ExampleParseScript() {
	_, err := runner.ParseScript("say hello\nwait long")
	fmt.Println(err)
	// Output:
	// invalid_params: script line 2: "wait" needs a time such as 300ms or 1m30s, or a range such as 200ms..900ms, from 1ns to 24h0m0s, not "long"
}
