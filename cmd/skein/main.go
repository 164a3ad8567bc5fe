// Command skein is the control plane and its command line in one binary.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func main() {
	ctx, stop := interruptible()
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

// interruptible ends its context at the first Ctrl-C, SIGTERM or SIGHUP (of a terminal that closes, or a service manager), and
// the process at a later Ctrl-C. Under nohup a SIGHUP stays ignored.
func interruptible() (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	sigs := make(chan os.Signal, 2)
	signal.Notify(sigs, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(sigs, syscall.SIGHUP)
	}
	go func() {
		<-sigs
		cancel()
		for sig := range sigs {
			if sig == os.Interrupt { // timeout(1) and others send SIGTERM twice: only a person who presses Ctrl-C again means it
				os.Exit(130)
			}
		}
	}()
	return ctx, cancel
}

func run(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var code exitCode
	if errors.As(err, &code) {
		return int(code)
	}
	message := err.Error()
	var we *wire.Error
	if errors.As(err, &we) {
		message = we.Message
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = interruption{"interrupted; the server may have done what was already requested"}
		message = err.Error()
	}
	fmt.Fprintln(os.Stderr, "skein: "+safeText(message))
	return exitFor(err)
}

func newRoot() *cobra.Command {
	g := &global{}
	root := &cobra.Command{
		Use:   "skein",
		Short: "Run a fleet of agents, see which one needs you, steer it, stop it",
		Long: `Skein runs agents (commands, scripts) and shows them in the browser, live over WebTransport, or over WebSocket
where UDP is blocked. One binary: ` + "`skein serve`" + ` is the server, everything else talks to it.

` + exitHelp,
		Example: `  skein serve                                   # then open the URL that it prints
  skein spawn shell -- sh -c 'make test'        # start a process as an agent
  skein ps                                      # see the fleet
  skein logs -f a4k2                            # follow one agent
  skein task submit --wait -- make test         # give work to whoever is free
  skein stop --all                              # stop everything, verified`,
		SilenceUsage: true, SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return fromEnv(cmd.Flags()) },
	}
	root.SetOut(os.Stdout) // else cobra prints to standard error
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	})
	f := root.PersistentFlags()
	f.StringVar(&g.dataDir, "data-dir", client.DefaultDataDir(), "folder of the server's data; a local server is found through it")
	f.StringVar(&g.server, "server", "", "URL of a server elsewhere, such as https://skein.example.com:4433")
	f.StringVar(&g.token, "token", "", "token for --server; default: the one in the data folder")
	f.StringVar(&g.transport, "transport", client.Auto, "auto, webtransport or websocket")
	f.BoolVar(&g.noCache, "no-cache", false, "don't remember the server for the next command (which otherwise sends its request in the first packets)")
	f.BoolVar(&g.json, "json", false, "print JSON")
	f.BoolVarP(&g.verbose, "verbose", "v", false, "log what the client does")
	root.AddCommand(serveCommand(g), spawnCommand(g), psCommand(g), logsCommand(g), inboxCommand(g), attachCommand(g), sendCommand(g), mcpCommand(g),
		stopCommand(g), restartCommand(g), removeCommand(g), pauseCommand(g), resumeCommand(g), dropCommand(g), optionsCommand(g), sessionsCommand(g), changesCommand(g), diffCommand(g), commitCommand(g), discardCommand(g), taskCommand(g), scheduleCommand(g), admissionCommand(g), usageCommand(g), typesCommand(g), artifactCommand(g), memoryCommand(g), loginCommand(g), openCommand(g), summaryCommand(g), exportCommand(g), doctorCommand(g), versionCommand(g))
	checkArgs(root)
	completes(root, g)
	return root
}

// checkArgs makes wrong arguments of any command a usage error. A command that only holds others takes none of its own.
func checkArgs(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		if sub.HasSubCommands() && sub.RunE == nil {
			sub.Args = cobra.NoArgs
			sub.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
		checkArgs(sub)
	}
}

// fromEnv sets flags that were not given from their environment variables.
func fromEnv(flags *pflag.FlagSet) (err error) {
	flags.VisitAll(func(f *pflag.Flag) {
		name := "SKEIN_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		v, ok := os.LookupEnv(name)
		if !ok || f.Changed || err != nil || f.Name == "help" {
			return
		}
		if e := flags.Set(f.Name, v); e != nil {
			err = usageError{fmt.Errorf("%s=%q: %w", name, v, e)}
		}
	})
	return err
}

func versionCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Example: `  skein version
  skein version --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, _ := debug.ReadBuildInfo()
			v := map[string]string{"version": version, "protocol": wire.Version, "go": info.GoVersion}
			if g.json {
				return printJSON(cmd, v)
			}
			printf(cmd, "skein %s, protocol %s, %s\n", v["version"], v["protocol"], v["go"])
			return nil
		},
	}
}
