package wire_test

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// fits checks that a value comes back as it was, within the length that its entry claims.
func fits(t *testing.T, key string, value []byte) int {
	t.Helper()
	far := time.Date(2026, 12, 31, 23, 59, 59, 123456789, time.FixedZone("", 3600))
	e := wire.MemoryEntry{Namespace: strings.Repeat("n", wire.MaxMemoryNamespace), Key: key, Value: wire.NewMemoryValue(value), Size: math.MaxInt32,
		ContentType: "text/<plain>", Revision: math.MaxUint64, Previous: math.MaxUint64, Writer: `a "writer"`, CreatedAt: far, UpdatedAt: far, ExpiresAt: &far, Deleted: true}
	if !bytes.Equal(e.Value.Bytes(), value) {
		t.Fatalf("%q became %q", value, e.Value.Bytes())
	}
	j, err := wire.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	if len(j) > e.EncodedLen() {
		t.Fatalf("%d bytes of JSON, more than EncodedLen says: %d", len(j), e.EncodedLen())
	}
	return len(j)
}

func TestEveryMemoryValueFitsIntoAMessage(t *testing.T) {
	key := strings.Repeat("\u2028", wire.MaxMemoryKey/3)
	for _, c := range []string{"a", `"`, "<", "\n", "\x1b", "\x00", "\x7f", "\u2028", "é", "\xff", "&\"", "\ufffd"} {
		n := fits(t, key, []byte(strings.Repeat(c, wire.MaxMemoryValue/len(c))))
		if n > wire.MaxMessage-1024 {
			t.Errorf("a value full of %q takes %d bytes of a message", c, n)
		}
	}
}

func FuzzMemoryValue(f *testing.F) {
	f.Add("key", []byte("text"))
	f.Add("a \"key\"", []byte{0, 1, 0xff})
	f.Add("\u2028", []byte("<tag>\t\x1b[0m\u2029\ufffd"))
	f.Add("\xef\xef", []byte("0")) // the first byte of \ufffd alone
	f.Fuzz(func(t *testing.T, key string, value []byte) { fits(t, key, value) })
}
