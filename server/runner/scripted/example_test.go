package scripted_test

import (
	"context"
	"fmt"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/server/runner/scripted"
)

// show is a Sink that prints its calls.
func show(e runner.Event) error {
	switch e := e.(type) {
	case runner.Output:
		fmt.Printf("%s %q\n", e.Stream, e.Bytes)
	case runner.Activity:
		fmt.Println("activity", e.Now)
	case runner.Ask:
		fmt.Printf("it asks %q\n", e.Text)
	case runner.Signal:
		fmt.Println("signal", e.Name)
	}
	return nil
}

func ExampleKind() {
	var scripts scripted.Kind
	defer scripts.Close()

	run, err := scripts.Start(context.Background(), runner.Launch{Agent: "aexample", Script: `
		say Looking around
		ask Which way?
		say Going ${reply}
		exit 3`}, show)
	if err != nil {
		fmt.Println(err)
		return
	}
	run.(runner.Inputter).Input(context.Background(), []byte("left\n"), false)
	<-run.Done()
	fmt.Println(run.Exit().Message)
	// Output:
	// activity running
	// output.stdout "Looking around\n"
	// it asks "Which way?"
	// activity running
	// output.stdout "Going left\n"
	// exit status 3
}

func ExampleParseScript() {
	_, err := scripted.ParseScript("say hello\nwait long")
	fmt.Println(err)
	// Output:
	// invalid_params: script line 2: "wait" needs a time such as 300ms or 1m30s, or a range such as 200ms..900ms, from 1ns to 24h0m0s, not "long"
}
