package scripted

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"skein.dev/skein/server/runner"
	"skein.dev/skein/webtransport/wire"
)

// Bounds of a script.
const (
	MaxScript     = 64 << 10       // bytes
	MaxNesting    = 8              // repeats within repeats
	MaxStatements = 4096           // lines that are neither blank nor a comment
	MaxWait       = 24 * time.Hour // of one wait or idle
	MaxRepeat     = 1_000_000_000  // of repeat and flood
	MaxBinary     = 1 << 30        // bytes of one binary
	MaxText       = 256 << 10      // bytes of one text with its variables filled in; the rest is dropped
)

// Statements are the words with which a line of a script may start.
var Statements = []string{"say", "warn", "wait", "ask", "read", "echo", "repeat", "end", "idle", "flood", "binary",
	"exit", "crash", "hang", "take", "progress", "result", "error", "busy"}

// Script is a parsed script for [Kind]. It is never changed, so that any number of agents may run the same one.
//
// A script is a text of lines. A line is a statement; blank lines and lines that start with # are skipped.
//
//	say TEXT            print a line on stdout
//	warn TEXT           print a line on stderr
//	wait TIME           do nothing for a while
//	idle TIME           the same, with the activity idle meanwhile
//	ask QUESTION        require action, with the question, until a line of input arrives
//	read                wait for a line of input
//	echo                print each line of input on stdout until the input ends
//	repeat N            run the lines up to the matching end N times; N may be forever
//	end
//	flood COUNT TEXT    print COUNT lines on stdout, each an output of its own, as fast as they are taken
//	binary N            print N bytes that are no UTF-8 on stdout, always the same
//	exit CODE           end with this exit code, 0 to 255
//	crash MESSAGE       end as failed, with exit code -1 and the message
//	hang                ignore a stop until killed
//
// For tasks, by the line protocol (docs/agents.md), where the agent's type has tasks: lines:
//
//	take                be idle until a task comes; one that is canceled meanwhile brings the script back here
//	progress TEXT       say how the task gets on
//	result TEXT         complete the task
//	error TEXT          fail the task
//	busy TEXT           fail the task in a way that another attempt may mend
//
// TIME is a Go duration such as 300ms or 1m30s, or a range such as 200ms..900ms, from which each agent draws by its
// own id: the same agent always waits the same, two agents are not in lockstep.
//
// In a text, ${reply} is the line that the last ask or read got, and ${i} counts from 1 through the innermost repeat,
// or through the lines of a flood; ${input} and ${task} are the input and the id of the task that was taken. $${ stands
// for ${ itself.
//
// A script that reaches its last line exits with 0. Once the input has ended, read and echo end the script with 0 (as
// a program that reads to the end would), except that the echo that sees the end goes on; ask ends it with 1.
type Script struct {
	steps []step
}

type word uint8

const (
	wordSay word = iota
	wordWarn
	wordWait
	wordAsk
	wordRead
	wordEcho
	wordRepeat
	wordEnd
	wordIdle
	wordFlood
	wordBinary
	wordExit
	wordCrash
	wordHang
	wordTake
	wordProgress
	wordResult
	wordError
	wordBusy
)

// step is one statement. word says which fields it uses.
type step struct {
	word   word
	text   template
	count  int           // flood, binary, exit; repeat: 0 is forever
	jump   int           // repeat: the step after its end; end: the first step of the body
	lo, hi time.Duration // wait, idle
}

// draw returns the time to wait.
func (s *step) draw(r *rand.Rand) time.Duration {
	if s.hi <= s.lo {
		return s.lo
	}
	return s.lo + time.Duration(r.Int64N(int64(s.hi-s.lo)+1))
}

// template is a text that was split at its variables.
type template []part

type part struct {
	text     string
	variable string // one of variables, or ""
}

// variables are the names that a text may use.
var variables = []string{"reply", "i", "input", "task"}

// values are the values of the variables.
type values struct {
	reply, input, task string
	i                  int
}

func (t template) append(b []byte, v values) []byte {
	for _, p := range t {
		b = append(b, p.text...)
		switch p.variable {
		case "reply":
			b = append(b, v.reply...)
		case "input":
			b = append(b, v.input...)
		case "task":
			b = append(b, v.task...)
		case "i":
			b = strconv.AppendInt(b, int64(v.i), 10)
		}
		if len(b) > MaxText {
			return b[:MaxText-runner.Unfinished(b[:MaxText])]
		}
	}
	return b
}

// parser holds the state of parsing a script.
type parser struct {
	line    int
	steps   []step
	repeats []int // steps of the repeats whose end has not come
	opened  []int // and their lines
}

// ParseScript parses a script. Its error is a *wire.Error with CodeInvalidParams that names the line, the wrong word and
// what is allowed.
func ParseScript(text string) (Script, error) {
	if len(text) > MaxScript {
		return Script{}, scriptError("the script has %d bytes; at most %d are allowed", len(text), MaxScript)
	}
	if !utf8.ValidString(text) {
		return Script{}, scriptError("the script is not UTF-8")
	}
	var p parser
	for line := range strings.Lines(text) {
		p.line++
		if err := p.parse(strings.TrimSpace(line)); err != nil {
			return Script{}, err
		}
	}
	if n := len(p.opened); n > 0 {
		p.line = p.opened[n-1]
		return Script{}, p.fail(`"repeat" has no "end"`)
	}
	return Script{steps: p.steps}, nil
}

func scriptError(format string, args ...any) *wire.Error {
	return wire.Errorf(wire.CodeInvalidParams, format, args...).WithField("script")
}

func (p *parser) fail(format string, args ...any) *wire.Error {
	return scriptError("script line %d: %s", p.line, fmt.Sprintf(format, args...))
}

func (p *parser) parse(line string) error {
	if line == "" || line[0] == '#' {
		return nil
	}
	if len(p.steps) == MaxStatements {
		return p.fail("there are more than %d statements", MaxStatements)
	}
	name, rest := cutWord(line)
	i := slices.Index(Statements, name)
	if i < 0 {
		return p.fail("%s is not a statement; allowed are %s", shorten(name), strings.Join(Statements, ", ")).WithSupported(Statements)
	}
	s := step{word: words[i]}
	var err error
	switch s.word {
	case wordSay, wordWarn, wordProgress, wordResult:
		s.text, err = p.template(rest, len(p.repeats) > 0)
	case wordAsk, wordCrash, wordError, wordBusy:
		if rest == "" {
			return p.fail("%q needs a text after it", name)
		}
		s.text, err = p.template(rest, len(p.repeats) > 0)
	case wordWait, wordIdle:
		s.lo, s.hi, err = p.times(name, rest)
	case wordFlood:
		count, text := cutWord(rest)
		if s.count, err = p.number(name, count, 1, MaxRepeat); err == nil {
			s.text, err = p.template(text, true)
		}
	case wordBinary:
		s.count, err = p.number(name, rest, 1, MaxBinary)
	case wordExit:
		s.count, err = p.number(name, rest, 0, 255)
	case wordRepeat:
		return p.repeat(s, rest)
	case wordEnd:
		return p.end(s, rest)
	default:
		err = p.nothing(name, rest)
	}
	p.steps = append(p.steps, s)
	return err
}

// words are the words of Statements without their arguments.
var words = []word{wordSay, wordWarn, wordWait, wordAsk, wordRead, wordEcho, wordRepeat, wordEnd, wordIdle, wordFlood,
	wordBinary, wordExit, wordCrash, wordHang, wordTake, wordProgress, wordResult, wordError, wordBusy}

func (p *parser) repeat(s step, rest string) error {
	if rest != "forever" {
		var err error
		if s.count, err = p.number("repeat", rest, 1, MaxRepeat); err != nil {
			return p.fail(`"repeat" needs "forever" or a whole number from 1 to %d, not %s`, MaxRepeat, shorten(rest))
		}
	}
	if len(p.repeats) == MaxNesting {
		return p.fail("repeats are nested deeper than %d", MaxNesting)
	}
	p.repeats = append(p.repeats, len(p.steps))
	p.opened = append(p.opened, p.line)
	p.steps = append(p.steps, s)
	return nil
}

func (p *parser) end(s step, rest string) error {
	if err := p.nothing("end", rest); err != nil {
		return err
	}
	n := len(p.repeats) - 1
	if n < 0 {
		return p.fail(`"end" has no "repeat"`)
	}
	start := p.repeats[n]
	if start == len(p.steps)-1 {
		return p.fail(`there is nothing between "repeat" in line %d and "end"`, p.opened[n])
	}
	p.repeats, p.opened = p.repeats[:n], p.opened[:n]
	s.jump = start + 1
	p.steps = append(p.steps, s)
	p.steps[start].jump = len(p.steps)
	return nil
}

func (p *parser) nothing(name, rest string) error {
	if rest != "" {
		return p.fail("%q takes nothing after it, not %s", name, shorten(rest))
	}
	return nil
}

func (p *parser) number(name, s string, lo, hi int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < lo || n > hi {
		return 0, p.fail("%q needs a whole number from %d to %d, not %s", name, lo, hi, shorten(s))
	}
	return n, nil
}

func (p *parser) times(name, s string) (lo, hi time.Duration, err error) {
	from, to, isRange := strings.Cut(s, "..")
	if lo, err = p.time(name, from); err != nil || !isRange {
		return lo, lo, err
	}
	if hi, err = p.time(name, to); err == nil && hi < lo {
		err = p.fail("%q needs the shorter time first, not %s", name, shorten(s))
	}
	return lo, hi, err
}

func (p *parser) time(name, s string) (time.Duration, error) {
	d, err := time.ParseDuration(strings.TrimSpace(s))
	if err != nil || d <= 0 || d > MaxWait {
		return 0, p.fail("%q needs a time such as 300ms or 1m30s, or a range such as 200ms..900ms, from 1ns to %s, not %s",
			name, MaxWait, shorten(s))
	}
	return d, nil
}

// template splits a text at its variables. counted reports that ${i} has a value there.
func (p *parser) template(s string, counted bool) (template, error) {
	var t template
	var text strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			break
		}
		if i > 0 && s[i-1] == '$' { // $${
			text.WriteString(s[:i-1] + "${")
			s = s[i+2:]
			continue
		}
		text.WriteString(s[:i])
		name, rest, closed := strings.Cut(s[i+2:], "}")
		if !closed || !slices.Contains(variables, name) {
			allowed := make([]string, len(variables))
			for i, v := range variables {
				allowed[i] = "${" + v + "}"
			}
			return nil, p.fail("%s is not a variable; allowed are %s (write $${ for ${ itself)",
				shorten("${"+name), strings.Join(allowed, ", ")).WithSupported(allowed)
		}
		if name == "i" && !counted {
			return nil, p.fail("${i} counts a repeat, and there is none around this line")
		}
		t = append(t, part{text.String(), name})
		text.Reset()
		s = rest
	}
	text.WriteString(s)
	if text.Len() > 0 {
		t = append(t, part{text: text.String()})
	}
	return t, nil
}

// cutWord splits off the first word of a line, which ends at a space or a tab.
func cutWord(line string) (word, rest string) {
	i := strings.IndexAny(line, " \t")
	if i < 0 {
		return line, ""
	}
	return line[:i], strings.TrimLeft(line[i:], " \t")
}

// shorten quotes a text that a person wrote, for use in a message.
func shorten(s string) string {
	const most = 40
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most]) + "…"
	}
	return strconv.Quote(s)
}
