package push

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"skein.dev/skein/e2e/kit"
	"skein.dev/skein/webtransport/wire"
)

func TestOffersThatAreRefused(t *testing.T) {
	t.Parallel()
	good := string(newBrowser(t, "https://push.example.com/a").offer())
	if _, err := ParseOffer([]byte(good), false); err != nil {
		t.Fatal(err)
	}
	with := func(field, value string) string {
		var m map[string]any
		json.Unmarshal([]byte(good), &m)
		if at, inside := strings.CutPrefix(field, "keys."); inside {
			m["keys"].(map[string]any)[at] = value
		} else {
			m[field] = value
		}
		b, _ := json.Marshal(m)
		return string(b)
	}
	for name, c := range map[string]struct{ offer, field string }{
		"nothing":                   {"", ""},
		"another form":              {"[]", ""},
		"no endpoint":               {"{}", "endpoint"},
		"plain HTTP":                {with("endpoint", "http://push.example.com/a"), "endpoint"},
		"another scheme":            {with("endpoint", "file:///etc/passwd"), "endpoint"},
		"no host":                   {with("endpoint", "https:///a"), "endpoint"},
		"a user":                    {with("endpoint", "https://me@push.example.com/a"), "endpoint"},
		"a fragment":                {with("endpoint", "https://push.example.com/a#b"), "endpoint"},
		"a long endpoint":           {with("endpoint", "https://push.example.com/"+strings.Repeat("a", MaxEndpoint)), "endpoint"},
		"this machine":              {with("endpoint", "https://127.0.0.1/a"), "endpoint"},
		"this machine, by IPv6":     {with("endpoint", "https://[::ffff:127.0.0.1]:4433/a"), "endpoint"},
		"a key that is no base64":   {with("keys.p256dh", "!"), "keys.p256dh"},
		"a key that is short":       {with("keys.p256dh", "BAAA"), "keys.p256dh"},
		"a key that is no point":    {with("keys.p256dh", encode(append([]byte{4}, make([]byte, 64)...))), "keys.p256dh"},
		"a key of another form":     {with("keys.p256dh", encode(make([]byte, 65))), "keys.p256dh"},
		"no secret":                 {with("keys.auth", ""), "keys.auth"},
		"a secret that is too long": {with("keys.auth", encode(make([]byte, 17))), "keys.auth"},
		"a long one before":         {with("replaces", strings.Repeat("a", MaxEndpoint+1)), "replaces"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseOffer([]byte(c.offer), false)
			kit.Refused(t, err, wire.CodeInvalidParams, c.field)
		})
	}
	if _, err := ParseOffer([]byte(with("endpoint", "https://127.0.0.1/a")), true); err != nil {
		t.Errorf("where private addresses are allowed: %v", err)
	}
}

func TestPublicAddresses(t *testing.T) {
	t.Parallel()
	for ip, want := range map[string]bool{
		"142.250.1.1": true, "17.188.1.1": true, "2607:f8b0::1": true, "64:ff9b::8.8.8.8": true, "172.32.0.1": true, "100.63.0.1": true,
		"127.0.0.1": false, "127.9.9.9": false, "::1": false, "0.0.0.0": false, "::": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false,
		"169.254.169.254": false, "100.100.100.200": false, "fe80::1": false, "fe80::1%eth0": false, "fd00::1": false, "fc00:ec2::254": false, "224.0.0.1": false, "ff02::1": false,
		"255.255.255.255": false, "::ffff:10.0.0.1": false, "::ffff:100.64.0.1": false, "::ffff:8.8.8.8": true, "64:ff9b::10.0.0.1": false, "::127.0.0.1": false, "2002:7f00:1::": false,
		"fec0::1": false, "2001:db8::1": false, "198.18.0.1": false, "0.1.2.3": false,
	} {
		if got := public(netip.MustParseAddr(ip)); got != want {
			t.Errorf("%s: %t", ip, got)
		}
	}
}

func TestBrowsersAreCalledByTheirNames(t *testing.T) {
	t.Parallel()
	for ua, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0":                                                                  "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0":           "Edge on Windows",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36":                         "Chrome on Android",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1": "Safari on iPhone",
		"":      "A browser",
		"<b>x>": "A browser",
	} {
		if got := browserOf(ua); got != want {
			t.Errorf("%q: %s", ua, got)
		}
	}
}

func FuzzParseOffer(f *testing.F) {
	f.Add(newBrowser(f, "https://push.example.com/a").offer())
	f.Add([]byte(`{"endpoint":"https://[::1]:1/","keys":{"p256dh":"BA==","auth":""}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := ParseOffer(b, false)
		if err != nil {
			if wire.AsError(err).Code != wire.CodeInvalidParams {
				t.Errorf("the error is %v", err)
			}
			return
		}
		if len(o.Endpoint) > MaxEndpoint || !strings.HasPrefix(strings.ToLower(o.Endpoint), "https:") || len(o.Key) != 65 || len(o.Auth) != 16 {
			t.Errorf("it was taken as %+v", o)
		}
		if _, err := seal(o.Key, o.Auth, []byte("x")); err != nil {
			t.Errorf("nothing can be sent to it: %v", err)
		}
	})
}
