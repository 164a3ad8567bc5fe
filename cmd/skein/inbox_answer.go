package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/wire"
)

func inboxAnswer(g *global) *cobra.Command {
	var group bool
	var prompt string
	c := &cobra.Command{
		Use: "answer ID [OPTION|TEXT...]", Short: "Answer what an agent asks", Args: cobra.MinimumNArgs(1),
		Long: `Answer what an agent asks: a question by a text, a request for permission by one of its options. OPTION is the id or the name of
one, or a word for its kind: allow, reject, or in full allow_once, allow_always, reject_once, reject_always; allow is the first
allow_once, or else allow_always. With - the answer comes from standard input. Without an answer, on a terminal, the question is
shown and the answer is asked for.

--group also answers all that are identical to it, of agents of the same type. A question is answered once: if somebody was
faster, the exit code is 5, and a message says who it was.`,
		Example: `  skein inbox answer q3f7
  skein inbox answer q3f7 yes, go on
  skein inbox answer q3f7 allow --group
  skein inbox answer q3f7 - < reply.txt`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := g.dial(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			a, err := resolveAsk(cmd, c, args[0])
			if err != nil {
				return err
			}
			switch {
			case a.State != wire.AskPending:
				return wire.Errorf(wire.CodeConflict, "question %s has ended; %s", a.ID, endText(a))
			case a.Kind == wire.AskTerminal:
				return wire.Errorf(wire.CodePrecondition, "the program waits in its terminal; answer it there: skein attach %s", a.Agent)
			}
			all := []wire.Ask{*a}
			if group {
				if all, err = identical(cmd, c, a); err != nil {
					return err
				}
			}
			p, err := answerFor(cmd, all, args[1:])
			if err != nil {
				return err
			}
			if p.Prompt = a.Prompt; prompt != "" {
				p.Prompt = prompt
			}
			return answerAll(cmd, g, c, all, p, group)
		},
	}
	c.Flags().BoolVar(&group, "group", false, "answer all that are identical, too")
	c.Flags().StringVar(&prompt, "prompt", "", "answer only if this is its prompt, as show and --json have it")
	return c
}

// identical returns a question and all others that one answer fits.
func identical(cmd *cobra.Command, c *client.Client, a *wire.Ask) ([]wire.Ask, error) {
	res, err := c.Asks(cmd.Context(), wire.AskListParams{})
	if err != nil {
		return nil, err
	}
	if more := res.Total - len(res.Asks); more > 0 {
		printErrf(cmd, "skein: %d more wait than fit into one list; do it again for what is left\n", more)
	}
	all := []wire.Ask{*a}
	for _, other := range res.Asks {
		if other.ID != a.ID && same(a, &other) {
			all = append(all, other)
		}
	}
	return all, nil
}

// answerFor returns the answer that was given on the command line, on standard input, or to the question as it is now shown.
func answerFor(cmd *cobra.Command, all []wire.Ask, words []string) (wire.AskAnswerParams, error) {
	a := &all[0]
	terminal := cmd.InOrStdin() == io.Reader(os.Stdin) && isTerminal(os.Stdin)
	switch {
	case len(words) == 0 && !terminal:
		return wire.AskAnswerParams{}, usageError{errors.New("an answer is missing: " + expected(a) + ", or - to read it from standard input")}
	case len(words) == 0:
		return askPerson(cmd, all)
	case len(words) == 1 && words[0] == "-":
		b, err := io.ReadAll(cmd.InOrStdin())
		if err != nil {
			return wire.AskAnswerParams{}, err
		}
		words = []string{strings.TrimRight(string(b), "\r\n")}
	}
	return answerOf(a, strings.Join(words, " "))
}

// expected says what answers a question.
func expected(a *wire.Ask) string {
	if a.Kind == wire.AskQuestion {
		return "a text"
	}
	all := make([]string, len(a.Options))
	for i, o := range a.Options {
		all[i] = fmt.Sprintf("%s (%s)", o.ID, o.Name)
	}
	return "one of its options, which are " + strings.Join(all, ", ")
}

// answerOf returns what a word, or a text, means as an answer.
func answerOf(a *wire.Ask, word string) (p wire.AskAnswerParams, err error) {
	if a.Kind == wire.AskQuestion {
		if word == "" {
			return p, usageError{errors.New("an answer has a character at least")}
		}
		return wire.AskAnswerParams{Text: word}, nil
	}
	o, err := option(a, word)
	if err != nil {
		return p, usageError{err}
	}
	return wire.AskAnswerParams{Option: o.ID}, nil
}

// kindWords are the kinds that a word means, the preferred one first.
var kindWords = map[string][]wire.OptionKind{
	"allow": {wire.AllowOnce, wire.AllowAlways}, "reject": {wire.RejectOnce, wire.RejectAlways},
	string(wire.AllowOnce): {wire.AllowOnce}, string(wire.AllowAlways): {wire.AllowAlways},
	string(wire.RejectOnce): {wire.RejectOnce}, string(wire.RejectAlways): {wire.RejectAlways},
}

// option finds the one that a word means: by id, by name, or by kind. An agent chooses ids and names, so none may be called by the
// word for a kind that it is not of.
func option(a *wire.Ask, word string) (*wire.AskOption, error) {
	o := a.Option(word)
	if o == nil {
		var named []*wire.AskOption
		for i := range a.Options {
			if strings.EqualFold(a.Options[i].Name, word) {
				named = append(named, &a.Options[i])
			}
		}
		if len(named) > 1 {
			return nil, fmt.Errorf("%d of its options are called %q; give the id: %s", len(named), word, expected(a))
		}
		if len(named) == 1 {
			o = named[0]
		}
	}
	kinds, isKind := kindWords[strings.ToLower(word)]
	if o != nil && isKind && !slices.Contains(kinds, o.Kind) {
		return nil, fmt.Errorf("an option is called %q, but is of kind %s; choose by number, on a terminal, without an answer on the command line", word, o.Kind)
	}
	for _, kind := range kinds {
		for i := range a.Options {
			if o == nil && a.Options[i].Kind == kind {
				o = &a.Options[i]
			}
		}
	}
	if o == nil {
		return nil, fmt.Errorf("%q answers nothing here; what does is %s", word, expected(a))
	}
	return o, nil
}

// askPerson shows a question on the terminal and reads the answer. An empty line gives none.
func askPerson(cmd *cobra.Command, all []wire.Ask) (wire.AskAnswerParams, error) {
	a := &all[0]
	if err := printAsk(cmd.ErrOrStderr(), a); err != nil {
		return wire.AskAnswerParams{}, err
	}
	if len(all) > 1 {
		names := make([]string, len(all)-1)
		for i, other := range all[1:] {
			names[i] = other.Name
		}
		printErrf(cmd, "the answer is also for %d identical ones, of %s\n", len(names), join(names))
	}
	in := bufio.NewReader(cmd.InOrStdin())
	for {
		if a.Kind == wire.AskQuestion {
			cmd.PrintErr("skein: the answer: ")
		} else {
			printErrf(cmd, "skein: 1 to %d, or an option's id or name: ", len(a.Options))
		}
		line, err := readLine(cmd.Context(), in)
		if cmd.Context().Err() != nil {
			return wire.AskAnswerParams{}, interruption{"not answered"}
		}
		if line == "" || err != nil {
			return wire.AskAnswerParams{}, errors.New("not answered")
		}
		if n, err := strconv.Atoi(line); err == nil && 1 <= n && n <= len(a.Options) {
			return wire.AskAnswerParams{Option: a.Options[n-1].ID}, nil
		}
		p, err := answerOf(a, line)
		if err == nil {
			return p, nil
		}
		printErrf(cmd, "skein: %s\n", err)
	}
}

// readLine reads until the end of a line, or until ctx ends; the read then ends with the process, because it can't be interrupted.
func readLine(ctx context.Context, in *bufio.Reader) (string, error) {
	type result struct {
		line string
		err  error
	}
	read := make(chan result, 1)
	go func() {
		line, err := in.ReadString('\n')
		read <- result{strings.TrimSpace(line), err}
	}()
	select {
	case r := <-read:
		return r.line, r.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// answerAll gives one answer to each. What one of a group can't be answered for is said, and is the exit code.
func answerAll(cmd *cobra.Command, g *global, c *client.Client, all []wire.Ask, p wire.AskAnswerParams, group bool) error {
	ended := []wire.Ask{}
	var failed error
	for _, a := range all {
		p.ID = a.ID
		got, err := c.Answer(cmd.Context(), p)
		var we *wire.Error
		switch {
		case err == nil:
			ended = append(ended, *got)
		case !group:
			return err
		case errors.As(err, &we):
			printErrf(cmd, "skein: %s of %s: %s\n", a.ID, a.Name, we.Message)
		}
		if failed = cmp.Or(err, failed); err != nil && we == nil { // the next would not fare better
			break
		}
	}
	if err := printAnswered(cmd, g, ended, group); err != nil || failed == nil {
		return err
	}
	if errors.As(failed, new(*wire.Error)) {
		return exitCode(exitFor(failed))
	}
	return failed
}

func printAnswered(cmd *cobra.Command, g *global, ended []wire.Ask, group bool) error {
	switch {
	case g.json && group:
		return printJSON(cmd, map[string]any{"asks": ended})
	case g.json:
		return printJSON(cmd, ended[0])
	}
	for _, a := range ended {
		if err := printf(cmd, "%s  %s  %s\n", a.ID, a.Name, endText(&a)); err != nil {
			return err
		}
	}
	return nil
}
