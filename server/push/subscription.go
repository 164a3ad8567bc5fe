package push

import (
	"crypto/ecdh"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// Bounds of what a browser sends, in bytes.
const (
	MaxEndpoint = 2 << 10
	maxOrigin   = 300
)

// Record is what people may see of a subscription: neither its URL, which lets send to it, nor its keys.
type Record struct {
	ID      string     `json:"id"`      // of the URL: the first 16 bytes of its SHA-256, as base64url
	Service string     `json:"service"` // the host of the push service
	Browser string     `json:"browser"` // such as Firefox on Linux
	Since   time.Time  `json:"since"`
	Sent    *time.Time `json:"sent_at,omitempty"`   // when the push service took a message last
	Failed  *time.Time `json:"failed_at,omitempty"` // when it did not, after Sent; nil: it never failed since
	Failure string     `json:"failure,omitempty"`   // why
}

// Subscription is a browser that wants messages (RFC 8030, section 4; RFC 8291, section 2).
type Subscription struct {
	Record
	Endpoint string `json:"endpoint"`
	Key      []byte `json:"key"`              // the browser's public key: a point on P-256, uncompressed, 65 bytes
	Auth     []byte `json:"auth"`             // 16 bytes that it shares with the server
	Who      string `json:"who"`              // the principal that subscribed
	Origin   string `json:"origin,omitempty"` // of the page, if it is https
}

// Offer is what a browser sends to subscribe.
type Offer struct {
	Endpoint string
	Key      []byte // 65 bytes
	Auth     []byte // 16 bytes
	Replaces string // the endpoint of a subscription that this one follows; usually ""
}

// IDOf returns the id of the subscription with an endpoint.
func IDOf(endpoint string) string {
	sum := sha256.Sum256([]byte(endpoint))
	return encode(sum[:16])
}

// ParseOffer reads the JSON of a PushSubscription (Push API, PushSubscription.toJSON), which may have the field replaces beside its own. Errors are
// *wire.Error with code invalid_params. With private, a literal address that is not public is allowed.
func ParseOffer(b []byte, private bool) (o Offer, err error) {
	var raw struct {
		Endpoint string `json:"endpoint"`
		Keys     struct {
			P256DH string `json:"p256dh"`
			Auth   string `json:"auth"`
		} `json:"keys"`
		Replaces string `json:"replaces"`
	}
	if json.Unmarshal(b, &raw) != nil {
		return o, invalid("", "this is no subscription of a browser, as JSON")
	}
	o.Endpoint, o.Replaces = raw.Endpoint, raw.Replaces
	if err := checkEndpoint(raw.Endpoint, private); err != nil {
		return o, err
	}
	if len(raw.Replaces) > MaxEndpoint {
		return o, invalid("replaces", "a URL of a push service has at most %d bytes", MaxEndpoint)
	}
	if o.Key, err = decode(raw.Keys.P256DH); err != nil || len(o.Key) != 65 {
		return o, invalid("keys.p256dh", "must be 65 bytes, as base64url")
	}
	if _, err := ecdh.P256().NewPublicKey(o.Key); err != nil {
		return o, invalid("keys.p256dh", "is no point on the curve P-256")
	}
	if o.Auth, err = decode(raw.Keys.Auth); err != nil || len(o.Auth) != 16 {
		return o, invalid("keys.auth", "must be 16 bytes, as base64url")
	}
	return o, nil
}

func checkEndpoint(endpoint string, private bool) error {
	if len(endpoint) > MaxEndpoint {
		return invalid("endpoint", "a URL of a push service has at most %d bytes", MaxEndpoint)
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return invalid("endpoint", "must be an https URL of a push service")
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !private && !public(ip) {
		return invalid("endpoint", "%s is not a public address", ip)
	}
	return nil
}

// decode reads base64url, with or without padding.
func decode(s string) ([]byte, error) {
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
}

func invalid(field, format string, args ...any) error {
	return wire.Errorf(wire.CodeInvalidParams, format, args...).WithField(field)
}

// service is the host of the push service of an endpoint.
func service(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	return u.Host
}

// clean makes a text of a peer short and printable.
func clean(s string, max int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
	return strings.ToValidUTF8(wire.Cut(strings.TrimSpace(s), max), "")
}

// browserOf makes a name of a User-Agent, as far as it has one that people know: "Firefox on Linux".
func browserOf(userAgent string) string {
	find := func(otherwise string, words ...[2]string) string {
		for _, w := range words {
			if strings.Contains(userAgent, w[0]) {
				return w[1]
			}
		}
		return otherwise
	}
	// The order matters: most say that they are also those behind them.
	name := find("A browser", [2]string{"Edg", "Edge"}, [2]string{"OPR/", "Opera"}, [2]string{"Firefox/", "Firefox"}, [2]string{"FxiOS", "Firefox"},
		[2]string{"Chrom", "Chrome"}, [2]string{"CriOS", "Chrome"}, [2]string{"Safari/", "Safari"})
	system := find("", [2]string{"Android", "Android"}, [2]string{"iPhone", "iPhone"}, [2]string{"iPad", "iPad"}, [2]string{"Mac OS X", "macOS"},
		[2]string{"Windows", "Windows"}, [2]string{"CrOS", "ChromeOS"}, [2]string{"Linux", "Linux"})
	if system == "" {
		return name
	}
	return name + " on " + system
}
