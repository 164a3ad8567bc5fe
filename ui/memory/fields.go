package memory

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"skein.dev/skein/ui/words"
	"skein.dev/skein/webtransport/wire"
)

const (
	maxFields    = 6       // of a value in the list; the rest is counted
	maxFieldText = 60      // characters of one
	maxFieldRead = 8 << 10 // bytes of a value: a longer one is shown by its beginning
)

// field is a name and a value of an object, as people write it.
type field struct {
	Name, Text string
	At         time.Time // if it is a time
	Number     bool
}

// fieldsOf reads a value that is an object of JSON, in its own order, and says how many fields there are more. ok is false of all others.
func fieldsOf(value []byte) (fields []field, more int, ok bool) {
	value = bytes.TrimSpace(value)
	if len(value) > maxFieldRead || len(value) < 2 || value[0] != '{' || !json.Valid(value) {
		return nil, 0, false
	}
	d := json.NewDecoder(bytes.NewReader(value))
	d.Token()
	for d.More() {
		name, err := d.Token()
		var raw json.RawMessage
		if err != nil || d.Decode(&raw) != nil {
			return nil, 0, false
		}
		if len(fields) == maxFields {
			more++
			continue
		}
		text, _ := name.(string)
		f := fieldOf(raw)
		f.Name = short(words.Clean(text))
		fields = append(fields, f)
	}
	return fields, more, len(fields) > 0
}

// fieldOf writes a value of JSON: whole numbers with their digits in groups, times as such, lists without their brackets.
func fieldOf(raw json.RawMessage) (f field) {
	switch raw[0] {
	case '"':
		var s string
		json.Unmarshal(raw, &s)
		if at, err := time.Parse(time.RFC3339, s); err == nil && at.Year() > 1970 && at.Year() < 2200 {
			f.At = at
		}
		f.Text = short(words.Clean(s))
	case '[', '{':
		f.Text = cmp.Or(short(listed(raw)), "none")
	case 't':
		f.Text = "yes"
	case 'f':
		f.Text = "no"
	case 'n':
		f.Text = "none"
	default:
		f.Number, f.Text = true, string(raw)
		if n, err := strconv.ParseInt(f.Text, 10, 64); err == nil && (n >= 10_000 || n <= -10_000) {
			f.Text = words.Grouped(n)
		}
	}
	return f
}

// listed is a list of plain values as people write it, and other JSON as it is.
func listed(raw json.RawMessage) string {
	var all []json.RawMessage
	if json.Unmarshal(raw, &all) == nil {
		texts := make([]string, len(all))
		for i, one := range all {
			if one[0] == '[' || one[0] == '{' {
				return words.Clean(string(raw))
			}
			texts[i] = fieldOf(one).Text
		}
		return strings.Join(texts, ", ")
	}
	return words.Clean(string(raw))
}

// short cuts a text at a number of characters.
func short(s string) string {
	if utf8.RuneCountInString(s) <= maxFieldText {
		return s
	}
	return string([]rune(wire.Cut(s, 4*maxFieldText))[:maxFieldText-1]) + "…"
}
