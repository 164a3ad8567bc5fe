package wire_test

import (
	"encoding/json"
	"errors"
	"testing"

	"skein.dev/skein/webtransport/wire"
)

// FuzzBulkHeader checks that a bulk lane's header that is taken says all that a transfer needs, and stays what it is
// when it is written again.
func FuzzBulkHeader(f *testing.F) {
	for _, line := range []string{
		`{"lane":"bulk","artifact":"f2xipes2jipcy","op":"put"}`,
		`{"lane":"bulk","artifact":"f2xipes2jipcy","op":"get","offset":1048576}`,
		`{"lane":"bulk","artifact":"f2xipes2jipcy","op":"get","offset":-1}`,
		`{"lane":"bulk","artifact":"f2xipes2jipcy","op":"get","offset":9223372036854775807}`,
		`{"lane":"bulk","artifact":"f2xipes2jipcy","op":"get","offset":1e3}`,
		`{"lane":"bulk","artifact":"f2xipes2jipcy","op":"move"}`,
		`{"lane":"bulk","artifact":"","op":"put"}`,
		`{"lane":"bulk","op":"put"}`,
		`{"lane":"bulk","artifact":5,"op":"put"}`,
		`{"lane":"bulk","artifact":"../../token","op":"get","Offset":7}`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		h, err := wire.ParseHeader(line)
		if err != nil {
			if !errors.Is(err, wire.ErrHeader) {
				t.Fatalf("%v is no ErrHeader", err)
			}
			return
		}
		if h.Lane != wire.LaneBulk {
			return
		}
		if h.Artifact == "" || h.Offset < 0 || h.Op != wire.BulkPut && h.Op != wire.BulkGet {
			t.Fatalf("%q was taken as %+v", line, h)
		}
		again, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		if h2, err := wire.ParseHeader(again); len(again) <= wire.MaxHeader && (err != nil || h2 != h) {
			t.Fatalf("%+v became %+v, %v", h, h2, err)
		}
	})
}
