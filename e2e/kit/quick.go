package kit

import "os"

// Quick says that tests do less where the number is not the point, and that no duration is asserted: unless EVERY=1 is in the
// environment, as in make soak, and always with the race detector, which makes everything several times as slow.
var Quick = race || os.Getenv("EVERY") == ""

// Less gives the number of a full-size test, or the smaller one of a quick test.
func Less[T any](full, quick T) T {
	if Quick {
		return quick
	}
	return full
}
