//go:build linux

package vt

import "strings"

const (
	up, down, right, left = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"
	pageUp, pageDown      = "\x1b[5~", "\x1b[6~"
	home, endKey          = "\x1b[H", "\x1b[F"
	f2, f3, f5, f9, f10   = "\x1bOQ", "\x1bOR", "\x1b[15~", "\x1b[20~", "\x1b[21~"
	enter, escKey         = "\r", "\x1b"
	click                 = "\x1b[<0;10;5M\x1b[<0;10;5m" // of the mouse, in the encoding 1006
	wheelDown             = "\x1b[<65;10;5M"
)

// scripts are the sessions. The files that they show are made by testdata/record.sh.
var scripts = map[string]script{
	"bash": {argv: []string{"bash", "--norc", "-i"}, version: []string{"bash", "--version"}, steps: []string{
		"PS1='\\[\\e[1;32m\\]me\\[\\e[m\\]:\\[\\e[34m\\]\\w\\[\\e[m\\]\\$ '\r", "ls --color=always -la\r", "cat colours.txt\r", "cat words.txt\r",
		"echo " + strings.Repeat("a line that is longer than the screen is wide ", 4), home, right + right + "X" + endKey + "\x17\x17Y", enter,
		"for i in $(seq 1 100); do printf '\\r%3d %% ' $i; done; echo\r", "seq 1 60\r", "<size 100 30>", "echo wider\r", "<size 50 12>", "echo narrower; cat words.txt\r", "clear\r",
		"printf 'one\\ttwo\\tthree\\e[5G!\\n'; tput setaf 3; echo yellow; tput sgr0\r", "\x12seq", enter, "printf '\\e]0;a title of mine\\a'\r", "<size 80 24>", "exit\r",
	}},
	"vim": {argv: []string{"vim", "-u", "vimrc", "-n", "program.c"}, version: []string{"vim", "--version"}, steps: []string{
		"jjjw", "\x06", "\x04", "\x15", "/return\r", "n", "N", "ggVjj", escKey, "oa new line, wide 漢字, é, 👍" + escKey, "dd", "u", "yyp>>", ":vsplit notes.txt\r", "\x17w", "\x17s", "5\x17-", "<size 110 32>", "\x04",
		"<size 60 16>", ":only\r", "G", "Atext at the end of the file that is long enough to go on in the next line" + escKey, ":set nowrap\r", "$", "0", ":set wrap list\r", "\x16jjl", escKey, "<size 80 24>", ":help\r", ":q\r", "\x1a", ":terminal ++rows=6 seq 30\r", "<wait>", ":qa!\r",
	}},
	"less": {argv: []string{"less", "-R", "notes.txt"}, version: []string{"less", "--version"}, steps: []string{
		" ", " ", "b", "jjjkk", "/wide\r", "n", "N", "G", "g", "-S\r", right, left, "-S\r", "<size 100 30>", "d", "<size 40 10>", "d", "u", "<size 80 24>", "-N\r", " ", "?line\r", "h", "q", ":n\r", "&colour\r", "q",
	}},
	"man": {argv: []string{"man", "./skein.1"}, version: []string{"man", "--version"}, steps: []string{" ", "/option\r", "<size 60 20>", "G", "g", "q"}},
	"htop": {argv: []string{"htop", "-d", "8"}, version: []string{"htop", "--version"}, steps: []string{
		"<wait>", down + down, f5, "t", f2, down + right + down, escKey, f3 + "htop", escKey, "<size 110 34>", "<wait>", "<size 60 14>", "<wait>", click, wheelDown, "<size 80 24>", "H", f10,
	}},
	"top":  {argv: []string{"top", "-d", "2"}, version: []string{"top", "-V"}, steps: []string{"<wait>", "1", "z", "x", "c", "V", "<size 100 30>", "<wait>", "m", "t", "h", "q", "f", "q", "<size 60 15>", "<wait>", "q"}},
	"btop": {argv: []string{"btop", "--utf-force"}, version: []string{"btop", "--version"}, steps: []string{"<wait>", "<size 90 30>", "<wait>", "m", escKey, "q"}},
	"tmux": {argv: []string{"tmux", "-L", "record", "-f", "/dev/null", "new-session", "bash", "--norc"}, version: []string{"tmux", "-V"}, steps: []string{
		"PS1='$ '\r", "cat colours.txt\r", "\x02%", "PS1='> '; seq 1 50\r", "\x02\"", "less -R notes.txt\r", " ", "\x02o", "\x02z", "\x02z", "<size 100 30>", "\x02[", pageUp, pageUp, "q", "cat words.txt\r",
		"\x02c", "vim -u vimrc program.c\r", "\x04", "\x02n", "\x02p", "<size 60 18>", "\x02 ", "\x02w", escKey, "\x02:set -g mouse on\r", click, "\x02t", "q", "<size 80 24>", "\x02d",
	}},
	"mc": {argv: []string{"mc", "-u", "-a"}, version: []string{"mc", "--version"}, steps: []string{ // without lines of Unicode
		down + down + down, "\t", f9, down + down, right, right, escKey + escKey, endKey, f3, pageDown, "q", "<size 100 30>", "\x0f", "<size 70 18>", f10,
	}},
	"mc-utf8": {argv: []string{"mc", "-u"}, version: []string{"mc", "--version"}, steps: []string{
		down + down + down, click, f9, enter, down, escKey + escKey, home, down + down + down, "\x1b4", "typed", up + up, f2, escKey + escKey, "<size 90 28>", f10, enter, "<size 80 24>", f10, enter,
	}},
	"nano": {argv: []string{"nano", "-l", "notes.txt"}, version: []string{"nano", "--version"}, steps: []string{
		"Hello, 漢字 👍 é", enter, down + down, "\x0b", "\x15", "\x17line\r", pageDown, "<size 100 30>", "\x07", pageDown, "\x18", "<size 50 12>", pageDown, "\x1bs", "<size 80 24>", "\x18", "n",
	}},
	"emacs": {argv: []string{"emacs", "-nw", "-Q", "program.c"}, version: []string{"emacs", "--version"}, steps: []string{
		"\x0e\x0e\x0e", "\x16", "\x1bv", "\x13return", "\x13", enter, "typed 漢字 é 👍", "\x182", "\x18o", "\x183", "<size 110 32>", "\x18d" + enter, "<size 60 16>", "\x181", "\x1bxcalendar\r", "<size 80 24>", "\x18\x03", "n", "yes\r",
	}},
	"dialog": {argv: []string{"bash", "dialogs.sh"}, version: []string{"dialog", "--version"}, steps: []string{
		down, enter, down + " " + down + " ", "\t", "<size 100 30>", enter, up + down + right, enter, "<wait>", enter, pageDown, "<size 60 20>", enter, enter,
	}},
	"fzf": {argv: []string{"bash", "-c", "cat notes.txt words.txt program.c | fzf --preview 'echo {}; seq 20' --border --multi"}, version: []string{"fzf", "--version"}, steps: []string{
		"li", "ne", up + up, "\t", "\t", "\x15", "wide", "<size 100 30>", "\x15", "<size 50 14>", down, "<size 80 24>", enter,
	}},
	"vttest": {argv: []string{"vttest", "24x80.132"}, version: []string{"vttest", "-V"}, steps: []string{
		"1", enter, enter, enter, enter, enter, enter, enter, enter, "2", enter, enter, enter, enter, enter, enter, enter, enter, enter, enter, enter, enter, enter, enter, enter, enter, enter, enter, "0", enter, "0", enter,
	}},
	"vttest-vt102": {argv: []string{"vttest", "24x80.132"}, version: []string{"vttest", "-V"}, steps: []string{
		"8", enter, enter, enter, enter, enter, enter, enter, enter, enter, enter, enter, enter, enter, enter, enter, "0", enter,
	}},

	// Coding agents, from npm. None of them has a login; those that need no more than an endpoint have a model of ours.
	"opencode": {argv: []string{"opencode"}, version: []string{"opencode", "--version"}, steps: []string{
		"<see Ask anything>", "<wait>", "<wait>", "Say what is to be done, with 漢字 and é.", "<see Say what>", "<wait>", enter, "<wait>", "<wait>", "/", down + down, escKey, "<size 110 32>", "<wait>", "\x10", escKey, "<size 60 18>", "<wait>", "<size 80 24>", "<wait>", "\x03",
	}},
	"gemini": {argv: []string{"gemini"}, version: []string{"gemini", "--version"}, steps: []string{"<wait>", "<wait>", down, up, "<size 100 30>", "<wait>", enter, "<wait>", "<size 60 18>", "<wait>", escKey, "\x03", "\x03"}},
	"qwen": {argv: []string{"qwen"}, version: []string{"qwen", "--version"}, steps: []string{
		"<wait>", "<wait>", "Say what is to be done, 漢字 é.", enter, "<wait>", "<wait>", "/", down + down, escKey, "<size 110 32>", "<wait>", "?", "<size 60 18>", "<wait>", "<size 80 24>", "<wait>", "\x03", "\x03",
	}},
	"codex":   {argv: []string{"codex"}, version: []string{"codex", "--version"}, steps: []string{"<wait>", down, up, "<size 100 30>", "<wait>", down, enter, "<wait>", "some text", "<size 60 18>", "<wait>", escKey, "\x03", "\x03"}},
	"claude":  {argv: []string{"claude"}, version: []string{"claude", "--version"}, steps: []string{"<wait>", "<wait>", down, up, enter, "<wait>", "<size 100 30>", enter, "<wait>", enter, "<wait>", "<size 60 18>", enter, "<wait>", "Say 漢字.", enter, "<wait>", "<size 80 24>", "<wait>", "\x03", "\x03"}},
	"pi":      {argv: []string{"pi"}, version: []string{"pi", "--version"}, steps: []string{"<wait>", "<wait>", "text 漢字 é", "<size 100 30>", "<wait>", enter, "<wait>", "/", down + down, escKey, "<size 60 18>", "<wait>", "\x03", "\x03"}},
	"copilot": {argv: []string{"copilot"}, version: []string{"copilot", "--version"}, steps: []string{"<wait>", "<wait>", down, up, enter, "<wait>", "text 漢字 é", "<size 100 30>", "<wait>", enter, "<wait>", "<size 60 18>", "<wait>", "\x03", "\x03"}},
	"cline":   {argv: []string{"cline"}, version: []string{"cline", "--version"}, steps: []string{"<wait>", "<wait>", down, up, "<size 100 30>", "<wait>", enter, "<wait>", "text 漢字 é", "<size 60 18>", "<wait>", "\x03", "\x03"}},
}
