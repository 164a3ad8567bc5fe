package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"skein.dev/skein/webtransport/client"
)

const (
	// certificateNotice is how long before a certificate expires there is a warning.
	certificateNotice = 14 * 24 * time.Hour
	// clockNotice is the difference of two clocks from which there is a warning.
	clockNotice = time.Minute
	// devCertificate is the name in a development certificate that a server makes.
	devCertificate = "Skein development certificate"
)

// checkTLS checks the certificate.
func (d *diagnosis) checkTLS(ctx context.Context) {
	d.begin(CheckTLS)
	c := Check{Name: CheckTLS, Verdict: OK}
	defer func() {
		d.trusted = c.Verdict != Failed
		d.put(c)
	}()
	if d.url.Scheme == "http" {
		c.Found = "none: http, on this machine"
		if !d.loopback() {
			c.Verdict, c.Found = Warning, "none: http"
			c.Means, c.Do = "Everybody on the way can read the token and what agents print.", "Serve with --listen, --tls-cert and --tls-key, and use the https URL."
		}
		return
	}
	ctx, cancel := d.part(ctx, 0.4)
	defer cancel()
	raw, err := dialTCP(ctx, "tcp", d.at(d.reached[0]))
	if err != nil {
		c.Verdict, c.Found, c.Means = Failed, plainly(err), "The port takes some connections, and not others."
		c.Do = "Try again; look at what stands before the server."
		return
	}
	defer raw.Close()
	conn := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, ServerName: d.url.Hostname()}) // verified below
	if err := conn.HandshakeContext(ctx); err != nil {
		c.Verdict, c.Found = Failed, "the handshake failed: "+plainly(err)
		var rh tls.RecordHeaderError
		switch {
		case errors.As(err, &rh):
			c.Found, c.Means, c.Do = "what answers does not speak TLS", "The port is for something else.", "Use http:// if it is the server's --http port; else check the port."
		case silent(err):
			c.Means, c.Do = "Something takes the connection and then says nothing.", "Check that the port is the server's, and whether a firewall inspects TLS."
		default:
			c.Means, c.Do = "The server, or a firewall that inspects TLS, refused it.", "Check that the port is the server's, and exempt it from inspection."
		}
		return
	}
	d.verify(&c, conn.ConnectionState())
}

// verify verifies a certificate as a client will.
func (d *diagnosis) verify(c *Check, st tls.ConnectionState) {
	leaf := st.PeerCertificates[0]
	until := leaf.NotAfter.Format(time.DateOnly)
	c.Found = fmt.Sprintf("%s, certificate verified, until %s", tls.VersionName(st.Version), until)
	var err error
	if hashes := d.o.CertificateHashes; len(hashes) > 0 {
		c.Found = fmt.Sprintf("%s, certificate pinned by its hash, until %s", tls.VersionName(st.Version), until)
		if err = client.TLSConfig(hashes).VerifyPeerCertificate([][]byte{leaf.Raw}, nil); err != nil {
			c.Verdict, c.Found = Failed, "the certificate is not the one that the data folder names"
			c.Means, c.Do = "Another server answers, or something opens TLS on the way.", "Check that the URL is the right server's."
		}
		return
	}
	rest := x509.NewCertPool()
	for _, cert := range st.PeerCertificates[1:] {
		rest.AddCert(cert)
	}
	_, err = leaf.Verify(x509.VerifyOptions{DNSName: d.url.Hostname(), Intermediates: rest})
	var (
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
	)
	switch {
	case err == nil:
		if left := time.Until(leaf.NotAfter); left < certificateNotice {
			c.Verdict, c.Means = Warning, fmt.Sprintf("It ends in %d days; then nobody can connect.", int(left.Hours()/24))
			c.Do = "Renew the certificate, and restart the server."
		}
		return
	case leaf.Subject.CommonName == devCertificate:
		c.Found = "the server shows its development certificate, until " + until
		c.Means = "It is for this machine's browsers, by its hash; nobody else can check it."
		c.Do = "On the server's machine use its http URL, or no URL at all; for others, serve with --tls-cert and --tls-key."
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && time.Now().Before(leaf.NotBefore):
		c.Found = "the certificate begins on " + leaf.NotBefore.Format(time.DateTime)
		c.Means, c.Do = "It is not valid yet, or this machine's clock is slow.", "Check the clock of this machine."
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		c.Found = "the certificate ended on " + until
		c.Means, c.Do = "It is of no use any more, unless this machine's clock is fast.", "Renew the certificate and restart the server; check the clock of this machine."
	case errors.As(err, &name):
		c.Found = fmt.Sprintf("the certificate is for %s, not for %s", names(leaf), d.url.Hostname())
		c.Means, c.Do = "The server is asked under a name that its certificate does not have, or another server answers.", "Use one of its names in the URL, or get a certificate with this one."
	default:
		c.Found = fmt.Sprintf("the certificate was issued by %q, whom this machine does not trust", issuer(leaf))
		c.Means = "It is of a private authority, signed by itself, or a firewall opens TLS on the way."
		c.Do = "Add the authority's certificate to this machine's store (or name its file in SSL_CERT_FILE), if it is yours."
	}
	c.Verdict = Failed
}

func names(cert *x509.Certificate) string {
	all := cert.DNSNames
	for _, ip := range cert.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "no name at all"
	}
	if len(all) > 5 {
		all = append(all[:5:5], "…")
	}
	return strings.Join(all, ", ")
}

func issuer(cert *x509.Certificate) string {
	if cert.Issuer.CommonName != "" {
		return cert.Issuer.CommonName
	}
	return cert.Issuer.String()
}
