package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/wire"
)

func sendCommand(g *global) *cobra.Command {
	var eof, raw, interrupt bool
	var replace string
	c := &cobra.Command{
		Use: "send AGENT [TEXT...]", Short: "Write a line to an agent's standard input, or give it a prompt", Args: cobra.MinimumNArgs(1),
		Long: "Write the words as one line to an agent's standard input; without words, copy standard input to it. For an agent of kind acp or openai, that is a prompt, which waits for its turn.",
		Example: `  skein send a4k2 yes, go on
  skein send a4k2 --eof < notes.txt
  skein send a4k2 --interrupt
  skein send a4k2 --interrupt leave the tests alone
  skein send a4k2 --replace p3 only the docs`,
		RunE: func(cmd *cobra.Command, args []string) error {
			text := []byte(strings.Join(args[1:], " "))
			if !raw {
				text = append(text, '\n')
			}
			if len(args) == 1 {
				text = nil
				if !eof && !interrupt || !isTerminal(os.Stdin) && !interrupt {
					var err error
					if text, err = io.ReadAll(cmd.InOrStdin()); err != nil {
						return err
					}
				}
			}
			return send(cmd, g, args[0], text, wire.InputParams{EOF: eof, Interrupt: interrupt, Replace: replace})
		},
	}
	c.Flags().BoolVar(&eof, "eof", false, "close the agent's standard input afterwards")
	c.Flags().BoolVar(&raw, "raw", false, "add no newline")
	c.Flags().BoolVar(&interrupt, "interrupt", false, "first cancel what an agent of kind acp or openai does for the prompt that it has")
	c.Flags().StringVar(&replace, "replace", "", "the text takes the place of this prompt, which waits for its turn (skein drop AGENT lists them)")
	return c
}

// send writes text to an agent, in as many parts as that takes. how applies to the whole.
func send(cmd *cobra.Command, g *global, word string, text []byte, how wire.InputParams) error {
	c, err := g.dial(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	ids, err := resolve(cmd, c, word)
	if err != nil {
		return err
	}
	if how.Replace != "" && len(text) > wire.MaxInput {
		return usageError{fmt.Errorf("a prompt that takes the place of another has at most %d bytes", wire.MaxInput)}
	}
	r := bytes.NewReader(text)
	for first := true; first || r.Len() > 0; first = false {
		part := make([]byte, min(r.Len(), wire.MaxInput))
		io.ReadFull(r, part)
		p := wire.InputParams{ID: ids[0], EOF: how.EOF && r.Len() == 0, Interrupt: how.Interrupt && first, Replace: how.Replace}
		if len(part) > 0 {
			p.Base64 = part
		}
		if err := c.Input(cmd.Context(), p); err != nil {
			return err
		}
	}
	if g.json {
		return printJSON(cmd, map[string]any{"id": ids[0], "bytes": len(text), "eof": how.EOF, "interrupt": how.Interrupt})
	}
	return nil
}
