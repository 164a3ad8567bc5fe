package main

import (
	"cmp"
	"strings"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/wire"
)

func optionsCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: "options AGENT [OPTION [VALUE]]", Short: "Show what an agent lets you choose, such as its model, or set it", Args: cobra.RangeArgs(1, 3),
		Long: `Show the options of an agent of kind acp and its slash commands, which are sent as prompts. With OPTION, which is the id of an option or a
category such as model, mode or thought_level, list its values; with VALUE, the id of one of them, set it.`,
		Example: `  skein options oc
  skein options oc model
  skein options oc model big`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			ids, err := resolve(cmd, c, args[0])
			if err != nil {
				return err
			}
			var r *wire.OptionsResult
			if len(args) == 3 {
				r, err = c.Configure(cmd.Context(), wire.ConfigureParams{ID: ids[0], Option: args[1], Value: args[2]})
			} else {
				r, err = c.Options(cmd.Context(), ids[0])
			}
			switch {
			case err != nil:
				return err
			case g.json:
				return printJSON(cmd, r)
			case len(args) == 2:
				return printValues(cmd, r, args[1])
			}
			return printOffers(cmd, r)
		},
	}
}

// printOffers prints the options of an agent, and its commands.
func printOffers(cmd *cobra.Command, r *wire.OptionsResult) error {
	if len(r.Options)+len(r.Commands) == 0 {
		cmd.PrintErrln("it offers nothing to choose")
		return nil
	}
	if len(r.Options) > 0 {
		t := newTable(cmd.OutOrStdout(), "OPTION", "VALUE", "NAME", "VALUES")
		for _, o := range r.Options {
			t.row(o.ID, cmp.Or(o.Value, "-"), o.Name, valueIDs(&o))
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	if len(r.Commands) == 0 {
		return nil
	}
	if len(r.Options) > 0 {
		printf(cmd, "\n")
	}
	t := newTable(cmd.OutOrStdout(), "COMMAND", "DESCRIPTION")
	for _, c := range r.Commands {
		name := "/" + c.Name
		if c.Hint != "" {
			name += " [" + c.Hint + "]"
		}
		t.row(name, c.Description)
	}
	return t.flush()
}

// valueIDs are some of them, in one cell.
func valueIDs(o *wire.AgentOption) string {
	const width = 60
	var cell strings.Builder
	for i, v := range o.Values {
		if i > 0 {
			cell.WriteString(", ")
		}
		if cell.Len()+len(v.ID) > width {
			return cell.String() + "…"
		}
		cell.WriteString(v.ID)
	}
	return cell.String()
}

// printValues prints the values of one option; a star marks the present one.
func printValues(cmd *cobra.Command, r *wire.OptionsResult, name string) error {
	o, err := wire.OptionNamed(r.Options, name)
	if err != nil {
		return err
	}
	t := newTable(cmd.OutOrStdout(), "", "VALUE", "NAME", "DESCRIPTION")
	for _, v := range o.Values {
		mark := ""
		if v.ID == o.Value {
			mark = "*"
		}
		text := v.Name
		if v.Group != "" {
			text = v.Group + ": " + text
		}
		t.row(mark, v.ID, text, v.Description)
	}
	if o.More > 0 {
		defer printErrf(cmd, "skein: it has %d more values, which can be set all the same\n", o.More)
	}
	return t.flush()
}
