package cert

import (
	"bytes"
	"log/slog"
	"testing"
)

func TestARenewalLeavesTheHashesThatWereGivenOut(t *testing.T) {
	t.Parallel()
	c, err := Development(t.TempDir(), Lifetime, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	given := c.Hashes()
	before := bytes.Clone(given[0].Value)
	if err := c.renew(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(given[0].Value, before) {
		t.Error("the hash that was given out has changed")
	}
	if bytes.Equal(c.Hashes()[0].Value, before) {
		t.Error("the new certificate has the old hash")
	}
}
