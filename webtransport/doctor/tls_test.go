package doctor_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"skein.dev/skein/webtransport/client"
	"skein.dev/skein/webtransport/doctor"
	"skein.dev/skein/webtransport/wire"
)

// certificate makes one that nobody vouches for.
func certificate(t *testing.T, name string, from, to time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test"}, NotBefore: from, NotAfter: to}
	if ip := net.ParseIP(name); ip != nil {
		c.IPAddresses = []net.IP{ip}
	} else {
		c.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestExamineTheCertificate(t *testing.T) {
	t.Parallel()
	n := serve(t)
	local := n.addrs
	hashes := func(o *client.Options) {
		l, err := client.FindLocal(n.dir)
		if err != nil {
			t.Fatal(err)
		}
		o.CertificateHashes = l.CertificateHashes
	}
	now := time.Now()
	under := func(cert tls.Certificate) string {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				t.Error("it was sent the token")
			}
		}))
		s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
		s.StartTLS()
		t.Cleanup(s.Close)
		return s.URL
	}
	for name, c := range map[string]struct {
		url     string
		change  func(*client.Options)
		verdict doctor.Verdict
		found   string
	}{
		"pinned": {local.HTTPS, hashes, doctor.OK, "pinned"},
		"the wrong hash": {local.HTTPS, func(o *client.Options) {
			o.CertificateHashes = []wire.CertificateHash{{Algorithm: "sha-256", Value: make([]byte, 32)}}
		}, doctor.Failed, "not the one"},
		"of development":     {local.HTTPS, nil, doctor.Failed, "development certificate"},
		"another name":       {under(certificate(t, "other.example", now.Add(-time.Hour), now.Add(time.Hour))), nil, doctor.Failed, "for other.example, not for 127.0.0.1"},
		"ended":              {under(certificate(t, "127.0.0.1", now.Add(-2*time.Hour), now.Add(-time.Hour))), nil, doctor.Failed, "ended on"},
		"not begun":          {under(certificate(t, "127.0.0.1", now.Add(time.Hour), now.Add(2*time.Hour))), nil, doctor.Failed, "begins on"},
		"nobody's":           {under(certificate(t, "127.0.0.1", now.Add(-time.Hour), now.Add(time.Hour))), nil, doctor.Failed, `by "Test"`},
		"none, but loopback": {local.HTTP, nil, doctor.OK, "http"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := client.Options{URL: c.url, Token: n.token}
			if c.change != nil {
				c.change(&o)
			}
			r := examine(t, wellInTime, o)
			if got := r.Check(doctor.CheckTLS); got.Verdict != c.verdict || !strings.Contains(got.Found, c.found) {
				t.Errorf("%+v", got)
			}
			if (r.Endpoint != "") != (c.verdict == doctor.OK) {
				t.Errorf("the endpoint is %q", r.Endpoint)
			}
			if stranger := !strings.HasPrefix(c.url, local.HTTP) && c.url != local.HTTPS; stranger != strings.Contains(r.Why, "not Skein") {
				t.Errorf("because %q", r.Why) // what to do about the certificate is no help there
			}
		})
	}
}
