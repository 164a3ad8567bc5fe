//go:build race

package kit

// Race says that the race detector runs, which makes everything many times as slow: tests then do less where the number is
// not the point.
const Race = true
