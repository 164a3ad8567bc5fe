package main

import (
	"cmp"
	"strings"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/wire"
)

func admissionCommand(g *global) *cobra.Command {
	show := func(cmd *cobra.Command, _ []string) error { return admission(cmd, g, nil) }
	c := &cobra.Command{
		Use: "admission", Short: "See, close or open admission: whether agents and tasks may start", Args: cobra.NoArgs, RunE: show,
		Long: `See, close or open admission. While it is closed, for all or for a type, no agent is spawned and no task is started;
tasks are accepted, and wait. A stop of a type or of all closes it. The setting survives restarts.`,
		Example: `  skein admission
  skein admission close reviewer --reason 'its key expired'
  skein admission open`,
	}
	c.AddCommand(&cobra.Command{
		Use: "show", Short: "Show whether admission is open", Args: cobra.NoArgs, RunE: show,
		Example: `  skein admission show
  skein admission show --json`,
	}, setAdmissionCommand(g, "open", false), setAdmissionCommand(g, "close", true))
	return c
}

func setAdmissionCommand(g *global, verb string, closed bool) *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: verb + " [TYPE]", Short: strings.ToUpper(verb[:1]) + verb[1:] + " admission, for an agent type or for all", Args: cobra.MaximumNArgs(1),
		Example: `  skein admission ` + verb + `
  skein admission ` + verb + ` shell --reason 'after the update'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			p := &wire.AdmissionParams{Closed: closed, Reason: reason}
			if len(args) == 1 {
				p.Type = args[0]
			}
			return admission(cmd, g, p)
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "the reason, for other people to see")
	return c
}

// admission shows admission, after the change if there is one.
func admission(cmd *cobra.Command, g *global, change *wire.AdmissionParams) error {
	c, err := g.dial(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	var a *wire.Admission
	if change == nil {
		a, err = c.Admission(cmd.Context())
	} else {
		a, err = c.SetAdmission(cmd.Context(), *change)
	}
	switch {
	case err != nil:
		return err
	case g.json:
		return printJSON(cmd, a)
	case a.Closed:
		cmd.Println("closed")
	case len(a.Types) > 0:
		printf(cmd, "open, but closed for %s\n", strings.Join(a.Types, ", "))
	default:
		cmd.Println("open")
	}
	if a.Since != nil && change == nil {
		printf(cmd, "%s\n", strings.TrimRight("since "+moment(*a.Since)+", by "+cmp.Or(a.Actor, "the server")+": "+a.Reason, ": "))
	}
	return nil
}
