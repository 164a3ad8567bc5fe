package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"skein.dev/skein/webtransport/wire"
)

// devCertLifetime is under the 14 days that browsers allow for a certificate pinned by serverCertificateHashes
// (W3C WebTransport, section "custom certificate requirements"; ECDSA P-256 is the other one).
const devCertLifetime = 13 * 24 * time.Hour

// certificates gives the certificate for new connections. A development certificate is replaced when a quarter of its
// life is left; connections that live on keep the one they began with.
type certificates struct {
	// static
	dir      string        // of the development certificate; empty: a certificate from files
	lifetime time.Duration // of a development certificate
	log      *slog.Logger
	onRenew  func() // told of a new development certificate; set before anything listens

	renewing sync.Mutex // one renewal at a time

	mu      sync.RWMutex
	current *tls.Certificate
	hash    [sha256.Size]byte
}

// loadCertificates reads the user's certificate.
func loadCertificates(certFile, keyFile string) (*certificates, error) {
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificate of --tls-cert and --tls-key: %w", err)
	}
	return &certificates{current: &cert}, nil
}

// devCertificates reads the development certificate in dir, or makes one.
func devCertificates(dir string, lifetime time.Duration, log *slog.Logger) (*certificates, error) {
	c := &certificates{dir: dir, lifetime: lifetime, log: log}
	cert, err := tls.LoadX509KeyPair(c.path("dev.crt"), c.path("dev.key"))
	if err == nil && time.Now().Before(c.renewAt(cert.Leaf)) && cert.Leaf.NotAfter.Sub(cert.Leaf.NotBefore) <= lifetime+2*time.Hour {
		c.use(&cert)
		return c, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("the development certificate is unreadable; a new one is made", "err", err)
	}
	return c, c.renew()
}

func (c *certificates) path(name string) string { return filepath.Join(c.dir, name) }

// dev reports whether this is a development certificate, which clients pin by its hash.
func (c *certificates) dev() bool { return c.dir != "" }

func (c *certificates) renewAt(leaf *x509.Certificate) time.Time {
	return leaf.NotAfter.Add(-c.lifetime / 4)
}

func (c *certificates) use(cert *tls.Certificate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current, c.hash = cert, sha256.Sum256(cert.Certificate[0])
}

// keep renews the development certificate in time until ctx ends.
func (c *certificates) keep(ctx context.Context) {
	if !c.dev() {
		return
	}
	t := time.NewTicker(min(time.Minute, c.lifetime/8))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if err := c.refresh(); err != nil {
				c.log.Error("the development certificate could not be renewed", "err", err)
			}
		}
	}
}

// get serves tls.Config.GetCertificate. It looks at the date too, so that a machine that slept through it serves a good
// certificate at once.
func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if err := c.refresh(); err != nil {
		c.log.Error("the development certificate could not be renewed", "err", err)
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.current, nil
}

// hashes is what clients pin; nil for a certificate that a public authority vouches for.
func (c *certificates) hashes() []wire.CertificateHash {
	if !c.dev() {
		return nil
	}
	if err := c.refresh(); err != nil {
		c.log.Error("the development certificate could not be renewed", "err", err)
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return []wire.CertificateHash{{Algorithm: "sha-256", Value: c.hash[:]}}
}

func (c *certificates) refresh() error {
	if !c.dev() {
		return nil
	}
	c.mu.RLock()
	due := time.Now().After(c.renewAt(c.current.Leaf))
	c.mu.RUnlock()
	if !due {
		return nil
	}
	c.renewing.Lock()
	defer c.renewing.Unlock()
	if time.Now().Before(c.renewAt(c.leaf())) { // another did it meanwhile
		return nil
	}
	if err := c.renew(); err != nil {
		return err
	}
	if c.onRenew != nil {
		c.onRenew()
	}
	return nil
}

// leaf is the certificate that new connections get.
func (c *certificates) leaf() *x509.Certificate {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.current.Leaf
}

func (c *certificates) renew() error {
	certPEM, keyPEM, err := makeDevCertificate(time.Now(), c.lifetime)
	if err != nil {
		return fmt.Errorf("make a development certificate: %w", err)
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	if err := errors.Join(writeFile(c.path("dev.key"), keyPEM), writeFile(c.path("dev.crt"), certPEM)); err != nil {
		return err
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return err
	}
	c.use(&cert)
	c.log.Info("made a development certificate", "until", cert.Leaf.NotAfter.Format(time.RFC3339), "sha256", fmt.Sprintf("%x", c.hash[:8]))
	return nil
}

func makeDevCertificate(now time.Time, lifetime time.Duration) (certPEM, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, err
	}
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Skein development certificate"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(lifetime), // an hour for clocks that differ
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), nil
}

// DevCertificate makes a development certificate in dir, or reads the one that is there, for a server beside Skein's own.
func DevCertificate(dir string, log *slog.Logger) (*tls.Certificate, error) {
	c, err := devCertificates(dir, devCertLifetime, log)
	if err != nil {
		return nil, err
	}
	return c.get(nil)
}
