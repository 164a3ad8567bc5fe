package memory

import (
	"iter"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"skein.dev/skein/webtransport/wire"
)

const (
	maxQuery     = 1024 // bytes
	maxTerms     = 32
	snippetRunes = 200
	// snippetScan bounds the bytes of a value that are searched for a snippet.
	snippetScan = 256 << 10
)

// term is a part of a query: words in a row. With prefix, the last of them is the beginning of a word.
type term struct {
	text   string
	prefix bool
}

// parseQuery parses a query: words, "phrases", and a * after either for words that begin so. All other characters separate
// words. The error has CodeInvalidParams or CodeTooLarge.
func parseQuery(q string) ([]term, error) {
	if len(q) > maxQuery {
		return nil, wire.Errorf(wire.CodeTooLarge, "the query has %d bytes, the limit is %d", len(q), maxQuery).WithField("query")
	}
	var terms []term
	for q = strings.TrimSpace(q); q != ""; q = strings.TrimSpace(q) {
		var text string
		if rest, quoted := strings.CutPrefix(q, `"`); quoted {
			text, q, _ = strings.Cut(rest, `"`)
		} else {
			end := strings.IndexFunc(q, func(r rune) bool { return unicode.IsSpace(r) || r == '"' || r == '*' })
			if end < 0 {
				end = len(q)
			}
			text, q = q[:end], q[end:]
		}
		rest, prefix := strings.CutPrefix(q, "*")
		q = rest
		if strings.IndexFunc(text, isWord) < 0 {
			continue
		}
		terms = append(terms, term{strings.ToValidUTF8(text, " "), prefix})
	}
	switch {
	case len(terms) == 0:
		return nil, wire.Errorf(wire.CodeInvalidParams, `the query has no word; it takes words, "phrases" and prefix*`).WithField("query")
	case len(terms) > maxTerms:
		return nil, wire.Errorf(wire.CodeInvalidParams, "the query has %d terms, the limit is %d", len(terms), maxTerms).WithField("query")
	}
	return terms, nil
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

// matchExpression returns a query in the syntax of FTS5. Words are put in quotation marks, so that nothing in them has a
// special meaning.
func matchExpression(terms []term, spaces []string) string {
	var b strings.Builder
	if spaces != nil {
		b.WriteString(`ns : ("` + strings.Join(spaces, `" OR "`) + `") AND `)
	}
	b.WriteString("{key value} : (")
	for i, t := range terms {
		if i > 0 {
			b.WriteByte(' ')
		}
		clean := strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return ' '
			}
			return r
		}, t.text)
		b.WriteString(`"` + strings.ReplaceAll(clean, `"`, " ") + `"`)
		if t.prefix {
			b.WriteByte('*')
		}
	}
	b.WriteByte(')')
	return b.String()
}

// word is a word of a text, with its position and the form in which it is compared.
type word struct {
	from, to int
	folded   string
}

// words yields the words of a text.
func words(s string) iter.Seq[word] {
	return func(yield func(word) bool) {
		start := -1
		for i, r := range s {
			switch is := isWord(r) || unicode.Is(unicode.Mn, r); {
			case is && start < 0:
				start = i
			case !is && start >= 0:
				if !yield(word{start, i, fold(s[start:i])}) {
					return
				}
				start = -1
			}
		}
		if start >= 0 {
			yield(word{start, len(s), fold(s[start:])})
		}
	}
}

// fold removes the differences of case and accents from a word.
func fold(s string) string {
	s = strings.ToLower(s)
	for i := range len(s) {
		if s[i] >= 0x80 {
			return strings.Map(func(r rune) rune {
				if unicode.Is(unicode.Mn, r) {
					return -1
				}
				return r
			}, norm.NFD.String(s))
		}
	}
	return s
}

// snippet returns the part of a text with the most words of a query, or "" if it has none of them.
func snippet(text string, terms []term) string {
	if len(text) > snippetScan {
		text = strings.ToValidUTF8(text[:snippetScan], "")
	}
	matches := matcher(terms)
	best, bestCount := -1, 0
	var window []word // matching words near each other
	for w := range words(text) {
		if !matches(w.folded) {
			continue
		}
		window = append(window, w)
		for len(window) > 1 && w.to-window[0].from > snippetRunes {
			window = window[1:]
		}
		if n := distinct(window); n > bestCount {
			best, bestCount = window[0].from, n
		}
	}
	if best < 0 {
		return ""
	}
	return cutAround(text, best)
}

// matcher returns a function that reports whether a word matches a query.
func matcher(terms []term) func(folded string) bool {
	whole := map[string]bool{}
	var begins []string
	for _, t := range terms {
		ws := slices.Collect(words(t.text))
		for i, w := range ws {
			if t.prefix && i == len(ws)-1 {
				begins = append(begins, w.folded)
			} else {
				whole[w.folded] = true
			}
		}
	}
	return func(folded string) bool {
		if whole[folded] {
			return true
		}
		for _, b := range begins {
			if strings.HasPrefix(folded, b) {
				return true
			}
		}
		return false
	}
}

func distinct(all []word) int {
	seen := map[string]bool{}
	for _, w := range all {
		seen[w.folded] = true
	}
	return len(seen)
}

// cutAround returns a little of the text before a position and more of it after, on one line.
func cutAround(text string, at int) string {
	from := at
	for n := snippetRunes / 5; from > 0 && n > 0; n-- {
		from = prevRune(text, from)
	}
	for from > 0 && from < at && !unicode.IsSpace(rune(text[from-1])) { // begin with a word
		from++
		for from < at && !isStart(text[from]) {
			from++
		}
	}
	to := from
	for n := snippetRunes; to < len(text) && n > 0; n-- {
		to = nextRune(text, to)
	}
	s := strings.Join(strings.Fields(text[from:to]), " ")
	if from > 0 {
		s = "…" + s
	}
	if to < len(text) {
		s += "…"
	}
	return s
}

func isStart(c byte) bool { return c&0xc0 != 0x80 }

func prevRune(s string, i int) int {
	for i--; i > 0 && !isStart(s[i]); i-- {
	}
	return i
}

func nextRune(s string, i int) int {
	for i++; i < len(s) && !isStart(s[i]); i++ {
	}
	return i
}
