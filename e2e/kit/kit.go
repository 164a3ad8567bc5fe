// Package kit has what the Go tests of every package share.
package kit

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// Patience bounds every wait for something that must happen. Only a failing test comes near it, however busy the machine.
const Patience = time.Minute

// Eventually waits until what is to happen has, and fails the test after Patience.
func Eventually(t testing.TB, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(Patience); !happened(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", Patience, what)
		}
	}
}

// Until gives the first value that is ok, and fails the test with the last one after Patience.
func Until[T any](t testing.TB, what string, get func() T, ok func(T) bool) T {
	t.Helper()
	for end := time.Now().Add(Patience); ; time.Sleep(5 * time.Millisecond) {
		v := get()
		if ok(v) {
			return v
		}
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s; it is %+v", Patience, what, v)
		}
	}
}

// Receive gives what comes next on a channel, or nothing when it is closed. It fails the test after Patience.
func Receive[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(Patience):
		t.Fatalf("not within %s: %s", Patience, what)
		panic("unreachable")
	}
}

// SameJSON reports whether two values are encoded alike.
func SameJSON(t testing.TB, a, b any) bool {
	t.Helper()
	one, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	two, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Equal(one, two)
}

// Refused checks an error's code and field, and that it says something. It gives the error, or an empty one.
func Refused(t testing.TB, err error, code wire.ErrorCode, field string) *wire.Error {
	t.Helper()
	var e *wire.Error
	if !errors.As(err, &e) || e.Code != code || e.Data == nil || e.Data.Field != field || e.Message == "" {
		t.Errorf("the error is %v (%+v), want %s on field %q", err, e, code, field)
		return wire.Errorf(code, "")
	}
	return e
}
