package process_test

import (
	"context"
	"fmt"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/server/runner/process"
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
	processes := process.New(process.Options{})
	defer processes.Close()

	run, err := processes.Start(context.Background(), runner.Launch{Agent: "aexample", Instance: "example",
		Argv: []string{"sh", "-c", `read name; echo "hello $name"; sleep 600 & exit 3`}, Cwd: "/"}, show)
	if err != nil {
		fmt.Println(err)
		return
	}
	run.(runner.Inputter).Input(context.Background(), []byte("Skein\n"), true)
	<-run.Done() // the sleep is gone, too
	fmt.Println(run.Exit().Message)
	// Output:
	// activity running
	// output.stdout "hello Skein\n"
	// signal SIGTERM
	// exit status 3
}
