// Command skein-bench measures skein, the product, as a program of its own: none of what it compares with, and no bad network
// between two namespaces, is linked into the product.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"skein.dev/skein/cmd/skein-bench/peers"
)

// Exit codes, as skein has them.
const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRoot().ExecuteContext(ctx)
	stop()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "skein-bench: "+err.Error())
	if errors.As(err, &usageError{}) {
		os.Exit(exitUsage)
	}
	os.Exit(exitFailed)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use: "skein-bench", Short: "Measure skein on this machine, beside what one would use in its place",
		Long: `Measure skein on this machine: the program beside this one, or that of --skein. "run" prints a table, "cases" says what
it measures. "peers" is what one would use in place of Skein: "run" starts it by itself.`,
		Example: `  skein-bench run --only spawn
  skein-bench cases
  skein-bench peers --help`,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.SetOut(os.Stdout) // else cobra prints to standard error
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	})
	root.AddCommand(runCommand(), casesCommand(), peers.Command(), bareCommand(), labCommand())
	return root
}
