package server

import "fmt"

// plainValues are the values of a mapping as words: an option may be named true, or 3. It reports whether all are plain.
func plainValues(m map[string]any) (words map[string]string, plain bool) {
	for name, v := range m {
		switch v.(type) {
		case string, bool, uint64, int64, float64:
		default:
			return nil, false
		}
		if words == nil {
			words = map[string]string{}
		}
		words[name] = fmt.Sprint(v)
	}
	return words, true
}
