package server

import (
	"bytes"
	"encoding/json"
	"image/png"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A system that installs the app fetches its manifest and icons without a login, and finds all of them.
func TestThePagesCanBeInstalled(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "/skein"} {
		n := start(t, func(o *Options) { o.BasePath = base })
		host := strings.TrimSuffix(n.addrs.HTTP, base)
		at := n.addrs.HTTP + "/manifest.webmanifest"
		a := n.ask(t, "GET", at)
		var m struct {
			ID       string `json:"id"`
			StartURL string `json:"start_url"`
			Scope    string
			Display  string
			Name     string
			Icons    []struct{ Src, Sizes, Type, Purpose string }
		}
		if err := json.Unmarshal([]byte(a.body), &m); err != nil || a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "application/manifest+json" || a.Header.Get("Cache-Control") != "no-cache" {
			t.Fatalf("%s, %v, %v: %s", a.Status, a.Header, err, a.body)
		}
		if m.ID != base+"/" || m.StartURL != base+"/" || m.Scope != base+"/" || m.Display != "standalone" || m.Name != "Skein" {
			t.Errorf("%+v", m)
		}
		if again := n.ask(t, "GET", at, header("If-None-Match", a.Header.Get("ETag"))); again.StatusCode != http.StatusNotModified {
			t.Errorf("again: %s", again.Status)
		}
		var sizes []string
		for _, icon := range m.Icons {
			got := n.ask(t, "GET", host+icon.Src)
			if got.StatusCode != http.StatusOK || got.Header.Get("Content-Type") != icon.Type || !strings.Contains(got.Header.Get("Cache-Control"), "immutable") {
				t.Errorf("%+v: %s, %v", icon, got.Status, got.Header)
			}
			sizes = append(sizes, icon.Sizes+icon.Purpose)
			if icon.Type != "image/png" {
				continue
			}
			picture, err := png.DecodeConfig(bytes.NewReader([]byte(got.body)))
			if side := strconv.Itoa(picture.Width); err != nil || icon.Sizes != side+"x"+side || picture.Height != picture.Width {
				t.Errorf("%+v: %+v, %v", icon, picture, err)
			}
		}
		if !slices.Equal(sizes, []string{"192x192", "512x512", "512x512maskable", "any"}) {
			t.Errorf("its icons are %v", sizes)
		}
		page := n.ask(t, "GET", n.addrs.HTTP+"/", bearer(n.token), header("Accept", "text/html"))
		if !strings.Contains(page.body, `<link rel="manifest" href="`+base+`/manifest.webmanifest"`) || !strings.Contains(page.Header.Get("Content-Security-Policy"), "manifest-src 'self'") {
			t.Errorf("a page says %s and %.1000s", page.Header.Get("Content-Security-Policy"), page.body)
		}
	}
}
