package preview

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"skein.dev/skein/ui/words"
)

// Bounds of a JSON text that is shown as a tree.
const (
	maxNodes  = 200_000
	maxDepth  = 100
	treeNodes = 3000 // more of them are shown as indented text
)

// Node is a value of a JSON text, in the order and with the numbers that the text has.
type Node struct {
	Key   string // in an object
	Named bool   // it has a key
	Op    byte   // '{', '[', 's' (string), 'n' (number), 'b' (true, false, null)
	Text  string // of a scalar
	Kids  []Node
	Depth int
	Count int // of the values in it, at any depth
}

// errTooMuch means that a JSON text is valid as far as it was read, but has more values, or deeper ones, than a tree shows.
var errTooMuch = errors.New("too many values")

// listTable returns a table if a value is a list of objects.
func listTable(n *Node) (Table, bool) {
	if n == nil || n.Op != '[' || len(n.Kids) == 0 {
		return Table{}, false
	}
	objects := make([]*Node, len(n.Kids))
	for i := range n.Kids {
		if objects[i] = &n.Kids[i]; objects[i].Op != '{' {
			return Table{}, false
		}
	}
	return objectTable(objects)
}

// jsonFault says what is wrong with a JSON text, and where.
func jsonFault(text string, err error) string {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err.Error()
	}
	before := text[:min(max(0, int(syntax.Offset)-1), len(text))]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return fmt.Sprintf("%s in line %d, column %d", strings.TrimPrefix(syntax.Error(), "json: "), line, column)
}

// parseJSON reads a JSON text.
func parseJSON(text string) (*Node, error) {
	var raw json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil { // what follows knows that the text is valid
		return nil, err
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	r := treeReader{d: d}
	n := &Node{}
	if err := r.value(n, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return n, nil
}

// treeReader builds nodes of tokens.
type treeReader struct {
	d     *json.Decoder
	nodes int
}

func (r *treeReader) value(n *Node, depth int) error {
	if r.nodes++; r.nodes > maxNodes || depth > maxDepth {
		return errTooMuch
	}
	n.Depth = depth
	tok, err := r.d.Token()
	if err != nil {
		return err
	}
	if open, is := tok.(json.Delim); is {
		n.Op = byte(open)
		return r.kids(n, depth)
	}
	n.Op, n.Text = scalar(tok)
	return nil
}

// kids reads the values in an object or a list, and its end.
func (r *treeReader) kids(n *Node, depth int) error {
	before := r.nodes
	for r.d.More() {
		var kid Node
		if n.Op == '{' {
			key, err := r.d.Token()
			if err != nil {
				return err
			}
			kid.Key, kid.Named = key.(string)
		}
		if err := r.value(&kid, depth+1); err != nil {
			return err
		}
		n.Kids = append(n.Kids, kid)
	}
	n.Count = r.nodes - before
	_, err := r.d.Token()
	return err
}

func scalar(tok json.Token) (op byte, text string) {
	switch v := tok.(type) {
	case string:
		return 's', v
	case json.Number:
		return 'n', v.String()
	case bool:
		return 'b', strconv.FormatBool(v)
	}
	return 'b', "null"
}

// brief is a value in a table's cell.
func (n *Node) brief() string {
	switch n.Op {
	case '{':
		return "{" + words.Count(len(n.Kids), "key", "keys") + "}"
	case '[':
		return n.list()
	}
	return n.Text
}

// list is a list in a cell: its values if they are short.
func (n *Node) list() string {
	var parts []string
	for i := range n.Kids {
		if n.Kids[i].Op == '{' || n.Kids[i].Op == '[' || len(parts) == 20 {
			return "[" + words.Count(len(n.Kids), "value", "values") + "]"
		}
		parts = append(parts, n.Kids[i].Text)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// quoted writes a text as JSON does, but without escapes that only protect HTML.
func quoted(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(s) != nil {
		return `""`
	}
	return words.Plain(strings.TrimSuffix(b.String(), "\n"))
}
