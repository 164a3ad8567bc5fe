// Package cert holds what the TLS connections of a server are made with: its certificate and its session tickets.
//
// A certificate comes from the user's files, or is a development certificate that the package makes, keeps in the data
// folder and renews. Each TLS handshake asks Keeper.Get for the certificate; POST /connect gives clients Keeper.Hashes to
// pin; a client that comes back presents a ticket of Tickets, which is good for early data once.
//
// # Locks
//
// They are taken in this order:
//
//	Keeper.renewing   held while a development certificate is renewed, so that there is one renewal at a time
//	Keeper.mu         guards the current certificate and its hash; not held during I/O
package cert

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

	"skein.dev/skein/server/datadir"
	"skein.dev/skein/webtransport/wire"
)

// Lifetime is under the 14 days that browsers allow for a certificate pinned by serverCertificateHashes
// (W3C WebTransport, section "custom certificate requirements"; ECDSA P-256 is the other one).
const Lifetime = 13 * 24 * time.Hour

// Keeper gives the certificate for new connections. A development certificate is replaced when a quarter of its
// life is left; connections that live on keep the one they began with.
type Keeper struct {
	// static
	dir      string        // of the development certificate; empty: a certificate from files
	lifetime time.Duration // of a development certificate
	log      *slog.Logger
	onRenew  func() // nil, or what OnRenew was given

	renewing sync.Mutex // one renewal at a time

	mu      sync.RWMutex
	current *tls.Certificate
	hash    [sha256.Size]byte
}

// Load reads the user's certificate.
func Load(certFile, keyFile string) (*Keeper, error) {
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificate of --tls-cert and --tls-key: %w", err)
	}
	return &Keeper{current: &cert}, nil
}

// Development reads the development certificate in dir, or makes one.
func Development(dir string, lifetime time.Duration, log *slog.Logger) (*Keeper, error) {
	c := &Keeper{dir: dir, lifetime: lifetime, log: log}
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

func (c *Keeper) path(name string) string { return filepath.Join(c.dir, name) }

// IsDevelopment reports whether this is a development certificate, which clients pin by its hash.
func (c *Keeper) IsDevelopment() bool { return c.dir != "" }

func (c *Keeper) renewAt(leaf *x509.Certificate) time.Time {
	return leaf.NotAfter.Add(-c.lifetime / 4)
}

func (c *Keeper) use(cert *tls.Certificate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current, c.hash = cert, sha256.Sum256(cert.Certificate[0])
}

// OnRenew has f called after each new development certificate. It must be called before anything listens.
func (c *Keeper) OnRenew(f func()) { c.onRenew = f }

// Keep renews the development certificate in time until ctx ends.
func (c *Keeper) Keep(ctx context.Context) {
	if !c.IsDevelopment() {
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

// Get serves tls.Config.GetCertificate. It checks the date as well, so that a machine that slept past the renewal
// serves a good certificate at once.
func (c *Keeper) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if err := c.refresh(); err != nil {
		c.log.Error("the development certificate could not be renewed", "err", err)
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.current, nil
}

// Hashes is what clients pin; nil for a certificate that a public authority vouches for.
func (c *Keeper) Hashes() []wire.CertificateHash {
	if !c.IsDevelopment() {
		return nil
	}
	if err := c.refresh(); err != nil {
		c.log.Error("the development certificate could not be renewed", "err", err)
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	hash := c.hash // a renewal changes the other one
	return []wire.CertificateHash{{Algorithm: "sha-256", Value: hash[:]}}
}

func (c *Keeper) refresh() error {
	if !c.IsDevelopment() {
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
	if time.Now().Before(c.renewAt(c.Leaf())) { // another handshake renewed it meanwhile
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

// Leaf is the certificate that new connections get.
func (c *Keeper) Leaf() *x509.Certificate {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.current.Leaf
}

func (c *Keeper) renew() error {
	certPEM, keyPEM, err := makeDevCertificate(time.Now(), c.lifetime)
	if err != nil {
		return fmt.Errorf("make a development certificate: %w", err)
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	if err := errors.Join(datadir.WriteFile(c.path("dev.key"), keyPEM), datadir.WriteFile(c.path("dev.crt"), certPEM)); err != nil {
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
