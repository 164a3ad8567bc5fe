package push

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Bounds of a request to a push service.
const (
	sendTimeout = 20 * time.Second
	maxHeaders  = 16 << 10 // of its answer, in bytes
	maxReason   = 300      // of what it says, in bytes
	maxPause    = time.Hour
	firstPause  = 2 * time.Second // after a failure; each further one doubles it
	longPause   = 10 * time.Minute
)

// topic is that of every message: of those that a browser has not got yet, the push service keeps the last, which says how many
// wait (RFC 8030, section 5.4).
const topic = "inbox"

// courier posts messages to push services.
type courier struct {
	subject string
	client  *http.Client
}

func newCourier(o Options) *courier {
	dial := o.dial
	if dial == nil {
		dial = dialer(o.Private).DialContext
	}
	transport := &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: o.roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: dialTimeout, MaxResponseHeaderBytes: maxHeaders, DisableCompression: true, IdleConnTimeout: 30 * time.Second}
	return &courier{subject: o.Subject, client: &http.Client{Transport: transport, Timeout: sendTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (c *courier) close() { c.client.CloseIdleConnections() }

// outcome is how a message went. With neither sent nor gone, it failed.
type outcome struct {
	sent  bool
	gone  bool          // the push service has ended the subscription
	again bool          // whether it may be sent again
	after time.Duration // what the push service wants to be waited for before that; 0: it says nothing
	why   string        // it failed
}

// post sends a message to a browser, which the push service keeps for ttl.
func (c *courier) post(ctx context.Context, key *ecdsa.PrivateKey, s *Subscription, plain []byte, ttl time.Duration) outcome {
	r, err := c.request(ctx, key, s, plain, ttl)
	if err != nil {
		return outcome{why: "the message can't be made: " + err.Error()}
	}
	res, err := c.client.Do(r)
	if err != nil {
		return outcome{again: !errors.Is(err, errNotPublic), why: inWords(err)}
	}
	defer res.Body.Close()
	says, _ := io.ReadAll(io.LimitReader(res.Body, maxReason))
	return judge(res, clean(string(says), maxReason), time.Now())
}

func (c *courier) request(ctx context.Context, key *ecdsa.PrivateKey, s *Subscription, plain []byte, ttl time.Duration) (*http.Request, error) {
	body, err := seal(s.Key, s.Auth, plain)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Encoding", "aes128gcm")
	r.Header.Set("Content-Type", "application/octet-stream")
	r.Header.Set("TTL", strconv.Itoa(int(ttl.Seconds())))
	r.Header.Set("Urgency", "high")
	r.Header.Set("Topic", topic)
	token, err := authorization(key, r.URL.Scheme+"://"+r.URL.Host, c.subjectOf(s), time.Now())
	r.Header.Set("Authorization", token)
	return r, err
}

// subjectOf is a URL by which the push service finds who sends to s (RFC 8292, section 2.1). Some push services refuse a message without one.
func (c *courier) subjectOf(s *Subscription) string {
	return cmp.Or(c.subject, s.Origin, "https://localhost")
}

// judge says what an answer means (RFC 8030, sections 5, 7.3 and 8.4; RFC 8292, section 4.2).
func judge(res *http.Response, says string, now time.Time) outcome {
	if says != "" {
		says = ": " + says
	}
	o := outcome{why: fmt.Sprintf("the push service answered %s%s", clean(res.Status, 60), says)}
	switch code := res.StatusCode; {
	case code >= 200 && code < 300:
		return outcome{sent: true}
	case code == http.StatusNotFound || code == http.StatusGone:
		o.gone = true
	case code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code >= 500:
		o.again, o.after = true, retryAfter(res.Header.Get("Retry-After"), now)
	case code >= 300 && code < 400:
		o.why += " (redirects are not followed)"
	}
	return o
}

// retryAfter reads a number of seconds or a date (RFC 9110, section 10.2.3). It returns 0 for anything else.
func retryAfter(v string, now time.Time) time.Duration {
	v = strings.TrimSpace(v)
	if n, err := strconv.ParseUint(v, 10, 32); err == nil {
		return min(time.Duration(n)*time.Second, maxPause)
	}
	if at, err := http.ParseTime(v); err == nil {
		return min(max(at.Sub(now), 0), maxPause)
	}
	return 0
}

// pause is how long to wait after so many failures: between a half and all of what doubles with each, and not less than the push
// service asks for.
func pause(failures int, asked time.Duration) time.Duration {
	d := min(firstPause<<min(failures-1, 20), longPause)
	return max(d/2+rand.N(d/2), asked)
}

// inWords leaves out the URL, which is a secret of the browser's, and which net/http puts into its errors.
func inWords(err error) string {
	var u *url.Error
	if !errors.As(err, &u) {
		return err.Error()
	}
	if u.Timeout() {
		return "the push service does not answer"
	}
	return "the push service can't be reached: " + u.Err.Error()
}
