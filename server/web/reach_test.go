package web

import "testing"

func TestSecureContexts(t *testing.T) {
	t.Parallel()
	for origin, want := range map[string]bool{"https://skein.example": true, "http://skein.example": false, "http://localhost:4480": true, "http://app.localhost": true,
		"http://127.0.0.1:4480": true, "http://[::1]:4480": true, "http://192.0.2.1": false, "http://localhost.example": false} {
		if got := secureContext(origin); got != want {
			t.Errorf("%s: %v, want %v", origin, got, want)
		}
	}
}
