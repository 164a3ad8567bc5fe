package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"skein.dev/skein/webtransport/wire"
)

// Agents, and whoever gives them work, choose much of what the commands print: names, the last line, questions, results,
// errors. On a terminal a control character in it could clear the screen, hide a line, or show another text than there
// is. Everything that a command prints for a person goes through this file, where such a character becomes its escape,
// such as \x1b. What is not for a person stays as it is: the output of logs, attach and spawn --follow, files, and
// values and results that go to a pipe or a file.

// harmful reports what is not printed. The marks of bidirectional text turn nothing around by themselves, and ordinary
// text of right-to-left scripts has them.
func harmful(r rune) bool {
	return wire.Unprintable(r) && r != '\u200e' && r != '\u200f' && r != '\u061c'
}

// safe makes one harmless line of a text.
func safe(s string) string { return escaped(s, "") }

// safeText is safe for a text of several lines.
func safeText(s string) string { return escaped(s, "\n\t") }

func escaped(s, but string) string {
	if !strings.ContainsFunc(s, harmful) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if harmful(r) && !strings.ContainsRune(but, r) {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// safeArgs makes the texts among the arguments of a format safe, whatever their type is called.
func safeArgs(args []any) []any {
	args = slices.Clone(args)
	for i, a := range args {
		switch v := a.(type) {
		case error:
			args[i] = safe(v.Error())
		case fmt.Stringer:
			args[i] = safe(v.String())
		default:
			if r := reflect.ValueOf(a); r.Kind() == reflect.String {
				args[i] = safe(r.String())
			}
		}
	}
	return args
}

// printf prints for a person, on standard output.
func printf(cmd *cobra.Command, format string, args ...any) error {
	_, err := fmt.Fprintf(cmd.OutOrStdout(), format, safeArgs(args)...)
	return err
}

// printErrf prints for a person, on standard error.
func printErrf(cmd *cobra.Command, format string, args ...any) {
	fmt.Fprintf(cmd.ErrOrStderr(), format, safeArgs(args)...)
}

// begins says, before it is done to several, to how many: "skein: stopping 3 agents".
func begins(cmd *cobra.Command, g *global, doing string, n int, what string) {
	if n > 1 && !g.json {
		printErrf(cmd, "skein: %s %d %s\n", doing, n, what)
	}
}

// writeValue prints what is somebody's value: as it is, or, for a person at a terminal, safely.
func writeValue(cmd *cobra.Command, b []byte) error {
	out := cmd.OutOrStdout()
	if f, ok := out.(*os.File); ok && isTerminal(f) {
		b = []byte(safeText(string(b)))
	}
	_, err := out.Write(b)
	return err
}

func printJSON(cmd *cobra.Command, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := cmd.OutOrStdout().Write(safeJSON(b.Bytes()))
	return err
}

// printJSONLine prints a value as one line.
func printJSONLine(cmd *cobra.Command, v any) error {
	line, err := wire.AppendLine(nil, v)
	if err == nil {
		_, err = cmd.OutOrStdout().Write(safeJSON(line))
	}
	return err
}

// safeJSON writes the harmful characters that JSON allows in a string, DEL, C1 and those of bidirectional text, as \u.
// They stand nowhere else.
func safeJSON(b []byte) []byte {
	if !bytes.ContainsFunc(b, func(r rune) bool { return r >= 0x7f && harmful(r) }) {
		return b
	}
	var out []byte
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r >= 0x7f && harmful(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
		} else {
			out = append(out, b[:n]...)
		}
		b = b[n:]
	}
	return out
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// terminalWidth is that of standard error; where it is no terminal, 80.
func terminalWidth() int {
	ws, err := unix.IoctlGetWinsize(int(os.Stderr.Fd()), unix.TIOCGWINSZ)
	if err != nil || ws.Col == 0 {
		return 80
	}
	return int(ws.Col)
}
