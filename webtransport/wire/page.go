package wire

// sized is a record that knows, without being encoded, how long it becomes in JSON at most.
type sized interface {
	EncodedLen() int
}

// EncodedSize is how many bytes of JSON v is, or a little less than it says.
func EncodedSize(v any) int {
	if s, ok := v.(sized); ok {
		return s.EncodedLen()
	}
	j, err := Encode(v)
	if err != nil {
		return 0
	}
	return len(j)
}

// PageOf says how many of these records make a page: limit at most (0: MaxPage), and one at least if there is one.
func PageOf[T any](all []T, limit int) int {
	if limit <= 0 || limit > MaxPage {
		limit = MaxPage
	}
	n, size := 0, 0
	for n < len(all) && n < limit {
		if size += EncodedSize(&all[n]) + 1; size > PageBytes && n > 0 {
			break
		}
		n++
	}
	return n
}

// Pages splits records into pages. Without records there is none.
func Pages[T any](all []T, limit int) (pages [][]T) {
	for len(all) > 0 {
		n := PageOf(all, limit)
		pages, all = append(pages, all[:n:n]), all[n:]
	}
	return pages
}
