package push

import (
	"bytes"
	"crypto/ecdh"
	"encoding/base64"
	"strings"
	"testing"
)

// RFC 8291, section 5 and appendix A.
const (
	vectorPlain   = "V2hlbiBJIGdyb3cgdXAsIEkgd2FudCB0byBiZSBhIHdhdGVybWVsb24"
	vectorOurs    = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
	vectorBrowser = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
	vectorAuth    = "BTBZMqHH6r4Tts7J_aSIgg"
	vectorSalt    = "DGv6ra1nlYgDCS1FRnbzlw"
	vectorBody    = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT" +
		"pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)

func vectorKey(t testing.TB, s string) *ecdh.PrivateKey {
	t.Helper()
	k, err := ecdh.P256().NewPrivateKey(unbase64(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestTheExampleOfTheRFC(t *testing.T) {
	t.Parallel()
	ours, theirs, auth := vectorKey(t, vectorOurs), vectorKey(t, vectorBrowser), unbase64(t, vectorAuth)
	plain := unbase64(t, vectorPlain)
	body, err := encrypt(theirs.PublicKey(), auth, ours, unbase64(t, vectorSalt), append(bytes.Clone(plain), 2))
	if err != nil {
		t.Fatal(err)
	}
	if got := base64.RawURLEncoding.EncodeToString(body); got != vectorBody {
		t.Errorf("the body is\n%s, not\n%s", got, vectorBody)
	}
	b := browser{key: theirs, auth: auth}
	if got, err := b.open(body); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("the test's browser reads %q, %v", got, err)
	}
}

func TestEachLengthFits(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, "")
	for _, n := range []int{0, 1, padTo - 1, padTo, maxPlain - 1, maxPlain} {
		plain := []byte(strings.Repeat("x", n))
		body, err := seal(b.key.PublicKey().Bytes(), b.auth, plain)
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if got, err := b.open(body); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: %d were read, %v", n, len(got), err)
		}
	}
	if _, err := seal(b.key.PublicKey().Bytes(), b.auth, make([]byte, maxPlain+1)); err == nil {
		t.Error("a message that is too long was encrypted")
	}
}
